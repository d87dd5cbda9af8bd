//! Turns a bundle's `config.json` into what the built-in runtime carries out, and refuses what it does not offer.
//! Reads the file, and nothing else of the machine.
//! Invariant: everything that can be wrong with the text is found here, before any process exists.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::fs;
use std::path::{Path, PathBuf};

use oci_spec::runtime::{Linux, LinuxIdMapping, LinuxNamespaceType, Mount, PosixRlimit, Process, Spec};
use rustix::process::Resource;

use crate::capability;
use crate::error::{Doing, Error, Result};
use crate::seccomp;

/// A container as the built-in runtime makes it.
pub(super) struct Plan {
    pub root: PathBuf,
    pub root_readonly: bool,
    pub mounts: Vec<MountPlan>,
    /// `CLONE_NEW*` for the namespaces that are made.
    pub namespaces: i32,
    /// A network namespace that exists.
    pub network: Option<PathBuf>,
    pub ids: Option<IdMaps>,
    pub hostname: Option<String>,
    pub domainname: Option<String>,
    pub masked: Vec<PathBuf>,
    pub readonly: Vec<PathBuf>,
    pub sysctl: BTreeMap<String, String>,
    pub devices: Vec<PathBuf>,
    pub process: ProcessPlan,
}

/// The text of `/proc/<pid>/uid_map` and `gid_map`, and the ids outside of the container's user.
pub(super) struct IdMaps {
    pub uid: String,
    pub gid: String,
    pub owner: (u32, u32),
}

/// One mount inside the container, in order.
pub(super) struct MountPlan {
    pub destination: PathBuf,
    pub source: MountSource,
    /// `MOUNT_ATTR_*`.
    pub attributes: u64,
}

/// What is mounted.
pub(super) enum MountSource {
    /// A file or directory of the machine.
    Bind { path: PathBuf, recursive: bool },
    /// A new instance of a file system, with its options.
    New { kind: String, options: String },
    /// The container's own control groups, to look at.
    Cgroup,
}

/// The program and what it may do.
pub(super) struct ProcessPlan {
    pub arguments: Vec<CString>,
    pub environment: Vec<CString>,
    pub search: Vec<PathBuf>,
    pub cwd: PathBuf,
    pub uid: u32,
    pub gid: u32,
    pub groups: Vec<u32>,
    pub umask: u32,
    pub capabilities: Capabilities,
    pub no_new_privileges: bool,
    pub limits: Vec<(Resource, u64, u64)>,
    pub oom_score_adj: Option<i32>,
    pub filter: Option<Vec<libc::sock_filter>>,
}

/// Bit masks.
#[derive(Clone, Copy, Default)]
pub(super) struct Capabilities {
    pub bounding: u64,
    pub effective: u64,
    pub permitted: u64,
    pub inheritable: u64,
    pub ambient: u64,
}

impl Plan {
    /// Reads and checks `config.json` of a bundle.
    pub(super) fn read(bundle: &Path) -> Result<Self> {
        let path = bundle.join("config.json");
        let text = fs::read(&path).doing(|| format!("read {}", path.display()))?;
        let spec: Spec = serde_json::from_slice(&text)
            .map_err(|error| Error::Spec(format!("{}: {error}", path.display())))?;
        Self::of(bundle, &spec)
    }

    fn of(bundle: &Path, spec: &Spec) -> Result<Self> {
        let linux = spec.linux().as_ref().ok_or_else(|| missing("linux"))?;
        let process = spec.process().as_ref().ok_or_else(|| missing("process"))?;
        let root = spec.root().as_ref().ok_or_else(|| missing("root"))?;
        if spec.hooks().is_some() {
            return Err(Error::Spec("hooks are not offered".into()));
        }
        let (namespaces, network) = namespaces(linux)?;
        let mounts = spec.mounts().as_deref().unwrap_or_default();
        let paths = |list: &Option<Vec<String>>| list.iter().flatten().map(PathBuf::from).collect();
        let sysctl =
            linux.sysctl().iter().flatten().map(|(key, value)| (key.clone(), value.clone())).collect();
        Ok(Self {
            root: bundle.join(root.path()),
            root_readonly: root.readonly().unwrap_or(false),
            mounts: mounts.iter().map(mount).collect::<Result<_>>()?,
            namespaces,
            network,
            ids: (namespaces & libc::CLONE_NEWUSER != 0).then(|| id_maps(linux, process)).transpose()?,
            hostname: spec.hostname().clone(),
            domainname: spec.domainname().clone(),
            masked: paths(linux.masked_paths()),
            readonly: paths(linux.readonly_paths()),
            sysctl,
            devices: linux.devices().iter().flatten().map(|device| device.path().clone()).collect(),
            process: process_plan(process, linux)?,
        })
    }
}

fn missing(field: &str) -> Error {
    Error::Spec(format!("`{field}` is missing"))
}

fn namespaces(linux: &Linux) -> Result<(i32, Option<PathBuf>)> {
    let (mut flags, mut network) = (0, None);
    for namespace in linux.namespaces().iter().flatten() {
        let kind = namespace.typ();
        match (kind, namespace.path()) {
            (LinuxNamespaceType::Network, Some(path)) => network = Some(path.clone()),
            (_, Some(path)) => {
                return Err(Error::Spec(format!(
                    "joining a namespace of type {kind} ({}) is not offered",
                    path.display()
                )));
            }
            (LinuxNamespaceType::Time, None) => {
                return Err(Error::Spec("time namespaces are not offered".into()));
            }
            (_, None) => flags |= kind as i32,
        }
    }
    for (needed, name) in [(libc::CLONE_NEWNS, "mount"), (libc::CLONE_NEWPID, "pid")] {
        if flags & needed == 0 {
            return Err(Error::Spec(format!("a {name} namespace is required")));
        }
    }
    Ok((flags, network))
}

fn id_maps(linux: &Linux, process: &Process) -> Result<IdMaps> {
    let users = linux.uid_mappings().as_deref().unwrap_or_default();
    let groups = linux.gid_mappings().as_deref().unwrap_or_default();
    let text = |maps: &[LinuxIdMapping]| -> String {
        maps.iter().map(|map| format!("{} {} {}\n", map.container_id(), map.host_id(), map.size())).collect()
    };
    let outside = |maps: &[LinuxIdMapping], id: u32, what: &str| {
        let found = maps.iter().find_map(|map| {
            let range = crate::userns::IdRange {
                inside: map.container_id(),
                outside: map.host_id(),
                count: map.size(),
            };
            range.to_outside(id)
        });
        found.ok_or_else(|| Error::Spec(format!("{what} {id} is not mapped in the user namespace")))
    };
    outside(users, 0, "user")?;
    outside(groups, 0, "group")?;
    let user = process.user();
    let owner = (outside(users, user.uid(), "user")?, outside(groups, user.gid(), "group")?);
    Ok(IdMaps { uid: text(users), gid: text(groups), owner })
}

fn mount(mount: &Mount) -> Result<MountPlan> {
    let mut attributes = 0;
    let (mut bind, mut recursive, mut data) = (false, false, Vec::new());
    for option in mount.options().iter().flatten() {
        match option.as_str() {
            "bind" => bind = true,
            "rbind" => (bind, recursive) = (true, true),
            "ro" | "rro" => attributes |= libc::MOUNT_ATTR_RDONLY,
            "nosuid" | "rnosuid" => attributes |= libc::MOUNT_ATTR_NOSUID,
            "nodev" | "rnodev" => attributes |= libc::MOUNT_ATTR_NODEV,
            "noexec" | "rnoexec" => attributes |= libc::MOUNT_ATTR_NOEXEC,
            "nodiratime" => attributes |= libc::MOUNT_ATTR_NODIRATIME,
            "noatime" => attributes |= libc::MOUNT_ATTR_NOATIME,
            "strictatime" => attributes |= libc::MOUNT_ATTR_STRICTATIME,
            // Defaults, and propagation: nothing ever propagates out of or into our containers' own mounts.
            "rw" | "suid" | "dev" | "exec" | "relatime" | "defaults" | "async" | "private" | "rprivate"
            | "slave" | "rslave" => {}
            other => data.push(other),
        }
    }
    let kind = mount.typ().as_deref().unwrap_or("bind");
    let destination = mount.destination().clone();
    let source = match (bind || kind == "bind", kind) {
        (true, _) => {
            let path = mount.source().clone();
            let path = path.ok_or_else(|| missing(&format!("source of {}", destination.display())))?;
            if let Some(option) = data.first() {
                return Err(Error::Spec(format!(
                    "mount option `{option}` of {} is not offered",
                    destination.display()
                )));
            }
            MountSource::Bind { path, recursive }
        }
        (false, "cgroup" | "cgroup2") => MountSource::Cgroup,
        (false, "proc" | "sysfs" | "tmpfs" | "devpts" | "mqueue") => {
            // Terminals are device nodes; anything else has none that may work.
            attributes |= if kind == "devpts" { 0 } else { libc::MOUNT_ATTR_NODEV };
            MountSource::New { kind: kind.into(), options: data.join(",") }
        }
        (false, other) => return Err(Error::Spec(format!("mounts of type `{other}` are not offered"))),
    };
    Ok(MountPlan { destination, source, attributes })
}

fn process_plan(process: &Process, linux: &Linux) -> Result<ProcessPlan> {
    if process.terminal().unwrap_or(false) {
        return Err(Error::Spec("terminals are not offered".into()));
    }
    let environment = process.env().as_deref().unwrap_or_default();
    let search = environment.iter().find_map(|entry| entry.strip_prefix("PATH="));
    let search = search.unwrap_or("/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    let arguments = strings(process.args().as_deref().unwrap_or_default(), "an argument")?;
    if arguments.is_empty() {
        return Err(missing("process.args"));
    }
    let user = process.user();
    let no_new_privileges = process.no_new_privileges().unwrap_or(false);
    Ok(ProcessPlan {
        arguments,
        environment: strings(environment, "a variable")?,
        search: search.split(':').filter(|dir| !dir.is_empty()).map(PathBuf::from).collect(),
        cwd: process.cwd().clone(),
        uid: user.uid(),
        gid: user.gid(),
        groups: user.additional_gids().clone().unwrap_or_default(),
        umask: user.umask().unwrap_or(0o022),
        capabilities: capabilities(process),
        no_new_privileges,
        limits: process.rlimits().iter().flatten().map(limit).collect::<Result<_>>()?,
        oom_score_adj: process.oom_score_adj(),
        filter: linux.seccomp().as_ref().map(seccomp::compile).transpose()?,
    })
}

fn strings(texts: &[String], what: &str) -> Result<Vec<CString>> {
    let convert = |text: &String| {
        CString::new(text.as_str()).map_err(|_| Error::Spec(format!("{what} of the process has a zero byte")))
    };
    texts.iter().map(convert).collect()
}

fn capabilities(process: &Process) -> Capabilities {
    let Some(sets) = process.capabilities() else { return Capabilities::default() };
    let mask = |set: &Option<std::collections::HashSet<_>>| capability::mask(set.iter().flatten());
    Capabilities {
        bounding: mask(sets.bounding()),
        effective: mask(sets.effective()),
        permitted: mask(sets.permitted()),
        inheritable: mask(sets.inheritable()),
        ambient: mask(sets.ambient()),
    }
}

fn limit(limit: &PosixRlimit) -> Result<(Resource, u64, u64)> {
    use oci_spec::runtime::PosixRlimitType as Kind;
    let resource = match limit.typ() {
        Kind::RlimitCpu => Resource::Cpu,
        Kind::RlimitFsize => Resource::Fsize,
        Kind::RlimitData => Resource::Data,
        Kind::RlimitStack => Resource::Stack,
        Kind::RlimitCore => Resource::Core,
        Kind::RlimitRss => Resource::Rss,
        Kind::RlimitNproc => Resource::Nproc,
        Kind::RlimitNofile => Resource::Nofile,
        Kind::RlimitMemlock => Resource::Memlock,
        Kind::RlimitAs => Resource::As,
        Kind::RlimitLocks => Resource::Locks,
        Kind::RlimitSigpending => Resource::Sigpending,
        Kind::RlimitMsgqueue => Resource::Msgqueue,
        Kind::RlimitNice => Resource::Nice,
        Kind::RlimitRtprio => Resource::Rtprio,
        Kind::RlimitRttime => Resource::Rttime,
    };
    if limit.soft() > limit.hard() {
        return Err(Error::Spec(format!("the soft limit of {} is above its hard limit", limit.typ())));
    }
    Ok((resource, limit.soft(), limit.hard()))
}
