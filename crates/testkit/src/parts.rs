//! The real parts that simulation and benchmark are put together from.

use std::sync::Arc;

use apiserver::{LocalTransport, Service};
use controllers::Clock;
use parking_lot::Mutex;
use policy::Identity;
use store::{MemoryStore, Store};

/// An API server over a memory store.
pub(crate) struct Server {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) service: Service,
    /// Holds the directory of logs, which nobody writes here.
    _logs: tempfile::TempDir,
}

impl Server {
    /// A server whose uids and cluster ids follow from the seed.
    pub(crate) fn new(clock: Arc<dyn Clock>, seed: u64) -> Self {
        let logs = tempfile::tempdir().expect("a temporary directory can be made");
        let archive = archive::LogStore::open(logs.path()).expect("a log store opens in an empty directory");
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        let mut options = apiserver::Options::new("https://127.0.0.1", Arc::clone(&store), Arc::new(archive));
        options.clock = Arc::new(move || clock.now());
        let dice = Mutex::new(fastrand::Rng::with_seed(seed));
        options.random = Arc::new(move || dice.lock().u128(..));
        Self { store, service: Service::new(options), _logs: logs }
    }

    /// A way to the server for somebody who may do everything.
    pub(crate) fn transport(&self) -> LocalTransport {
        let identity = Identity { user: "system:psvc".to_owned(), groups: vec!["system:masters".to_owned()] };
        self.service.transport(identity)
    }
}
