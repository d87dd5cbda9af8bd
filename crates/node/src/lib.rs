//! Runs Pods on this machine: a dispatcher inside of the service, and one small process (a shim) for each Pod.
//! The dispatcher claims Pods through the API like any other node, prepares them and writes their status; the shim
//! runs the containers, writes their logs and results, and goes on when the service restarts or crashes.
//! Invariant: what a Pod is to do is decided in `sandbox` before its shim starts; the shim only follows the plan.
//! Start at [`Service`] for the dispatcher and at [`shim`] for the other side.

mod claims;
mod error;
mod ids;
mod images;
mod journal;
mod machine;
mod options;
mod pod_dir;
mod preparation;
mod queue;
mod service;
pub mod shim;
mod status;
mod status_writer;
mod worker;

pub use error::Error;
pub use images::{HOST_IMAGE, ImageError, ImageRequest, Images, NoRegistry, PullPolicy, ResolvedImage};
pub use options::Options;
pub use service::Service;
