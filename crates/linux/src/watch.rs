//! Waiting for files to appear in a directory, without polling.
//! For small control directories; it does not follow subdirectories.
//! Invariant: every change after [`DirectoryWatch::new`] returned is seen by the next [`DirectoryWatch::wait`].

use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};

use crate::error::{Doing, Result};
use crate::process::wait_readable;

/// Tells when files in one directory are made, completed, moved in or removed.
#[derive(Debug)]
pub struct DirectoryWatch {
    fd: OwnedFd,
}

impl DirectoryWatch {
    /// Begins to watch.
    ///
    /// # Errors
    /// If the directory is missing, or the user's limit of inotify instances is reached.
    pub fn new(directory: &Path) -> Result<Self> {
        let fd = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).doing(|| "watch files")?;
        let changes =
            WatchFlags::CREATE | WatchFlags::CLOSE_WRITE | WatchFlags::MOVED_TO | WatchFlags::DELETE;
        inotify::add_watch(&fd, directory, changes).doing(|| format!("watch {}", directory.display()))?;
        Ok(Self { fd })
    }

    /// Waits for a change, at most for `timeout`; true if there was one. Then look at the directory.
    ///
    /// # Errors
    /// Those of `poll`.
    pub fn wait(&self, timeout: Option<Duration>) -> Result<bool> {
        let changed = wait_readable(self.fd.as_fd(), timeout).doing(|| "wait for files")?;
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut reader = inotify::Reader::new(&self.fd, &mut buffer);
        while reader.next().is_ok() {}
        Ok(changed)
    }
}

impl AsFd for DirectoryWatch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
