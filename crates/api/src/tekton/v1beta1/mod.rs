//! `tekton.dev/v1beta1` and `resolution.tekton.dev/v1beta1`.
//! Task, Pipeline, TaskRun and PipelineRun have no types here: [`convert`] turns their JSON into `v1` and back, and
//! [`schema`] derives their schemas from those of `v1`.
//! Invariant: what `v1beta1` knows and `v1` does not survives in the annotations that Tekton itself uses.

pub(crate) mod convert;
mod custom_run;
mod resolution_request;
pub(crate) mod schema;
mod stash;
mod step_action;

pub use custom_run::{CustomRun, CustomRunResult, CustomRunSpec, CustomRunStatus, EmbeddedCustomRunSpec};
pub use resolution_request::{ResolutionRequest, ResolutionRequestSpec, ResolutionRequestStatus};
pub use step_action::{StepAction, StepActionSpec};
