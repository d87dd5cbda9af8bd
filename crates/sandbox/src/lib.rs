//! From a Pod, its step plan and the configurations of its images to an ordered plan of OCI runtime specs.
//! Pure: it reads no file, clock or network; `node` brings the objects and carries the plan out, choosing nothing.
//! Invariant: whatever a Pod asks for and this crate does not honour is an error that names the field, never silence.
//! Start at [`plan`]; [`needs`] says which objects must be fetched before it; [`steps`] holds what is decided
//! while steps run (references to results of earlier steps, `when`, termination messages).

pub mod downward;
pub mod environment;
pub mod expansion;
mod identity;
mod input;
mod mounts;
mod needs;
mod oci;
pub mod placement;
mod plan;
mod planner;
mod quantity;
pub mod steps;
mod tekton;
mod volumes;

pub use input::{Image, Input, Limits, Machine, Objects, Permissions};
pub use needs::{Needs, needs};
pub use plan::{
    ContainerPlan, FileEntry, Network, Order, PlanError, PodPlan, PodRef, RestartPolicy, Rootfs, Seccomp,
    TerminationPolicy, TextFile, Volume, VolumeKind,
};
pub use planner::plan;
pub use quantity::{milli_units, whole_units};
