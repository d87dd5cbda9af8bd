//! The name of one object in one cluster: all that a reconciler is given.
//! Cheap to clone, because a key waits in queues and timers at once.

use std::fmt;
use std::sync::Arc;

/// Cluster, namespace and name of an object; the resource is the controller's.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key(Arc<Parts>);

#[derive(PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Parts {
    cluster: String,
    namespace: String,
    name: String,
}

impl Key {
    /// Builds from parts; the namespace is empty for cluster-scoped objects.
    pub(crate) fn new(cluster: &str, namespace: &str, name: &str) -> Self {
        Self(Arc::new(Parts {
            cluster: cluster.to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }))
    }

    /// The id of the logical cluster.
    pub(crate) fn cluster(&self) -> &str {
        &self.0.cluster
    }

    /// The namespace; empty for cluster-scoped objects.
    pub(crate) fn namespace(&self) -> &str {
        &self.0.namespace
    }

    /// The name.
    pub(crate) fn name(&self) -> &str {
        &self.0.name
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}|{}/{}", self.0.cluster, self.0.namespace, self.0.name)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
