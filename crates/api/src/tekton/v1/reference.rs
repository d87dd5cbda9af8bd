//! References to Tasks, Pipelines and StepActions, by name or through a resolver.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Param, filled};

/// Names the Task that is run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskRef {
    /// The name of a Task in the same namespace.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `Task`, or the kind of a custom task.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The API version of a custom task; absent or a version of `tekton.dev` for a Task.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// The resolver that fetches the Task, such as `git`; excludes `name`.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub resolver: Option<String>,
    /// What the resolver is told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub params: Vec<Param>,
}

/// Names the Pipeline that is run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PipelineRef {
    /// The name of a Pipeline in the same namespace.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The API version of the Pipeline.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// The resolver that fetches the Pipeline, such as `git`; excludes `name`.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub resolver: Option<String>,
    /// What the resolver is told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub params: Vec<Param>,
}

/// Names the StepAction that a step consists of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StepRef {
    /// The name of a StepAction in the same namespace.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The resolver that fetches the StepAction; excludes `name`.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub resolver: Option<String>,
    /// What the resolver is told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub params: Vec<Param>,
}
