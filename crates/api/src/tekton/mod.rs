//! The kinds of Tekton: `tekton.dev` and `resolution.tekton.dev`.
//! Plain data; what a run does with it is decided in crate `pipeline`.
//! Invariant: every field that Tekton knows is in the structs, so nothing a user writes gets lost.
//! Start at [`v1`], the version that everything inside works with; [`gates`] lists what cannot be run yet.

mod defaults;
pub mod gates;
mod open_enum;
mod rows;
mod rows_other;
mod schema_parts;
pub mod v1;
pub mod v1alpha1;
pub mod v1beta1;
pub mod validation;

pub(crate) use rows::{PIPELINE, PIPELINE_RUN, TASK, TASK_RUN};
pub(crate) use rows_other::{CUSTOM_RUN, RESOLUTION_REQUEST, STEP_ACTION, VERIFICATION_POLICY};
