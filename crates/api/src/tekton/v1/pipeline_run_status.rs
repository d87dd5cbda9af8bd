//! What has happened to a PipelineRun so far.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Condition, ParamValue, PipelineSpec, Provenance, WhenExpression, filled, is_zero};

/// What has happened so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PipelineRunStatus {
    /// The generation of the object that this status is about.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub observed_generation: i64,
    /// How the run stands; `Succeeded` comes first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// Further notes of controllers.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// When the run started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_time: Option<Time>,
    /// When the run ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completion_time: Option<Time>,
    /// The results that the run left.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub results: Vec<PipelineRunResult>,
    /// The Pipeline as it is run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pipeline_spec: Option<PipelineSpec>,
    /// Tasks that did not run, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skipped_tasks: Vec<SkippedTask>,
    /// The objects that were made for the tasks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub child_references: Vec<ChildStatusReference>,
    /// When the tasks before `finally` had ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finally_start_time: Option<Time>,
    /// Where the Pipeline came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provenance: Option<Provenance>,
    /// The trace that the run belongs to.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub span_context: BTreeMap<String, String>,
}

/// An object that was made for a task.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChildStatusReference {
    /// The API version, such as `tekton.dev/v1`.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// The kind, such as `TaskRun`.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The object's name.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The name that people are shown.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// The name of the task in the Pipeline.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub pipeline_task_name: Option<String>,
    /// The conditions that held.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub when_expressions: Vec<WhenExpression>,
}

/// A task that did not run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SkippedTask {
    /// The name of the task in the Pipeline.
    #[serde(default)]
    pub name: String,
    /// Why, such as `When Expressions evaluated to false`.
    #[serde(default)]
    pub reason: String,
    /// The conditions, if they are the reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub when_expressions: Vec<WhenExpression>,
}

/// A value that a run left.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PipelineRunResult {
    /// The name.
    #[serde(default)]
    pub name: String,
    /// The value.
    pub value: ParamValue,
}
