//! What the server does to an object between the request and the store. Pure: time and uid are arguments.
//! Invariant: fields that the server owns never come from a client.

use machinery::meta;
use serde_json::{Value, json};

use crate::catalog::Kind;
use crate::splice::CLUSTER_ANNOTATION;

/// The finalizer that makes dependents lose their owner before the object goes.
pub(crate) const ORPHAN_FINALIZER: &str = "orphan";
/// The finalizer that makes dependents go before the object goes.
pub(crate) const FOREGROUND_FINALIZER: &str = "foregroundDeletion";
/// How long a Pod may take to stop when it does not say, in seconds.
const GRACE_SECONDS_DEFAULT: i64 = 30;

/// Which part of an object a write is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// All but what subresources own.
    Main,
    /// Only `status`.
    Status,
    /// Only `spec.finalizers` of a Namespace.
    Finalize,
}

impl Part {
    /// The subresource's name as managed fields record it.
    pub(crate) fn subresource(self) -> &'static str {
        match self {
            Self::Main => "",
            Self::Status => "status",
            Self::Finalize => "finalize",
        }
    }
}

/// Whether objects of the kind count their generations. Built-in kinds do not, but for Pods.
fn has_generation(kind: &Kind) -> bool {
    !kind.row.builtin || kind.is("", "pods")
}

/// Removes what is added on read.
pub(crate) fn strip_additions(object: &mut Value) {
    let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else { return };
    metadata.remove("resourceVersion");
    metadata.remove("selfLink");
    if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
        annotations.remove(CLUSTER_ANNOTATION);
        if annotations.is_empty() {
            metadata.remove("annotations");
        }
    }
    metadata.retain(|_, value| !value.is_null());
}

/// Keeps each owner once and says whether one was there twice.
pub(crate) fn unique_owners(object: &mut Value) -> bool {
    let Some(owners) = object
        .pointer_mut("/metadata/ownerReferences")
        .and_then(Value::as_array_mut)
        .filter(|owners| owners.len() > 1)
    else {
        return false;
    };
    let before = owners.len();
    let mut seen: Vec<Value> = Vec::with_capacity(before);
    owners.retain(|owner| {
        let new = !seen.contains(owner);
        if new {
            seen.push(owner.clone());
        }
        new
    });
    owners.len() < before
}

/// Makes an object new: the server's fields are set, the client's tries at them are dropped.
pub(crate) fn stamp_new(kind: &Kind, object: &mut Value, uid: &str, now: &str) {
    strip_additions(object);
    if kind.row.status_subresource {
        meta::remove(object, &["status"]);
    }
    for field in ["deletionTimestamp", "deletionGracePeriodSeconds", "generation", "managedFields"] {
        meta::remove(object, &["metadata", field]);
    }
    meta::set(object, &["metadata", "uid"], uid.into());
    meta::set(object, &["metadata", "creationTimestamp"], now.into());
    if has_generation(kind) {
        meta::set(object, &["metadata", "generation"], 1.into());
    }
}

/// Turns what a client sent for `part` into the whole new object: everything else comes from `old`.
/// Both are in the stored version.
pub(crate) fn carry_over(kind: &Kind, part: Part, new: Value, old: &Value) -> Value {
    let mut result = match part {
        Part::Main => new,
        Part::Status => with_part(old, &new, &["status"]),
        Part::Finalize => with_part(old, &new, &["spec", "finalizers"]),
    };
    if part == Part::Main && kind.row.status_subresource {
        match old.get("status") {
            Some(status) => meta::set(&mut result, &["status"], status.clone()),
            None => drop(meta::remove(&mut result, &["status"])),
        }
    }
    strip_additions(&mut result);
    for field in
        ["name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"]
    {
        copy(&mut result, old, &["metadata", field]);
    }
    if meta::get(&result, &["metadata", "managedFields"]).is_none() {
        copy(&mut result, old, &["metadata", "managedFields"]);
    }
    copy(&mut result, old, &["metadata", "generation"]);
    if has_generation(kind) && meta::spec_changed(old, &result, !kind.row.status_subresource) {
        bump_generation(&mut result);
    }
    result
}

fn with_part(old: &Value, new: &Value, path: &[&str]) -> Value {
    let mut result = old.clone();
    match meta::get(new, path) {
        Some(part) => meta::set(&mut result, path, part.clone()),
        None => drop(meta::remove(&mut result, path)),
    }
    copy(&mut result, new, &["metadata", "managedFields"]);
    result
}

fn copy(to: &mut Value, from: &Value, path: &[&str]) {
    match meta::get(from, path) {
        Some(value) => meta::set(to, path, value.clone()),
        None => drop(meta::remove(to, path)),
    }
}

fn bump_generation(object: &mut Value) {
    let generation = meta::get(object, &["metadata", "generation"]).and_then(Value::as_i64).unwrap_or(0);
    meta::set(object, &["metadata", "generation"], (generation + 1).into());
}

/// Whether nothing holds an object any more whose deletion was asked for.
pub(crate) fn may_go(kind: &Kind, object: &Value) -> bool {
    let asked = meta::text(object, &["metadata", "deletionTimestamp"]).is_some();
    let grace = meta::get(object, &["metadata", "deletionGracePeriodSeconds"]).and_then(Value::as_i64);
    asked && grace.unwrap_or(0) == 0 && !is_held(kind, object)
}

/// Whether something must happen before an object may go.
fn is_held(kind: &Kind, object: &Value) -> bool {
    let has_content = kind.is("", "namespaces") && !meta::list(object, &["spec", "finalizers"]).is_empty();
    has_content || !meta::finalizers(object).is_empty()
}

/// What becomes of dependents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Propagation {
    /// They go after their owner.
    Background,
    /// They go before their owner.
    Foreground,
    /// They stay.
    Orphan,
}

/// What a deletion asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DeleteRequest {
    pub(crate) propagation: Option<Propagation>,
    pub(crate) grace_seconds: Option<i64>,
}

/// What a deletion does to an object.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Deletion {
    /// It goes now.
    Now,
    /// It stays for now, like this.
    Marked(Value),
    /// It was marked already and stays as it is.
    Waiting,
}

/// Decides a deletion. `now` is the time in seconds since the epoch.
pub(crate) fn delete(kind: &Kind, old: &Value, request: &DeleteRequest, now: jiff::Timestamp) -> Deletion {
    let mut object = old.clone();
    set_propagation(&mut object, request.propagation);
    let grace = grace_seconds(kind, old, request);
    if grace == 0 && !is_held(kind, &object) {
        return Deletion::Now;
    }
    let marked = meta::text(old, &["metadata", "deletionTimestamp"]).is_some();
    let left = meta::get(old, &["metadata", "deletionGracePeriodSeconds"]).and_then(Value::as_i64);
    if !marked || left.is_some_and(|left| grace < left) {
        let at = now.saturating_add(jiff::SignedDuration::from_secs(grace)).unwrap_or(now);
        meta::set(&mut object, &["metadata", "deletionTimestamp"], format!("{at:.0}").into());
        meta::set(&mut object, &["metadata", "deletionGracePeriodSeconds"], grace.into());
        if has_generation(kind) && !marked {
            bump_generation(&mut object);
        }
        if kind.is("", "namespaces") {
            meta::set(&mut object, &["status", "phase"], "Terminating".into());
        }
        if kind.is("tenancy.kcp.io", "workspaces") {
            meta::set(&mut object, &["status", "phase"], "Deleting".into());
        }
    }
    if object == *old { Deletion::Waiting } else { Deletion::Marked(object) }
}

fn set_propagation(object: &mut Value, propagation: Option<Propagation>) {
    let Some(propagation) = propagation else { return };
    let mut finalizers: Vec<String> = meta::finalizers(object)
        .into_iter()
        .filter(|name| !matches!(*name, ORPHAN_FINALIZER | FOREGROUND_FINALIZER))
        .map(str::to_owned)
        .collect();
    match propagation {
        Propagation::Orphan => finalizers.push(ORPHAN_FINALIZER.to_owned()),
        Propagation::Foreground => finalizers.push(FOREGROUND_FINALIZER.to_owned()),
        Propagation::Background => {}
    }
    if finalizers.is_empty() {
        meta::remove(object, &["metadata", "finalizers"]);
    } else {
        meta::set(object, &["metadata", "finalizers"], json!(finalizers));
    }
}

/// Only Pods stop with grace, and only those that a node has and that are not finished.
fn grace_seconds(kind: &Kind, object: &Value, request: &DeleteRequest) -> i64 {
    if !kind.is("", "pods") {
        return 0;
    }
    let bound = meta::text(object, &["spec", "nodeName"]).is_some_and(|node| !node.is_empty());
    let finished = matches!(meta::text(object, &["status", "phase"]), Some("Succeeded" | "Failed"));
    if !bound || finished {
        return 0;
    }
    let own = meta::get(object, &["spec", "terminationGracePeriodSeconds"]).and_then(Value::as_i64);
    request.grace_seconds.or(own).unwrap_or(GRACE_SECONDS_DEFAULT).max(0)
}
