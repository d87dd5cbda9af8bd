//! The seam between a client and an API server: one HTTP request in, one response with a streamed body out.
//! `apiserver`'s router is put behind it by the binary; so is an HTTPS connection.

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use futures_core::Stream;

/// The future that a [`Transport`] returns.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
/// A request with its whole body.
pub type Request = http::Request<Bytes>;
/// A response whose body arrives in parts; a watch never ends by itself.
pub type Response = http::Response<Body>;
/// The parts of a response's body.
pub type Body = Pin<Box<dyn Stream<Item = Result<Bytes, TransportError>> + Send>>;

/// Carries a request to an API server. The path begins with `/clusters/<path, id or *>`.
pub trait Transport: Send + Sync {
    /// Sends one request and returns as soon as the response's head is there.
    fn call(&self, request: Request) -> BoxFuture<'_, Result<Response, TransportError>>;
}

/// The API server could not be reached, or the connection broke.
#[derive(Debug, thiserror::Error)]
#[error("reach the API server: {what}")]
pub struct TransportError {
    /// What was being done.
    pub what: String,
    /// The cause, when there is one.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}
