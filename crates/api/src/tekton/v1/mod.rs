//! `tekton.dev/v1`: Task, TaskRun, Pipeline and PipelineRun, in the form in which they are stored.
//! Data only. Defaulting and validation are siblings of this module; variables and graphs are `pipeline`'s.
//! Invariant: field names are exactly Tekton's, and empty fields are not written.
//! Start at [`TaskRun`] and [`PipelineRun`].

mod artifact;
mod condition;
mod kinds;
mod matrix;
mod param;
mod pipeline;
mod pipeline_run;
mod pipeline_run_status;
mod pod_template;
mod provenance;
mod reference;
mod result;
mod step;
mod task;
mod task_run;
mod task_run_status;
mod when;
mod workspace;

pub use artifact::{Artifact, ArtifactValue, Artifacts};
pub use condition::{Condition, ConditionStatus};
pub use matrix::{IncludeParams, Matrix};
pub use param::{Param, ParamSpec, ParamType, ParamValue, PropertySpec};
pub use pipeline::{
    EmbeddedTask, Pipeline, PipelineResult, PipelineSpec, PipelineTask, PipelineTaskMetadata,
    PipelineTaskOnError, PipelineWorkspaceDeclaration, WorkspacePipelineTaskBinding,
};
pub use pipeline_run::{
    PipelineRun, PipelineRunSpec, PipelineRunSpecStatus, PipelineTaskRunSpec, PipelineTaskRunTemplate,
    TimeoutFields,
};
pub use pipeline_run_status::{ChildStatusReference, PipelineRunResult, PipelineRunStatus, SkippedTask};
pub use pod_template::PodTemplate;
pub use provenance::{Provenance, RefSource};
pub use reference::{PipelineRef, StepRef, TaskRef};
pub use result::{StepResult, TaskResult};
pub use step::{Sidecar, Step, StepOnError, StepOutputConfig, StepTemplate, WorkspaceUsage};
pub use task::{Task, TaskSpec};
pub use task_run::{
    TaskBreakpoints, TaskRun, TaskRunDebug, TaskRunSidecarSpec, TaskRunSpec, TaskRunSpecStatus,
    TaskRunStepSpec,
};
pub use task_run_status::{SidecarState, StepState, TaskRunResult, TaskRunStatus};
pub use when::{WhenExpression, WhenOperator};
pub use workspace::{WorkspaceBinding, WorkspaceDeclaration};

use serde::{Deserialize as _, Deserializer};

/// The `apiVersion` of every object of this module.
pub const API_VERSION: &str = "tekton.dev/v1";

/// Reads a word or text; an empty one is the same as none, as in Go.
fn filled<'de, D: Deserializer<'de>, T: From<String>>(deserializer: D) -> Result<Option<T>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    Ok(text.filter(|text| !text.is_empty()).map(T::from))
}

/// Whether a flag is not set, and so not written.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// Whether a count is zero, and so not written.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_zero(count: &i64) -> bool {
    *count == 0
}
