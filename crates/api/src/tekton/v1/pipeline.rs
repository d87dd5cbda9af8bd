//! Pipeline: a graph of tasks.

use std::borrow::Cow;
use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};
use types::GoDuration;

use super::{
    Matrix, Param, ParamSpec, ParamType, ParamValue, PipelineRef, TaskRef, TaskSpec, WhenExpression, filled,
    is_false, is_zero,
};
use crate::tekton::open_enum::open_enum;
use crate::tekton::schema_parts::open_object;

open_enum! {
    /// What a failing task does to the run. May also be a reference to a param.
    pub enum PipelineTaskOnError {
        /// The run fails.
        StopAndFail = "stopAndFail",
        /// The run goes on as if the task had succeeded.
        Continue = "continue",
    }
}

/// A graph of tasks; a PipelineRun runs it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Pipeline {
    /// `tekton.dev/v1`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub api_version: String,
    /// `Pipeline`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// Name, labels and other data that every object has.
    #[serde(default)]
    pub metadata: ObjectMeta,
    /// What the Pipeline takes, does and leaves.
    #[serde(default)]
    pub spec: PipelineSpec,
}

/// What a Pipeline takes, does and leaves.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PipelineSpec {
    /// The name that people are shown.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// What the Pipeline is for.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The tasks; their order follows from `runAfter` and from the results that they use.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tasks: Vec<PipelineTask>,
    /// What the Pipeline can be told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub params: Vec<ParamSpec>,
    /// Directories that the run must bind to volumes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub workspaces: Vec<PipelineWorkspaceDeclaration>,
    /// What the run leaves for others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub results: Vec<PipelineResult>,
    /// Tasks that run at the end, whatever happened before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub finally: Vec<PipelineTask>,
}

/// One task of a Pipeline.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PipelineTask {
    /// The name, unique in the Pipeline.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The name that people are shown.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// What the task is for.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The Task that is run; excludes `taskSpec`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_ref: Option<TaskRef>,
    /// The Task itself, written here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_spec: Option<EmbeddedTask>,
    /// Conditions for running the task; if one does not hold, the task is skipped.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub when: Vec<WhenExpression>,
    /// How often the task is tried again after a failure.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub retries: i64,
    /// Tasks that must have ended before this one starts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub run_after: Vec<String>,
    /// Params for the Task.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub params: Vec<Param>,
    /// Combinations of params that the task is run for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matrix: Option<Matrix>,
    /// Workspaces of the Pipeline for the workspaces of the Task.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub workspaces: Vec<WorkspacePipelineTaskBinding>,
    /// How long one attempt may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<GoDuration>,
    /// A Pipeline that is run as this task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pipeline_ref: Option<PipelineRef>,
    /// A Pipeline, written here, that is run as this task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "open_object")]
    pub pipeline_spec: Option<Box<PipelineSpec>>,
    /// What a failure of the task means: `stopAndFail` (when absent) or `continue`.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub on_error: Option<PipelineTaskOnError>,
}

/// A directory that a Pipeline needs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PipelineWorkspaceDeclaration {
    /// The name that tasks bind.
    #[serde(default)]
    pub name: String,
    /// What the directory must contain, or what will be written there.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whether a run may leave it unbound.
    #[serde(default, skip_serializing_if = "is_false")]
    pub optional: bool,
}

/// Which workspace of the Pipeline serves a workspace of the Task.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkspacePipelineTaskBinding {
    /// The name of the Task's workspace.
    #[serde(default)]
    pub name: String,
    /// The name of the Pipeline's workspace; the same name when absent.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub workspace: Option<String>,
    /// A directory inside the volume.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub sub_path: Option<String>,
}

/// A value that a run of the Pipeline leaves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PipelineResult {
    /// The name.
    #[serde(default)]
    pub name: String,
    /// `string`, `array` or `object`; taken from the task's result when absent.
    #[serde(rename = "type", default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub kind: Option<ParamType>,
    /// What the result says.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// References to results of tasks, such as `$(tasks.build.results.digest)`.
    pub value: ParamValue,
}

/// Labels and annotations for the TaskRuns of a task.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PipelineTaskMetadata {
    /// Labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

impl PipelineTaskMetadata {
    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.annotations.is_empty()
    }
}

/// A Task written inside a Pipeline, or the specification of a custom task.
///
/// In JSON the fields of `task_spec` stand beside the others.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EmbeddedTask {
    /// The API version of a custom task.
    pub api_version: Option<String>,
    /// The kind of a custom task.
    pub kind: Option<String>,
    /// The specification of a custom task.
    pub spec: Option<Value>,
    /// Labels and annotations for the TaskRuns.
    pub metadata: Option<PipelineTaskMetadata>,
    /// The Task.
    pub task_spec: TaskSpec,
}

/// The fields of [`EmbeddedTask`] that a Task has not.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct EmbeddedTaskOwn {
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    api_version: Option<String>,
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    spec: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    metadata: Option<PipelineTaskMetadata>,
}

impl Serialize for EmbeddedTask {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let own = EmbeddedTaskOwn {
            api_version: self.api_version.clone(),
            kind: self.kind.clone(),
            spec: self.spec.clone(),
            metadata: self.metadata.clone(),
        };
        let mut fields = Map::new();
        for part in [serde_json::to_value(own), serde_json::to_value(&self.task_spec)] {
            if let Value::Object(part) = part.map_err(S::Error::custom)? {
                fields.extend(part);
            }
        }
        fields.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for EmbeddedTask {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = Value::deserialize(deserializer)?;
        let own = EmbeddedTaskOwn::deserialize(&json).map_err(D::Error::custom)?;
        let task_spec = TaskSpec::deserialize(&json).map_err(D::Error::custom)?;
        Ok(Self {
            api_version: own.api_version,
            kind: own.kind,
            spec: own.spec,
            metadata: own.metadata,
            task_spec,
        })
    }
}

impl JsonSchema for EmbeddedTask {
    fn schema_name() -> Cow<'static, str> {
        "EmbeddedTask".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = TaskSpec::json_schema(generator);
        schema.insert(
            "description".to_owned(),
            "A Task written inside a Pipeline, or the specification of a custom task.".into(),
        );
        let own = json_schema!({
            "apiVersion": { "type": "string", "description": "The API version of a custom task." },
            "kind": { "type": "string", "description": "The kind of a custom task." },
            "spec": {
                "type": "object",
                "description": "The specification of a custom task.",
                "x-kubernetes-preserve-unknown-fields": true,
            },
            "metadata": generator.subschema_for::<PipelineTaskMetadata>(),
        });
        if let (Some(Value::Object(properties)), Some(own)) = (schema.get_mut("properties"), own.as_object())
        {
            properties.extend(own.clone());
        }
        schema
    }
}
