//! What is done for a request that was allowed: one module for each group of verbs, none for a kind.
//! Each reads what the request says, calls the registry, and renders the answer.

mod bind;
mod change;
mod create;
mod delete;
mod documents;
mod input;
mod logs;
mod output;
mod patch;
mod read;
mod update;
mod watch;

pub(crate) use bind::bind;
pub(crate) use create::create;
pub(crate) use delete::{delete, delete_collection};
pub(crate) use documents::{documents, health, version};
pub(crate) use logs::logs;
pub(crate) use patch::patch;
pub(crate) use read::{get, list};
pub(crate) use update::update;
pub(crate) use watch::watch;
