//! How each implementation is opened, and the words that sentences are written in.

use std::sync::Arc;

use bytes::Bytes;
use store::{
    Committed, EmbeddedStore, Entry, Expect, Key, KeyPrefix, MemoryStore, Op, Options, Outcome, Range,
    RangePage, Store, Txn,
};
use tempfile::TempDir;
use types::{ClusterId, Revision};

/// Where a store can be opened, and opened again.
pub(crate) trait Place {
    fn open(&self) -> Arc<dyn Store>;

    /// Whether what was written is there again after closing and opening.
    fn lasts(&self) -> bool;
}

pub(crate) struct Memory;

impl Place for Memory {
    fn open(&self) -> Arc<dyn Store> {
        Arc::new(MemoryStore::new())
    }

    fn lasts(&self) -> bool {
        false
    }
}

pub(crate) struct Embedded {
    pub(crate) dir: TempDir,
    pub(crate) options: Options,
}

impl Embedded {
    pub(crate) fn roomy() -> Self {
        Self { dir: TempDir::new().unwrap(), options: Options::default() }
    }

    /// Everything that can overflow does so all the time.
    pub(crate) fn tiny() -> Self {
        let options = Options {
            segment_bytes: 512,
            ring_events_max: 4,
            memory_bytes: 700,
            table_cache_bytes: 1 << 20,
            ..Options::default()
        };
        Self { dir: TempDir::new().unwrap(), options }
    }
}

impl Place for Embedded {
    fn open(&self) -> Arc<dyn Store> {
        Arc::new(EmbeddedStore::open(self.dir.path(), &self.options).unwrap())
    }

    fn lasts(&self) -> bool {
        true
    }
}

pub(crate) fn cluster(name: &str) -> ClusterId {
    ClusterId::parse(name).unwrap()
}

/// The key of a pod in cluster `c` and namespace `ns`.
pub(crate) fn pod(name: &str) -> Key {
    Key::new("/pods", "", &cluster("c"), "ns", name)
}

pub(crate) fn pods() -> KeyPrefix {
    KeyPrefix::resource("/pods", "")
}

pub(crate) fn put(key: &Key, value: &str) -> Op {
    Op::Put(key.clone(), Bytes::copy_from_slice(value.as_bytes()))
}

pub(crate) fn delete(key: &Key) -> Op {
    Op::Delete(key.clone())
}

pub(crate) fn all(prefix: KeyPrefix) -> Range {
    Range { prefix, start: None, limit: 0, at: None }
}

/// Commits operations without preconditions.
pub(crate) async fn write(store: &dyn Store, ops: Vec<Op>) -> Revision {
    committed(store.txn(Txn { expect: Vec::new(), ops }).await.unwrap())
}

pub(crate) async fn write_if(store: &dyn Store, key: &Key, expect: Expect, ops: Vec<Op>) -> Outcome {
    store.txn(Txn { expect: vec![(key.clone(), expect)], ops }).await.unwrap()
}

pub(crate) fn committed(outcome: Outcome) -> Revision {
    match outcome {
        Outcome::Committed(Committed { revision }) => revision,
        Outcome::Refused(index, entry) => panic!("precondition {index} refused: {entry:?}"),
    }
}

/// One line per entry: `name=value created/modified`.
pub(crate) fn shown(page: &RangePage) -> Vec<String> {
    page.entries.iter().map(show).collect()
}

pub(crate) fn show(entry: &Entry) -> String {
    let name = entry.key.parts().unwrap()[4].to_owned();
    format!("{name}={} {}/{}", String::from_utf8_lossy(&entry.value), entry.created, entry.modified)
}
