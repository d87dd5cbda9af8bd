//! What Tekton's validating webhook checks, in its words: everything that does not need the graph or variables.
//! Those are `pipeline`'s, which works with the same [`Errors`](crate::apis::Errors).
//! Invariant: an object that has passed reads into the structs of [`v1`](super::v1) without loss.
//! Start at [`task_spec`] and [`pipeline_spec`].

mod other;
mod param;
mod pipeline;
mod pipeline_run;
mod read;
mod reference;
mod step;
mod task;
mod task_run;
mod when;
mod workspace;

pub use pipeline::pipeline_spec;
pub use task::task_spec;

pub(super) use other::{custom_run, resolution_request, step_action, verification_policy};
pub(super) use pipeline::pipeline;
pub(super) use pipeline_run::pipeline_run;
pub(super) use task::task;
pub(super) use task_run::task_run;
