//! `psvc up`: the service, until it is told to stop.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use linux::privileges::UserIsolation;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::UpArguments;
use crate::data;
use crate::failure::Failure;
use crate::system::{NodeSetup, Storage, System, SystemOptions};

/// The data directory, made if it is missing.
pub(crate) fn data_directory(arguments: &mut UpArguments) -> Result<PathBuf, Failure> {
    let directory = match arguments.data_dir.take() {
        Some(directory) => directory,
        None => data::default_directory()?,
    };
    let making = || format!("make the data directory `{}`", directory.display());
    std::fs::create_dir_all(&directory).map_err(|error| Failure::other(making(), error))?;
    Ok(directory)
}

pub(crate) async fn up(
    arguments: UpArguments,
    directory: PathBuf,
    isolation: UserIsolation,
) -> Result<ExitCode, Failure> {
    let node = NodeSetup::from_arguments(&arguments.node, arguments.network)?
        .with_host_image(arguments.allow_host_image)
        .with_isolation(isolation);

    // Take the address first: a second `up` must fail before it touches anything.
    let listener = TcpListener::bind(arguments.listen).await;
    let listener =
        listener.map_err(|error| Failure::other(format!("listen at {}", arguments.listen), error))?;
    let address = listener.local_addr().map_err(|error| Failure::other("read the address", error))?;
    let host = if address.ip().is_unspecified() { "localhost".to_owned() } else { host_of(address) };
    let url = format!("https://{host}:{}", address.port());

    let now = jiff::Timestamp::now();
    let pki = apiserver::pki::Pki::open(&directory.join("pki"), now);
    let pki = pki.map_err(|error| Failure::other("open the certificates", error))?;
    let tls = pki.server_config(&[address.ip().to_string()], now);
    let tls = tls.map_err(|error| Failure::other("make the server's certificate", error))?;
    let system = System::start(SystemOptions {
        images: directory.join("images"),
        directory: directory.clone(),
        storage: Storage::Embedded,
        external_url: url.clone(),
        root_ca_pem: Some(pki.ca_pem().to_owned()),
        node,
    })
    .await?;

    // Only now: the store's lock is ours, so nobody else's file is overwritten.
    write_kubeconfig(&pki, &directory, &url, now)?;

    println!("ready {url}");
    let _gone = std::io::stdout().flush();

    let asked = stop_signal()?;
    let service = system.service().clone();
    let shutdown = async {
        asked.await;
        // Watches end, so that their connections can drain.
        service.stop();
    };
    let served = apiserver::serve(system.service().clone(), listener, tls, shutdown).await;
    system.stop().await;
    served.map_err(|error| Failure::other("serve", error))?;
    Ok(ExitCode::SUCCESS)
}

/// Listens for SIGTERM and SIGINT from now on.
fn stop_signal() -> Result<impl Future<Output = ()>, Failure> {
    let listen = |kind| signal(kind).map_err(|error| Failure::other("listen for signals", error));
    let (mut terminate, mut interrupt) = (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

fn host_of(address: std::net::SocketAddr) -> String {
    match address {
        std::net::SocketAddr::V4(address) => address.ip().to_string(),
        std::net::SocketAddr::V6(address) => format!("[{}]", address.ip()),
    }
}

fn write_kubeconfig(
    pki: &apiserver::pki::Pki,
    directory: &Path,
    url: &str,
    now: jiff::Timestamp,
) -> Result<(), Failure> {
    use apiserver::pki::{Context, kubeconfig, write_kubeconfig};
    let failed = |error| Failure::other("write admin.kubeconfig", error);
    let admin = pki.client("admin", &["system:masters"], now).map_err(failed)?;
    let contexts =
        [Context { name: "default", workspace: "root:default" }, Context { name: "root", workspace: "root" }];
    let text = kubeconfig(url, pki.ca_pem(), &admin, &contexts);
    write_kubeconfig(&directory.join("admin.kubeconfig"), &text).map_err(failed)
}
