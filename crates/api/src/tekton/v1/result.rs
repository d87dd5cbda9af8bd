//! Results that Tasks and steps declare. What a run wrote is in the status modules.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ParamType, ParamValue, PropertySpec, filled};

/// A result that a Task leaves for others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskResult {
    /// The name, which is also the name of the file that `$(results.<name>.path)` stands for.
    #[serde(default)]
    pub name: String,
    /// `string`, `array` or `object`; `string` when absent.
    #[serde(rename = "type", default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub kind: Option<ParamType>,
    /// The keys of an object result; each is of type `string`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub properties: BTreeMap<String, PropertySpec>,
    /// What the result says.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The result of a step that becomes this result, such as `$(steps.build.results.digest)`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<ParamValue>,
}

/// A result that a step leaves for later steps and for results of its Task.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StepResult {
    /// The name, which is also the name of the file that `$(step.results.<name>.path)` stands for.
    #[serde(default)]
    pub name: String,
    /// `string`, `array` or `object`; `string` when absent.
    #[serde(rename = "type", default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub kind: Option<ParamType>,
    /// The keys of an object result; each is of type `string`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub properties: BTreeMap<String, PropertySpec>,
    /// What the result says.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}
