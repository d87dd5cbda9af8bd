//! Decides what a PipelineRun needs next: everything observed in, one plan out.
//! Reads no clock, store or network; `controllers` does that for it.
//! Invariant: a child's name derives from run and task, so deciding twice plans nothing new.
//! Start at [`decide`]; the order of tasks is in `schedule`, time limits in `limits`, the last word in `verdict`.

mod child_names;
mod children;
mod decision;
mod limits;
mod observed;
mod prepare;
mod results;
mod schedule;
mod state;
mod verdict;

#[cfg(test)]
mod tests;

pub use child_names::child_names;
pub use decision::decide;
pub use observed::Observed;

pub(crate) use prepare::graph;

/// What to do for a PipelineRun.
pub type Plan = crate::Plan<api::tekton::v1::PipelineRunStatus>;
