//! What remains of runs. For now: the logs of steps, written once where they arise and followed from there.
//! It does not know objects or permissions; `apiserver` checks both before it reads here.
//! Invariant: a log outlives its Pod, and its bytes are stored exactly once.
//! Start at [`LogStore`]; [`LogWriter`] is the writing end, [`record`] the form on disk.

mod follow;
mod read;
pub mod record;
mod store;
mod write;

pub use read::{LogStream, ReadOptions};
pub use store::{Error, LogKey, LogStore};
pub use write::{LogWriter, ensure_ended};
