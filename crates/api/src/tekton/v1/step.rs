//! Steps, sidecars and the template that steps share.
//! Field names and meanings are those of a container in a Pod where both have them.

use k8s_openapi::api::core::v1::{
    ContainerPort, EnvFromSource, EnvVar, Lifecycle, Probe, ResourceRequirements, SecurityContext,
    VolumeDevice, VolumeMount,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use types::GoDuration;

use super::{Param, StepRef, StepResult, WhenExpression, filled, is_false};
use crate::tekton::open_enum::open_enum;

open_enum! {
    /// What a failing step does to those after it. May also be a reference to a param.
    pub enum StepOnError {
        /// The rest is skipped, and the TaskRun fails.
        StopAndFail = "stopAndFail",
        /// The exit code is recorded, and the next step runs.
        Continue = "continue",
    }
}

/// One process of a Task, run in its own container after the step before it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// The name, unique in the Task; the container is called `step-<name>`.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The name that people are shown.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// The container image.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// The command and its first arguments; the image's own when absent. Excludes `script`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// Arguments after the command, or of the script.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// The directory that the process starts in; a relative path is below `/workspace`.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub working_dir: Option<String>,
    /// ConfigMaps and Secrets whose keys become environment variables.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env_from: Vec<EnvFromSource>,
    /// Environment variables.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<EnvVar>,
    /// CPU, memory and other resources that the step asks for and is limited to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compute_resources: Option<ResourceRequirements>,
    /// Volumes of the Task that the step sees.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volume_mounts: Vec<VolumeMount>,
    /// Block devices that the step sees.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volume_devices: Vec<VolumeDevice>,
    /// When the image is pulled: `Always`, `IfNotPresent` or `Never`.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub image_pull_policy: Option<String>,
    /// User, group and restrictions of the process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub security_context: Option<SecurityContext>,
    /// The text of a program; without a first line `#!` it is run by `/bin/sh`, which stops at the first error.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub script: Option<String>,
    /// How long the step may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<GoDuration>,
    /// Workspaces that only the steps that list them see.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub workspaces: Vec<WorkspaceUsage>,
    /// What a failure of the step means: `stopAndFail` (when absent) or `continue`.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub on_error: Option<StepOnError>,
    /// A file that standard output is copied to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdout_config: Option<StepOutputConfig>,
    /// A file that standard error is copied to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stderr_config: Option<StepOutputConfig>,
    /// The StepAction that the step consists of, in place of an image and a command.
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<StepRef>,
    /// Params for the StepAction.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub params: Vec<Param>,
    /// Results that the step leaves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub results: Vec<StepResult>,
    /// Conditions for running the step; if one does not hold, the next step follows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub when: Vec<WhenExpression>,
}

/// Where output of a step is copied to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StepOutputConfig {
    /// A path inside the container.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

/// A workspace of the Task that one step or sidecar uses.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkspaceUsage {
    /// The name of the Task's workspace.
    #[serde(default)]
    pub name: String,
    /// Where this step sees it, in place of the Task's own choice.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub mount_path: Option<String>,
}

/// Settings for all steps of a Task; what a step says itself wins.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StepTemplate {
    /// The container image.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// The command.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// Arguments after the command.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// The directory that the process starts in.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub working_dir: Option<String>,
    /// ConfigMaps and Secrets whose keys become environment variables.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env_from: Vec<EnvFromSource>,
    /// Environment variables, merged by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<EnvVar>,
    /// CPU, memory and other resources.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compute_resources: Option<ResourceRequirements>,
    /// Volumes, merged by `mountPath`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volume_mounts: Vec<VolumeMount>,
    /// Block devices, merged by `devicePath`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volume_devices: Vec<VolumeDevice>,
    /// When the image is pulled: `Always`, `IfNotPresent` or `Never`.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub image_pull_policy: Option<String>,
    /// User, group and restrictions of the process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub security_context: Option<SecurityContext>,
}

/// A container that runs beside the steps, from before the first until after the last.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Sidecar {
    /// The name, unique in the Task; the container is called `sidecar-<name>`.
    #[serde(default)]
    pub name: String,
    /// The container image.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// The command and its first arguments; the image's own when absent. Excludes `script`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// Arguments after the command.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// The directory that the process starts in.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub working_dir: Option<String>,
    /// Ports that the sidecar listens on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<ContainerPort>,
    /// ConfigMaps and Secrets whose keys become environment variables.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env_from: Vec<EnvFromSource>,
    /// Environment variables.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<EnvVar>,
    /// CPU, memory and other resources.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compute_resources: Option<ResourceRequirements>,
    /// Volumes of the Task that the sidecar sees.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volume_mounts: Vec<VolumeMount>,
    /// Block devices that the sidecar sees.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volume_devices: Vec<VolumeDevice>,
    /// How to tell that the sidecar still works.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub liveness_probe: Option<Probe>,
    /// How to tell that the sidecar can be used; the first step waits for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub readiness_probe: Option<Probe>,
    /// How to tell that the sidecar has started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub startup_probe: Option<Probe>,
    /// Actions after start and before stop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifecycle: Option<Lifecycle>,
    /// The file that holds the message about the end.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub termination_message_path: Option<String>,
    /// Whether the log serves as that message after an error.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub termination_message_policy: Option<String>,
    /// When the image is pulled: `Always`, `IfNotPresent` or `Never`.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub image_pull_policy: Option<String>,
    /// User, group and restrictions of the process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub security_context: Option<SecurityContext>,
    /// Whether standard input is open.
    #[serde(default, skip_serializing_if = "is_false")]
    pub stdin: bool,
    /// Whether standard input is closed after the first client.
    #[serde(default, skip_serializing_if = "is_false")]
    pub stdin_once: bool,
    /// Whether the process gets a terminal.
    #[serde(default, skip_serializing_if = "is_false")]
    pub tty: bool,
    /// The text of a program, in place of `command`.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub script: Option<String>,
    /// Workspaces that the sidecar sees.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub workspaces: Vec<WorkspaceUsage>,
    /// `Always` makes it a sidecar in the sense of Kubernetes.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub restart_policy: Option<String>,
}
