//! The time limits of a PipelineRun: of the whole, of its tasks and of its final tasks.
//! Invariant: zero is no limit; of three limits, a missing one follows from the other two.
//! Source: Tekton's `PipelineRun.TasksTimeout` and its siblings.

use api::tekton::v1::{PipelineRun, PipelineRunStatus};
use jiff::{SignedDuration, Timestamp};
use types::GoDuration;

use crate::plan::Requeue;
use crate::task_run::DEFAULT_TIMEOUT;

/// The limits, and which of them have passed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// The limit of the whole.
    pub(super) pipeline: GoDuration,
    /// The limit of the tasks, if there is one.
    pub(super) tasks: Option<GoDuration>,
    /// The limit of the final tasks, if there is one.
    pub(super) finally: Option<GoDuration>,
    started: Option<Timestamp>,
    finally_started: Option<Timestamp>,
    now: Timestamp,
}

impl Limits {
    pub(super) fn of(run: &PipelineRun, status: &PipelineRunStatus, now: Timestamp) -> Self {
        let set = run.spec.timeouts.clone().unwrap_or_default();
        let rest = |part: Option<GoDuration>| match (set.pipeline, part) {
            (Some(whole), Some(part)) if !whole.is_zero() && !part.is_zero() => {
                Some(whole.saturating_sub(part))
            }
            _ => None,
        };
        Self {
            pipeline: set.pipeline.unwrap_or(DEFAULT_TIMEOUT),
            tasks: set.tasks.or_else(|| rest(set.finally)),
            finally: set.finally.or_else(|| rest(set.tasks)),
            started: status.start_time.as_ref().map(|time| time.0),
            finally_started: status.finally_start_time.as_ref().map(|time| time.0),
            now,
        }
    }

    /// The same limits, once the final tasks have begun.
    pub(super) fn with_finally_started(self, at: Timestamp) -> Self {
        Self { finally_started: Some(at), ..self }
    }

    pub(super) fn pipeline_passed(&self) -> bool {
        self.passed(self.started, Some(self.pipeline))
    }

    pub(super) fn tasks_passed(&self) -> bool {
        self.passed(self.started, self.tasks)
    }

    pub(super) fn finally_passed(&self) -> bool {
        self.passed(self.finally_started, self.finally)
    }

    fn passed(&self, since: Option<Timestamp>, limit: Option<GoDuration>) -> bool {
        deadline(since, limit).is_some_and(|deadline| self.now >= deadline)
    }

    /// The next limit that will pass.
    pub(super) fn next(&self) -> Requeue {
        let phase = match self.finally_started {
            Some(_) => deadline(self.finally_started, self.finally),
            None => deadline(self.started, self.tasks),
        };
        let deadlines = [deadline(self.started, Some(self.pipeline)), phase];
        let ahead = deadlines.into_iter().flatten().filter(|deadline| *deadline > self.now);
        ahead.fold(Requeue::Never, |next, deadline| next.earlier(Requeue::At(deadline)))
    }

    /// The limit that a child gets from its run when its task sets none: only one that is longer than the default.
    pub(super) fn for_child(&self, is_final: bool) -> Option<GoDuration> {
        let limit = if is_final { self.finally } else { self.tasks }?;
        (limit.is_zero() || limit > DEFAULT_TIMEOUT).then_some(limit)
    }
}

fn deadline(since: Option<Timestamp>, limit: Option<GoDuration>) -> Option<Timestamp> {
    let limit = limit.filter(|limit| !limit.is_zero())?;
    since?.checked_add(SignedDuration::from_nanos(limit.nanoseconds())).ok()
}
