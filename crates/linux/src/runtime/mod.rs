//! Runs containers from OCI bundles: with the built-in runtime, or with an external program such as `crun` or `runc`.
mod api;
mod builtin;
mod child;
mod external;
mod plan;
mod rootfs;

pub use api::{Exit, Running, Runtime, Start, Stdio};
