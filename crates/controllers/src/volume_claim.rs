//! Binds claims: storage on a node is a directory made at first use, so every claim is bound as it is.

use client::{BoxFuture, Error as ApiError, Kind, Patch, PatchOptions};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, PersistentVolumeClaimStatus};
use serde_json::json;

use crate::controller::{Controller, Cx, Requeue, Routed, Source};
use crate::error::Error;
use crate::key::Key;
use crate::sighting::{Change, Seen};

const BOUND: &str = "Bound";

pub(crate) fn controller() -> Controller {
    Controller {
        name: "volume-claim",
        sources: vec![Source { resource: PersistentVolumeClaim::RESOURCE, route: unbound }],
        reconcile: |cx, key| -> BoxFuture<'static, Result<Requeue, Error>> {
            Box::pin(async move { reconcile(&cx, &key).await })
        },
        workers: 4,
        first: None,
    }
}

fn unbound(change: Change, seen: &Seen) -> Vec<Routed> {
    if change == Change::Gone || seen.status.phase.as_deref() == Some(BOUND) {
        return Vec::new();
    }
    vec![seen.key().into()]
}

async fn reconcile(cx: &Cx, key: &Key) -> Result<Requeue, Error> {
    let claims = cx.client.cluster(key.cluster()).namespaced::<PersistentVolumeClaim>(key.namespace());
    let Some(mut claim) = claims.find(key.name()).await? else { return Ok(Requeue::Never) };
    if claim.metadata.deletion_timestamp.is_some() || is_bound(&claim) {
        return Ok(Requeue::Never);
    }
    if claim.spec.as_ref().is_none_or(|spec| spec.volume_name.is_none()) {
        let volume = format!("pvc-{}", claim.metadata.uid.as_deref().unwrap_or_default());
        let revision = &claim.metadata.resource_version;
        let patch =
            Patch::Merge(json!({"metadata": {"resourceVersion": revision}, "spec": {"volumeName": volume}}));
        claim = claims.patch(key.name(), &patch, &PatchOptions::default()).await?;
    }
    claim.status = Some(bound_status(&claim));
    match claims.update_status(key.name(), &claim).await {
        Ok(_) | Err(ApiError::NotFound(_)) => Ok(Requeue::Never),
        Err(error) => Err(error.into()),
    }
}

fn is_bound(claim: &PersistentVolumeClaim) -> bool {
    claim.status.as_ref().and_then(|status| status.phase.as_deref()) == Some(BOUND)
}

fn bound_status(claim: &PersistentVolumeClaim) -> PersistentVolumeClaimStatus {
    let spec = claim.spec.clone().unwrap_or_default();
    PersistentVolumeClaimStatus {
        phase: Some(BOUND.to_owned()),
        access_modes: spec.access_modes,
        capacity: spec.resources.and_then(|resources| resources.requests),
        ..claim.status.clone().unwrap_or_default()
    }
}
