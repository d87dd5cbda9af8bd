//! The process that runs one Pod. It has one thread and no async runtime, because it makes namespaces, and it
//! survives the service that started it. Start at [`main`]; `executor` is its loop, `journal` what it reports.
mod beneath;
mod container;
mod control;
mod executor;
mod job;
mod journal;
mod log;
mod main;
mod prepare;
mod steps;
mod tee;
mod together;

pub use main::main;

pub(crate) use beneath::Directory;
pub(crate) use control::{StopRequest, make_fifo, open_fifo, request_stop};
pub(crate) use job::{CONTROL_FIFO, EVENTS_FIFO, Job, SHIM_LOG, STATE_FILE};
pub(crate) use journal::{End, Event};
pub(crate) use log::chain;
pub(crate) use main::kill_leftovers;
