//! What a shim is told from outside: to stop its Pod, by a line in a pipe or by the death of its parent.
//! Invariant: a request that was written before the shim looked is not lost; the pipe lives in the Pod's directory.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags};

use super::job::CONTROL_FIFO;

/// A request to stop the Pod: SIGTERM, and SIGKILL after a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StopRequest {
    /// The while, in seconds; zero kills at once.
    pub(crate) grace_seconds: u64,
}

/// Makes the pipe, before the shim exists.
pub(crate) fn make_fifo(path: &Path) -> io::Result<()> {
    Ok(rustix::fs::mkfifoat(CWD, path, Mode::from_raw_mode(0o600))?)
}

/// Opens a pipe for reading and writing, so that it neither waits for the other side nor ends with it.
pub(crate) fn open_fifo(path: &Path) -> io::Result<File> {
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    OpenOptions::new().read(true).write(true).custom_flags(flags).open(path)
}

/// Writes a request into an opened pipe.
pub(crate) fn request_stop(mut fifo: &File, request: StopRequest) -> io::Result<()> {
    fifo.write_all(format!("stop {}\n", request.grace_seconds).as_bytes())
}

/// The listening side.
#[derive(Debug)]
pub(crate) struct Control {
    fifo: File,
    /// Standard input, which ends when the parent does; `None` when that does not matter.
    parent: Option<File>,
    unread: String,
}

impl Control {
    /// Opens the pipe in the Pod's directory.
    pub(crate) fn open(dir: &Path, parent: Option<File>) -> io::Result<Self> {
        Ok(Self { fifo: open_fifo(&dir.join(CONTROL_FIFO))?, parent, unread: String::new() })
    }

    /// What to wait for.
    pub(crate) fn fds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        std::iter::once(self.fifo.as_fd()).chain(self.parent.as_ref().map(|parent| parent.as_fd()))
    }

    /// The strictest request that has arrived.
    pub(crate) fn read(&mut self) -> Option<StopRequest> {
        let mut buffer = [0; 256];
        let mut strictest: Option<u64> = None;
        if let Some(parent) = &mut self.parent
            && linux::process::wait_readable(parent.as_fd(), Some(std::time::Duration::ZERO)).unwrap_or(true)
            && !matches!(parent.read(&mut buffer), Ok(1..))
        {
            self.parent = None;
            strictest = Some(0);
        }
        while let Ok(count @ 1..) = self.fifo.read(&mut buffer) {
            self.unread.push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
        while let Some((line, rest)) = self.unread.split_once('\n') {
            let seconds = line.strip_prefix("stop ").and_then(|seconds| seconds.parse().ok());
            strictest =
                seconds.map(|seconds| strictest.map_or(seconds, |other| other.min(seconds))).or(strictest);
            self.unread = rest.to_owned();
        }
        strictest.map(|grace_seconds| StopRequest { grace_seconds })
    }
}
