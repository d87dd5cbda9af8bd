//! `psvc run`: a server for one run. It starts everything with a temporary store, applies the files, starts
//! the run, shows it, and ends with its outcome.

mod command;
mod follow;
mod model;
mod outcome;
mod select;
mod view;

pub(crate) use command::run;
pub(crate) use follow::Follower;
pub(crate) use model::{LogSource, log_sources};
pub(crate) use view::View;

use client::ResourceType;

/// The workspace that runs happen in.
pub(crate) const WORKSPACE: &str = "root:default";

/// A resource of Tekton's own group, in the version that everything here speaks.
pub(crate) fn tekton(plural: &str) -> ResourceType {
    ResourceType::new("tekton.dev", "v1", plural)
}
