//! The server's sockets: who a client certificate makes one, bodies that are too large, and a stop that ends watches.

use std::path::Path;
use std::sync::Arc;

use apiserver::pki::{self, Context, Pki};
use apiserver::{Options, Service};
use bytes::Bytes;
use client::{Https, Kubeconfig, Transport};
use futures_util::StreamExt;
use http::Request;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

const MAPS: &str = "/clusters/root/api/v1/namespaces/default/configmaps";

struct Server {
    config: Kubeconfig,
    pki: Pki,
    stop: oneshot::Sender<()>,
    tasks: JoinSet<std::io::Result<()>>,
}

async fn start(directory: &Path) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let logs = Arc::new(archive::LogStore::open(directory.join("logs")).unwrap());
    let service = Service::new(Options::new(&url, Arc::new(store::MemoryStore::new()), logs));
    let now = jiff::Timestamp::now();
    let pki = Pki::open(&directory.join("pki"), now).unwrap();
    let tls = pki.server_config(&[], now).unwrap();
    let admin = pki.client("admin", &["system:masters"], now).unwrap();
    let text = pki::kubeconfig(&url, pki.ca_pem(), &admin, &[Context { name: "root", workspace: "root" }]);
    let config = Kubeconfig::parse(&text, None).unwrap();
    let (stop, stopped) = oneshot::channel();
    let mut tasks = JoinSet::new();
    tasks.spawn(apiserver::serve(service, listener, tls, async {
        let _ = stopped.await;
    }));
    Server { config, pki, stop, tasks }
}

async fn send(
    transport: &Https,
    method: &str,
    path: &str,
    body: impl Into<Bytes>,
) -> Result<(u16, String), client::TransportError> {
    let request = Request::builder().method(method).uri(path).body(body.into()).unwrap();
    let response = transport.call(request).await?;
    let code = response.status().as_u16();
    let mut body = response.into_body();
    let mut text = Vec::new();
    while let Some(part) = body.next().await {
        text.extend_from_slice(&part?);
    }
    Ok((code, String::from_utf8_lossy(&text).into_owned()))
}

#[tokio::test]
async fn a_certificate_of_our_authority_says_who_one_is() {
    let directory = tempfile::tempdir().unwrap();
    let server = start(directory.path()).await;
    let as_client = |certificate: Option<pki::ClientCertificate>| {
        let mut config = server.config.clone();
        config.client_certificate_pem = certificate.as_ref().map(|c| c.certificate_pem.clone().into_bytes());
        config.client_key_pem = certificate.map(|c| c.key_pem.into_bytes());
        Https::new(&config).unwrap()
    };
    let now = jiff::Timestamp::now();
    let admin = Https::new(&server.config).unwrap();
    assert_eq!(send(&admin, "GET", MAPS, "").await.unwrap().0, 200);
    let user = as_client(Some(server.pki.client("jane", &["team"], now).unwrap()));
    let (code, text) = send(&user, "GET", MAPS, "").await.unwrap();
    assert!(code == 403 && text.contains("User \\\"jane\\\" cannot list resource"), "{text}");
    let nobody = as_client(None);
    let (code, text) = send(&nobody, "GET", MAPS, "").await.unwrap();
    assert!(code == 403 && text.contains("system:anonymous"), "{text}");
    assert_eq!(send(&nobody, "GET", "/livez", "").await.unwrap(), (200, "ok".to_owned()));
    let elsewhere = tempfile::tempdir().unwrap();
    let foreign =
        Pki::open(elsewhere.path(), now).unwrap().client("admin", &["system:masters"], now).unwrap();
    assert!(send(&as_client(Some(foreign)), "GET", MAPS, "").await.is_err());
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_and_the_connection_lives_on() {
    let directory = tempfile::tempdir().unwrap();
    let server = start(directory.path()).await;
    let admin = Https::new(&server.config).unwrap();
    let huge = vec![b'x'; apiserver::REQUEST_BYTES_MAX + 1];
    let (code, text) = send(&admin, "POST", MAPS, huge).await.unwrap();
    assert!(code == 413 && text.contains("Request entity too large: limit is 3145728"), "{text}");
    let fits = format!("{{\"metadata\":{{\"name\":\"m\"}},\"data\":{{\"k\":\"{}\"}}}}", "x".repeat(1 << 20));
    assert_eq!(send(&admin, "POST", MAPS, fits).await.unwrap().0, 201);
}

#[tokio::test]
async fn a_stop_ends_watches_and_then_the_server() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = start(directory.path()).await;
    let admin = Https::new(&server.config).unwrap();
    let request = Request::builder().uri(format!("{MAPS}?watch=true")).body(Bytes::new()).unwrap();
    let mut watch = admin.call(request).await.unwrap().into_body();
    server.stop.send(()).unwrap();
    assert!(watch.next().await.is_none_or(|part| part.is_ok_and(|part| part.is_empty())));
    server.tasks.join_next().await.unwrap().unwrap().unwrap();
}
