//! Level-driven controllers over all workspaces: the driver, and one file for each reconciler.
//! Rules of Tekton are crate `pipeline`'s; the API server is known through `client` only.
//! Invariant: nothing lives in memory for a workspace but queued keys, and a reconcile that is done twice, late or
//! after a crash half-way comes to the same end.
//! Start at [`Service`]; a reconciler to read first is `task_run`, the machinery begins in `driver`.

mod clock;
mod controller;
mod driver;
mod error;
mod event_expiry;
mod feed;
mod garbage;
mod key;
mod namespace;
mod pipeline_run;
mod queue;
mod recorder;
mod run;
mod service;
mod service_account;
mod sighting;
mod sweep;
mod task_run;
mod volume_claim;
mod workspace;

pub use clock::{Clock, SystemClock};
pub use service::{Handle, Options, Service};
