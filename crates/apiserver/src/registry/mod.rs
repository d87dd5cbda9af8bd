//! The only way to the store: every call takes a grant of `policy` and touches only what it is for.
//! Invariant: a key that a call reads or writes first lies inside the grant's target; what else a write entails
//! (the logical cluster of a workspace, the service account of a namespace) is the server's own consequence.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use machinery::status::{Reason, StatusError};
use policy::{Attributes, Grant, Identity, Scope, Target, Verb};
use store::{Entry, Expect, Key, KeyPrefix, Op, Outcome, Range, RangePage, Store, Txn, Watch};
use types::{ClusterId, Revision};

use crate::catalog::Kind;
use crate::errors;

/// Reads and writes entries.
pub(crate) struct Registry {
    store: Arc<dyn Store>,
    /// Why the store takes no more writes; it never does again before a restart.
    stopped: OnceLock<String>,
}

/// A write of one object and what it entails.
pub(crate) struct Change {
    /// The object's name.
    pub(crate) name: String,
    /// What must hold of the object.
    pub(crate) expect: Expect,
    /// The new value, or nothing to remove it.
    pub(crate) value: Option<Bytes>,
    /// Preconditions on other keys.
    pub(crate) also_expect: Vec<(Key, Expect)>,
    /// Writes of other keys.
    pub(crate) also: Vec<Op>,
}

/// How a write ended.
pub(crate) enum Written {
    /// It is durable at this revision.
    At(Revision),
    /// The object was not as expected; this stands there.
    Other(Option<Entry>),
    /// Another key was not as expected.
    OtherKey,
}

impl Registry {
    pub(crate) fn new(store: Arc<dyn Store>) -> Self {
        Self { store, stopped: OnceLock::new() }
    }

    /// Why nothing can be written any more; `None` while all is well.
    pub(crate) fn stopped(&self) -> Option<&str> {
        self.stopped.get().map(String::as_str)
    }

    fn failed(&self, error: &store::Error) -> StatusError {
        if let store::Error::Durability { source, .. } = error {
            self.stopped.get_or_init(|| errors::stopped(source));
        }
        errors::of_store(error)
    }

    /// The newest revision.
    pub(crate) fn revision(&self) -> Revision {
        self.store.revision()
    }

    /// One object, of the name in the grant.
    pub(crate) async fn get(&self, grant: &Grant, kind: &Kind) -> Result<Option<Entry>, StatusError> {
        let key = key(grant, kind, &grant.target().name)?;
        self.store.get(&key).await.map_err(|error| errors::of_store(&error))
    }

    /// A part of a collection.
    pub(crate) async fn page(
        &self,
        grant: &Grant,
        kind: &Kind,
        start: Option<Bytes>,
        limit: usize,
        at: Option<Revision>,
    ) -> Result<RangePage, StatusError> {
        let range = Range { prefix: prefix(grant, kind)?, start, limit, at };
        self.store.range(range).await.map_err(|error| errors::of_store(&error))
    }

    /// Changes of a collection, or of one object if the grant names one.
    pub(crate) async fn watch(
        &self,
        grant: &Grant,
        kind: &Kind,
        after: Revision,
    ) -> Result<Box<dyn Watch>, StatusError> {
        let scope = prefix(grant, kind)?;
        self.store.watch(scope, after).await.map_err(|error| errors::of_store(&error))
    }

    /// Writes.
    pub(crate) async fn commit(
        &self,
        grant: &Grant,
        kind: &Kind,
        change: Change,
    ) -> Result<Written, StatusError> {
        let target = grant.target();
        if !target.name.is_empty() && target.name != change.name {
            return Err(errors::internal("a write reached beyond its grant"));
        }
        let key = key(grant, kind, &change.name)?;
        let mut txn = Txn {
            expect: vec![(key.clone(), change.expect)],
            ops: Vec::with_capacity(1 + change.also.len()),
        };
        txn.expect.extend(change.also_expect);
        txn.ops.push(match change.value {
            Some(value) => Op::Put(key, value),
            None => Op::Delete(key),
        });
        txn.ops.extend(change.also);
        match self.store.txn(txn).await.map_err(|error| self.failed(&error))? {
            Outcome::Committed(committed) => Ok(Written::At(committed.revision)),
            Outcome::Refused(0, entry) => Ok(Written::Other(entry)),
            Outcome::Refused(..) => Ok(Written::OtherKey),
        }
    }

    /// The prefix of a collection, for positions in continue tokens.
    pub(crate) fn prefix(grant: &Grant, kind: &Kind) -> Result<KeyPrefix, StatusError> {
        prefix(grant, kind)
    }
}

/// The key of an object of `kind`.
pub(crate) fn object_key(kind: &Kind, cluster: &ClusterId, namespace: &str, name: &str) -> Key {
    Key::new(&kind.storage_key, "", cluster, namespace, name)
}

/// A grant for what the server itself has to read or write to serve a request.
pub(crate) fn server_grant(
    verb: Verb,
    kind: &Kind,
    cluster: &ClusterId,
    namespace: &str,
    name: &str,
) -> Result<Grant, StatusError> {
    let target = Target {
        scope: Scope::Cluster(cluster.clone()),
        resource: kind.resource.clone(),
        subresource: String::new(),
        namespace: namespace.to_owned(),
        name: name.to_owned(),
    };
    let server = Identity { user: "system:apiserver".to_owned(), groups: vec!["system:masters".to_owned()] };
    policy::allow(&server, Attributes { verb, target })
        .map_err(|denied| StatusError::new(Reason::InternalError, denied.to_string()))
}

fn cluster(grant: &Grant) -> Option<&ClusterId> {
    match &grant.target().scope {
        Scope::Cluster(cluster) => Some(cluster),
        Scope::AllClusters => None,
    }
}

fn key(grant: &Grant, kind: &Kind, name: &str) -> Result<Key, StatusError> {
    if grant.target().resource != kind.resource {
        return Err(errors::internal("a grant for one resource was used for another"));
    }
    match cluster(grant) {
        Some(cluster) => Ok(object_key(kind, cluster, &grant.target().namespace, name)),
        None => Err(errors::internal("an object was asked for in all workspaces at once")),
    }
}

fn prefix(grant: &Grant, kind: &Kind) -> Result<KeyPrefix, StatusError> {
    let target = grant.target();
    if target.resource != kind.resource {
        return Err(errors::internal("a grant for one resource was used for another"));
    }
    Ok(match cluster(grant) {
        None => KeyPrefix::resource(&kind.storage_key, ""),
        Some(_) if !target.name.is_empty() => KeyPrefix::object(&key(grant, kind, &target.name)?),
        Some(cluster) if target.namespace.is_empty() => KeyPrefix::cluster(&kind.storage_key, "", cluster),
        Some(cluster) => KeyPrefix::namespace(&kind.storage_key, "", cluster, &target.namespace),
    })
}
