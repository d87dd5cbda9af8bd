//! What a node must know about a TaskRun's Pod beyond the Pod itself, in one annotation.
//! The Pod stays plain: one container for each step, with the user's own command. Order, scripts, results,
//! time limits and `onError` are here, and only the edge turns them into processes.
//! Invariant: `steps` are in the order of the Pod's containers, and run strictly one after the other.

use serde::{Deserialize, Serialize};
use types::GoDuration;

/// The annotation that holds a [`StepPlan`] as JSON.
pub const ANNOTATION: &str = "pipelineservice.io/step-plan";

/// How the containers of a Pod are to be run as the steps of a Task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StepPlan {
    /// The results that the Task declares; files of other names under `/tekton/results` are ignored.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub results: Vec<PlannedResult>,
    /// The steps, in order.
    pub steps: Vec<PlannedStep>,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedStep {
    /// The step's name without a prefix, or `unnamed-<index>`: the directory under `/tekton/steps`.
    pub name: String,
    /// The container's name in the Pod: `step-<name>`.
    pub container: String,
    /// The script, with its first line; it takes the place of the container's command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub script: Option<String>,
    /// The step's own time limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<GoDuration>,
    /// Whether the steps after a failure of this one still run.
    #[serde(default, skip_serializing_if = "OnError::is_default")]
    pub on_error: OnError,
    /// Conditions for running the step; all must hold. Inputs may refer to results of earlier steps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub when: Vec<PlannedWhen>,
    /// The step's own results, written to `/tekton/steps/<name>/results/<result>`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub results: Vec<PlannedResult>,
    /// Paths inside the container that output is copied to, besides the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdout_path: Option<String>,
    /// As `stdout_path`, for standard error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stderr_path: Option<String>,
}

/// A declared result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedResult {
    /// The result's name, which is also its file's.
    pub name: String,
    /// `string`, `array` or `object`.
    #[serde(rename = "type")]
    pub kind: String,
}

/// A `when` expression of a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedWhen {
    /// The left side.
    pub input: String,
    /// `in` or `notin`.
    pub operator: String,
    /// The right side.
    pub values: Vec<String>,
}

/// What a failing step does to those after it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OnError {
    /// The rest is skipped, and the TaskRun fails.
    #[default]
    StopAndFail,
    /// The exit code is recorded, and the next step runs.
    Continue,
}

impl OnError {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// One entry of the JSON list that a step's container leaves as its termination message.
///
/// Source: Tekton's `pkg/result`; clients read it in `status.steps[].terminated.message`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunResult {
    /// The name of a result, or `StartedAt`, `ExitCode`, `Reason` for [`RunResult::INTERNAL`] entries.
    pub key: String,
    /// The value as text; arrays and objects as JSON.
    pub value: String,
    /// One of the constants of this type.
    #[serde(rename = "type")]
    pub kind: u8,
}

impl RunResult {
    /// A result of the Task.
    pub const TASK: u8 = 1;
    /// The executor's own entry: `StartedAt` (RFC 3339 with milliseconds), `ExitCode`, `Reason`.
    pub const INTERNAL: u8 = 3;
    /// A result of the step.
    pub const STEP: u8 = 4;
}
