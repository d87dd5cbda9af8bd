//! How a node is set up. It says what is allowed; nothing is allowed that is not said here.

use std::ffi::OsString;
use std::path::PathBuf;

use sandbox::{Limits, Network, Permissions};

/// The set-up of a node.
#[derive(Clone, Debug)]
pub struct Options {
    /// The node's name, as Pods have it in `spec.nodeName`: the machine's host name.
    pub name: String,
    /// The directory for Pods and claims. On one file system with the images' layers, best without `nosuid`.
    pub data_dir: PathBuf,
    /// The log storage's directory, as given to [`archive::LogStore::open`].
    pub logs_dir: PathBuf,
    /// The command that starts a shim; the Pod's directory is appended: `/proc/self/exe pod-shim`.
    pub shim_command: Vec<OsString>,
    /// The network of Pods that do not ask for the host's.
    pub network: Network,
    /// Whether Pods may use the image [`crate::HOST_IMAGE`].
    pub allow_host_image: bool,
    /// What else Pods may do.
    pub permissions: Permissions,
    /// Limits that every container has.
    pub limits: Limits,
    /// How many Pods run at a time; the rest waits unbound.
    pub pods_max: usize,
    /// Whether running Pods are killed when this process ends, however it ends (`psvc run`), or go on (`psvc up`).
    pub kill_with_parent: bool,
    /// The OCI runtime, by name or path; `None` is the built-in one.
    pub oci_runtime: Option<PathBuf>,
}

impl Options {
    /// A node that allows nothing special and runs twice as many Pods as the machine has processors.
    #[must_use]
    pub fn new(name: impl Into<String>, data_dir: impl Into<PathBuf>, logs_dir: impl Into<PathBuf>) -> Self {
        let cpus = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            name: name.into(),
            data_dir: data_dir.into(),
            logs_dir: logs_dir.into(),
            shim_command: vec!["/proc/self/exe".into(), "pod-shim".into()],
            network: Network::Host,
            allow_host_image: false,
            permissions: Permissions::default(),
            limits: Limits::default(),
            pods_max: 2 * cpus,
            kill_with_parent: false,
            oci_runtime: None,
        }
    }
}
