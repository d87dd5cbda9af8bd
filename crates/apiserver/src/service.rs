//! The API server without sockets: a request and an identity in, a response out.
//! [`crate::serve`] puts TLS and HTTP in front of it, [`Service::transport`] hands it to clients in this process.
//! Invariant: nothing here exists per workspace but bounded caches.

use std::sync::Arc;

use api::table::Resource;
use bytes::Bytes;
use client::{Transport, TransportError};
use futures_util::FutureExt;
use http::{Request, Response};
use machinery::status::StatusError;
use policy::Identity;
use store::Store;
use tokio::sync::watch;

use crate::body::Body;
use crate::catalog::Catalog;
use crate::documents::Documents;
use crate::registry::Registry;
use crate::respond::Refusal;
use crate::router;
use crate::tenancy::Tenancy;

/// The largest body of a request, in bytes. Source: Kubernetes' `MaxRequestBodyBytes`.
pub const REQUEST_BYTES_MAX: usize = 3 * 1024 * 1024;

/// Tells the time; a simulation has its own.
pub type Clock = Arc<dyn Fn() -> jiff::Timestamp + Send + Sync>;
/// Gives 128 random bits; a simulation has its own.
pub type Random = Arc<dyn Fn() -> u128 + Send + Sync>;

/// What a server is made of.
pub struct Options {
    /// The URL that clients reach the server by, without a path: it begins the URLs of workspaces.
    pub external_url: String,
    /// Where objects are kept.
    pub store: Arc<dyn Store>,
    /// Where the logs of Pods are.
    pub logs: Arc<archive::LogStore>,
    /// The time.
    pub clock: Clock,
    /// Random bits for uids, names and cluster ids.
    pub random: Random,
    /// What is served.
    pub resources: Vec<&'static Resource>,
}

impl Options {
    /// Options with the system's clock and randomness, for all that is served.
    #[must_use]
    pub fn new(external_url: &str, store: Arc<dyn Store>, logs: Arc<archive::LogStore>) -> Self {
        Self {
            external_url: external_url.trim_end_matches('/').to_owned(),
            store,
            logs,
            clock: Arc::new(jiff::Timestamp::now),
            random: Arc::new(|| {
                uuid::Uuid::new_v4().as_u128() ^ uuid::Uuid::new_v4().as_u128().rotate_left(64)
            }),
            resources: api::resources().iter().collect(),
        }
    }
}

/// The API server. Clones are the same server.
#[derive(Clone)]
pub struct Service {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) external_url: String,
    pub(crate) logs: Arc<archive::LogStore>,
    pub(crate) clock: Clock,
    pub(crate) random: Random,
    pub(crate) catalog: Catalog,
    pub(crate) registry: Registry,
    pub(crate) tenancy: Tenancy,
    pub(crate) documents: Documents,
    pub(crate) stopping: watch::Sender<bool>,
}

impl Inner {
    /// Now, RFC 3339 in seconds, as `creationTimestamp` has it.
    pub(crate) fn now_seconds(&self) -> String {
        format!("{:.0}", (self.clock)())
    }

    /// A new uid (version 4).
    pub(crate) fn new_uid(&self) -> String {
        uuid::Builder::from_random_bytes((self.random)().to_be_bytes()).into_uuid().to_string()
    }
}

impl Service {
    /// A server. It opens nothing and starts nothing.
    #[must_use]
    pub fn new(options: Options) -> Self {
        let (stopping, _) = watch::channel(false);
        Self {
            inner: Arc::new(Inner {
                external_url: options.external_url,
                logs: options.logs,
                clock: options.clock,
                random: options.random,
                catalog: Catalog::new(options.resources),
                registry: Registry::new(options.store),
                tenancy: Tenancy::default(),
                documents: Documents::default(),
                stopping,
            }),
        }
    }

    /// Answers one request of `identity`. Watches and followed logs answer with a body that goes on.
    pub async fn handle(&self, identity: &Identity, request: Request<Bytes>) -> Response<Body> {
        if request.body().len() > REQUEST_BYTES_MAX {
            return too_large();
        }
        let answer = std::panic::AssertUnwindSafe(router::answer(&self.inner, identity, request));
        answer.catch_unwind().await.unwrap_or_else(|_| {
            Refusal::from(crate::errors::internal("a handler panicked; see the server's log")).into_response()
        })
    }

    /// Ends all watches and followed logs, so that connections can drain.
    pub fn stop(&self) {
        self.inner.stopping.send_replace(true);
    }

    /// A way to this server for a client in this process, which acts as `identity`.
    #[must_use]
    pub fn transport(&self, identity: Identity) -> LocalTransport {
        LocalTransport { service: self.clone(), identity }
    }
}

/// Waits until the server stops.
pub(crate) async fn stopped(stopping: &mut watch::Receiver<bool>) {
    // An error means that the server is gone altogether.
    let _ = stopping.wait_for(|stopping| *stopping).await;
}

/// The answer to a body that is too large.
pub(crate) fn too_large() -> Response<Body> {
    let text = format!("Request entity too large: limit is {REQUEST_BYTES_MAX}");
    Refusal::from(StatusError::new(machinery::status::Reason::RequestEntityTooLarge, text)).into_response()
}

/// Requests of a client in this process.
#[derive(Clone)]
pub struct LocalTransport {
    service: Service,
    identity: Identity,
}

impl Transport for LocalTransport {
    fn call(
        &self,
        request: client::Request,
    ) -> client::BoxFuture<'_, Result<client::Response, TransportError>> {
        Box::pin(async move {
            let response = self.service.handle(&self.identity, request).await;
            Ok(response.map(client::Body::from))
        })
    }
}
