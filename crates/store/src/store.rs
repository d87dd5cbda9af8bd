//! The contract of a store, which every implementation keeps and one suite checks.
//! Modelled on etcd's key-value and watch API, minus what an API server never uses.

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use types::Revision;

use crate::key::{Key, KeyPrefix};

/// The future that a method of a trait object returns.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// One stored value with the revisions of its first and its last write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where it is stored.
    pub key: Key,
    /// What is stored.
    pub value: Bytes,
    /// The revision that created the key (after its last deletion).
    pub created: Revision,
    /// The revision of the last write.
    pub modified: Revision,
}

/// A precondition on one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// The key does not exist.
    Absent,
    /// The key exists, at whatever revision.
    Present,
    /// The key exists and was last written at this revision.
    ModifiedAt(Revision),
}

/// One write of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// Creates or replaces a value.
    Put(Key, Bytes),
    /// Removes a key; nothing happens when it is absent.
    Delete(Key),
}

/// Writes that happen together or not at all, all at one revision. A key occurs in at most one operation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Txn {
    /// What must hold at the moment of the commit.
    pub expect: Vec<(Key, Expect)>,
    /// What is written.
    pub ops: Vec<Op>,
}

/// How a transaction ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Every precondition held, and the writes are durable. A transaction that changed nothing has the revision
    /// of the last one that did.
    Committed(Committed),
    /// This precondition (its index in [`Txn::expect`]) did not hold; nothing was written.
    /// The entry is what stands at that key now.
    Refused(usize, Option<Entry>),
}

/// The revision of a durable transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The revision of all its writes.
    pub revision: Revision,
}

/// What to read of a contiguous range of keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    /// The range's prefix.
    pub prefix: KeyPrefix,
    /// Start at this key (inclusive) instead of the prefix's first.
    pub start: Option<Bytes>,
    /// At most this many entries; zero means all.
    pub limit: usize,
    /// Read as of this revision; `None` means the newest.
    pub at: Option<Revision>,
}

/// A consistent reading of a range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RangePage {
    /// The entries in key order.
    pub entries: Vec<Entry>,
    /// The revision of the snapshot.
    pub revision: Revision,
    /// Whether the limit cut the range.
    pub more: bool,
}

/// One change of one key, in the order of commits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The revision of the transaction.
    pub revision: Revision,
    /// The key that changed.
    pub key: Key,
    /// The entry before, or `None` when the key was created.
    pub before: Option<Entry>,
    /// The entry after, or `None` when the key was deleted.
    pub after: Option<Entry>,
}

/// The reading end of the event log for one scope.
pub trait Watch: Send {
    /// The next events of the scope, in order, at least one; waits until there are some.
    ///
    /// # Errors
    /// [`Error::Compacted`] when the reader fell so far behind that the log no longer holds its place;
    /// [`Error::Closed`] when the store is shutting down.
    fn next(&mut self) -> BoxFuture<'_, Result<Vec<std::sync::Arc<Event>>, Error>>;

    /// The revision up to which everything in the scope was handed out: what a bookmark may say.
    fn progress(&self) -> Revision;
}

/// A revisioned store with one event log. All methods are safe to call concurrently.
pub trait Store: Send + Sync {
    /// The entry at `key` now, including every acknowledged write.
    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Entry>, Error>>;

    /// A consistent reading of a range.
    ///
    /// # Errors
    /// [`Error::Compacted`] or [`Error::Future`] when the asked revision cannot be read.
    fn range(&self, range: Range) -> BoxFuture<'_, Result<RangePage, Error>>;

    /// Commits a transaction; returns after it is durable.
    fn txn(&self, txn: Txn) -> BoxFuture<'_, Result<Outcome, Error>>;

    /// Watches a scope for all changes strictly after `after`.
    ///
    /// # Errors
    /// [`Error::Compacted`] or [`Error::Future`] when the log cannot start there.
    fn watch(&self, scope: KeyPrefix, after: Revision) -> BoxFuture<'_, Result<Box<dyn Watch>, Error>>;

    /// The newest revision that readers can see.
    fn revision(&self) -> Revision;

    /// The oldest revision that can still be read or watched from.
    fn compacted(&self) -> Revision;

    /// Forgets history up to `revision`: from then on nothing older can be read, and nothing can be watched from
    /// before it. The state at `revision` and everything after it stay. Forgetting less than before does nothing
    /// but say so.
    ///
    /// # Errors
    /// [`Error::Compacted`] when that much was forgotten already; [`Error::Future`] for what has not happened.
    fn compact(&self, revision: Revision) -> BoxFuture<'_, Result<(), Error>>;

    /// Refuses new writes, finishes those under way, and releases the files.
    fn close(&self) -> BoxFuture<'_, Result<(), Error>>;
}

/// Why the store could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The asked revision is older than what history holds.
    #[error("revision {asked} has been compacted; the oldest that can be read is {oldest}")]
    Compacted {
        /// The revision that was asked for.
        asked: Revision,
        /// The oldest revision that can be read.
        oldest: Revision,
    },
    /// The asked revision has not happened yet.
    #[error("revision {asked} is in the future; the newest is {newest}")]
    Future {
        /// The revision that was asked for.
        asked: Revision,
        /// The newest revision.
        newest: Revision,
    },
    /// The store is closed or closing.
    #[error("the store is closed")]
    Closed,
    /// A write could not be made durable; the writer has stopped and takes no more.
    #[error("make a write durable in `{path}`")]
    Durability {
        /// The file that failed.
        path: String,
        /// What the operating system said.
        #[source]
        source: std::sync::Arc<std::io::Error>,
    },
    /// A file on disk does not hold what was written to it.
    #[error("`{path}` is corrupted at offset {offset}: {what}")]
    Corrupted {
        /// The damaged file.
        path: String,
        /// Where in it, in bytes.
        offset: u64,
        /// What was found.
        what: String,
    },
    /// The data directory cannot be used.
    #[error("use the data directory `{path}`")]
    Io {
        /// The path concerned.
        path: String,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
}
