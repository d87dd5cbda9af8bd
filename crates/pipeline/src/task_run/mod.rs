//! Decides what a TaskRun needs next: everything observed in, one plan out.
//! Reads no clock, store or network; `controllers` does that for it.
//! Invariant: a Pod's name derives from run and attempt, so deciding twice plans nothing new.
//! Start at [`decide`].

mod observed;

pub use observed::{Observed, pod_name};

use api::tekton::v1::TaskRunStatus;
use jiff::Timestamp;

/// What to do for a TaskRun.
pub type Plan = crate::Plan<TaskRunStatus>;

/// Decides what a TaskRun needs at the instant `now`.
#[must_use]
pub fn decide(observed: &Observed, _now: Timestamp) -> Plan {
    Plan::nothing(format!("nothing is decided yet about {:?}", observed.run.metadata.name))
}
