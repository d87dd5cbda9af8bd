//! Processes by pidfd: start our own binary again, wait, signal, adopt orphans, notice a parent's death.
//! Does not start containers; see [`crate::runtime`].
//! Invariant: no process is signalled by its number after it could have been reused.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, WaitId, WaitIdOptions};

use crate::error::{Doing, Result};

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It called exit, with this code.
    Code(u8),
    /// This signal ended it.
    Signal(i32),
}

impl Ended {
    /// The exit code as shells and Kubernetes report it: 128 and the signal's number for a signal.
    #[must_use]
    pub fn exit_code(self) -> i32 {
        match self {
            Self::Code(code) => code.into(),
            Self::Signal(signal) => 128 + signal,
        }
    }
}

/// A process, held by a descriptor that never means another one.
#[derive(Debug)]
pub struct PidFd {
    pid: i32,
    fd: OwnedFd,
}

impl PidFd {
    /// Takes hold of a running process. Give the number of a child that has not been waited for, or check
    /// afterwards that it still is the process that was meant.
    ///
    /// # Errors
    /// `ESRCH` if there is no such process.
    pub fn open(pid: i32) -> Result<Self> {
        let fd = Pid::from_raw(pid)
            .ok_or(rustix::io::Errno::SRCH)
            .and_then(|pid| rustix::process::pidfd_open(pid, PidfdFlags::empty()))
            .doing(|| format!("open process {pid}"))?;
        Ok(Self { pid, fd })
    }

    pub(crate) fn from_parts(pid: i32, fd: OwnedFd) -> Self {
        Self { pid, fd }
    }

    /// The process id, for messages and `/proc`.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Sends a signal by number, for example 15.
    ///
    /// # Errors
    /// `ESRCH` if it has ended.
    pub fn signal(&self, signal: i32) -> Result<()> {
        Signal::from_named_raw(signal)
            .ok_or(rustix::io::Errno::INVAL)
            .and_then(|signal| rustix::process::pidfd_send_signal(&self.fd, signal))
            .doing(|| format!("send signal {signal} to process {}", self.pid))
    }

    /// Waits until the process has ended, at most for `timeout`. True if it has ended. Works for any process, and
    /// does not collect its exit status.
    ///
    /// # Errors
    /// Only those of `poll` itself.
    pub fn wait_ended(&self, timeout: Option<Duration>) -> Result<bool> {
        wait_readable(self.fd.as_fd(), timeout).doing(|| format!("wait for process {}", self.pid))
    }

    /// Waits for a child of this process, and collects its exit status.
    ///
    /// # Errors
    /// `ECHILD` if it is not a child, or was collected before.
    pub fn wait(&self) -> Result<Ended> {
        loop {
            match rustix::process::waitid(WaitId::PidFd(self.fd.as_fd()), WaitIdOptions::EXITED) {
                Ok(Some(status)) => {
                    return Ok(match (status.exit_status(), status.terminating_signal()) {
                        (Some(code), _) => Ended::Code(code as u8),
                        (None, signal) => Ended::Signal(signal.unwrap_or(libc::SIGKILL)),
                    });
                }
                Ok(None) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error).doing(|| format!("wait for process {}", self.pid)),
            }
        }
    }
}

impl AsFd for PidFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Waits until a descriptor is readable, at most for `timeout`. True if it is.
///
/// # Errors
/// Those of `poll`, never an interruption.
pub fn wait_readable(fd: BorrowedFd<'_>, timeout: Option<Duration>) -> io::Result<bool> {
    let limit = timeout.map(|time| Timespec {
        tv_sec: time.as_secs().try_into().unwrap_or(i64::MAX),
        tv_nsec: time.subsec_nanos().into(),
    });
    loop {
        match poll(&mut [PollFd::new(&fd, PollFlags::IN)], limit.as_ref()) {
            Ok(count) => return Ok(count > 0),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// A command that starts this very binary again, also if its file was replaced or removed meanwhile, with
/// `name` as its first argument word in the process list.
#[must_use]
pub fn reexec(name: &str) -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.arg0(name);
    command
}

/// Makes this process the one that inherits its descendants when their own parents end, so that it can wait for
/// containers which an external runtime started.
///
/// # Errors
/// None known.
pub fn become_subreaper() -> Result<()> {
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
        .doing(|| "become the reaper of orphaned processes")
}

/// Asks the kernel to kill this process when the thread that started it ends.
///
/// # Errors
/// None known.
pub fn die_with_parent() -> Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
        .doing(|| "tie this process to its parent")
}

/// Detaches this process from its terminal and from signals sent to its group.
///
/// # Errors
/// `EPERM` if it already leads a process group.
pub fn new_session() -> Result<()> {
    rustix::process::setsid().map(drop).doing(|| "start a session")
}

/// Collects all children that have ended, other than those someone holds a [`PidFd`] of and will wait for
/// itself: call it only where no such child can exist.
pub fn reap_orphans() {
    while let Ok(Some(_)) = rustix::process::wait(rustix::process::WaitOptions::NOHANG) {}
}

/// `/dev/null`, opened for reading and writing.
///
/// # Errors
/// If the machine has none.
pub fn dev_null() -> Result<OwnedFd> {
    File::options().read(true).write(true).open("/dev/null").map(OwnedFd::from).doing(|| "open /dev/null")
}

/// A pipe whose ends are not inherited by programs: (read end, write end).
///
/// # Errors
/// Out of descriptors.
pub fn pipe() -> Result<(OwnedFd, OwnedFd)> {
    rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).doing(|| "make a pipe")
}
