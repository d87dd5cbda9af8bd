//! The condition of a PipelineRun, from how its tasks stand.
//! Source: Tekton's `GetPipelineConditionStatus`.

use api::tekton::v1::{PipelineRun, PipelineRunSpecStatus};

use super::limits::Limits;
use super::schedule::{Schedule, Skip};
use super::state::{Progress, State};
use crate::conditions::Verdict;
use crate::reasons::pipeline_run as reason;

/// The longest list of reasons, in bytes, that a message repeats.
const DETAILS_LENGTH_MAX: usize = 1_024;

/// How many tasks stand how.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Count {
    succeeded: usize,
    failed: usize,
    ignored: usize,
    cancelled: usize,
    skipped: usize,
    skipped_for_time: usize,
    incomplete: usize,
    invalid: usize,
}

impl Count {
    pub(super) fn of(state: &State<'_>, schedule: &Schedule) -> Self {
        let mut count = Self::default();
        for (index, task) in state.tasks.iter().enumerate() {
            let skip = schedule.skipped.get(&index);
            match task.progress() {
                Progress::Succeeded => count.succeeded += 1,
                Progress::Failed if task.is_out_of_time() => count.failed += 1,
                Progress::Failed if task.is_cancelled() => count.cancelled += 1,
                Progress::Failed if task.may_fail() => count.ignored += 1,
                Progress::Failed => count.failed += 1,
                _ if schedule.invalid.contains_key(&index) => count.invalid += 1,
                Progress::NotStarted if skip.is_some() => {
                    count.skipped += 1;
                    count.skipped_for_time += usize::from(skip.is_some_and(|skip| skip.is_timeout()));
                }
                Progress::NotStarted | Progress::Running => count.incomplete += 1,
            }
        }
        count
    }

    fn completed(&self) -> usize {
        self.succeeded + self.failed + self.cancelled + self.ignored
    }

    /// The message while the run goes on.
    pub(super) fn ongoing_message(&self) -> String {
        format!(
            "Tasks Completed: {} (Failed: {}, Cancelled {}), Incomplete: {}, Skipped: {}",
            self.completed(),
            self.failed,
            self.cancelled,
            self.incomplete,
            self.skipped
        )
    }

    fn final_message(&self, schedule: &Schedule) -> String {
        let failed = self.failed + self.ignored;
        let ignored = if self.ignored > 0 { format!(" (Ignored: {})", self.ignored) } else { String::new() };
        let mut message = format!(
            "Tasks Completed: {} (Failed: {failed}{ignored}, Cancelled {}), Skipped: {}",
            self.completed(),
            self.cancelled,
            self.skipped
        );
        if self.invalid > 0 {
            let mut details = schedule.invalid.values().map(String::as_str).collect::<Vec<_>>().join("; ");
            if details.len() > DETAILS_LENGTH_MAX {
                let end =
                    (0..=DETAILS_LENGTH_MAX).rev().find(|&end| details.is_char_boundary(end)).unwrap_or(0);
                details.truncate(end);
                details.push_str("...");
            }
            message.push_str(&format!(", Failed Validation: {} ({details})", self.invalid));
        }
        message
    }
}

/// The condition of a run that is neither cancelled at once nor out of time as a whole.
pub(super) fn of(run: &PipelineRun, state: &State<'_>, schedule: &Schedule, limits: &Limits) -> Verdict {
    let name = run.metadata.name.as_deref().unwrap_or_default();
    let count = Count::of(state, schedule);
    let is_final = |index: usize| state.tasks[index].is_final;
    let finally_done =
        state.tasks.iter().enumerate().all(|(index, task)| {
            !is_final(index) || task.has_ended() || schedule.skipped.contains_key(&index)
        });
    let has_finally = state.tasks.iter().any(|task| task.is_final);
    let cut = limits.tasks_passed() && tasks_were_cut(state, schedule);
    let running = state.running().next().is_some();
    if cut && !running && (!has_finally || (schedule.graph_done && finally_done)) {
        let limit = limits.tasks.unwrap_or_default().to_string();
        let message = format!("PipelineRun {name:?} failed due to tasks failed to finish within {limit:?}");
        return Verdict::failed(reason::TIMED_OUT, message);
    }
    let asked = run.spec.status.as_ref();
    let graceful = matches!(
        asked,
        Some(PipelineRunSpecStatus::CancelledRunFinally | PipelineRunSpecStatus::StoppedRunFinally)
    );
    if count.incomplete == 0 {
        return ended(name, &count, schedule, graceful);
    }
    let reason = match asked {
        _ if cut && has_finally && !finally_done => reason::TIMED_OUT_RUNNING_FINALLY,
        Some(PipelineRunSpecStatus::CancelledRunFinally) => reason::CANCELLED_RUNNING_FINALLY,
        Some(PipelineRunSpecStatus::StoppedRunFinally) => reason::STOPPED_RUNNING_FINALLY,
        _ if count.cancelled > 0 || (count.failed > 0 && finally_done) => reason::STOPPING,
        _ => reason::RUNNING,
    };
    Verdict::ongoing(reason, count.ongoing_message())
}

/// Whether the limit of the tasks ended one of them or kept one from starting. Tasks that were done in time do not fail
/// the run when only its final tasks go on beyond that limit.
fn tasks_were_cut(state: &State<'_>, schedule: &Schedule) -> bool {
    state.tasks.iter().enumerate().filter(|(_, task)| !task.is_final).any(|(index, task)| {
        task.is_out_of_time()
            || task.progress() == Progress::Running
            || schedule.skipped.get(&index) == Some(&Skip::TasksTimeout)
    })
}

fn ended(name: &str, count: &Count, schedule: &Schedule, graceful: bool) -> Verdict {
    let message = count.final_message(schedule);
    if count.invalid > 0 {
        Verdict::failed(reason::VALIDATION_FAILED, message)
    } else if count.failed > 0 || count.skipped_for_time > 0 {
        Verdict::failed(reason::FAILED, message)
    } else if graceful {
        Verdict::failed(reason::CANCELLED, format!("PipelineRun {name:?} was cancelled"))
    } else if count.cancelled > 0 {
        Verdict::failed(reason::CANCELLED, message)
    } else if count.skipped > 0 {
        Verdict::succeeded(reason::COMPLETED, message)
    } else {
        Verdict::succeeded(reason::SUCCEEDED, message)
    }
}
