//! Reads what is there, lets `decide` decide, and carries it out, object by object under its uid.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use client::{
    BoxFuture, Cluster, DeleteOptions, Dynamic, Error as ApiError, PartialObject, Patch, PatchOptions,
    Propagation, Versioned as _,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use serde_json::json;

use super::decide::{Action, FOREGROUND, Item, ORPHAN, Treatment, decide};
use crate::controller::{Controller, Cx, Requeue, Routed, Source};
use crate::error::Error;
use crate::key::Key;
use crate::sighting::{Change, Seen};
use crate::sweep;

/// Deletions within this time make one sweep.
const GATHER: Duration = Duration::from_millis(50);
/// A new object's owners are looked at after this time: one that was going then is gone now.
const LOOK_AT_OWNER: Duration = Duration::from_secs(10);
/// After a start, or a lost history, namespaces with dependents are swept once within this time.
const FIRST_SWEEP: Duration = Duration::from_secs(1);
/// Parts a key's name that says "does this owner exist?"; object names never contain it.
const SEPARATOR: char = '|';

/// Groups and kinds whose objects never own anything: their coming and going costs no sweep.
const NEVER_OWNERS: [&str; 4] = ["events", "leases", "logicalclusters", "workspaces"];

pub(crate) fn controller() -> Controller {
    let watched =
        sweep::resources().filter(|row| !NEVER_OWNERS.contains(&row.plural) && row.plural != "namespaces");
    Controller {
        name: "garbage",
        sources: watched.map(|row| Source { resource: sweep::served(row), route }).collect(),
        reconcile: |cx, key| -> BoxFuture<'static, Result<Requeue, Error>> {
            Box::pin(async move { reconcile(&cx, &key).await })
        },
        workers: 4,
        first: None,
    }
}

fn route(change: Change, seen: &Seen) -> Vec<Routed> {
    let sweep =
        |after| Routed { key: Key::new(seen.cluster(), &seen.metadata.namespace, ""), after, revision: None };
    let held = || seen.metadata.finalizers.iter().any(|name| name == FOREGROUND || name == ORPHAN);
    match change {
        Change::Gone => vec![sweep(GATHER)],
        _ if seen.is_deleting() && held() => vec![sweep(GATHER)],
        Change::Existing if !seen.metadata.owner_references.is_empty() => vec![sweep(FIRST_SWEEP)],
        Change::Created => seen.metadata.owner_references.iter().map(|owner| look_at(seen, owner)).collect(),
        Change::Existing | Change::Changed => Vec::new(),
    }
}

fn look_at(seen: &Seen, owner: &OwnerReference) -> Routed {
    let parts = [owner.api_version.as_str(), &owner.kind, &owner.name, &owner.uid];
    let name = parts.join(&SEPARATOR.to_string());
    Routed {
        key: Key::new(seen.cluster(), &seen.metadata.namespace, &name),
        after: LOOK_AT_OWNER,
        revision: None,
    }
}

async fn reconcile(cx: &Cx, key: &Key) -> Result<Requeue, Error> {
    let cluster = cx.client.cluster(key.cluster());
    let mut parts = key.name().split(SEPARATOR);
    if let (Some(api_version), Some(kind), Some(name), Some(uid)) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    {
        let owner = OwnerReference {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            name: name.to_owned(),
            uid: uid.to_owned(),
            ..OwnerReference::default()
        };
        if exists(&cluster, key.namespace(), &owner).await? {
            return Ok(Requeue::Never);
        }
    }
    collect(&cluster, key.namespace()).await
}

/// One sweep. Without a namespace it covers the whole cluster.
async fn collect(cluster: &Cluster, namespace: &str) -> Result<Requeue, Error> {
    let rows: Vec<_> = sweep::resources().filter(|row| !NEVER_OWNERS.contains(&row.plural)).collect();
    let mut items = Vec::new();
    let mut seen_uids = HashSet::new();
    for (index, row) in rows.iter().enumerate() {
        if !row.namespaced && !namespace.is_empty() {
            continue;
        }
        let namespace = (!namespace.is_empty()).then_some(namespace);
        sweep::visit(cluster, row, namespace, |seen| {
            let revision = seen.resource_version().to_owned();
            let meta = seen.metadata;
            seen_uids.insert(meta.uid.clone());
            let deleting = meta.deletion_timestamp.is_some();
            if !meta.owner_references.is_empty() || (deleting && !meta.finalizers.is_empty()) {
                items.push(Item {
                    row: index,
                    namespace: meta.namespace,
                    name: meta.name,
                    uid: meta.uid,
                    revision,
                    deleting,
                    finalizers: meta.finalizers,
                    owners: meta.owner_references,
                });
            }
        })
        .await?;
    }
    let missing = missing_owners(cluster, &items, &seen_uids).await?;
    let actions = decide(&items, |owner| !missing.contains(&owner.uid));
    // An owner that waited for one of these may be let go by the next sweep.
    let again = !actions.is_empty() && items.iter().any(|item| item.deleting);
    for action in actions {
        carry_out(cluster, &rows, &items, action).await?;
    }
    Ok(if again { Requeue::After(GATHER) } else { Requeue::Never })
}

/// The uids of owners that do not exist. Those that the sweep did not see are asked for one by one, because they
/// may be newer than it.
async fn missing_owners(
    cluster: &Cluster,
    items: &[Item],
    seen: &HashSet<String>,
) -> Result<HashSet<String>, Error> {
    let mut unseen = BTreeMap::new();
    for item in items {
        for owner in item.owners.iter().filter(|owner| !seen.contains(&owner.uid)) {
            unseen.entry(owner.uid.clone()).or_insert((item.namespace.as_str(), owner));
        }
    }
    let mut missing = HashSet::new();
    for (uid, (namespace, owner)) in unseen {
        if !exists(cluster, namespace, owner).await? {
            missing.insert(uid);
        }
    }
    Ok(missing)
}

/// Whether the owner exists under this uid. One of a kind that is not served counts as existing: nobody knows.
async fn exists(cluster: &Cluster, namespace: &str, owner: &OwnerReference) -> Result<bool, Error> {
    let group = owner.api_version.split_once('/').map_or("", |(group, _)| group);
    let Some(row) = sweep::resources().find(|row| row.group == group && row.kind == owner.kind) else {
        return Ok(true);
    };
    let namespace = row.namespaced.then_some(namespace);
    let found = cluster.resource::<PartialObject>(sweep::served(row), namespace).find(&owner.name).await?;
    Ok(found.is_some_and(|found| found.metadata.uid.as_deref() == Some(owner.uid.as_str())))
}

async fn carry_out(
    cluster: &Cluster,
    rows: &[&'static api::table::Resource],
    items: &[Item],
    action: Action,
) -> Result<(), Error> {
    let (Action::Delete { item, .. } | Action::Disown { item, .. } | Action::Release { item, .. }) = action;
    let (item, row) = (&items[item], rows[items[item].row]);
    let namespace = row.namespaced.then_some(item.namespace.as_str());
    let objects = cluster.resource::<Dynamic>(sweep::served(row), namespace);
    let change = match action {
        Action::Delete { treatment, .. } => {
            let policy = match treatment {
                Treatment::Background => Propagation::Background,
                Treatment::Foreground => Propagation::Foreground,
                Treatment::Orphan => Propagation::Orphan,
            };
            let options = DeleteOptions::of_uid(&item.uid).propagating(policy);
            objects.delete_if_there(&item.name, &options).await?;
            return Ok(());
        }
        Action::Disown { owners, .. } => {
            let rest: Vec<_> = item.owners.iter().filter(|owner| !owners.contains(&owner.uid)).collect();
            json!({"metadata": {"resourceVersion": item.revision, "ownerReferences": rest}})
        }
        Action::Release { finalizer, .. } => {
            let rest: Vec<_> = item.finalizers.iter().filter(|name| *name != finalizer).collect();
            json!({"metadata": {"resourceVersion": item.revision, "finalizers": rest}})
        }
    };
    match objects.patch(&item.name, &Patch::Merge(change), &PatchOptions::default()).await {
        Ok(_) | Err(ApiError::NotFound(_)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
