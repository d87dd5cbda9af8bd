//! The store: revisioned keys and values, transactions with preconditions, and one event log per shard.
//! It knows nothing of objects, workspaces or permissions; `apiserver` gives its keys and values their meaning.
//! Invariant: a write is acknowledged only after it is durable, and its revision is one more than the last.
//! Start at [`Store`]; [`key`] holds the layout of keys, [`Watch`] the reading end of the log.

pub mod bench;
mod blocking;
mod decide;
mod embedded;
mod hub;
pub mod key;
mod live;
mod memory;
mod merge;
mod ring;
mod store;
mod watch;

pub use embedded::{EmbeddedStore, Options};
pub use key::{Key, KeyPrefix};
pub use memory::MemoryStore;
pub use store::{
    BoxFuture, Committed, Entry, Error, Event, Expect, Op, Outcome, Range, RangePage, Store, Txn, Watch,
};
