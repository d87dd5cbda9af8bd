//! Empties a workspace whose deletion was asked for, workspaces below it first, and lets it go when nothing is left.
//! Invariant: a Workspace goes only after everything in its logical cluster is gone, and the cluster with it.

use std::time::Duration;

use client::{
    BoxFuture, Client, DeleteOptions, Dynamic, Error as ApiError, Patch, PatchOptions, ResourceType,
};
use serde_json::{Value, json};

use crate::controller::{Controller, Cx, Requeue, Routed, Source};
use crate::error::Error;
use crate::key::Key;
use crate::sighting::{Change, Seen};
use crate::sweep;

const WORKSPACES: ResourceType = ResourceType::of_static("tenancy.kcp.io", "v1alpha1", "workspaces");
const LOGICAL_CLUSTERS: ResourceType = ResourceType::of_static("core.kcp.io", "v1alpha1", "logicalclusters");
/// The name of the only LogicalCluster of a logical cluster.
const LOGICAL_CLUSTER: &str = "cluster";
/// The finalizer that this controller removes.
const FINALIZER: &str = "core.kcp.io/logicalcluster";
/// How soon a workspace with content that takes its time is looked at again.
const AGAIN: Duration = Duration::from_millis(250);

pub(crate) fn controller() -> Controller {
    Controller {
        name: "workspace",
        sources: vec![Source { resource: WORKSPACES, route: deleting }],
        reconcile: |cx, key| -> BoxFuture<'static, Result<Requeue, Error>> {
            Box::pin(async move { reconcile(&cx, &key).await })
        },
        workers: 8,
        first: None,
    }
}

fn deleting(change: Change, seen: &Seen) -> Vec<Routed> {
    if change != Change::Gone && seen.is_deleting() { vec![seen.key().into()] } else { Vec::new() }
}

async fn reconcile(cx: &Cx, key: &Key) -> Result<Requeue, Error> {
    let workspaces = cx.client.cluster(key.cluster()).resource::<Dynamic>(WORKSPACES, None);
    let Some(Dynamic(workspace)) = workspaces.find(key.name()).await? else { return Ok(Requeue::Never) };
    let finalizers = workspace.pointer("/metadata/finalizers").and_then(Value::as_array);
    let held = finalizers.is_some_and(|all| all.iter().any(|name| name == FINALIZER));
    if workspace.pointer("/metadata/deletionTimestamp").is_none() || !held {
        return Ok(Requeue::Never);
    }
    if let Some(cluster) = workspace.pointer("/spec/cluster").and_then(Value::as_str)
        && !remove_cluster(&cx.client, cluster).await?
    {
        return Ok(Requeue::After(AGAIN));
    }
    let rest: Vec<&Value> = finalizers.into_iter().flatten().filter(|name| *name != FINALIZER).collect();
    let revision = workspace.pointer("/metadata/resourceVersion");
    let patch = Patch::Merge(json!({"metadata": {"resourceVersion": revision, "finalizers": rest}}));
    match workspaces.patch(key.name(), &patch, &PatchOptions::default()).await {
        Ok(_) | Err(ApiError::NotFound(_)) => Ok(Requeue::Never),
        Err(error) => Err(error.into()),
    }
}

/// Removes a logical cluster with all that it holds; true when it is gone.
async fn remove_cluster(client: &Client, id: &str) -> Result<bool, Error> {
    let cluster = client.cluster(id);
    let own = cluster.resource::<Dynamic>(LOGICAL_CLUSTERS, None);
    match own.find(LOGICAL_CLUSTER).await {
        Ok(Some(_)) => {}
        // The server answers "forbidden" for a cluster that is not there.
        Ok(None) | Err(ApiError::Forbidden(_)) => return Ok(true),
        Err(error) => return Err(error.into()),
    }
    let mut left = 0;
    // Cluster-scoped objects first: workspaces and namespaces among them empty themselves.
    for row in sweep::resources().filter(|row| !row.namespaced && row.plural != LOGICAL_CLUSTERS.plural) {
        left += sweep::remove_all(&cluster, row, None).await?;
    }
    for row in sweep::resources().filter(|row| row.namespaced) {
        left += sweep::remove_all(&cluster, row, None).await?;
    }
    if left > 0 {
        return Ok(false);
    }
    match own.delete(LOGICAL_CLUSTER, &DeleteOptions::default()).await {
        Ok(()) | Err(ApiError::NotFound(_) | ApiError::Forbidden(_)) => Ok(true),
        Err(error) => Err(error.into()),
    }
}
