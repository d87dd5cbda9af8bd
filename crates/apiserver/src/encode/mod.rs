//! Stored entries to what is sent: objects, lists, tables, metadata alone, and frames of watches.
//! Invariant: an object that is served in its stored version is never parsed for it.

mod item;
mod list;
mod table;

pub(crate) use item::{Stored, append_object, append_partial, object, served_value};
pub(crate) use list::ListMetadata;
pub(crate) use list::{objects as object_list, partials as partial_list};
pub(crate) use table::{TableShape, table};
