//! Removes what is owned by objects that are gone: background, foreground and orphan, as Kubernetes defines them.
//! One key stands for a sweep of a namespace, or of a cluster; many deletions within a moment make one sweep.
//! There is no graph in memory: [`decide`] works on what one sweep reads.

mod collect;
mod decide;

pub(crate) use collect::controller;
