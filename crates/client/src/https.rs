//! The transport of other processes: HTTP/2 over TLS to the server that a kubeconfig names.
//! One connection carries all requests and watches; when it breaks, the next request opens another.
//! Invariant: a request is sent at most once; whether to repeat it is the caller's decision.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt as _, TryFutureExt as _};
use http_body_util::{BodyDataStream, Full};
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

use crate::kubeconfig::Kubeconfig;
use crate::transport::{BoxFuture, Request, Response, Transport, TransportError};

/// How long a connection may take to be made.
const CONNECT_DEADLINE: Duration = Duration::from_secs(10);
/// A silent connection is probed this often, and given up after as long again.
const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// HTTPS to one API server.
pub struct Https {
    tls: TlsConnector,
    host: String,
    port: u16,
    token: Option<http::HeaderValue>,
    connection: Mutex<Connection>,
}

#[derive(Default)]
struct Connection {
    sender: Option<SendRequest<Full<Bytes>>>,
    /// Drives the connection; ends with this transport.
    driver: JoinSet<()>,
}

impl Https {
    /// Prepares a transport; nothing is connected yet. The path of the server's URL is not used: requests name
    /// their cluster.
    ///
    /// # Errors
    /// [`TransportError`] when the URL or a certificate cannot be used.
    pub fn new(config: &Kubeconfig) -> Result<Self, TransportError> {
        let uri: http::Uri = config.server.parse().map_err(|error| failed("read the server's URL", error))?;
        if uri.scheme_str() != Some("https") {
            return Err(TransportError {
                what: format!("`{}` is not an https URL", config.server),
                source: None,
            });
        }
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let token =
            config.token.as_ref().map(|token| http::HeaderValue::from_str(&format!("Bearer {token}")));
        Ok(Self {
            tls: TlsConnector::from(Arc::new(tls_config(config)?)),
            port: uri.port_u16().unwrap_or(443),
            host,
            token: token.transpose().map_err(|error| failed("use the token", error))?,
            connection: Mutex::default(),
        })
    }

    async fn sender(&self) -> Result<SendRequest<Full<Bytes>>, TransportError> {
        let mut connection = self.connection.lock().await;
        if let Some(sender) = connection.sender.as_ref().filter(|sender| !sender.is_closed()) {
            return Ok(sender.clone());
        }
        let connecting = self.connect(&mut connection.driver);
        let sender = match tokio::time::timeout(CONNECT_DEADLINE, connecting).await {
            Ok(sender) => sender?,
            Err(_) => {
                let what =
                    format!("no connection to {}:{} within {CONNECT_DEADLINE:?}", self.host, self.port);
                return Err(TransportError { what, source: None });
            }
        };
        connection.sender = Some(sender.clone());
        Ok(sender)
    }

    async fn connect(&self, driver: &mut JoinSet<()>) -> Result<SendRequest<Full<Bytes>>, TransportError> {
        let at = format!("{}:{}", self.host, self.port);
        let stream = TcpStream::connect((self.host.as_str(), self.port));
        let stream = stream.await.map_err(|error| failed(&format!("connect to {at}"), error))?;
        stream.set_nodelay(true).map_err(|error| failed("prepare the connection", error))?;
        let name = ServerName::try_from(self.host.clone())
            .map_err(|error| failed("use the server's name", error))?;
        let stream = self.tls.connect(name, stream).await;
        let stream = stream.map_err(|error| failed(&format!("greet {at} over TLS"), error))?;
        let (sender, connection) = hyper::client::conn::http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .keep_alive_interval(KEEP_ALIVE)
            .keep_alive_timeout(KEEP_ALIVE)
            .initial_stream_window_size(1 << 20)
            .initial_connection_window_size(8 << 20)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| failed(&format!("speak HTTP/2 with {at}"), error))?;
        while driver.try_join_next().is_some() {}
        // The error, when there is one, reaches every request on the connection.
        driver.spawn(connection.unwrap_or_else(drop));
        Ok(sender)
    }

    async fn request(&self, request: Request) -> Result<Response, TransportError> {
        let (mut parts, body) = request.into_parts();
        let path = parts.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        parts.uri = format!("https://{}:{}{path}", bracketed(&self.host), self.port)
            .parse()
            .map_err(|error| failed("build the URL", error))?;
        if let Some(token) = &self.token {
            parts.headers.insert(http::header::AUTHORIZATION, token.clone());
        }
        let mut sender = self.sender().await?;
        sender.ready().await.map_err(|error| failed("use the connection", error))?;
        let response = sender.send_request(http::Request::from_parts(parts, Full::new(body))).await;
        let response = response.map_err(|error| failed("send the request", error))?;
        Ok(response.map(|body| {
            let parts = BodyDataStream::new(body);
            let body: crate::Body =
                Box::pin(parts.map(|part| part.map_err(|error| failed("read the answer", error))));
            body
        }))
    }
}

impl Transport for Https {
    fn call(&self, request: Request) -> BoxFuture<'_, Result<Response, TransportError>> {
        Box::pin(self.request(request))
    }
}

fn tls_config(config: &Kubeconfig) -> Result<rustls::ClientConfig, TransportError> {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&config.ca_pem) {
        let certificate = certificate.map_err(|error| failed("read the CA's certificate", error))?;
        roots.add(certificate).map_err(|error| failed("trust the CA's certificate", error))?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| failed("set up TLS", error))?
        .with_root_certificates(roots);
    let mut tls = match (&config.client_certificate_pem, &config.client_key_pem) {
        (Some(chain), Some(key)) => {
            let chain = CertificateDer::pem_slice_iter(chain).collect::<Result<Vec<_>, _>>();
            let chain = chain.map_err(|error| failed("read the client's certificate", error))?;
            let key =
                PrivateKeyDer::from_pem_slice(key).map_err(|error| failed("read the client's key", error))?;
            builder
                .with_client_auth_cert(chain, key)
                .map_err(|error| failed("use the client's certificate", error))?
        }
        _ => builder.with_no_client_auth(),
    };
    tls.alpn_protocols = vec![b"h2".to_vec()];
    Ok(tls)
}

fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

fn failed(what: &str, error: impl std::error::Error + Send + Sync + 'static) -> TransportError {
    TransportError { what: what.to_owned(), source: Some(Box::new(error)) }
}
