//! Words that every other crate speaks in: clusters, workspace paths, revisions, durations.
//! Plain data with parsing and printing; no I/O, no clock, no randomness.
//! Invariant: a value of a type here has been checked once, at its constructor, and is carried as proof.
//! Start at [`ClusterId`] and [`WorkspacePath`] for tenancy, [`GoDuration`] for Tekton's time limits.

mod cluster;
mod duration;
mod resource;
mod revision;

pub use cluster::{ClusterId, InvalidClusterId, InvalidWorkspacePath, WorkspacePath};
pub use duration::{GoDuration, InvalidDuration};
pub use resource::{GroupResource, GroupVersion, GroupVersionKind, GroupVersionResource, ObjectName};
pub use revision::{InvalidRevision, Revision};
