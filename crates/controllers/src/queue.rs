//! The work queue of one controller: each key at most once, never handed out twice at a time, with delays.
//! One structure holds the ready keys, the timers and the back-off, so that a key costs one entry in all.
//! Invariant: a key added while it is being worked on is handed out again afterwards; no addition is lost.
//! Start at [`Queue::next`]; the driver calls [`Queue::done`] with what became of the key.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::key::Key;

/// First wait after a failed reconcile; each further failure doubles it.
const BACK_OFF_FIRST: Duration = Duration::from_millis(5);
/// Longest wait after failures.
const BACK_OFF_MAX: Duration = Duration::from_secs(60);

/// What became of a key that was handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Done {
    /// Nothing more is to be done until it is added again.
    Settled,
    /// It is to be handed out again after this time.
    After(Duration),
    /// As `After`; and sightings of the key's own object up to this revision are no news.
    Known { revision: u64, after: Duration },
    /// It failed: again, later with each failure.
    Failed,
}

/// Keys to be worked on.
pub(crate) struct Queue {
    inner: Mutex<Inner>,
    /// A worker waits here for a key.
    work: Notify,
    /// Feeds wait here while the queue is full.
    room: Notify,
    capacity: usize,
}

#[derive(Default)]
struct Inner {
    entries: HashMap<Key, Entry>,
    ready: VecDeque<Key>,
    timers: BTreeMap<(Instant, u64), Key>,
    sequence: u64,
}

#[derive(Default)]
struct Entry {
    stage: Stage,
    /// The timer of the key, if it has one; at most one.
    timer: Option<(Instant, u64)>,
    failures: u32,
    /// Sightings of the key's own object up to this revision are no news.
    known: u64,
    /// The newest sighting of the key's own object while it is being worked on.
    seen: u64,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Stage {
    /// Only a timer or a count of failures keeps the entry.
    #[default]
    Idle,
    Ready,
    Running,
    /// Running, and added meanwhile.
    RunningAgain,
}

impl Queue {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { inner: Mutex::default(), work: Notify::new(), room: Notify::new(), capacity }
    }

    /// Adds a key to be worked on as soon as possible. Past the capacity it is still added: the caller asks
    /// [`Queue::has_room`] before it reads more.
    pub(crate) fn add(&self, key: Key) {
        self.inner.lock().make_ready(&key);
        self.work.notify_one();
    }

    /// Adds a key whose own object was sighted at this revision, unless that is known already.
    pub(crate) fn add_seen(&self, key: Key, revision: u64) {
        self.inner.lock().see(&key, revision);
        self.work.notify_one();
    }

    /// Adds a key to be worked on after a delay; an earlier timer of the same key stays.
    pub(crate) fn add_after(&self, key: Key, delay: Duration) {
        if delay.is_zero() {
            return self.add(key);
        }
        self.inner.lock().set_timer(&key, Instant::now() + delay, Keep::Earlier);
        self.work.notify_one();
    }

    /// Waits until fewer keys are ready than the capacity.
    pub(crate) async fn has_room(&self) {
        loop {
            let notified = self.room.notified();
            if self.inner.lock().ready.len() < self.capacity {
                return;
            }
            notified.await;
        }
    }

    /// The next key, which is running from then on. One caller at a time. May be dropped while it waits.
    pub(crate) async fn next(&self) -> Key {
        loop {
            let wait_until = {
                let mut inner = self.inner.lock();
                inner.fire(Instant::now());
                if let Some(key) = inner.ready.pop_front() {
                    if let Some(entry) = inner.entries.get_mut(&key) {
                        entry.stage = Stage::Running;
                    }
                    self.room.notify_one();
                    return key;
                }
                inner.timers.first_key_value().map(|((at, _), _)| *at)
            };
            match wait_until {
                Some(at) => {
                    tokio::select! {
                        () = self.work.notified() => {}
                        () = tokio::time::sleep_until(at) => {}
                    }
                }
                None => self.work.notified().await,
            }
        }
    }

    /// Gives a key back.
    pub(crate) fn done(&self, key: &Key, outcome: Done) {
        let mut inner = self.inner.lock();
        let Some(entry) = inner.entries.get_mut(key) else { return };
        entry.known = if let Done::Known { revision, .. } = outcome { revision } else { 0 };
        let again = entry.stage == Stage::RunningAgain || entry.seen > entry.known;
        entry.stage = Stage::Idle;
        entry.seen = 0;
        entry.failures = if outcome == Done::Failed { entry.failures.saturating_add(1) } else { 0 };
        let failures = entry.failures;
        match outcome {
            Done::Settled => inner.clear_timer(key),
            Done::After(delay) | Done::Known { after: delay, .. } => {
                inner.set_timer(key, Instant::now() + delay, Keep::New)
            }
            Done::Failed => inner.set_timer(key, Instant::now() + back_off(failures), Keep::New),
        }
        // A change seen while a failure is backed off does not shorten the wait: the next attempt sees it anyway.
        if again && outcome != Done::Failed {
            inner.make_ready(key);
        }
        inner.forget_if_idle(key);
        drop(inner);
        self.work.notify_one();
    }

    /// How many keys are ready, and how many wait for a timer.
    pub(crate) fn depth(&self) -> (usize, usize) {
        let inner = self.inner.lock();
        (inner.ready.len(), inner.timers.len())
    }

    /// Whether nothing is ready or running.
    pub(crate) fn is_idle(&self) -> bool {
        let inner = self.inner.lock();
        inner.entries.values().all(|entry| entry.stage == Stage::Idle)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Keep {
    Earlier,
    New,
}

impl Inner {
    fn make_ready(&mut self, key: &Key) {
        let entry = self.entries.entry(key.clone()).or_default();
        match entry.stage {
            Stage::Idle => {
                entry.stage = Stage::Ready;
                self.ready.push_back(key.clone());
            }
            Stage::Running => entry.stage = Stage::RunningAgain,
            Stage::Ready | Stage::RunningAgain => {}
        }
    }

    fn see(&mut self, key: &Key, revision: u64) {
        match self.entries.get_mut(key) {
            Some(entry) if entry.stage == Stage::Running => entry.seen = entry.seen.max(revision),
            Some(entry) if entry.stage == Stage::Idle && revision <= entry.known => {}
            _ => self.make_ready(key),
        }
    }

    fn set_timer(&mut self, key: &Key, at: Instant, keep: Keep) {
        let entry = self.entries.entry(key.clone()).or_default();
        if let Some(old) = entry.timer {
            if keep == Keep::Earlier && old.0 <= at {
                return;
            }
            self.timers.remove(&old);
        }
        self.sequence += 1;
        entry.timer = Some((at, self.sequence));
        self.timers.insert((at, self.sequence), key.clone());
    }

    fn clear_timer(&mut self, key: &Key) {
        if let Some(old) = self.entries.get_mut(key).and_then(|entry| entry.timer.take()) {
            self.timers.remove(&old);
        }
    }

    fn fire(&mut self, now: Instant) {
        while let Some(first) = self.timers.first_entry() {
            if first.key().0 > now {
                return;
            }
            let key = first.remove();
            if let Some(entry) = self.entries.get_mut(&key) {
                entry.timer = None;
            }
            self.make_ready(&key);
        }
    }

    fn forget_if_idle(&mut self, key: &Key) {
        let idle = |entry: &Entry| entry.stage == Stage::Idle && entry.timer.is_none() && entry.failures == 0;
        if self.entries.get(key).is_some_and(idle) {
            self.entries.remove(key);
        }
    }
}

/// Between half and all of the doubled wait, so that keys that failed together do not come back together.
fn back_off(failures: u32) -> Duration {
    let wait = BACK_OFF_FIRST.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(BACK_OFF_MAX);
    wait.mul_f64(0.5 + fastrand::f64() / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Key {
        Key::new("c", "n", name)
    }

    async fn next_now(queue: &Queue) -> Option<String> {
        let next = tokio::time::timeout(Duration::ZERO, queue.next()).await;
        next.ok().map(|key| key.name().to_owned())
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_is_handed_out_once_however_often_it_is_added() {
        let queue = Queue::new(10);
        for name in ["a", "b", "a", "a"] {
            queue.add(key(name));
        }
        assert_eq!(next_now(&queue).await.as_deref(), Some("a"));
        assert_eq!(next_now(&queue).await.as_deref(), Some("b"));
        assert_eq!(next_now(&queue).await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_added_while_it_runs_comes_again_afterwards_and_not_before() {
        let queue = Queue::new(10);
        queue.add(key("a"));
        assert_eq!(next_now(&queue).await.as_deref(), Some("a"));
        queue.add(key("a"));
        assert_eq!(next_now(&queue).await, None);
        queue.done(&key("a"), Done::Settled);
        assert_eq!(next_now(&queue).await.as_deref(), Some("a"));
        queue.done(&key("a"), Done::Settled);
        assert_eq!(next_now(&queue).await, None);
        assert!(queue.inner.lock().entries.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn the_latest_requeue_takes_the_place_of_the_timer_before() {
        let queue = Queue::new(10);
        queue.add(key("a"));
        queue.next().await;
        queue.done(&key("a"), Done::After(Duration::from_secs(3600)));
        queue.add(key("a"));
        queue.next().await;
        queue.done(&key("a"), Done::After(Duration::from_secs(60)));
        let before = Instant::now();
        queue.next().await;
        assert_eq!(before.elapsed().as_secs(), 60);
        queue.done(&key("a"), Done::Settled);
        assert_eq!(queue.depth(), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn what_we_wrote_ourselves_is_no_news_and_anything_later_is() {
        let queue = Queue::new(10);
        let hour = Duration::from_secs(3600);
        queue.add_seen(key("a"), 5);
        assert_eq!(next_now(&queue).await.as_deref(), Some("a"));
        queue.add_seen(key("a"), 6);
        queue.done(&key("a"), Done::Known { revision: 7, after: hour });
        queue.add_seen(key("a"), 7);
        assert_eq!(next_now(&queue).await, None);
        queue.add_seen(key("a"), 8);
        assert_eq!(next_now(&queue).await.as_deref(), Some("a"));
        queue.add_seen(key("a"), 10);
        queue.done(&key("a"), Done::Known { revision: 9, after: hour });
        assert_eq!(next_now(&queue).await.as_deref(), Some("a"));
        queue.add(key("a"));
        queue.done(&key("a"), Done::Known { revision: 10, after: hour });
        assert_eq!(next_now(&queue).await.as_deref(), Some("a"));
    }

    #[tokio::test(start_paused = true)]
    async fn failures_wait_longer_each_time_and_success_forgets_them() {
        let queue = Queue::new(10);
        queue.add(key("a"));
        let mut waits = Vec::new();
        for _ in 0..20 {
            let before = Instant::now();
            queue.next().await;
            waits.push(before.elapsed());
            queue.done(&key("a"), Done::Failed);
        }
        assert!(waits[10] > waits[5] && waits[5] > waits[1], "{waits:?}");
        assert!(waits.iter().all(|wait| *wait <= BACK_OFF_MAX + Duration::from_millis(1)), "{waits:?}");
        queue.next().await;
        queue.done(&key("a"), Done::Settled);
        assert!(queue.inner.lock().entries.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_queue_makes_its_feed_wait_until_a_key_is_taken() {
        let queue = Queue::new(1);
        queue.add(key("a"));
        assert!(tokio::time::timeout(Duration::from_secs(1), queue.has_room()).await.is_err());
        queue.next().await;
        queue.has_room().await;
    }
}
