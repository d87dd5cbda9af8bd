//! Keeps what every namespace has: the service account `default`, and the API server's certificates.
//! The server makes the account together with the namespace; here it comes back when somebody deletes it.

use std::collections::BTreeMap;

use client::{BoxFuture, Error as ApiError, Kind};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, ServiceAccount};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::controller::{Controller, Cx, Requeue, Routed, Source};
use crate::error::Error;
use crate::key::Key;
use crate::sighting::{Change, Seen};

const ACCOUNT: &str = "default";
const ROOT_CA: &str = "kube-root-ca.crt";

pub(crate) fn controller() -> Controller {
    Controller {
        name: "service-account",
        sources: vec![
            Source { resource: Namespace::RESOURCE, route: namespace },
            Source { resource: ServiceAccount::RESOURCE, route: removed_account },
            Source { resource: ConfigMap::RESOURCE, route: removed_config },
        ],
        reconcile: |cx, key| -> BoxFuture<'static, Result<Requeue, Error>> {
            Box::pin(async move { reconcile(&cx, &key).await })
        },
        workers: 4,
        first: None,
    }
}

/// The key is the namespace.
fn namespace(change: Change, seen: &Seen) -> Vec<Routed> {
    let wanted = matches!(change, Change::Created | Change::Existing) && !seen.is_deleting();
    if wanted { vec![seen.key().into()] } else { Vec::new() }
}

fn removed_account(change: Change, seen: &Seen) -> Vec<Routed> {
    removed(ACCOUNT, change, seen)
}

fn removed_config(change: Change, seen: &Seen) -> Vec<Routed> {
    removed(ROOT_CA, change, seen)
}

fn removed(name: &str, change: Change, seen: &Seen) -> Vec<Routed> {
    if change != Change::Gone || seen.metadata.name != name {
        return Vec::new();
    }
    vec![Key::new(seen.cluster(), "", &seen.metadata.namespace).into()]
}

async fn reconcile(cx: &Cx, key: &Key) -> Result<Requeue, Error> {
    let cluster = cx.client.cluster(key.cluster());
    let Some(namespace) = cluster.all::<Namespace>().find(key.name()).await? else {
        return Ok(Requeue::Never);
    };
    if namespace.metadata.deletion_timestamp.is_some() {
        return Ok(Requeue::Never);
    }
    let named = |name: &str| ObjectMeta {
        name: Some(name.to_owned()),
        namespace: Some(key.name().to_owned()),
        ..ObjectMeta::default()
    };
    let accounts = cluster.namespaced::<ServiceAccount>(key.name());
    if accounts.find(ACCOUNT).await?.is_none() {
        let account = ServiceAccount { metadata: named(ACCOUNT), ..ServiceAccount::default() };
        unless_too_late(accounts.create(&account).await)?;
    }
    let Some(pem) = &cx.root_ca_pem else { return Ok(Requeue::Never) };
    let configs = cluster.namespaced::<ConfigMap>(key.name());
    if configs.find(ROOT_CA).await?.is_none() {
        let data = BTreeMap::from([("ca.crt".to_owned(), pem.to_string())]);
        let config = ConfigMap { metadata: named(ROOT_CA), data: Some(data), ..ConfigMap::default() };
        unless_too_late(configs.create(&config).await)?;
    }
    Ok(Requeue::Never)
}

/// Somebody else made it, or the namespace is going by now.
fn unless_too_late<T>(created: Result<T, ApiError>) -> Result<(), ApiError> {
    match created {
        Ok(_) | Err(ApiError::AlreadyExists(_) | ApiError::NotFound(_) | ApiError::Forbidden(_)) => Ok(()),
        Err(error) => Err(error),
    }
}
