//! How a node is set up. It says what is allowed; nothing is allowed that is not said here.

use std::ffi::OsString;
use std::path::PathBuf;

use linux::privileges::UserIsolation;
use linux::runtime::Runtime;
use sandbox::{Limits, Network, Permissions};

/// The set-up of a node.
#[derive(Clone, Debug)]
pub struct Options {
    /// The node's name, as Pods have it in `spec.nodeName`: the machine's host name.
    pub name: String,
    /// The directory for Pods and claims. Other users must be able to pass through the directories above it.
    pub data_dir: PathBuf,
    /// The log storage's directory, as given to [`archive::LogStore::open`].
    pub logs_dir: PathBuf,
    /// Directories that [`crate::HOST_IMAGE`] must not show, besides `data_dir`: where the service keeps its state.
    pub hidden_dirs: Vec<PathBuf>,
    /// The command that starts a shim; the Pod's directory is appended: `/proc/self/exe pod-shim`.
    pub shim_command: Vec<OsString>,
    /// How Pods are kept apart from the machine's users, as [`linux::privileges::Privileges::detect`] found.
    pub isolation: UserIsolation,
    /// The OCI runtime.
    pub oci_runtime: Runtime,
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
}

impl Options {
    /// A node that allows nothing special and runs twice as many Pods as the machine has processors.
    #[must_use]
    pub fn new(name: impl Into<String>, data_dir: impl Into<PathBuf>, logs_dir: impl Into<PathBuf>) -> Self {
        Self {
            name: name.into(),
            data_dir: data_dir.into(),
            logs_dir: logs_dir.into(),
            hidden_dirs: Vec::new(),
            shim_command: vec!["/proc/self/exe".into(), "pod-shim".into()],
            isolation: UserIsolation::None,
            oci_runtime: Runtime::Builtin,
            network: Network::Host,
            allow_host_image: false,
            permissions: Permissions::default(),
            limits: Limits::default(),
            pods_max: 2 * crate::machine::processors(),
            kill_with_parent: false,
        }
    }
}
