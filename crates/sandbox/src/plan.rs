//! The plan: everything that the process which runs a Pod has to know, with nothing left to choose.
//! It is written to a file once and read once; between versions of the program it is not kept.
//! Invariant: `containers` are in the Pod's order; with [`Order::Steps`] each has a `step`.

use std::path::PathBuf;

use api::step_plan::{PlannedResult, PlannedStep};
use oci_spec::runtime::Spec;
use serde::{Deserialize, Serialize};

/// How to run one Pod.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PodPlan {
    /// Whose Pod.
    pub pod: PodRef,
    /// The host name that its containers see.
    pub hostname: String,
    /// The network that its containers share.
    pub network: Network,
    /// Whether containers run in a user namespace with ids of the Pod's own.
    pub user_namespace: bool,
    /// In which order containers run.
    pub order: Order,
    /// Directories and files to make before the first container.
    pub volumes: Vec<Volume>,
    /// Directories of the Pod's own to make before the first container, by absolute path, with permission bits.
    pub directories: Vec<(PathBuf, u32)>,
    /// Single files to make before the first container, by absolute path: `hosts`, `resolv.conf`, scripts.
    pub files: Vec<TextFile>,
    /// Symbolic links to make before the first container: path and target.
    pub links: Vec<(PathBuf, PathBuf)>,
    /// The containers.
    pub containers: Vec<ContainerPlan>,
    /// The results that the Task declares.
    pub results: Vec<PlannedResult>,
    /// Where the directory that is `/tekton` inside of steps lies on the host, when there is a step plan.
    pub tekton_dir: Option<PathBuf>,
    /// Seconds between SIGTERM and SIGKILL.
    pub grace_period_seconds: u64,
    /// Seconds from the Pod's start until it is killed and fails with `DeadlineExceeded`.
    pub active_deadline_seconds: Option<u64>,
}

/// Names of a Pod.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PodRef {
    /// The logical cluster's id.
    pub cluster: String,
    /// The namespace.
    pub namespace: String,
    /// The name.
    pub name: String,
    /// The object's uid.
    pub uid: String,
}

/// The network of a Pod.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Network {
    /// The machine's own.
    #[default]
    Host,
    /// Only a loopback interface.
    None,
}

/// In which order containers run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Order {
    /// One after the other, as the steps of a Task.
    Steps,
    /// All at once, as Kubernetes does.
    Together(RestartPolicy),
}

/// What happens when a container ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are Kubernetes' own")]
pub enum RestartPolicy {
    Always,
    OnFailure,
    Never,
}

/// One container.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerPlan {
    /// The name in the Pod.
    pub name: String,
    /// What its root file system is made of.
    pub rootfs: Rootfs,
    /// The OCI runtime spec. Its root path is empty and its seccomp section absent: the executor fills in both.
    pub spec: Spec,
    /// The system call filter.
    pub seccomp: Seccomp,
    /// The step that this container is, for Pods with a step plan.
    pub step: Option<PlannedStep>,
    /// The host path of the file that the container sees at its `terminationMessagePath`; absent for steps.
    pub termination_file: Option<PathBuf>,
    /// Where else the termination message may come from.
    pub termination_policy: TerminationPolicy,
}

/// What a root file system is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Rootfs {
    /// Unpacked layers of an image, the lowest first, under a writable layer of the container's own.
    Layers(Vec<PathBuf>),
    /// This machine's own file system, read-only.
    Host,
}

/// The system call filter of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Seccomp {
    /// The default profile of container runtimes.
    RuntimeDefault,
    /// None.
    Unconfined,
}

/// Where a termination message comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are Kubernetes' own")]
pub enum TerminationPolicy {
    File,
    FallbackToLogsOnError,
}

/// A directory on the host that containers see as (part of) a volume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Volume {
    /// The volume's name in the Pod, for messages.
    pub name: String,
    /// Where it lies on the host.
    pub path: PathBuf,
    /// What is made there.
    pub kind: VolumeKind,
    /// The group that owns what is in it, with write access (`fsGroup`).
    pub group: Option<u32>,
    /// Paths below it that containers mount instead of the whole (`subPath`), relative. A container could have
    /// put a symbolic link there, so the executor resolves them strictly below `path`, and makes directories of
    /// those that are absent (unless the volume is made of files).
    pub sub_paths: Vec<PathBuf>,
}

/// What is made for a volume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum VolumeKind {
    /// An empty directory on disk that everybody may write to, with a limit in bytes.
    Directory {
        /// The limit; none when absent.
        size_limit_bytes: Option<u64>,
    },
    /// An empty directory in memory, with a limit in bytes.
    Memory {
        /// The limit; half of the machine's memory when absent.
        size_limit_bytes: Option<u64>,
    },
    /// Files with content.
    Files(Vec<FileEntry>),
    /// A directory that outlives the Pod; made when absent.
    Claim,
    /// A path of the machine's own, which must exist unless `create` says otherwise.
    HostPath {
        /// Kubernetes' `hostPath.type`: empty, `Directory`, `DirectoryOrCreate`, `File`, `FileOrCreate`, ...
        expected: String,
    },
}

/// A file of a volume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FileEntry {
    /// The path below the volume, relative, without `..`.
    pub path: PathBuf,
    /// Permission bits.
    pub mode: u32,
    /// The content.
    #[serde(with = "base64_bytes")]
    pub content: Vec<u8>,
}

/// A file outside of volumes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TextFile {
    /// The absolute path on the host.
    pub path: PathBuf,
    /// Permission bits.
    pub mode: u32,
    /// The content.
    pub content: String,
}

/// A Pod cannot be run as it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct PlanError {
    /// The container whose state shows the message; `None` when it is about the whole Pod.
    pub container: Option<String>,
    /// What a user reads, in Kubernetes' words where it has some.
    pub message: String,
    /// Whether an object that is missing now may appear later.
    pub may_heal: bool,
}

impl PlanError {
    pub(crate) fn never(message: impl Into<String>) -> Self {
        Self { container: None, message: message.into(), may_heal: false }
    }

    pub(crate) fn missing(message: impl Into<String>) -> Self {
        Self { container: None, message: message.into(), may_heal: true }
    }

    pub(crate) fn of(mut self, container: &str) -> Self {
        self.container.get_or_insert_with(|| container.to_owned());
        self
    }
}

mod base64_bytes {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map_err(D::Error::custom)
    }
}
