//! Tekton, as decisions: resolve, validate, substitute, schedule; what a run needs next and which status it has.
//! Reads no clock, store or network: `controllers` observes and carries out, the node runs the Pods.
//! Invariant: the same observation at the same instant gives the same plan, and after a plan is carried out,
//! deciding again plans nothing new.
//! Start at [`task_run::decide`] and [`pipeline_run::decide`]; definitions are checked in [`admission::validate`].

pub mod admission;
mod conditions;
mod graph;
mod metadata;
mod names;
pub mod pipeline_run;
mod plan;
mod quantity;
mod reasons;
mod substitution;
mod substitution_errors;
pub mod task_run;
mod unsupported;
mod workspaces;

pub use plan::{Action, Event, EventType, Lookup, MetadataPatch, Need, Plan, Refusal, Requeue};
