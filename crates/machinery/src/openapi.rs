//! OpenAPI documents: what kubectl decides on and explains from.

use serde_json::Value;

use crate::discovery::Served;

/// The path of a group and version in the index and in URLs: `api/v1`, `apis/tekton.dev/v1`.
#[must_use]
pub fn path(group: &str, version: &str) -> String {
    if group.is_empty() { format!("api/{version}") } else { format!("apis/{group}/{version}") }
}

/// The OpenAPI v3 document of a group and version, or nothing if it is not served.
#[must_use]
pub fn document(_served: &Served<'_>, _group: &str, _version: &str) -> Option<Value> {
    None
}

/// The index `/openapi/v3`: `documents` are pairs of [`path`] and hash of the document; `prefix` is the part of
/// the URL before `/openapi`, such as `/clusters/root`.
#[must_use]
pub fn index(_prefix: &str, _documents: &[(String, String)]) -> Value {
    Value::Null
}

/// A reduced OpenAPI v2 document of everything served.
#[must_use]
pub fn v2(_served: &Served<'_>) -> Value {
    Value::Null
}
