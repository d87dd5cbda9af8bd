//! Where a workspace is, and what exists in it without anybody's asking.
//! A path is resolved through the Workspace rows of its parents; the answers are cached and forgotten as soon as
//! a workspace goes. The objects of a new workspace are made when its content is first asked for.
//! Invariant: an idle workspace is two rows, the Workspace in its parent and the LogicalCluster in itself.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use machinery::meta;
use machinery::status::{Reason, StatusError};
use parking_lot::Mutex;
use policy::Verb;
use serde_json::{Value, json};
use store::{Entry, Expect, Op};
use types::{ClusterId, GroupResource, WorkspacePath};

use crate::catalog::Kind;
use crate::errors;
use crate::registry::{Change, object_key, server_grant};
use crate::service::Inner;

/// The group of workspaces.
pub(crate) const TENANCY_GROUP: &str = "tenancy.kcp.io";
/// The group of logical clusters.
pub(crate) const CORE_GROUP: &str = "core.kcp.io";
/// The name of the only LogicalCluster of a logical cluster.
const LOGICAL_CLUSTER_NAME: &str = "cluster";
/// Keeps a Workspace until its content is gone.
pub(crate) const CONTENT_FINALIZER: &str = "core.kcp.io/logicalcluster";
/// The annotation with the path of a logical cluster.
const PATH_ANNOTATION: &str = "kcp.io/path";
/// The namespaces that every workspace has.
pub(crate) const DEFAULT_NAMESPACES: [&str; 2] = ["default", "kube-system"];
/// How many answers each cache keeps; a full cache is emptied, which costs reads and nothing else.
const CACHE_ENTRIES_MAX: usize = 65_536;

/// What is known of workspaces without asking the store.
#[derive(Default)]
pub(crate) struct Tenancy {
    paths: Mutex<HashMap<WorkspacePath, ClusterId>>,
    furnished: Mutex<HashSet<ClusterId>>,
    /// How often everything was forgotten: an answer that was found before is not kept after.
    forgotten: AtomicU64,
}

impl Tenancy {
    /// Forgets everything: a workspace is gone, and ids below it with it.
    pub(crate) fn forget(&self) {
        self.forgotten.fetch_add(1, Ordering::SeqCst);
        self.paths.lock().clear();
        self.furnished.lock().clear();
    }
}

/// The logical cluster at a path; a path of one label is `root` or an id.
pub(crate) async fn resolve(inner: &Inner, path: &WorkspacePath) -> Result<ClusterId, StatusError> {
    if let Some(cluster) = inner.tenancy.paths.lock().get(path) {
        return Ok(cluster.clone());
    }
    let forgotten = inner.tenancy.forgotten.load(Ordering::SeqCst);
    let mut segments = path.segments();
    let first = segments.next().unwrap_or_default();
    let mut cluster = ClusterId::parse(first).map_err(|_| no_such_cluster(first))?;
    if first == "root" {
        ensure_root(inner).await?;
    } else if logical_cluster(inner, &cluster).await?.is_none() {
        return Err(no_such_cluster(first));
    }
    for name in segments {
        cluster = child(inner, &cluster, name).await?.ok_or_else(|| no_such_workspace(name))?;
    }
    let mut paths = inner.tenancy.paths.lock();
    if paths.len() >= CACHE_ENTRIES_MAX {
        paths.clear();
    }
    if inner.tenancy.forgotten.load(Ordering::SeqCst) == forgotten {
        paths.insert(path.clone(), cluster.clone());
    }
    Ok(cluster)
}

async fn child(inner: &Inner, parent: &ClusterId, name: &str) -> Result<Option<ClusterId>, StatusError> {
    let kind = workspaces(inner)?;
    let grant = server_grant(Verb::Get, kind, parent, "", name)?;
    let Some(entry) = inner.registry.get(&grant, kind).await? else { return Ok(None) };
    let workspace = parse(&entry)?;
    Ok(meta::text(&workspace, &["spec", "cluster"]).and_then(|id| ClusterId::parse(id).ok()))
}

async fn logical_cluster(inner: &Inner, cluster: &ClusterId) -> Result<Option<Entry>, StatusError> {
    let kind = logical_clusters(inner)?;
    let grant = server_grant(Verb::Get, kind, cluster, "", LOGICAL_CLUSTER_NAME)?;
    inner.registry.get(&grant, kind).await
}

async fn ensure_root(inner: &Inner) -> Result<(), StatusError> {
    let root = ClusterId::root();
    if logical_cluster(inner, &root).await?.is_some() {
        return Ok(());
    }
    let kind = logical_clusters(inner)?;
    let object = logical_cluster_object(inner, kind, &root, &WorkspacePath::root(), None);
    let grant = server_grant(Verb::Create, kind, &root, "", LOGICAL_CLUSTER_NAME)?;
    inner.registry.commit(&grant, kind, create(LOGICAL_CLUSTER_NAME, &object)).await.map(|_| ())
}

fn create(name: &str, object: &Value) -> Change {
    Change {
        name: name.to_owned(),
        expect: Expect::Absent,
        value: Some(Bytes::from(object.to_string())),
        also_expect: Vec::new(),
        also: Vec::new(),
    }
}

/// Makes the namespaces and service accounts that every workspace has, unless they are there.
pub(crate) async fn furnish(inner: &Inner, cluster: &ClusterId) -> Result<(), StatusError> {
    if inner.tenancy.furnished.lock().contains(cluster) {
        return Ok(());
    }
    let Some(namespaces) = inner.catalog.kind("", "namespaces") else { return Ok(()) };
    let forgotten = inner.tenancy.forgotten.load(Ordering::SeqCst);
    let entry = logical_cluster(inner, cluster).await?.ok_or_else(|| no_such_cluster(cluster.as_str()))?;
    if is_ending(&entry) {
        return Ok(()); // its content is being removed: nothing new
    }
    for name in DEFAULT_NAMESPACES {
        let grant = server_grant(Verb::Create, namespaces, cluster, "", name)?;
        if inner.registry.get(&grant, namespaces).await?.is_some() {
            continue;
        }
        let mut object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        crate::strategy::stamp_new(namespaces, &mut object, &inner.new_uid(), &inner.now_seconds());
        (namespaces.row.default)(&mut object);
        let mut change = create(name, &object);
        change.also = namespace_content(inner, cluster, name)?;
        inner.registry.commit(&grant, namespaces, change).await?;
    }
    let mut furnished = inner.tenancy.furnished.lock();
    if furnished.len() >= CACHE_ENTRIES_MAX {
        furnished.clear();
    }
    if inner.tenancy.forgotten.load(Ordering::SeqCst) == forgotten {
        furnished.insert(cluster.clone());
    }
    Ok(())
}

/// Whether a deletion was asked for, without parsing the whole object.
pub(crate) fn is_dying(entry: &Entry) -> bool {
    let value = &entry.value;
    crate::splice::member(value, 0, b"metadata")
        .is_some_and(|span| crate::splice::member(value, span.start, b"deletionTimestamp").is_some())
}

/// The phase of a logical cluster whose content is being removed.
const PHASE_DELETING: &str = "Deleting";

fn is_ending(logical_cluster: &Entry) -> bool {
    parse(logical_cluster)
        .is_ok_and(|object| meta::text(&object, &["status", "phase"]) == Some(PHASE_DELETING))
}

/// Whether the content of a workspace is being removed, so that nothing new may be made in it.
pub(crate) async fn is_cluster_ending(inner: &Inner, cluster: &ClusterId) -> Result<bool, StatusError> {
    Ok(logical_cluster(inner, cluster).await?.is_none_or(|entry| is_ending(&entry)))
}

/// What the deletion of a Workspace changes in its logical cluster: from then on it takes nothing new.
pub(crate) async fn end_cluster(inner: &Inner, workspace: &Value) -> Result<Vec<Op>, StatusError> {
    let Some(cluster) = meta::text(workspace, &["spec", "cluster"]).and_then(|id| ClusterId::parse(id).ok())
    else {
        return Ok(Vec::new());
    };
    let Some(entry) = logical_cluster(inner, &cluster).await? else { return Ok(Vec::new()) };
    let mut object = parse(&entry)?;
    meta::set(&mut object, &["status", "phase"], PHASE_DELETING.into());
    Ok(vec![Op::Put(entry.key, Bytes::from(object.to_string()))])
}

/// What is made together with a Namespace: its service account `default`.
pub(crate) fn namespace_content(
    inner: &Inner,
    cluster: &ClusterId,
    name: &str,
) -> Result<Vec<Op>, StatusError> {
    let Some(accounts) = inner.catalog.kind("", "serviceaccounts") else { return Ok(Vec::new()) };
    let mut object = json!({
        "apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": name},
    });
    crate::strategy::stamp_new(accounts, &mut object, &inner.new_uid(), &inner.now_seconds());
    Ok(vec![Op::Put(object_key(accounts, cluster, name, "default"), Bytes::from(object.to_string()))])
}

/// Completes a new Workspace, and makes the logical cluster behind it in the same transaction.
pub(crate) async fn complete_workspace(
    inner: &Inner,
    parent: &ClusterId,
    workspace: &mut Value,
) -> Result<Vec<Op>, StatusError> {
    let name = meta::name(workspace).to_owned();
    let path = path_of(inner, parent).await?.join(&name).map_err(|error| {
        errors::internal(&format!("a workspace was made whose name is no part of a path: {error}"))
    })?;
    let cluster = ClusterId::from_random((inner.random)());
    meta::set(workspace, &["spec", "cluster"], cluster.as_str().into());
    meta::set(workspace, &["spec", "URL"], format!("{}/clusters/{path}", inner.external_url).into());
    meta::set(workspace, &["status"], json!({"phase": "Ready"}));
    let mut finalizers: Vec<String> = meta::finalizers(workspace).into_iter().map(str::to_owned).collect();
    if !finalizers.iter().any(|finalizer| finalizer == CONTENT_FINALIZER) {
        finalizers.push(CONTENT_FINALIZER.to_owned());
    }
    meta::set(workspace, &["metadata", "finalizers"], json!(finalizers));
    let kind = logical_clusters(inner)?;
    let owner = json!({
        "apiVersion": meta::api_version(workspace), "resource": "workspaces", "name": name,
        "cluster": parent.as_str(), "uid": meta::uid(workspace),
    });
    let object = logical_cluster_object(inner, kind, &cluster, &path, Some(owner));
    let key = object_key(kind, &cluster, "", LOGICAL_CLUSTER_NAME);
    Ok(vec![Op::Put(key, Bytes::from(object.to_string()))])
}

/// Keeps what clients may not change of a Workspace: where it is.
pub(crate) fn keep_placement(new: &mut Value, old: &Value) {
    for field in ["cluster", "URL"] {
        if let Some(value) = meta::get(old, &["spec", field]) {
            meta::set(new, &["spec", field], value.clone());
        }
    }
}

async fn path_of(inner: &Inner, cluster: &ClusterId) -> Result<WorkspacePath, StatusError> {
    let Some(entry) = logical_cluster(inner, cluster).await? else {
        return Err(no_such_cluster(cluster.as_str()));
    };
    let object = parse(&entry)?;
    meta::annotation(&object, PATH_ANNOTATION)
        .and_then(|path| WorkspacePath::parse(path).ok())
        .ok_or_else(|| errors::internal("a logical cluster has no path"))
}

fn logical_cluster_object(
    inner: &Inner,
    kind: &Kind,
    cluster: &ClusterId,
    path: &WorkspacePath,
    owner: Option<Value>,
) -> Value {
    let mut object = json!({
        "apiVersion": kind.stored_as, "kind": "LogicalCluster",
        "metadata": {"name": LOGICAL_CLUSTER_NAME, "annotations": {PATH_ANNOTATION: path.as_str()}},
        "spec": {},
    });
    crate::strategy::stamp_new(kind, &mut object, &inner.new_uid(), &inner.now_seconds());
    if let Some(owner) = owner {
        meta::set(&mut object, &["spec", "owner"], owner);
    }
    let url = format!("{}/clusters/{cluster}", inner.external_url);
    meta::set(&mut object, &["status"], json!({"phase": "Ready", "URL": url}));
    object
}

fn workspaces(inner: &Inner) -> Result<&Kind, StatusError> {
    inner
        .catalog
        .kind(TENANCY_GROUP, "workspaces")
        .ok_or_else(|| errors::internal("workspaces are not served"))
}

fn logical_clusters(inner: &Inner) -> Result<&Kind, StatusError> {
    let kind = inner.catalog.kind(CORE_GROUP, "logicalclusters");
    kind.ok_or_else(|| errors::internal("logical clusters are not served"))
}

fn parse(entry: &Entry) -> Result<Value, StatusError> {
    serde_json::from_slice(&entry.value).map_err(|error| errors::internal(&error.to_string()))
}

/// An id that no logical cluster has; kcp answers so, and never with 404.
fn no_such_cluster(id: &str) -> StatusError {
    let resource = GroupResource { group: CORE_GROUP.to_owned(), resource: "logicalclusters".to_owned() };
    StatusError::new(Reason::Forbidden, format!("{resource} {id:?} is forbidden: LogicalCluster not found"))
}

fn no_such_workspace(name: &str) -> StatusError {
    let resource = GroupResource { group: TENANCY_GROUP.to_owned(), resource: "workspaces".to_owned() };
    StatusError::not_found(&resource, name)
}
