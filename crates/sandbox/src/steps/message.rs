//! Termination messages of steps: a JSON list of results and of the executor's own entries.

use api::step_plan::RunResult;

/// Why a step ended otherwise than by its own exit code alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It ran to its end.
    Completed,
    /// Its `when` was false, or an earlier step failed.
    Skipped,
    /// It was killed at its time limit.
    TimeoutExceeded,
    /// It was killed because the run was cancelled.
    Cancelled,
    /// It failed with this code, which `onError: continue` hides.
    Continued(i32),
}

/// The message of a step that started at `started_at` (RFC 3339 with milliseconds).
///
/// `results` come before the executor's own entries and keep their order.
#[must_use]
pub fn message(started_at: &str, outcome: Outcome, results: &[RunResult]) -> String {
    let internal =
        |key: &str, value: String| RunResult { key: key.to_owned(), value, kind: RunResult::INTERNAL };
    let mut entries = results.to_vec();
    entries.push(internal("StartedAt", started_at.to_owned()));
    match outcome {
        Outcome::Completed => {}
        Outcome::Skipped => entries.push(internal("Reason", "Skipped".to_owned())),
        Outcome::TimeoutExceeded => entries.push(internal("Reason", "TimeoutExceeded".to_owned())),
        Outcome::Cancelled => entries.push(internal("Reason", "Cancelled".to_owned())),
        Outcome::Continued(code) => {
            entries.push(internal("ExitCode", code.to_string()));
            entries.push(internal("Reason", "Continued".to_owned()));
        }
    }
    // A list of plain strings and small numbers always serializes.
    serde_json::to_string(&entries).unwrap_or_default()
}
