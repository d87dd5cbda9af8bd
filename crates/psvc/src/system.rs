//! Everything that one process runs, put together: store, API server, controllers, node.
//! `run` and `up` differ only in what they give to [`System::start`].
//! Invariant: the parts meet in the API; here is the only place that knows them all.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use client::{Client, Dynamic, Error, ResourceType};
use linux::privileges::UserIsolation;
use policy::Identity;
use registry::{ImageStore, Registries};
use serde_json::json;
use store::Store;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};

use crate::cli::{Network, NodeArguments, SHIM_COMMAND};
use crate::compaction::compact_by_age;
use crate::failure::Failure;
use crate::images::RegistryImages;

/// How long the parts may take to stop.
const STOP_DEADLINE: Duration = Duration::from_secs(10);

/// Where objects are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Storage {
    /// In memory: gone with the process.
    Memory,
    /// In the data directory.
    Embedded,
}

/// What a system is made of.
pub(crate) struct SystemOptions {
    /// Store, logs and Pods are under this directory.
    pub(crate) directory: PathBuf,
    /// The cache of images.
    pub(crate) images: PathBuf,
    pub(crate) storage: Storage,
    /// The URL that clients use.
    pub(crate) external_url: String,
    /// The certificates that the API server's chains to.
    pub(crate) root_ca_pem: Option<String>,
    pub(crate) node: NodeSetup,
}

/// What the command line says about the node.
pub(crate) struct NodeSetup {
    network: Network,
    oci_runtime: linux::runtime::Runtime,
    registries: Registries,
    pods_max: Option<usize>,
    allow_host_image: bool,
    isolation: UserIsolation,
    /// Host directories as claims, and Pods that end with this process.
    one_user: bool,
}

impl NodeSetup {
    pub(crate) fn from_arguments(arguments: &NodeArguments, network: Network) -> Result<Self, Failure> {
        let registries = match &arguments.registries {
            Some(file) => Registries::read(file).map_err(Failure::usage)?,
            None => Registries::none(),
        };
        if arguments.max_pods == Some(0) {
            return Err(Failure::usage("--max-pods: at least one Pod must be allowed to run"));
        }
        let oci_runtime = arguments.oci_runtime.parse();
        let oci_runtime =
            oci_runtime.map_err(|error: linux::Error| Failure::usage(format!("--oci-runtime: {error}")))?;
        let pods_max = arguments.max_pods;
        let (allow_host_image, isolation, one_user) = (false, UserIsolation::None, false);
        Ok(Self { network, oci_runtime, registries, pods_max, allow_host_image, isolation, one_user })
    }

    pub(crate) fn with_host_image(mut self, allowed: bool) -> Self {
        self.allow_host_image = allowed;
        self
    }

    /// How containers are kept apart from the machine's users.
    pub(crate) fn with_isolation(mut self, isolation: UserIsolation) -> Self {
        self.isolation = isolation;
        self
    }

    /// The set-up of `psvc run`: the user's own machine, and nothing outlives the command.
    pub(crate) fn for_one_user(mut self) -> Self {
        self.allow_host_image = true;
        self.one_user = true;
        self
    }

    fn options(&self, directory: &Path, logs: &Path) -> node::Options {
        let name = rustix::system::uname().nodename().to_string_lossy().to_ascii_lowercase();
        let mut options = node::Options::new(name, directory.join("node"), logs);
        options.shim_command = vec!["/proc/self/exe".into(), SHIM_COMMAND.into()];
        options.network = match self.network {
            Network::Host => sandbox::Network::Host,
            Network::None => sandbox::Network::None,
        };
        options.allow_host_image = self.allow_host_image;
        options.isolation = self.isolation;
        options.permissions.host_paths = self.one_user;
        options.kill_with_parent = self.one_user;
        options.oci_runtime.clone_from(&self.oci_runtime);
        if let Some(pods_max) = self.pods_max {
            options.pods_max = pods_max;
        }
        options
    }
}

/// A running system.
pub(crate) struct System {
    service: apiserver::Service,
    store: Arc<dyn Store>,
    client: Client,
    controllers: controllers::Handle,
    node: JoinHandle<Result<(), node::Error>>,
    stop_node: oneshot::Sender<()>,
    /// Ends with the system.
    _upkeep: JoinSet<()>,
}

impl System {
    /// Starts all parts; the workspace `root:default` exists when it returns.
    pub(crate) async fn start(options: SystemOptions) -> Result<Self, Failure> {
        let logs_directory = options.directory.join("logs");
        let logs = archive::LogStore::open(&logs_directory);
        let logs = Arc::new(logs.map_err(|error| Failure::other("open the log storage", error))?);
        let store: Arc<dyn Store> = match options.storage {
            Storage::Memory => Arc::new(store::MemoryStore::new()),
            Storage::Embedded => {
                let directory = options.directory.join("store");
                let opened = store::EmbeddedStore::open(&directory, &store::Options::default());
                Arc::new(opened.map_err(|error| Failure::other("open the store", error))?)
            }
        };
        let service =
            apiserver::Service::new(apiserver::Options::new(&options.external_url, Arc::clone(&store), logs));
        let identity = Identity { user: "system:psvc".to_owned(), groups: vec!["system:masters".to_owned()] };
        let client = Client::new(Arc::new(service.transport(identity)));
        make_default_workspace(&client).await?;

        let mut controller_options = controllers::Options::new(client.named("psvc-controllers"));
        controller_options.root_ca_pem = options.root_ca_pem;
        let controllers = controllers::Service::new(controller_options).start();

        let images = ImageStore::open(&options.images, options.node.registries.clone());
        let images = images.map_err(|error| Failure::other("open the cache of images", error))?;
        let node = node::Service::new(
            options.node.options(&options.directory, &logs_directory),
            client.named("psvc-node"),
            Arc::new(RegistryImages(Arc::new(images))),
        );
        let node = node.map_err(|error| Failure::other("start the node", error))?;
        let (stop_node, stopping) = oneshot::channel();
        #[expect(
            clippy::disallowed_methods,
            reason = "the handle is kept, awaited at the stop and watched for its end"
        )]
        let node = tokio::spawn(node.run(async move {
            let _either_way = stopping.await;
        }));
        let mut upkeep = JoinSet::new();
        upkeep.spawn(compact_by_age(Arc::clone(&store)));
        Ok(Self { service, store, client, controllers, node, stop_node, _upkeep: upkeep })
    }

    /// A client that may do everything.
    pub(crate) fn client(&self) -> Client {
        self.client.clone()
    }

    pub(crate) fn service(&self) -> &apiserver::Service {
        &self.service
    }

    /// Stops the node, the controllers, the server and the store, in this order.
    pub(crate) async fn stop(self) {
        let _gone = self.stop_node.send(());
        match tokio::time::timeout(STOP_DEADLINE, self.node).await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(error))) => tracing::error!(%error, "the node failed"),
            Ok(Err(error)) => tracing::error!(%error, "the node ended in a panic"),
            Err(_) => tracing::warn!("the node did not stop in time"),
        }
        self.controllers.stop(STOP_DEADLINE).await;
        self.service.stop();
        if let Err(error) = self.store.close().await {
            tracing::error!(%error, "the store did not close");
        }
    }
}

async fn make_default_workspace(client: &Client) -> Result<(), Failure> {
    let workspaces = ResourceType::new("tenancy.kcp.io", "v1alpha1", "workspaces");
    let workspaces = client.cluster("root").resource::<Dynamic>(workspaces, None);
    let workspace = Dynamic(json!({
        "apiVersion": "tenancy.kcp.io/v1alpha1",
        "kind": "Workspace",
        "metadata": { "name": "default" },
    }));
    match workspaces.create(&workspace).await {
        Ok(_) | Err(Error::AlreadyExists(_)) => Ok(()),
        Err(error) => Err(Failure::other("make the workspace root:default", error)),
    }
}
