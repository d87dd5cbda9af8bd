//! TaskRun: one run of a Task, as the user asks for it.

use k8s_openapi::api::core::v1::ResourceRequirements;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use types::GoDuration;

use super::{Param, PodTemplate, TaskRef, TaskRunStatus, TaskSpec, WorkspaceBinding, filled, is_zero};
use crate::tekton::open_enum::open_enum;

open_enum! {
    /// What the user wants to become of a TaskRun.
    pub enum TaskRunSpecStatus {
        /// It is to stop.
        Cancelled = "TaskRunCancelled",
        /// It is not to start yet.
        Pending = "TaskRunPending",
    }
}

/// One run of a Task.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskRun {
    /// `tekton.dev/v1`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub api_version: String,
    /// `TaskRun`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// Name, labels and other data that every object has.
    #[serde(default)]
    pub metadata: ObjectMeta,
    /// What is to be run, and how.
    #[serde(default)]
    pub spec: TaskRunSpec,
    /// What has happened so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<TaskRunStatus>,
}

/// What is to be run, and how.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskRunSpec {
    /// Where the run is to pause.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub debug: Option<TaskRunDebug>,
    /// Params for the Task.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub params: Vec<Param>,
    /// The service account whose secrets the steps may use; `default` when absent.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub service_account_name: Option<String>,
    /// The Task that is run; excludes `taskSpec`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_ref: Option<TaskRef>,
    /// The Task itself, written here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_spec: Option<TaskSpec>,
    /// `TaskRunCancelled` stops the run; `TaskRunPending` keeps it from starting.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub status: Option<TaskRunSpecStatus>,
    /// Why the run was cancelled.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub status_message: Option<String>,
    /// How often the run is tried again after a failure.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub retries: i64,
    /// How long one attempt may take; `0` means without limit, and one hour when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<GoDuration>,
    /// Settings for the Pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_template: Option<PodTemplate>,
    /// Volumes for the workspaces of the Task.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub workspaces: Vec<WorkspaceBinding>,
    /// Settings for single steps, in place of the Task's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub step_specs: Vec<TaskRunStepSpec>,
    /// Settings for single sidecars, in place of the Task's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sidecar_specs: Vec<TaskRunSidecarSpec>,
    /// Resources for all steps together; excludes resources in `stepSpecs`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compute_resources: Option<ResourceRequirements>,
    /// The controller that is to carry out the run; any but `tekton.dev/pipeline` is somebody else.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<String>,
}

/// Where a run is to pause.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TaskRunDebug {
    /// The places.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breakpoints: Option<TaskBreakpoints>,
}

/// Places where a run pauses.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskBreakpoints {
    /// `enabled` pauses after a step that failed.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<String>,
    /// Steps before which the run pauses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub before_steps: Vec<String>,
}

/// Settings of a run for one step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskRunStepSpec {
    /// The name of the step.
    #[serde(default)]
    pub name: String,
    /// Resources, in place of the step's own.
    #[serde(default)]
    pub compute_resources: ResourceRequirements,
}

/// Settings of a run for one sidecar.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskRunSidecarSpec {
    /// The name of the sidecar.
    #[serde(default)]
    pub name: String,
    /// Resources, in place of the sidecar's own.
    #[serde(default)]
    pub compute_resources: ResourceRequirements,
}
