//! What planning takes in: the Pod, the objects it refers to, its images, and the machine's own facts.
//! Fetching them is `node`'s; [`crate::needs`] names them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use api::step_plan::StepPlan;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Pod, Secret};
use oci_spec::image::ImageConfiguration;

use crate::plan::{Network, PodRef, Rootfs};

/// All that [`crate::plan`] looks at.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// Whose Pod.
    pub pod_ref: &'a PodRef,
    /// The Pod.
    pub pod: &'a Pod,
    /// Its step plan, when it has the annotation.
    pub steps: Option<&'a StepPlan>,
    /// The images by container name; every container has one.
    pub images: &'a BTreeMap<String, Image>,
    /// The objects that the Pod refers to.
    pub objects: &'a Objects,
    /// The machine.
    pub machine: &'a Machine,
    /// The Pod's own directory on the machine, absolute.
    pub pod_dir: &'a Path,
}

/// An image that is ready to run.
#[derive(Clone, Debug)]
pub struct Image {
    /// What the root file system is made of.
    pub rootfs: Rootfs,
    /// The configuration: entrypoint, command, environment, user, working directory.
    pub config: ImageConfiguration,
    /// The content of `/etc/passwd`; empty when there is none.
    pub passwd: String,
    /// The content of `/etc/group`; empty when there is none.
    pub group: String,
}

/// Objects of the Pod's namespace, by name; those that are absent do not exist.
#[derive(Clone, Debug, Default)]
pub struct Objects {
    /// ConfigMaps.
    pub config_maps: BTreeMap<String, ConfigMap>,
    /// Secrets.
    pub secrets: BTreeMap<String, Secret>,
    /// Claims.
    pub claims: BTreeMap<String, PersistentVolumeClaim>,
}

/// Facts of the machine and what its owner allows.
#[derive(Clone, Debug)]
pub struct Machine {
    /// The node's name.
    pub node_name: String,
    /// The node's address as Pods see it.
    pub host_ip: String,
    /// The network of Pods that do not ask for the host's.
    pub network: Network,
    /// Whether each Pod gets a user namespace with ids of its own.
    pub user_namespaces: bool,
    /// The directory that holds one directory for each claim, named by its uid.
    pub claims_dir: PathBuf,
    /// The content of the machine's `/etc/resolv.conf`.
    pub resolv_conf: String,
    /// Processors.
    pub cpus: u32,
    /// Memory in bytes.
    pub memory_bytes: u64,
    /// What is allowed.
    pub permissions: Permissions,
    /// Limits that every Pod has.
    pub limits: Limits,
}

/// What the machine's owner allows to Pods. Everything is off unless said otherwise.
#[derive(Clone, Copy, Debug, Default)]
pub struct Permissions {
    /// `hostPath` volumes, and claims that stand for host directories.
    pub host_paths: bool,
    /// `securityContext.privileged`, added capabilities beyond the default set, `hostUsers: true`.
    pub privileged: bool,
}

/// Limits that every container has.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Processes and threads.
    pub pids: i64,
    /// Memory in bytes for containers without a limit of their own.
    pub memory_bytes: Option<i64>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { pids: 4096, memory_bytes: None }
    }
}
