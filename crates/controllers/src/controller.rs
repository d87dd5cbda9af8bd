//! What a controller is: a name, where its keys come from, and one function.
//! The table of all controllers is in `service`; the machinery that runs one is in `driver`.

use std::sync::Arc;
use std::time::Duration;

use client::{BoxFuture, Client, ResourceType};
use jiff::Timestamp;

use crate::clock::Clock;
use crate::error::Error;
use crate::key::Key;
use crate::recorder::Recorder;
use crate::sighting::{Change, Seen};

/// What every reconciler is given besides its key.
pub(crate) struct Cx {
    pub(crate) client: Client,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) recorder: Recorder,
    /// The certificates of the API server, for `kube-root-ca.crt`; `None` makes no such `ConfigMap`.
    pub(crate) root_ca_pem: Option<Arc<str>>,
}

impl Cx {
    /// How long until this instant.
    pub(crate) fn until(&self, at: Timestamp) -> Duration {
        Duration::try_from(at.duration_since(self.clock.now())).unwrap_or_default()
    }
}

/// When a key is to be worked on again, if nothing changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Requeue {
    /// Not before it is added again.
    Never,
    /// After this time.
    After(Duration),
    /// After this time; and what was decided holds for the object as it is at this revision, so that sighting it
    /// there, which our own write causes, is no reason to decide again.
    Known { revision: u64, after: Duration },
}

/// A key to be worked on, and when.
pub(crate) struct Routed {
    pub(crate) key: Key,
    pub(crate) after: Duration,
    /// The revision at which the key's own object was sighted; `None` when something else was.
    pub(crate) revision: Option<u64>,
}

impl Routed {
    /// The object sighted is the key's own.
    pub(crate) fn own(seen: &Seen) -> Self {
        Self { revision: seen.revision(), ..seen.key().into() }
    }
}

impl From<Key> for Routed {
    fn from(key: Key) -> Self {
        Self { key, after: Duration::ZERO, revision: None }
    }
}

/// One resource that a controller watches, and whose work its objects are.
pub(crate) struct Source {
    pub(crate) resource: ResourceType,
    pub(crate) route: fn(Change, &Seen) -> Vec<Routed>,
}

/// One controller.
pub(crate) struct Controller {
    pub(crate) name: &'static str,
    pub(crate) sources: Vec<Source>,
    pub(crate) reconcile: fn(Arc<Cx>, Key) -> BoxFuture<'static, Result<Requeue, Error>>,
    /// Keys that are worked on at a time.
    pub(crate) workers: usize,
    /// A key that exists from the start, for work that is nobody's in particular.
    pub(crate) first: Option<Key>,
}
