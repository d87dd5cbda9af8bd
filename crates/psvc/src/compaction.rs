//! Forgets history that nobody can still need: everything older than some minutes.
//! Watches that are behind by more start again, as clients of Kubernetes expect.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use store::Store;
use types::Revision;

/// History is kept this long, as by Kubernetes' API server on etcd.
const KEPT: Duration = Duration::from_secs(5 * 60);
const STEP: Duration = Duration::from_secs(60);

/// Compacts once a minute, for ever.
pub(crate) async fn compact_by_age(store: Arc<dyn Store>) {
    let mut seen: VecDeque<Revision> = VecDeque::new();
    let mut ticks = tokio::time::interval(STEP);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Some(old) = take_expired(&mut seen, store.revision())
            && old > store.compacted()
            && let Err(error) = store.compact(old).await
        {
            tracing::warn!(%error, "history could not be compacted");
        }
    }
}

/// Notes the revision of this minute, and answers the one that is old enough to be forgotten.
fn take_expired(seen: &mut VecDeque<Revision>, now: Revision) -> Option<Revision> {
    seen.push_back(now);
    let kept = usize::try_from(KEPT.as_secs() / STEP.as_secs()).unwrap_or(1);
    if seen.len() > kept { seen.pop_front() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_older_than_five_minutes_is_forgotten() {
        let mut seen = VecDeque::new();
        let forgotten: Vec<_> =
            (1..=7).map(|minute| take_expired(&mut seen, Revision(minute * 10))).collect();
        let mut expected = vec![None; 5];
        expected.extend([Some(Revision(10)), Some(Revision(20))]);
        assert_eq!(forgotten, expected);
    }
}
