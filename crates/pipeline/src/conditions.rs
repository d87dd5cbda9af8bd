//! The `Succeeded` condition of runs, and the events that its changes are announced with.
//! Invariant: `Succeeded` is the first condition, because clients read only that one; its time of transition moves
//! only when its status does.
//! Source: Knative's `apis.ConditionManager`, Tekton's `events/k8sevent`.

use api::tekton::v1::{Condition, ConditionStatus};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::plan::{Event, EventType};

const SUCCEEDED: &str = "Succeeded";

/// What the condition is to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) status: ConditionStatus,
    pub(crate) reason: String,
    pub(crate) message: String,
}

impl Verdict {
    pub(crate) fn ongoing(reason: &str, message: impl Into<String>) -> Self {
        Self { status: ConditionStatus::Unknown, reason: reason.to_owned(), message: message.into() }
    }

    pub(crate) fn succeeded(reason: &str, message: impl Into<String>) -> Self {
        Self { status: ConditionStatus::True, reason: reason.to_owned(), message: message.into() }
    }

    pub(crate) fn failed(reason: &str, message: impl Into<String>) -> Self {
        Self { status: ConditionStatus::False, reason: reason.to_owned(), message: message.into() }
    }

    /// A failure that only the author of the run or of its definition can mend.
    pub(crate) fn user_error(reason: &str, message: impl AsRef<str>) -> Self {
        Self::failed(reason, format!("[User error] {}", message.as_ref()))
    }

    /// Whether the run has ended.
    pub(crate) fn is_final(&self) -> bool {
        self.status != ConditionStatus::Unknown
    }
}

/// The `Succeeded` condition, if there is one yet.
pub(crate) fn succeeded(conditions: &[Condition]) -> Option<&Condition> {
    conditions.iter().find(|condition| condition.kind == SUCCEEDED)
}

/// Whether the run has ended.
pub(crate) fn is_done(conditions: &[Condition]) -> bool {
    succeeded(conditions).is_some_and(|condition| condition.status != ConditionStatus::Unknown)
}

/// Sets the `Succeeded` condition.
pub(crate) fn set_succeeded(conditions: &mut Vec<Condition>, verdict: &Verdict, now: Timestamp) {
    let before =
        conditions.iter().position(|condition| condition.kind == SUCCEEDED).map(|at| conditions.remove(at));
    let same_status = before.filter(|before| before.status == verdict.status);
    let last_transition_time =
        same_status.and_then(|before| before.last_transition_time).unwrap_or(Time(now));
    let condition = Condition {
        kind: SUCCEEDED.to_owned(),
        status: verdict.status.clone(),
        reason: some_text(&verdict.reason),
        message: some_text(&verdict.message),
        last_transition_time: Some(last_transition_time),
        ..Condition::default()
    };
    conditions.insert(0, condition);
}

fn some_text(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// The event that announces the change of the condition, if it says something new.
pub(crate) fn event_of_change(before: Option<&Condition>, after: Option<&Condition>) -> Option<Event> {
    let after = after?;
    if before.is_some_and(|before| same_words(before, after)) {
        return None;
    }
    let message = after.message.clone().unwrap_or_default();
    let (kind, reason, message) = match (&after.status, before) {
        (ConditionStatus::True, _) => (EventType::Normal, "Succeeded", message),
        (ConditionStatus::False, _) => (EventType::Warning, "Failed", message),
        (_, None) => (EventType::Normal, "Started", String::new()),
        (_, Some(_)) => (EventType::Normal, after.reason.as_deref().unwrap_or_default(), message),
    };
    Some(Event { kind, reason: reason.to_owned(), message })
}

fn same_words(one: &Condition, other: &Condition) -> bool {
    one.status == other.status && one.reason == other.reason && one.message == other.message
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn the_time_of_transition_moves_only_with_the_status() {
        let mut conditions = vec![Condition { kind: "Other".to_owned(), ..Condition::default() }];
        set_succeeded(&mut conditions, &Verdict::ongoing("Started", ""), at("2026-01-01T00:00:00Z"));
        set_succeeded(&mut conditions, &Verdict::ongoing("Running", "x"), at("2026-01-01T00:00:05Z"));
        assert_eq!(conditions[0].last_transition_time, Some(Time(at("2026-01-01T00:00:00Z"))));
        set_succeeded(&mut conditions, &Verdict::failed("Failed", "y"), at("2026-01-01T00:00:09Z"));
        assert_eq!(conditions[0].last_transition_time, Some(Time(at("2026-01-01T00:00:09Z"))));
        let kinds: Vec<&str> = conditions.iter().map(|condition| condition.kind.as_str()).collect();
        assert_eq!(kinds, ["Succeeded", "Other"]);
    }

    #[test]
    fn a_change_is_announced_once() {
        let condition = |verdict: Verdict| {
            let mut conditions = Vec::new();
            set_succeeded(&mut conditions, &verdict, Timestamp::UNIX_EPOCH);
            conditions.remove(0)
        };
        let (started, running) =
            (condition(Verdict::ongoing("Started", "")), condition(Verdict::ongoing("Running", "m")));
        let reason = |before: Option<&Condition>, after| {
            event_of_change(before, Some(after)).map(|event| event.reason)
        };
        assert_eq!(reason(None, &started).as_deref(), Some("Started"));
        assert_eq!(reason(Some(&started), &running).as_deref(), Some("Running"));
        assert_eq!(reason(Some(&running), &running), None);
        assert_eq!(reason(Some(&running), &condition(Verdict::failed("X", ""))).as_deref(), Some("Failed"));
    }
}
