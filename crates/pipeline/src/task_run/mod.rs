//! Decides what a TaskRun needs next: everything observed in, one plan out.
//! Reads no clock, store or network; `controllers` does that for it.
//! Invariant: a Pod's name derives from run and attempt, so deciding twice plans nothing new.
//! Start at [`decide`].

mod credentials;
mod decision;
mod observed;
mod pod;
mod results;
mod spec;
mod status;
mod steps;

#[cfg(test)]
mod tests;

pub use decision::decide;
pub use observed::{Observed, pod_name};

use decision::timeout;
pub(crate) use decision::{DEFAULT_TIMEOUT, whole_seconds};

/// What to do for a TaskRun.
pub type Plan = crate::Plan<api::tekton::v1::TaskRunStatus>;
