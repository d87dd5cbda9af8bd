//! Who watches what: scopes of watches, hashed by key prefix, and what happened in each of them lately.
//! It holds revisions only; the events themselves are in the ring or in the log.
//! Invariant: an event costs one probe for each prefix of its own key, however many watches there are, and one
//! entry per scope that is being watched, however many watch it. A scope without watches does not exist.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::Notify;
use types::Revision;

use crate::key::{KeyPrefix, SEPARATOR};

/// How many revisions a scope remembers. A watch that is further behind reads the ring or the log instead.
const SCOPE_REVISIONS_MAX: usize = 4096;

#[derive(Default)]
pub(crate) struct Hub {
    scopes: Mutex<HashMap<Bytes, Watched>>,
}

struct Watched {
    scope: Arc<Scope>,
    watches: usize,
}

/// One watched prefix, shared by all its watches.
pub(crate) struct Scope {
    index: Mutex<Index>,
    changed: Notify,
}

struct Index {
    /// Every revision after this one that touched the scope is in `revisions`.
    complete_after: Revision,
    revisions: VecDeque<Revision>,
    /// Whether the scope changed since its watches were last woken.
    touched: bool,
}

/// What a scope knows about the time after a cursor.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Changes {
    /// Exactly these revisions touched the scope, oldest first; cut at the asked number.
    Known(Vec<Revision>),
    /// The scope does not reach back that far.
    Unknown,
}

impl Hub {
    /// Joins the watches of a scope. The caller keeps `published` from moving meanwhile.
    pub(crate) fn subscribe(self: &Arc<Self>, prefix: &KeyPrefix, published: Revision) -> Subscription {
        let mut scopes = self.scopes.lock();
        let watched = scopes
            .entry(prefix.as_bytes().clone())
            .or_insert_with(|| Watched { scope: Arc::new(Scope::new(published)), watches: 0 });
        watched.watches += 1;
        Subscription { hub: Arc::clone(self), prefix: prefix.clone(), scope: Arc::clone(&watched.scope) }
    }

    /// Notes a change of `key` in every scope that covers it; scopes to be woken are added to `touched`.
    pub(crate) fn record(&self, key: &[u8], revision: Revision, touched: &mut Vec<Arc<Scope>>) {
        let scopes = self.scopes.lock();
        if scopes.is_empty() {
            return;
        }
        let cuts = key.iter().enumerate().filter(|(_, byte)| **byte == SEPARATOR).map(|(at, _)| at + 1);
        let whole = (!key.ends_with(&[SEPARATOR])).then_some(key.len());
        for cut in cuts.chain(whole) {
            if let Some(watched) = scopes.get(&key[..cut])
                && watched.scope.record(revision)
            {
                touched.push(Arc::clone(&watched.scope));
            }
        }
    }

    /// Wakes every watch of the store.
    pub(crate) fn wake_all(&self) {
        for watched in self.scopes.lock().values() {
            watched.scope.wake();
        }
    }

    /// How many scopes are watched.
    #[cfg(test)]
    pub(crate) fn scopes(&self) -> usize {
        self.scopes.lock().len()
    }
}

impl Scope {
    fn new(complete_after: Revision) -> Self {
        let index = Index { complete_after, revisions: VecDeque::new(), touched: false };
        Self { index: Mutex::new(index), changed: Notify::new() }
    }

    /// Returns whether this is the first change since the watches were woken.
    fn record(&self, revision: Revision) -> bool {
        let mut index = self.index.lock();
        if index.revisions.back() != Some(&revision) {
            index.revisions.push_back(revision);
        }
        if index.revisions.len() > SCOPE_REVISIONS_MAX
            && let Some(forgotten) = index.revisions.pop_front()
        {
            index.complete_after = forgotten;
        }
        !std::mem::replace(&mut index.touched, true)
    }

    pub(crate) fn wake(&self) {
        self.index.lock().touched = false;
        self.changed.notify_waiters();
    }

    /// Which revisions after `cursor` touched the scope, at most `limit` of them.
    pub(crate) fn changes(&self, cursor: Revision, limit: usize) -> Changes {
        let index = self.index.lock();
        if cursor < index.complete_after {
            return Changes::Unknown;
        }
        let start = index.revisions.partition_point(|revision| *revision <= cursor);
        Changes::Known(index.revisions.range(start..).take(limit).copied().collect())
    }

    pub(crate) fn notify(&self) -> &Notify {
        &self.changed
    }
}

/// A place among the watches of a scope; dropping it leaves.
pub(crate) struct Subscription {
    hub: Arc<Hub>,
    prefix: KeyPrefix,
    scope: Arc<Scope>,
}

impl Subscription {
    pub(crate) fn scope(&self) -> &Arc<Scope> {
        &self.scope
    }

    pub(crate) fn prefix(&self) -> &KeyPrefix {
        &self.prefix
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut scopes = self.hub.scopes.lock();
        if let Some(watched) = scopes.get_mut(self.prefix.as_bytes()) {
            watched.watches -= 1;
            if watched.watches == 0 {
                scopes.remove(self.prefix.as_bytes());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use types::ClusterId;

    use super::*;
    use crate::Key;

    #[test]
    fn an_event_touches_each_scope_of_its_key_once_and_no_other() {
        let hub = Arc::new(Hub::default());
        let (root, other) = (ClusterId::root(), ClusterId::parse("other").unwrap());
        let key = Key::new("/pods", "", &root, "ns", "p");
        let hit = [
            KeyPrefix::resource("/pods", ""),
            KeyPrefix::cluster("/pods", "", &root),
            KeyPrefix::namespace("/pods", "", &root, "ns"),
            KeyPrefix::object(&key),
        ];
        let missed = [
            KeyPrefix::resource("/pod", ""),
            KeyPrefix::cluster("/pods", "", &other),
            KeyPrefix::namespace("/pods", "", &root, "n"),
            KeyPrefix::object(&Key::new("/pods", "", &root, "ns", "p2")),
        ];
        let hit = hit.map(|prefix| hub.subscribe(&prefix, Revision(5)));
        let missed = missed.map(|prefix| hub.subscribe(&prefix, Revision(5)));
        let mut touched = Vec::new();
        for revision in [6, 6, 7] {
            hub.record(key.as_bytes(), Revision(revision), &mut touched);
        }
        assert_eq!(touched.len(), 4);
        for subscription in &hit {
            let known = Changes::Known(vec![Revision(6), Revision(7)]);
            assert_eq!(subscription.scope().changes(Revision(5), 10), known);
        }
        for subscription in &missed {
            assert_eq!(subscription.scope().changes(Revision(5), 10), Changes::Known(Vec::new()));
        }
    }

    #[test]
    fn a_scope_ends_with_its_last_watch() {
        let hub = Arc::new(Hub::default());
        let prefix = KeyPrefix::resource("/pods", "");
        let first = hub.subscribe(&prefix, Revision(1));
        let second = hub.subscribe(&prefix, Revision(9));
        drop(first);
        assert_eq!(hub.scopes(), 1);
        drop(second);
        assert_eq!(hub.scopes(), 0);
    }

    #[test]
    fn a_scope_knows_where_its_memory_ends() {
        let scope = Scope::new(Revision(10));
        assert_eq!(scope.changes(Revision(9), 1), Changes::Unknown);
        for revision in 11..=11 + SCOPE_REVISIONS_MAX as u64 {
            scope.record(Revision(revision));
        }
        assert_eq!(scope.changes(Revision(10), 1), Changes::Unknown);
        assert_eq!(scope.changes(Revision(11), 1), Changes::Known(vec![Revision(12)]));
    }
}
