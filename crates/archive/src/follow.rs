//! Waits for a directory to change, by inotify: how a reader follows a log without polling.
//! Invariant: a change after [`Changes::new`] is never missed, because the watch is made before any reading.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::inotify;
use tokio::io::unix::AsyncFd;

/// Changes of the files in one directory.
pub(crate) struct Changes {
    descriptor: AsyncFd<OwnedFd>,
}

impl Changes {
    /// Watches `directory`, which must exist. Needs a tokio runtime with its I/O driver.
    pub(crate) fn new(directory: &Path) -> io::Result<Self> {
        let descriptor = inotify::init(inotify::CreateFlags::NONBLOCK | inotify::CreateFlags::CLOEXEC)?;
        let wanted = inotify::WatchFlags::MODIFY | inotify::WatchFlags::CREATE;
        inotify::add_watch(&descriptor, directory, wanted)?;
        #[expect(
            deprecated,
            reason = "an OwnedFd keeps what `register` asks for, and unsafe code lives elsewhere"
        )]
        let descriptor = AsyncFd::new(descriptor)?;
        Ok(Self { descriptor })
    }

    /// Returns once something changed since the last call; takes all changes up to then.
    pub(crate) async fn wait(&mut self) -> io::Result<()> {
        loop {
            let mut ready = self.descriptor.readable_mut().await?;
            let mut buffer = [MaybeUninit::uninit(); 4096];
            let mut changed = false;
            loop {
                match rustix::io::read(ready.get_inner(), &mut buffer) {
                    Ok((filled, _)) if !filled.is_empty() => changed = true,
                    Ok(_) => break,
                    Err(rustix::io::Errno::AGAIN) => {
                        ready.clear_ready();
                        break;
                    }
                    Err(error) => return Err(error.into()),
                }
            }
            if changed {
                return Ok(());
            }
        }
    }
}
