//! What goes wrong between the controllers and the API server, drawn from a seed.
//! Conflicts, lost connections, answers that get lost after the work was done, and watches that are cut.
//! Invariant: nothing goes wrong while the faults are calm.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;
use client::{Body, BoxFuture, Request, Response, Transport, TransportError};
use futures_util::StreamExt as _;
use http::Method;
use parking_lot::Mutex;

/// How likely each fault is, for one request, between 0 and 1.
#[derive(Clone, Copy, Debug, Default)]
pub struct Odds {
    /// A write is refused as if the object had changed.
    pub conflict: f64,
    /// The connection fails before the request arrives.
    pub refused: f64,
    /// The request is carried out, and the answer is lost.
    pub answer_lost: f64,
    /// A watch ends after a few frames.
    pub watch_cut: f64,
}

impl Odds {
    /// Enough of everything to meet it in a run of a few tasks.
    #[must_use]
    pub fn rough() -> Self {
        Self { conflict: 0.1, refused: 0.05, answer_lost: 0.05, watch_cut: 0.5 }
    }
}

/// Faults that can be calmed.
#[derive(Clone)]
pub struct Faults(Arc<State>);

struct State {
    odds: Odds,
    dice: Mutex<fastrand::Rng>,
    calm: AtomicBool,
    injected: AtomicU64,
}

impl Faults {
    pub(crate) fn new(seed: u64, odds: Odds) -> Self {
        Self(Arc::new(State {
            odds,
            dice: Mutex::new(fastrand::Rng::with_seed(seed)),
            calm: AtomicBool::new(false),
            injected: AtomicU64::new(0),
        }))
    }

    /// From now on, nothing goes wrong, or it does again.
    pub fn set_calm(&self, calm: bool) {
        self.0.calm.store(calm, Ordering::Relaxed);
    }

    /// How many faults there have been.
    #[must_use]
    pub fn injected(&self) -> u64 {
        self.0.injected.load(Ordering::Relaxed)
    }

    fn strikes(&self, odds: f64) -> bool {
        let strikes = odds > 0.0 && !self.0.calm.load(Ordering::Relaxed) && self.0.dice.lock().f64() < odds;
        if strikes {
            self.0.injected.fetch_add(1, Ordering::Relaxed);
        }
        strikes
    }

    fn draw(&self, below: u64) -> u64 {
        self.0.dice.lock().u64(..below)
    }
}

/// A transport on which things go wrong.
pub(crate) struct Faulty<T> {
    pub(crate) inner: T,
    pub(crate) faults: Faults,
}

impl<T: Transport> Faulty<T> {
    async fn answer(&self, request: Request) -> Result<Response, TransportError> {
        let odds = self.faults.0.odds;
        let write = request.method() != Method::GET;
        let watch = request.uri().query().is_some_and(|query| query.starts_with("watch=1"));
        if self.faults.strikes(odds.refused) {
            return Err(broken("the connection was refused (injected)"));
        }
        let replaces = [Method::PUT, Method::PATCH].contains(request.method());
        if replaces && self.faults.strikes(odds.conflict) {
            return Ok(conflict());
        }
        let response = self.inner.call(request).await?;
        if write && self.faults.strikes(odds.answer_lost) {
            return Err(broken("the answer was lost (injected)"));
        }
        if watch && self.faults.strikes(odds.watch_cut) {
            let frames = usize::try_from(self.faults.draw(5)).unwrap_or_default();
            return Ok(response.map(|body| -> Body { Box::pin(body.take(frames)) }));
        }
        Ok(response)
    }
}

impl<T: Transport> Transport for Faulty<T> {
    fn call(&self, request: Request) -> BoxFuture<'_, Result<Response, TransportError>> {
        Box::pin(self.answer(request))
    }
}

fn broken(what: &str) -> TransportError {
    TransportError { what: what.to_owned(), source: None }
}

fn conflict() -> Response {
    const STATUS: &str = r#"{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Conflict","code":409,"message":"injected"}"#;
    let parts = [Ok(Bytes::from_static(STATUS.as_bytes()))];
    let body: Body = Box::pin(futures_util::stream::iter(parts));
    let mut response = http::Response::new(body);
    *response.status_mut() = http::StatusCode::CONFLICT;
    response
}
