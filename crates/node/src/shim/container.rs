//! One container on its way through the runtime: root file system, bundle, control group, pipes, process, end.
//! It does not decide what its end means; `steps` and `together` do.
//! Invariant: when [`Container::finish`] has returned, no process of the container exists, and all it printed was read.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::time::Instant;

use archive::record::Stream;
use jiff::Timestamp;
use linux::cgroup::{Cgroups, Limits};
use linux::mount;
use linux::overlay::Overlay;
use linux::runtime::{Exit, Running, Runtime, Start, Stdio};
use oci_spec::runtime::{LinuxIdMappingBuilder, LinuxNamespaceType, Spec};
use sandbox::{ContainerPlan, Rootfs, Seccomp};

use super::log::{Log, chain};
use super::prepare::Prepared;
use super::tee;

/// How much is read of a stream at a time.
const READ_BYTES: usize = 64 * 1024;

/// What containers of one Pod share when they start.
pub(crate) struct Ground<'a> {
    pub(crate) dir: &'a Path,
    pub(crate) runtime: &'a Runtime,
    pub(crate) cgroups: &'a Cgroups,
    pub(crate) prepared: &'a Prepared,
    pub(crate) hidden: &'a [PathBuf],
    /// The Pod's uid.
    pub(crate) uid: &'a str,
}

/// A container that runs.
pub(crate) struct Container {
    pub(crate) id: String,
    pub(crate) log: Log,
    pub(crate) started_at: Timestamp,
    pub(crate) started: Instant,
    running: Running,
    out: Option<Tee>,
    err: Option<Tee>,
    rootfs: PathBuf,
}

/// One stream, and a file that gets a copy.
struct Tee {
    pipe: File,
    copy: Option<File>,
}

/// A container that could not be started.
pub(crate) struct Unstarted {
    /// Why, as the log has it too.
    pub(crate) message: String,
    /// The log, not ended yet.
    pub(crate) log: Log,
}

/// What a start gives.
struct Started {
    id: String,
    running: Running,
    out: Tee,
    err: Tee,
    rootfs: PathBuf,
}

/// How a container came to its end.
pub(crate) struct Ending {
    pub(crate) exit_code: i32,
    pub(crate) oom_killed: bool,
}

impl Ground<'_> {
    /// Starts a container; `attempt` counts its restarts. `spec` is the plan's, with references resolved.
    pub(crate) fn start(
        &self,
        plan: &ContainerPlan,
        mut spec: Spec,
        attempt: u32,
        mut log: Log,
    ) -> Result<Container, Box<Unstarted>> {
        match self.try_start(plan, &mut spec, attempt, &mut log) {
            Ok(Started { id, running, out, err, rootfs }) => {
                let (started_at, started) = (Timestamp::now(), Instant::now());
                Ok(Container {
                    id,
                    log,
                    started_at,
                    started,
                    running,
                    out: Some(out),
                    err: Some(err),
                    rootfs,
                })
            }
            Err(message) => {
                log.say(&message);
                Err(Box::new(Unstarted { message, log }))
            }
        }
    }

    fn try_start(
        &self,
        plan: &ContainerPlan,
        spec: &mut Spec,
        attempt: u32,
        log: &mut Log,
    ) -> Result<Started, String> {
        let id = format!("{}-{}-{attempt}", self.uid, plan.name);
        let bundle = self.dir.join("bundles").join(format!("{}-{attempt}", plan.name));
        let rootfs = bundle.join("rootfs");
        let io = |what: &str| {
            let what = what.to_owned();
            move |error: io::Error| format!("could not {what}: {error}")
        };
        fs::create_dir_all(&rootfs).map_err(io("make the container's directory"))?;
        self.mount_rootfs(plan, &rootfs, &bundle).map_err(|error| chain(&error))?;
        let limits = limits(spec);
        let group = self.cgroups.create(&format!("{}/{}", self.uid, plan.name), &limits);
        let group = group.map_err(|error| chain(&error))?;
        self.complete(plan, spec, &rootfs, group.oci_path());
        let config =
            serde_json::to_vec(spec).map_err(|error| format!("could not write config.json: {error}"))?;
        fs::write(bundle.join("config.json"), config).map_err(io("write config.json"))?;
        let copies = tee::open(plan.step.as_ref(), spec, &rootfs, self.prepared.userns.as_ref(), log);
        let pipe = || linux::process::pipe().map_err(|error| chain(&error));
        let ((out, stdout), (err, stderr)) = (pipe()?, pipe()?);
        let state_dir = self.dir.join("runtime");
        let start = Start { bundle: &bundle, id: &id, cgroup: Some(&group), state_dir: &state_dir };
        let started = self.runtime.start(&start, Stdio { stdin: None, stdout, stderr });
        let running = started.map_err(|error| {
            let _ = mount::unmount(&rootfs);
            match error {
                linux::Error::Container { message, .. } => message,
                other => chain(&other),
            }
        })?;
        for fd in [&out, &err] {
            rustix::io::ioctl_fionbio(fd, true)
                .map_err(|error| format!("could not read the log: {error}"))?;
        }
        let out = Tee { pipe: File::from(out), copy: copies.stdout };
        let err = Tee { pipe: File::from(err), copy: copies.stderr };
        Ok(Started { id, running, out, err, rootfs })
    }

    fn mount_rootfs(&self, plan: &ContainerPlan, rootfs: &Path, bundle: &Path) -> linux::Result<()> {
        let userns = self.prepared.userns.as_ref();
        match &plan.rootfs {
            Rootfs::Layers(layers) => {
                Overlay { layers: layers.clone(), scratch: bundle.join("scratch") }.mount(rootfs, userns)
            }
            Rootfs::Host => linux::hostview::mount(rootfs, self.hidden, userns),
        }
    }

    /// Fills in what only this machine and moment know.
    fn complete(&self, plan: &ContainerPlan, spec: &mut Spec, rootfs: &Path, cgroup: &str) {
        if let Some(root) = spec.root_mut() {
            root.set_path(rootfs.to_owned());
        }
        for mount in spec.mounts_mut().iter_mut().flatten() {
            let staged = mount.source().as_ref().and_then(|source| self.prepared.staged.get(source)).cloned();
            if let Some(staged) = staged {
                mount.set_source(Some(staged));
            }
        }
        let Some(linux) = spec.linux_mut() else { return };
        linux.set_cgroups_path(Some(PathBuf::from(cgroup)));
        if plan.seccomp == Seccomp::RuntimeDefault {
            linux.set_seccomp(Some(linux::seccomp::oci_profile()));
        }
        if let Some(userns) = &self.prepared.userns {
            let range = userns.range();
            let mapping = LinuxIdMappingBuilder::default()
                .container_id(range.inside)
                .host_id(range.outside)
                .size(range.count)
                .build()
                .ok();
            linux.set_uid_mappings(mapping.map(|mapping| vec![mapping]));
            linux.set_gid_mappings(mapping.map(|mapping| vec![mapping]));
        }
        if let Some(netns) = &self.prepared.netns {
            for namespace in linux.namespaces_mut().iter_mut().flatten() {
                if namespace.typ() == LinuxNamespaceType::Network {
                    namespace.set_path(Some(netns.path()));
                }
            }
        }
    }
}

impl Container {
    /// What to wait for: first the process, then streams that are open.
    pub(crate) fn fds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let streams = [&self.out, &self.err].into_iter().flatten().map(|tee| tee.pipe.as_fd());
        std::iter::once(self.running.pidfd()).chain(streams)
    }

    /// Reads what has been printed; true if more may be there already.
    pub(crate) fn read_streams(&mut self) -> bool {
        let out = read_stream(&mut self.out, Stream::Stdout, &mut self.log);
        let err = read_stream(&mut self.err, Stream::Stderr, &mut self.log);
        out || err
    }

    /// Whether the process has ended.
    pub(crate) fn has_ended(&self) -> bool {
        // An error here means that nothing can be said any more, and waiting says what.
        self.running.wait_ended(Some(std::time::Duration::ZERO)).unwrap_or(true)
    }

    /// Asks the container to end.
    pub(crate) fn terminate(&self) {
        let _ = self.running.signal(15);
    }

    /// Ends the container.
    pub(crate) fn kill(&self) {
        let _ = self.running.kill_all();
    }

    /// Collects a container that has ended, with its log.
    pub(crate) fn finish(mut self) -> (Ending, Log) {
        let exit = self.running.wait();
        // Its processes are gone, so everything they wrote is in the pipes and nothing follows.
        while self.read_streams() {}
        let _ = self.running.delete();
        let _ = mount::unmount(&self.rootfs);
        let ending = match exit {
            Ok(Exit { ended, oom_killed }) => {
                let exit_code = ended.exit_code();
                Ending { exit_code, oom_killed: oom_killed && exit_code != 0 }
            }
            Err(error) => {
                self.log.say(&chain(&error));
                Ending { exit_code: 137, oom_killed: false }
            }
        };
        (ending, self.log)
    }
}

/// Reads once from a stream; true if there may be more at once. A stream that has ended becomes `None`.
fn read_stream(tee: &mut Option<Tee>, stream: Stream, log: &mut Log) -> bool {
    let Some(open) = tee else { return false };
    let mut buffer = [0; READ_BYTES];
    match open.pipe.read(&mut buffer) {
        Ok(0) => {
            *tee = None;
            false
        }
        Ok(count) => {
            log.write(stream, &buffer[..count]);
            if let Some(copy) = &mut open.copy
                && let Err(error) = io::Write::write_all(copy, &buffer[..count])
            {
                log.say(&format!("could not copy the output to its file: {error}"));
                open.copy = None;
            }
            true
        }
        Err(error) if error.kind() == io::ErrorKind::Interrupted => true,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => false,
        Err(_) => {
            *tee = None;
            false
        }
    }
}

/// The limits that the plan put into the spec, for the control group.
fn limits(spec: &Spec) -> Limits {
    let resources = spec.linux().as_ref().and_then(|linux| linux.resources().as_ref());
    let memory = resources.and_then(|resources| resources.memory().as_ref());
    let cpu = resources.and_then(|resources| resources.cpu().as_ref());
    let pids = resources.and_then(|resources| resources.pids().as_ref());
    let positive = |value: i64| u64::try_from(value).ok().filter(|value| *value > 0);
    let cpu_millis = cpu.and_then(|cpu| {
        let (quota, period) = (positive(cpu.quota()?)?, cpu.period()?);
        (period > 0).then(|| quota.saturating_mul(1000) / period)
    });
    Limits {
        memory_bytes: memory.and_then(|memory| memory.limit()).and_then(positive),
        cpu_millis,
        pids: pids.and_then(|pids| positive(pids.limit())),
    }
}
