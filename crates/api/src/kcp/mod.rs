//! The kinds of kcp: workspaces, and the logical clusters behind them.
//! Invariant: names and meanings of fields are kcp's own, so that its command-line plugin works.

mod condition;
mod logical_cluster;
mod workspace;

pub use condition::Condition;
pub use logical_cluster::{
    LogicalCluster, LogicalClusterOwner, LogicalClusterSpec, LogicalClusterStatus, UserInfo,
};
pub use workspace::{
    Mount, ObjectReference, Workspace, WorkspaceLocation, WorkspaceSpec, WorkspaceStatus,
    WorkspaceTypeReference,
};
pub(crate) use {logical_cluster::LOGICAL_CLUSTER, workspace::WORKSPACE};
