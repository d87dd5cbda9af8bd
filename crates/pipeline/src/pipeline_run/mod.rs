//! Decides what a PipelineRun needs next: everything observed in, one plan out.
//! Reads no clock, store or network; `controllers` does that for it.
//! Invariant: a child's name derives from run and task, so deciding twice plans nothing new.
//! Start at [`decide`].

mod children;
mod observed;

pub use children::child_names;
pub use observed::Observed;

use api::tekton::v1::PipelineRunStatus;
use jiff::Timestamp;

/// What to do for a PipelineRun.
pub type Plan = crate::Plan<PipelineRunStatus>;

/// Decides what a PipelineRun needs at the instant `now`.
#[must_use]
pub fn decide(observed: &Observed, _now: Timestamp) -> Plan {
    Plan::nothing(format!("nothing is decided yet about {:?}", observed.run.metadata.name))
}
