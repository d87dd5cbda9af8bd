//! Control groups of all three kinds of machine: version 1, hybrid, version 2.
mod detect;
mod group;
mod mountinfo;

pub use detect::{Cgroups, Kind};
pub use group::{Group, Limits};
