//! The interface to an OCI runtime: start a container from a bundle, wait, signal, delete.
//! The bundle is a directory with `config.json` (an OCI runtime spec) and the root file system that it names; whoever
//! calls makes both. How a container is made is in [`super::builtin`] and [`super::external`].
//! Invariant: a [`Running`] container is a child of this process, held by a pidfd; dropping the value does not stop it.

use std::fmt;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use super::{builtin, external};
use crate::cgroup::Group;
use crate::error::{Error, Result};
use crate::process::{Ended, PidFd};

/// Which runtime makes containers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Runtime {
    /// Our own, in this binary: nothing needs to be installed.
    Builtin,
    /// A program with the command line of `runc`: `crun`, `runc`, `runsc`, `kata-runtime`, `youki`.
    External(PathBuf),
}

impl FromStr for Runtime {
    type Err = Error;

    /// Reads `builtin`, a program name to look up in `PATH`, or a path.
    fn from_str(text: &str) -> Result<Self> {
        if text == "builtin" {
            return Ok(Self::Builtin);
        }
        let found = if text.contains('/') {
            Some(PathBuf::from(text)).filter(|path| path.is_file())
        } else {
            let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/sbin:/usr/bin:/sbin:/bin".into());
            let sbin = ["/usr/sbin", "/sbin"].map(PathBuf::from);
            std::env::split_paths(&path).chain(sbin).map(|dir| dir.join(text)).find(|path| path.is_file())
        };
        found.map(Self::External).ok_or_else(|| {
            Error::Missing(format!("OCI runtime `{text}` was not found: install it, or use `builtin`"))
        })
    }
}

impl fmt::Display for Runtime {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Builtin => formatter.write_str("builtin"),
            Self::External(path) => path.display().fmt(formatter),
        }
    }
}

/// Where a container's three standard streams lead. Pipes are given to the container's user, so that it can open
/// `/dev/stdout` again.
#[derive(Debug)]
pub struct Stdio {
    /// Standard input; `/dev/null` if absent.
    pub stdin: Option<OwnedFd>,
    /// Standard output.
    pub stdout: OwnedFd,
    /// Standard error.
    pub stderr: OwnedFd,
}

/// A container to start.
#[derive(Debug)]
pub struct Start<'a> {
    /// The directory with `config.json`.
    pub bundle: &'a Path,
    /// The container's id, unique on this machine for external runtimes: letters, digits, `_`, `-`, `.`.
    pub id: &'a str,
    /// The group that the container's processes are put into. Its limits are set by the caller; an external runtime
    /// finds it by `linux.cgroupsPath`, which must be [`Group::oci_path`].
    pub cgroup: Option<&'a Group>,
    /// Where an external runtime keeps its state.
    pub state_dir: &'a Path,
}

impl Runtime {
    /// Starts the container's process and returns once its program runs.
    ///
    /// Wants a process with one thread and, for an external runtime, one that has called
    /// [`crate::process::become_subreaper`]. The built-in runtime runs a first process of its own in the container
    /// that passes signals on to the program's process group and collects orphans, so that a program without handlers
    /// ends on SIGTERM.
    ///
    /// # Errors
    /// [`Error::Container`] with the failed step and its cause (a missing program, a mount without a source), and
    /// [`Error::Spec`] for a configuration that is not understood. Nothing is left running.
    pub fn start(&self, start: &Start<'_>, stdio: Stdio) -> Result<Running> {
        match self {
            Self::Builtin => builtin::start(start, stdio),
            Self::External(program) => external::start(program, start, stdio),
        }
    }
}

/// How a container ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    /// The program's exit code or signal.
    pub ended: Ended,
    /// Whether the kernel killed a process of it for lack of memory. Known only with a control group.
    pub oom_killed: bool,
}

/// A started container.
#[derive(Debug)]
pub struct Running {
    pub(super) process: PidFd,
    /// Where the built-in runtime's first process tells how the program really ended.
    pub(super) outcome: Option<OwnedFd>,
    pub(super) external: Option<external::Handle>,
    pub(super) cgroup: Option<Group>,
    pub(super) oom_kills_before: u64,
}

impl Running {
    /// The process id of the container's first process, as this process sees it.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.process.pid()
    }

    /// Becomes readable when the container has ended; for `poll` or tokio's `AsyncFd`.
    #[must_use]
    pub fn pidfd(&self) -> BorrowedFd<'_> {
        self.process.as_fd()
    }

    /// Waits at most for `timeout`; true if the container has ended. Then [`Running::wait`] returns at once.
    ///
    /// # Errors
    /// Those of `poll`.
    pub fn wait_ended(&self, timeout: Option<Duration>) -> Result<bool> {
        self.process.wait_ended(timeout)
    }

    /// Waits until the container has ended, with all of its processes.
    ///
    /// # Errors
    /// `ECHILD` if this process did not start it, or has waited before.
    pub fn wait(&mut self) -> Result<Exit> {
        let mut ended = match &self.external {
            Some(_) => external::wait(&self.process)?,
            None => self.process.wait()?,
        };
        if let Some(outcome) = self.outcome.take() {
            let mut status = [0; 4];
            if std::fs::File::from(outcome).read_exact(&mut status).is_ok() {
                ended = decode(i32::from_ne_bytes(status));
            }
        }
        let kills = self.cgroup.as_ref().map_or(0, Group::oom_kills);
        Ok(Exit { ended, oom_killed: kills > self.oom_kills_before })
    }

    /// Sends a signal to the program (with the built-in runtime: to its process group).
    ///
    /// # Errors
    /// `ESRCH` if it has ended.
    pub fn signal(&self, signal: i32) -> Result<()> {
        self.process.signal(signal)
    }

    /// Kills every process of the container. It has ended when [`Running::wait`] returns.
    ///
    /// # Errors
    /// None if it has already ended.
    pub fn kill_all(&self) -> Result<()> {
        match self.process.signal(libc::SIGKILL) {
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(()),
            other => other,
        }?;
        match (&self.external, &self.cgroup) {
            (Some(_), Some(group)) => group.kill(),
            _ => Ok(()),
        }
    }

    /// Removes what the runtime keeps about an ended container. The control group, the mounts and the bundle are the
    /// caller's.
    ///
    /// # Errors
    /// [`Error::Container`] from an external runtime.
    pub fn delete(self) -> Result<()> {
        self.external.map_or(Ok(()), external::Handle::delete)
    }
}

/// Reads a wait status as `waitpid` gives it.
fn decode(status: i32) -> Ended {
    if libc::WIFSIGNALED(status) {
        Ended::Signal(libc::WTERMSIG(status))
    } else {
        Ended::Code(libc::WEXITSTATUS(status) as u8)
    }
}
