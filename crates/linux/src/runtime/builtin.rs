//! The built-in OCI runtime, outside of the container: prepare what needs the machine's own rights, make the first
//! process in its new namespaces, tell it to go on, and hear from it.
//! What happens inside is in [`super::child`].
//!
//! Order: bind sources are opened here as detached mounts (the child could not reach them once it has other ids); the
//! child is born into its namespaces and control groups; ids, resource limits and the OOM score are set from outside;
//! one byte releases it; then its report is read to the end: text is a failure, nothing is success, because the pipe
//! closes when the program is executed.
//! Invariant: no process is left when an error is returned.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::process::{Pid, Rlimit};
use rustix::thread::LinkNameSpaceType;

use super::api::{Running, Start, Stdio};
use super::child;
use super::plan::{MountSource, Plan};
use crate::error::{Doing, Error, Result};
use crate::mount;
use crate::process::{self, PidFd};
use crate::sys::{self, Cloned};

/// What the child gets, besides the plan: all of it is opened before it exists.
pub(super) struct Prepared {
    pub plan: Plan,
    pub root: OwnedFd,
    /// For each mount of the plan, what could be mounted outside already, and whether it is a directory.
    pub sources: Vec<Option<(OwnedFd, bool)>>,
    /// Own control groups to show, by controller; the empty name for version 2.
    pub cgroups: Vec<(&'static str, OwnedFd)>,
    /// `tasks` files to write `0` to.
    pub join: Vec<OwnedFd>,
    /// A network namespace that the child enters itself.
    pub network: Option<OwnedFd>,
    pub stdin: OwnedFd,
    pub stdout: OwnedFd,
    pub stderr: OwnedFd,
}

/// Starts a container.
pub(super) fn start(start: &Start<'_>, stdio: Stdio) -> Result<Running> {
    let plan = Plan::read(start.bundle)?;
    let v2 = start.cgroup.map(|group| group.open_v2()).transpose()?.flatten();
    let outer_network = File::open("/proc/self/ns/net").doing(|| "open the network namespace")?;
    let mut network = plan.network.as_ref().map(|path| open_network(path)).transpose()?;
    // With a user namespace of its own, the child would have no right to enter a network namespace: be born in it.
    let born_in = network.take_if(|_| plan.ids.is_some());
    if let Some(network) = &born_in {
        enter_network(network.as_fd())?;
    }
    let started = prepare(plan, network, start, stdio).and_then(|prepared| fork(start, prepared, v2));
    if born_in.is_some() {
        enter_network(outer_network.as_fd())?;
    }
    started
}

fn open_network(path: &Path) -> Result<OwnedFd> {
    File::open(path).map(OwnedFd::from).doing(|| format!("open network namespace {}", path.display()))
}

fn enter_network(network: BorrowedFd<'_>) -> Result<()> {
    rustix::thread::move_into_link_name_space(network, Some(LinkNameSpaceType::Network))
        .doing(|| "enter the network namespace")
}

fn prepare(plan: Plan, network: Option<OwnedFd>, start: &Start<'_>, stdio: Stdio) -> Result<Prepared> {
    let root = mount::clone_tree(&plan.root, true)?;
    // Device nodes of images, and those that a program could make, must not work.
    mount::set_attributes(root.as_fd(), true, libc::MOUNT_ATTR_NODEV)
        .doing(|| format!("set the flags of the mount of {}", plan.root.display()))?;
    let sources = plan.mounts.iter().map(|mount| match &mount.source {
        MountSource::Bind { path, recursive } => {
            let tree = mount::clone_tree(path, *recursive)?;
            let directory = fs::metadata(path).doing(|| format!("look at {}", path.display()))?.is_dir();
            let nodev = if directory { libc::MOUNT_ATTR_NODEV } else { 0 };
            mount::set_attributes(tree.as_fd(), *recursive, mount.attributes | nodev)
                .doing(|| format!("set the flags of the mount of {}", path.display()))?;
            Ok(Some((tree, directory)))
        }
        // Only the owner of the network namespace may mount it: us, if the child has a user namespace of its own.
        MountSource::New { kind, options } if kind == "sysfs" && plan.ids.is_some() => {
            Ok(mount::filesystem(kind, options, mount.attributes).ok().map(|tree| (tree, true)))
        }
        _ => Ok(None),
    });
    let sources = sources.collect::<Result<_>>()?;
    let mut cgroups = Vec::new();
    if plan.mounts.iter().any(|mount| matches!(mount.source, MountSource::Cgroup)) {
        for (controller, directory) in start.cgroup.map(|group| group.directories()).unwrap_or_default() {
            cgroups.push((controller, mount::clone_tree(&directory, false)?));
        }
    }
    let join = start.cgroup.map(|group| group.join_v1()).transpose()?.unwrap_or_default();
    let stdin = match stdio.stdin {
        Some(stdin) => stdin,
        None => process::dev_null()?,
    };
    let user = (plan.process.uid, plan.process.gid);
    let (uid, gid) = plan.ids.as_ref().map_or(user, |ids| ids.owner);
    for stream in [&stdin, &stdio.stdout, &stdio.stderr] {
        give_pipe(stream, uid, gid);
    }
    let (stdout, stderr) = (stdio.stdout, stdio.stderr);
    Ok(Prepared { plan, root, sources, cgroups, join, network, stdin, stdout, stderr })
}

/// Makes the container's user the owner of a pipe, so that it can open `/dev/stdout`. A user that does not exist here
/// (one id only, in rootless) cannot own it, and the program sees that when it tries.
fn give_pipe(stream: &OwnedFd, uid: u32, gid: u32) {
    let Ok(status) = rustix::fs::fstat(stream) else { return };
    if rustix::fs::FileType::from_raw_mode(status.st_mode) == rustix::fs::FileType::Fifo {
        let (uid, gid) = (rustix::fs::Uid::from_raw(uid), rustix::fs::Gid::from_raw(gid));
        let _ = rustix::fs::fchown(stream, Some(uid), Some(gid));
    }
}

fn fork(start: &Start<'_>, prepared: Prepared, v2: Option<OwnedFd>) -> Result<Running> {
    let (go_read, go_write) = process::pipe()?;
    let (report_read, report_write) = process::pipe()?;
    let (outcome_read, outcome_write) = process::pipe()?;
    let oom_kills_before = start.cgroup.map_or(0, crate::cgroup::Group::oom_kills);
    // The group's namespace is made later by the child, which is then in the group.
    let flags = prepared.plan.namespaces & !libc::CLONE_NEWCGROUP;
    let cloned = match sys::clone3(flags, v2.as_ref().map(AsFd::as_fd)) {
        Err(error) if error.raw_os_error() == Some(libc::EBUSY) => {
            return Err(Error::Threads("start a container"));
        }
        other => other.doing(|| "make the container's namespaces")?,
    };
    let Cloned::Parent { pid, pidfd } = cloned else {
        drop((go_write, report_read, outcome_read));
        child::run(prepared, go_read, report_write, outcome_write)
    };
    drop((go_read, report_write, outcome_write));
    let process = PidFd::from_parts(pid, pidfd);
    let told = set_from_outside(pid, &prepared.plan).and_then(|()| {
        File::from(go_write).write_all(&[1]).doing(|| "release the container's first process")
    });
    let mut report = String::new();
    let heard = File::from(report_read).read_to_string(&mut report).doing(|| "hear from the container");
    let failed = match (told, heard) {
        (Err(error), _) | (_, Err(error)) => Some(error),
        (Ok(()), Ok(_)) if report.is_empty() => None,
        (Ok(()), Ok(_)) => Some(Error::Container { id: start.id.to_owned(), message: report }),
    };
    if let Some(error) = failed {
        let _ = process.signal(libc::SIGKILL);
        let _ = process.wait();
        return Err(error);
    }
    Ok(Running {
        process,
        outcome: Some(outcome_read),
        external: None,
        cgroup: start.cgroup.cloned(),
        oom_kills_before,
    })
}

/// What only this side has the right to do.
fn set_from_outside(pid: i32, plan: &Plan) -> Result<()> {
    let write = |file: &str, text: &str| {
        let path = format!("/proc/{pid}/{file}");
        fs::write(&path, text).doing(|| format!("write `{}` to {path}", text.trim_end()))
    };
    if let Some(ids) = &plan.ids {
        write("uid_map", &ids.uid)?;
        write("gid_map", &ids.gid)?;
    }
    if let Some(score) = plan.process.oom_score_adj {
        write("oom_score_adj", &score.to_string())?;
    }
    for (resource, soft, hard) in &plan.process.limits {
        let finite = |value: u64| (value != u64::MAX).then_some(value);
        let limit = Rlimit { current: finite(*soft), maximum: finite(*hard) };
        rustix::process::prlimit(Pid::from_raw(pid), *resource, limit)
            .doing(|| format!("set resource limit {resource:?}"))?;
    }
    Ok(())
}
