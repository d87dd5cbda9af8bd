//! Empties a namespace whose deletion was asked for, and lets it go when nothing is left.
//! Invariant: the namespace goes only after every resource in it was found empty in one turn.

use std::time::Duration;

use client::{BoxFuture, Cluster, Error as ApiError, Kind};
use k8s_openapi::api::core::v1::Namespace;

use crate::controller::{Controller, Cx, Requeue, Routed, Source};
use crate::error::Error;
use crate::key::Key;
use crate::sighting::{Change, Seen};
use crate::sweep;

/// The finalizer in `spec.finalizers` that this controller removes.
const FINALIZER: &str = "kubernetes";
/// How soon a namespace with content that takes its time is looked at again.
const AGAIN: Duration = Duration::from_millis(250);

pub(crate) fn controller() -> Controller {
    Controller {
        name: "namespace",
        sources: vec![Source { resource: Namespace::RESOURCE, route: deleting }],
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
    let cluster = cx.client.cluster(key.cluster());
    let namespaces = cluster.all::<Namespace>();
    let Some(mut namespace) = namespaces.find(key.name()).await? else { return Ok(Requeue::Never) };
    if namespace.metadata.deletion_timestamp.is_none() {
        return Ok(Requeue::Never);
    }
    if remove_content(&cluster, key.name()).await? > 0 {
        return Ok(Requeue::After(AGAIN));
    }
    let Some(finalizers) = namespace.spec.as_mut().and_then(|spec| spec.finalizers.as_mut()) else {
        return Ok(Requeue::Never);
    };
    finalizers.retain(|name| name != FINALIZER);
    match namespaces.finalize(key.name(), &namespace).await {
        Ok(_) | Err(ApiError::NotFound(_)) => Ok(Requeue::Never),
        Err(error) => Err(error.into()),
    }
}

/// Removes everything in a namespace and counts what was still there.
async fn remove_content(cluster: &Cluster, namespace: &str) -> Result<usize, Error> {
    let mut left = 0;
    for row in sweep::resources().filter(|row| row.namespaced) {
        left += sweep::remove_all(cluster, row, Some(namespace)).await?;
    }
    Ok(left)
}
