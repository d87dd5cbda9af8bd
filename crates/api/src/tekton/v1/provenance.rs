//! Where the definition of a run came from.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::filled;
use serde_json::{Map, Value};

use crate::tekton::schema_parts::open_object;

/// Where the definition came from and under which settings it ran.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Provenance {
    /// The source of a definition that was fetched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ref_source: Option<RefSource>,
    /// The feature switches that were in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "open_object")]
    pub feature_flags: Option<Map<String, Value>>,
}

/// The source of a definition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RefSource {
    /// The place, such as a repository's URL.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    /// Digests by algorithm, such as `sha1` for a commit.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub digest: BTreeMap<String, String>,
    /// The path inside the source.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub entry_point: Option<String>,
}
