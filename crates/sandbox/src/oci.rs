//! The OCI runtime spec of one container: process, capabilities, limits, namespaces, hidden paths.
//! Paths of namespaces, the root and the system call filter are the executor's to fill in.
//! Invariant: nothing here is wider than what container runtimes give by default, unless the machine's owner
//! allows it.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

use k8s_openapi::api::core::v1::{Container, PodSecurityContext, ResourceRequirements, SecurityContext};
use oci_spec::runtime::{
    Capability, Linux, LinuxCapabilities, LinuxCpu, LinuxMemory, LinuxNamespace, LinuxNamespaceType,
    LinuxPids, LinuxResources, Mount, Process, Root, Spec, User,
};

use crate::identity::ProcessUser;
use crate::input::{Limits, Permissions};
use crate::plan::{Network, PlanError, Seccomp};
use crate::quantity::{milli_units, whole_units};

/// What a container's spec is made from, decided already.
pub(crate) struct SpecParts {
    pub(crate) args: Vec<String>,
    pub(crate) env: Vec<String>,
    pub(crate) cwd: String,
    pub(crate) user: ProcessUser,
    pub(crate) mounts: Vec<Mount>,
    pub(crate) hostname: String,
    pub(crate) network: Network,
    pub(crate) user_namespace: bool,
    pub(crate) limits: Limits,
    pub(crate) sysctls: HashMap<String, String>,
}

/// Assembles the spec.
pub(crate) fn spec(
    parts: SpecParts,
    container: &Container,
    permissions: Permissions,
) -> Result<Spec, PlanError> {
    let own = container.security_context.as_ref();
    let privileged = own.and_then(|own| own.privileged) == Some(true);
    let capabilities = capabilities(own, permissions)?;
    let linux = linux(&parts, container.resources.as_ref(), privileged)?;
    let mut spec = Spec::default();
    let mut root = Root::default();
    root.set_path(PathBuf::new());
    root.set_readonly(Some(own.and_then(|own| own.read_only_root_filesystem) == Some(true)));
    spec.set_version("1.0.2".to_owned());
    spec.set_root(Some(root));
    spec.set_hostname(Some(parts.hostname));
    spec.set_mounts(Some(parts.mounts));
    spec.set_linux(Some(linux));
    let mut user = User::default();
    user.set_uid(parts.user.uid);
    user.set_gid(parts.user.gid);
    user.set_umask(Some(0o022));
    user.set_additional_gids(Some(parts.user.groups));
    let mut process = Process::default();
    process.set_terminal(Some(false));
    process.set_user(user);
    process.set_args(Some(parts.args));
    process.set_env(Some(parts.env));
    process.set_cwd(PathBuf::from(parts.cwd));
    process.set_capabilities(Some(capabilities));
    process.set_rlimits(None);
    // Kubernetes lets programs gain privileges by default; steps of strangers must not, so here it is asked for
    // and still refused to everybody whom the machine's owner does not trust.
    let escalation = own.and_then(|own| own.allow_privilege_escalation);
    let may_escalate = match escalation {
        Some(wanted) => wanted && permissions.privileged,
        None => privileged,
    };
    process.set_no_new_privileges(Some(!may_escalate));
    spec.set_process(Some(process));
    Ok(spec)
}

/// The capabilities of containers that say nothing. Source: the defaults of Docker and containerd.
const DEFAULT_CAPABILITIES: [Capability; 14] = [
    Capability::AuditWrite,
    Capability::Chown,
    Capability::DacOverride,
    Capability::Fowner,
    Capability::Fsetid,
    Capability::Kill,
    Capability::Mknod,
    Capability::NetBindService,
    Capability::NetRaw,
    Capability::Setfcap,
    Capability::Setgid,
    Capability::Setpcap,
    Capability::Setuid,
    Capability::SysChroot,
];

fn capabilities(
    own: Option<&SecurityContext>,
    permissions: Permissions,
) -> Result<LinuxCapabilities, PlanError> {
    let mut set: HashSet<Capability> = DEFAULT_CAPABILITIES.into_iter().collect();
    if own.and_then(|own| own.privileged) == Some(true) {
        if !permissions.privileged {
            return Err(refused("securityContext.privileged"));
        }
        set.extend(all_capabilities());
    }
    let wanted = own.and_then(|own| own.capabilities.as_ref());
    let drop = wanted.and_then(|wanted| wanted.drop.as_ref());
    let add = wanted.and_then(|wanted| wanted.add.as_ref());
    if drop.is_some_and(|drop| drop.iter().any(|name| name.eq_ignore_ascii_case("ALL"))) {
        set.clear();
    }
    if add.is_some_and(|add| add.iter().any(|name| name.eq_ignore_ascii_case("ALL"))) {
        if !permissions.privileged {
            return Err(refused("securityContext.capabilities.add: ALL"));
        }
        set.extend(all_capabilities());
    }
    for name in drop.into_iter().flatten().filter(|name| !name.eq_ignore_ascii_case("ALL")) {
        set.remove(&capability(name)?);
    }
    for name in add.into_iter().flatten().filter(|name| !name.eq_ignore_ascii_case("ALL")) {
        let capability = capability(name)?;
        if !DEFAULT_CAPABILITIES.contains(&capability) && !permissions.privileged {
            return Err(refused(&format!("securityContext.capabilities.add: {name}")));
        }
        set.insert(capability);
    }
    let mut capabilities = LinuxCapabilities::default();
    capabilities.set_bounding(Some(set.clone()));
    capabilities.set_effective(Some(set.clone()));
    capabilities.set_permitted(Some(set));
    capabilities.set_inheritable(None);
    capabilities.set_ambient(None);
    Ok(capabilities)
}

/// The error for something that the machine's owner does not allow.
pub(crate) fn refused(what: &str) -> PlanError {
    PlanError::never(format!("{what} is not allowed on this node"))
}

fn capability(name: &str) -> Result<Capability, PlanError> {
    let upper = name.to_ascii_uppercase();
    let bare = upper.strip_prefix("CAP_").unwrap_or(&upper);
    bare.parse().map_err(|_| PlanError::never(format!("{name} is not a capability")))
}

fn all_capabilities() -> impl Iterator<Item = Capability> {
    const OTHERS: [Capability; 27] = [
        Capability::AuditControl,
        Capability::AuditRead,
        Capability::BlockSuspend,
        Capability::Bpf,
        Capability::CheckpointRestore,
        Capability::DacReadSearch,
        Capability::IpcLock,
        Capability::IpcOwner,
        Capability::Lease,
        Capability::LinuxImmutable,
        Capability::MacAdmin,
        Capability::MacOverride,
        Capability::NetAdmin,
        Capability::NetBroadcast,
        Capability::Perfmon,
        Capability::SysAdmin,
        Capability::SysBoot,
        Capability::SysModule,
        Capability::SysNice,
        Capability::SysPacct,
        Capability::SysPtrace,
        Capability::SysRawio,
        Capability::SysResource,
        Capability::SysTime,
        Capability::SysTtyConfig,
        Capability::Syslog,
        Capability::WakeAlarm,
    ];
    OTHERS.into_iter().chain(DEFAULT_CAPABILITIES)
}

fn linux(
    parts: &SpecParts,
    resources: Option<&ResourceRequirements>,
    privileged: bool,
) -> Result<Linux, PlanError> {
    let mut namespaces = vec![
        LinuxNamespaceType::Mount,
        LinuxNamespaceType::Pid,
        LinuxNamespaceType::Uts,
        LinuxNamespaceType::Ipc,
    ];
    if parts.network == Network::None {
        namespaces.push(LinuxNamespaceType::Network);
    }
    if parts.user_namespace {
        namespaces.push(LinuxNamespaceType::User);
    }
    let namespace = |typ| {
        let mut namespace = LinuxNamespace::default();
        namespace.set_typ(typ);
        namespace
    };
    let mut linux = Linux::default();
    linux.set_namespaces(Some(namespaces.into_iter().map(namespace).collect()));
    linux.set_resources(Some(limits(resources, parts.limits)?));
    if !parts.sysctls.is_empty() {
        linux.set_sysctl(Some(parts.sysctls.clone()));
    }
    if privileged {
        linux.set_masked_paths(None);
        linux.set_readonly_paths(None);
    } else {
        linux.set_masked_paths(Some(MASKED_PATHS.map(str::to_owned).to_vec()));
        linux.set_readonly_paths(Some(READONLY_PATHS.map(str::to_owned).to_vec()));
    }
    Ok(linux)
}

/// Kernel interfaces that containers must not see. Source: the defaults of containerd.
const MASKED_PATHS: [&str; 11] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
];

/// Kernel interfaces that containers must not write to. Source: the defaults of containerd.
const READONLY_PATHS: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// The period over which a limit on processor time is kept, in microseconds. Source: the kubelet.
const CPU_PERIOD_MICROSECONDS: i64 = 100_000;

fn limits(resources: Option<&ResourceRequirements>, limits: Limits) -> Result<LinuxResources, PlanError> {
    let quantity = |kind: &str, name: &str, parse: fn(&str) -> Option<i64>| {
        let map = resources.and_then(|resources| match kind {
            "limits" => resources.limits.as_ref(),
            _ => resources.requests.as_ref(),
        });
        let text = map.and_then(|map| map.get(name)).map(|quantity| quantity.0.as_str());
        let value = text.map(|text| {
            parse(text)
                .filter(|value| *value >= 0)
                .ok_or_else(|| PlanError::never(format!("resources.{kind}.{name} {text} is not a quantity")))
        });
        value.transpose()
    };
    let cpu_limit = quantity("limits", "cpu", milli_units)?.filter(|milli| *milli > 0);
    let cpu_request = quantity("requests", "cpu", milli_units)?.or(cpu_limit);
    let memory =
        quantity("limits", "memory", whole_units)?.filter(|bytes| *bytes > 0).or(limits.memory_bytes);

    let mut planned = LinuxResources::default();
    let mut pids = LinuxPids::default();
    pids.set_limit(limits.pids);
    planned.set_pids(Some(pids));
    if cpu_limit.is_some() || cpu_request.is_some() {
        let mut cpu = LinuxCpu::default();
        // 1024 shares are one processor, 2 the kernel's least. Source: the kubelet.
        let shares =
            cpu_request.map(|milli| u64::try_from(milli * 1024 / 1000).unwrap_or(0).clamp(2, 262_144));
        cpu.set_shares(shares);
        if let Some(milli) = cpu_limit {
            cpu.set_period(u64::try_from(CPU_PERIOD_MICROSECONDS).ok());
            cpu.set_quota(Some((milli.saturating_mul(CPU_PERIOD_MICROSECONDS) / 1000).max(1000)));
        }
        planned.set_cpu(Some(cpu));
    }
    if let Some(bytes) = memory {
        let mut memory = LinuxMemory::default();
        memory.set_limit(Some(bytes));
        // The same limit with swap included: no swap. Source: the kubelet.
        memory.set_swap(Some(bytes));
        planned.set_memory(Some(memory));
    }
    Ok(planned)
}

/// The system call filter that the security contexts ask for.
pub(crate) fn seccomp(
    own: Option<&SecurityContext>,
    pod: Option<&PodSecurityContext>,
    permissions: Permissions,
) -> Result<Seccomp, PlanError> {
    let profile =
        own.and_then(|own| own.seccomp_profile.as_ref()).or(pod.and_then(|pod| pod.seccomp_profile.as_ref()));
    match profile.map(|profile| profile.type_.as_str()) {
        None if own.and_then(|own| own.privileged) == Some(true) => Ok(Seccomp::Unconfined),
        None | Some("RuntimeDefault") => Ok(Seccomp::RuntimeDefault),
        Some("Unconfined") if permissions.privileged => Ok(Seccomp::Unconfined),
        Some("Unconfined") => Err(refused("securityContext.seccompProfile.type: Unconfined")),
        Some(other) => Err(PlanError::never(format!(
            "securityContext.seccompProfile.type: {other} is not supported yet"
        ))),
    }
}
