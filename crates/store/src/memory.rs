//! The store in memory: for simulation, for tests and for `psvc run`.
//! It keeps nothing on disk, spawns nothing and never waits, so that it behaves the same on paused time.
//! Invariant: it differs from the embedded store in durability only; the suite runs on both.

use std::sync::Arc;

use parking_lot::Mutex;
use types::Revision;

use crate::decide::{Decision, assert_distinct_keys, decide};
use crate::key::{Key, KeyPrefix};
use crate::live::Core;
use crate::ring::RingLimits;
use crate::store::{BoxFuture, Committed, Entry, Error, Outcome, Range, RangePage, Store, Txn, Watch};
use crate::watch::Cursor;

/// The revision of a store that was never written: above 1, because clients give 0 and 1 meanings of their own.
pub(crate) const REVISION_EMPTY: Revision = Revision(2);

/// How many events a memory store keeps before it compacts by itself.
const HISTORY_EVENTS: usize = 1 << 20;

/// A [`Store`] that lives in memory.
pub struct MemoryStore {
    core: Arc<Core>,
    /// Held while a transaction is decided and published.
    writer: Mutex<()>,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::with_history(HISTORY_EVENTS)
    }

    /// An empty store that keeps this many events at most; older ones are compacted.
    #[must_use]
    pub fn with_history(events: usize) -> Self {
        let limits = RingLimits { events, bytes: usize::MAX };
        Self { core: Arc::new(Core::in_memory(REVISION_EMPTY, limits)), writer: Mutex::new(()) }
    }

    fn commit(&self, txn: Txn) -> Result<Outcome, Error> {
        assert_distinct_keys(&txn);
        let _writer = self.writer.lock();
        self.core.check_readable(self.core.published())?;
        let revision = self.core.published().next();
        Ok(match decide(txn, revision, |key| self.core.get(key))? {
            Decision::Refused(index, entry) => Outcome::Refused(index, entry),
            Decision::Unchanged => Outcome::Committed(Committed { revision: self.core.published() }),
            Decision::Changed(events) => {
                self.core.publish(&[events]);
                Outcome::Committed(Committed { revision })
            }
        })
    }
}

impl Store for MemoryStore {
    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Entry>, Error>> {
        Box::pin(async move { self.core.get(key) })
    }

    fn range(&self, range: Range) -> BoxFuture<'_, Result<RangePage, Error>> {
        Box::pin(async move { self.core.range(&range) })
    }

    fn txn(&self, txn: Txn) -> BoxFuture<'_, Result<Outcome, Error>> {
        Box::pin(async move { self.commit(txn) })
    }

    fn watch(&self, scope: KeyPrefix, after: Revision) -> BoxFuture<'_, Result<Box<dyn Watch>, Error>> {
        Box::pin(async move {
            let cursor = Cursor::open(&self.core, &scope, after)?;
            Ok(Box::new(cursor) as Box<dyn Watch>)
        })
    }

    fn revision(&self) -> Revision {
        self.core.published()
    }

    fn compacted(&self) -> Revision {
        self.core.live.read().floor
    }

    fn compact(&self, revision: Revision) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async move {
            self.core.check_readable(revision)?;
            self.core.forget(revision);
            Ok(())
        })
    }

    fn close(&self) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async move {
            self.core.close();
            Ok(())
        })
    }
}
