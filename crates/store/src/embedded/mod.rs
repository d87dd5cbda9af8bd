//! The embedded store: a write-ahead log that is also the event log, and a table of current values behind it.
//! Durability and replay come from the log, ranges from the table; memory holds what the table does not have yet.
//! Invariant: log first (one writer, one fsync per batch), then memory, then the table; never another order.
//! Start at [`EmbeddedStore`]; `writer` commits, `upkeep` moves memory to the table and drops old segments.

mod errors;
mod frame;
mod log;
mod options;
mod segment;
mod store;
mod table;
mod upkeep;
mod writer;

use errors::{corrupted, io_error};
pub use options::Options;
pub use store::EmbeddedStore;
