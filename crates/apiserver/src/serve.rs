//! The server's sockets: TLS with optional client certificates, HTTP/1.1 and HTTP/2, draining at the end.
//! Invariant: a connection that does not finish its handshake or its request's head in time is closed.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use policy::Identity;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::authenticate;
use crate::body::Body;
use crate::respond::Refusal;
use crate::service::{self, REQUEST_BYTES_MAX, Service};

/// How long a client has for the TLS handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an HTTP/1.1 connection may wait for its next request.
const IDLE_TIMEOUT: Duration = Duration::from_secs(180);
/// How often a silent HTTP/2 client is asked whether it is there, and how long it has to say so.
const PING_INTERVAL: Duration = Duration::from_secs(30);
const PING_TIMEOUT: Duration = Duration::from_secs(20);
/// What one stream may have queued for a client that does not read, in bytes; the rest waits in the event log.
const SEND_BYTES_MAX: usize = 64 * 1024;
/// How long a client has to send the body of a request.
const BODY_TIMEOUT: Duration = Duration::from_secs(60);
/// How long connections may take to finish what they do when the server stops.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);
/// Concurrent requests on one HTTP/2 connection: informers open dozens of watches on one.
const STREAMS_MAX: u32 = 1000;
/// A pause after a failed accept, such as for lack of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves connections of `listener` until `shutdown` is done, then lets requests under way finish.
///
/// # Errors
/// None yet: failures of single connections are logged, and a failed accept is tried anew.
pub async fn serve(
    service: Service,
    listener: TcpListener,
    tls: Arc<rustls::ServerConfig>,
    shutdown: impl Future<Output = ()>,
) -> std::io::Result<()> {
    let acceptor = TlsAcceptor::from(tls);
    let (drain, draining) = watch::channel(false);
    let mut connections = JoinSet::new();
    tokio::pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(service.clone(), acceptor.clone(), stream, draining.clone()));
                }
                Err(error) => {
                    tracing::warn!(%error, "could not accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    service.stop();
    drain.send_replace(true);
    let drained =
        tokio::time::timeout(DRAIN_TIMEOUT, async { while connections.join_next().await.is_some() {} });
    if drained.await.is_err() {
        connections.shutdown().await;
    }
    Ok(())
}

async fn connection(
    service: Service,
    acceptor: TlsAcceptor,
    stream: TcpStream,
    mut draining: watch::Receiver<bool>,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "could not turn off delays");
    }
    let stream = match tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return tracing::debug!(%error, "a TLS handshake failed"),
        Err(_) => return tracing::debug!("a TLS handshake took too long"),
    };
    let (_, session) = stream.get_ref();
    let identity = Arc::new(authenticate::peer(session.peer_certificates()));
    let http2 = session.alpn_protocol() == Some(b"h2");
    let handler = service_fn(move |request| answer(service.clone(), Arc::clone(&identity), request));
    let io = TokioIo::new(stream);
    let result = if http2 {
        let mut builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS_MAX)
            .max_send_buf_size(SEND_BYTES_MAX)
            .keep_alive_interval(PING_INTERVAL)
            .keep_alive_timeout(PING_TIMEOUT);
        let connection = builder.serve_connection(io, handler);
        tokio::pin!(connection);
        tokio::select! {
            result = &mut connection => result,
            () = service::stopped(&mut draining) => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        }
    } else {
        let mut builder = hyper::server::conn::http1::Builder::new();
        builder.timer(TokioTimer::new()).header_read_timeout(IDLE_TIMEOUT);
        let connection = builder.serve_connection(io, handler);
        tokio::pin!(connection);
        tokio::select! {
            result = &mut connection => result,
            () = service::stopped(&mut draining) => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "a connection ended early");
    }
}

async fn answer(
    service: Service,
    identity: Arc<Identity>,
    request: Request<Incoming>,
) -> Result<Response<Body>, std::convert::Infallible> {
    let (parts, body) = request.into_parts();
    let collected = tokio::time::timeout(BODY_TIMEOUT, Limited::new(body, REQUEST_BYTES_MAX).collect()).await;
    let body: Bytes = match collected {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => return Ok(service::too_large()),
        Ok(Err(_)) | Err(_) => {
            let error = machinery::status::StatusError::bad_request("the body of the request did not arrive");
            return Ok(Refusal::from(error).into_response());
        }
    };
    Ok(service.handle(&identity, Request::from_parts(parts, body)).await)
}
