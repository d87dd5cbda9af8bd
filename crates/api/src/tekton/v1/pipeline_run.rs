//! PipelineRun: one run of a Pipeline, as the user asks for it.

use k8s_openapi::api::core::v1::ResourceRequirements;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use types::GoDuration;

use super::{
    Param, PipelineRef, PipelineRunStatus, PipelineSpec, PipelineTaskMetadata, PodTemplate,
    TaskRunSidecarSpec, TaskRunStepSpec, WorkspaceBinding, filled,
};
use crate::tekton::open_enum::open_enum;

open_enum! {
    /// What the user wants to become of a PipelineRun.
    pub enum PipelineRunSpecStatus {
        /// Everything is to stop at once, and `finally` does not run.
        Cancelled = "Cancelled",
        /// Running tasks are to stop, then `finally` runs.
        CancelledRunFinally = "CancelledRunFinally",
        /// Running tasks end by themselves, no new ones start, then `finally` runs.
        StoppedRunFinally = "StoppedRunFinally",
        /// It is not to start yet.
        Pending = "PipelineRunPending",
    }
}

/// One run of a Pipeline.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PipelineRun {
    /// `tekton.dev/v1`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub api_version: String,
    /// `PipelineRun`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// Name, labels and other data that every object has.
    #[serde(default)]
    pub metadata: ObjectMeta,
    /// What is to be run, and how.
    #[serde(default)]
    pub spec: PipelineRunSpec,
    /// What has happened so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<PipelineRunStatus>,
}

/// What is to be run, and how.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PipelineRunSpec {
    /// The Pipeline that is run; excludes `pipelineSpec`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pipeline_ref: Option<PipelineRef>,
    /// The Pipeline itself, written here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pipeline_spec: Option<PipelineSpec>,
    /// Params for the Pipeline.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub params: Vec<Param>,
    /// `Cancelled`, `CancelledRunFinally` or `StoppedRunFinally` ends the run; `PipelineRunPending` keeps it from
    /// starting.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub status: Option<PipelineRunSpecStatus>,
    /// How long the run and its parts may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeouts: Option<TimeoutFields>,
    /// Settings for all TaskRuns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_run_template: Option<PipelineTaskRunTemplate>,
    /// Volumes for the workspaces of the Pipeline.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub workspaces: Vec<WorkspaceBinding>,
    /// Settings for the TaskRuns of single tasks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub task_run_specs: Vec<PipelineTaskRunSpec>,
    /// The controller that is to carry out the run; any but `tekton.dev/pipeline` is somebody else.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<String>,
}

/// How long a run and its parts may take; `0` means without limit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TimeoutFields {
    /// The whole run; one hour when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pipeline: Option<GoDuration>,
    /// The tasks before `finally`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tasks: Option<GoDuration>,
    /// The tasks of `finally`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finally: Option<GoDuration>,
}

/// Settings for all TaskRuns of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PipelineTaskRunTemplate {
    /// Settings for the Pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_template: Option<PodTemplate>,
    /// The service account; `default` when absent.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub service_account_name: Option<String>,
}

/// Settings for the TaskRuns of one task.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PipelineTaskRunSpec {
    /// The name of the task in the Pipeline.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub pipeline_task_name: Option<String>,
    /// The service account.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub service_account_name: Option<String>,
    /// Settings for the Pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_template: Option<PodTemplate>,
    /// Settings for single steps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub step_specs: Vec<TaskRunStepSpec>,
    /// Settings for single sidecars.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sidecar_specs: Vec<TaskRunSidecarSpec>,
    /// Labels and annotations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<PipelineTaskMetadata>,
    /// Resources for all steps together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compute_resources: Option<ResourceRequirements>,
    /// How long one attempt may take, in place of the Pipeline's own limit for the task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<GoDuration>,
}
