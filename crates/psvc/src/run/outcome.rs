//! What the end of a run means for whoever started it: the exit status and one line.

use serde_json::Value;

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    /// `Succeeded` is true.
    Succeeded,
    /// Cancelled by somebody, or out of time.
    Stopped,
    /// `Succeeded` is false for any other reason.
    Failed,
}

impl Outcome {
    /// The outcome of a finished run; `None` while it is not finished.
    pub(crate) fn of(run: &Value) -> Option<Self> {
        let condition = succeeded(run)?;
        match condition["status"].as_str()? {
            "True" => Some(Self::Succeeded),
            "False" => Some(match condition["reason"].as_str().unwrap_or_default() {
                "Cancelled"
                | "CancelledRunFinally"
                | "StoppedRunFinally"
                | "PipelineRunTimeout"
                | "TaskRunCancelled"
                | "TaskRunTimeout" => Self::Stopped,
                _ => Self::Failed,
            }),
            _ => None,
        }
    }

    /// The exit status of the process.
    pub(crate) fn exit_status(self) -> u8 {
        match self {
            Self::Succeeded => 0,
            Self::Failed => 5,
            Self::Stopped => 6,
        }
    }
}

/// The `Succeeded` condition of a run.
pub(crate) fn succeeded(run: &Value) -> Option<&Value> {
    run.pointer("/status/conditions")?.as_array()?.iter().find(|condition| condition["type"] == "Succeeded")
}

/// Reason and message of a run's `Succeeded` condition.
pub(crate) fn why(run: &Value) -> (&str, &str) {
    let text = |field| succeeded(run).and_then(|condition| condition[field].as_str()).unwrap_or_default();
    (text("reason"), text("message"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_exit_status_tells_failure_from_being_stopped() {
        for (status, reason, expected) in [
            ("True", "Succeeded", Some(0)),
            ("True", "Completed", Some(0)),
            ("False", "Failed", Some(5)),
            ("False", "TaskRunValidationFailed", Some(5)),
            ("False", "Cancelled", Some(6)),
            ("False", "PipelineRunTimeout", Some(6)),
            ("False", "TaskRunTimeout", Some(6)),
            ("Unknown", "Running", None),
        ] {
            let condition = json!({ "type": "Succeeded", "status": status, "reason": reason });
            let run = json!({ "status": { "conditions": [condition] } });
            assert_eq!(Outcome::of(&run).map(Outcome::exit_status), expected, "{reason}");
        }
        assert_eq!(Outcome::of(&json!({})), None);
    }
}
