//! Tables: what `kubectl get` shows, computed by the server.

use api::table::Column;
use serde_json::Value;

/// What each row carries besides its cells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IncludeObject {
    /// Nothing.
    None,
    /// The object's metadata.
    #[default]
    Metadata,
    /// The object.
    Object,
}

/// The `columnDefinitions`: `Name` first, `Age` last unless the columns have one.
#[must_use]
pub fn definitions(_columns: &[Column]) -> Value {
    Value::Null
}

/// One row. `stored` is the object in the storage version, for the cells; `served` in the requested one.
#[must_use]
pub fn row(
    _columns: &[Column],
    _stored: &Value,
    _served: &Value,
    _include: IncludeObject,
    _now: &str,
) -> Value {
    Value::Null
}

/// The table. `metadata` is the list's; without `definitions` (later events of a watch) the headings are left out.
#[must_use]
pub fn table(_definitions: Option<Value>, _rows: Vec<Value>, _metadata: Value) -> Value {
    Value::Null
}

/// How long ago, as people say it: `5d`, `3m20s`. Times are RFC 3339.
#[must_use]
pub fn age(_since: &str, _now: &str) -> String {
    String::new()
}
