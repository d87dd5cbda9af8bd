//! Files in directories that containers may write to.
//! Invariant: no path leads out of the directory that was opened, whatever symbolic links, pipes or devices a
//! container has put there, and no call waits for anybody.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path};

use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, ResolveFlags, Uid};
use rustix::io::Errno;

/// A directory, held open.
#[derive(Debug)]
pub(crate) struct Directory(OwnedFd);

impl Directory {
    /// Opens a directory of our own.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self(rustix::fs::open(path, flags, Mode::empty())?))
    }

    /// The content of a regular file, at most `max` bytes and one more; `None` when there is no such file.
    pub(crate) fn read(&self, path: &Path, max: u64) -> io::Result<Option<Vec<u8>>> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = match self.open_beneath(path, flags, Mode::empty()) {
            Ok(file) => file,
            Err(Errno::NOENT | Errno::LOOP | Errno::NOTDIR | Errno::XDEV) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let kind = FileType::from_raw_mode(rustix::fs::fstat(&file)?.st_mode);
        if kind != FileType::RegularFile {
            return Ok(None);
        }
        let mut content = Vec::new();
        File::from(file).take(max + 1).read_to_end(&mut content)?;
        Ok(Some(content))
    }

    /// Replaces the content of a file.
    pub(crate) fn write(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = self.open_beneath(path, flags, Mode::from_raw_mode(0o644))?;
        File::from(file).write_all(content)
    }

    /// Opens what is at `path` as a place to mount from; makes directories where nothing is, owned by `owner`.
    pub(crate) fn place(&self, path: &Path, owner: Option<(u32, u32)>) -> io::Result<OwnedFd> {
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        match self.open_following(path, flags) {
            Err(Errno::NOENT) => {}
            other => return Ok(other?),
        }
        let mut made = std::path::PathBuf::new();
        for part in path.components() {
            let Component::Normal(name) = part else { continue };
            let parent = if made.as_os_str().is_empty() {
                self.0.as_fd().try_clone_to_owned()?
            } else {
                self.open_following(&made, flags | OFlags::DIRECTORY)?
            };
            match rustix::fs::mkdirat(&parent, name, Mode::from_raw_mode(0o777)) {
                Ok(()) => {
                    if let Some((uid, gid)) = owner {
                        let (uid, gid) = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
                        rustix::fs::chownat(&parent, name, uid, gid, AtFlags::SYMLINK_NOFOLLOW)?;
                    }
                }
                Err(Errno::EXIST) => {}
                Err(error) => return Err(error.into()),
            }
            made.push(name);
        }
        Ok(self.open_following(&made, flags)?)
    }

    fn open_beneath(&self, path: &Path, flags: OFlags, mode: Mode) -> rustix::io::Result<OwnedFd> {
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        retried(|| rustix::fs::openat2(&self.0, path, flags | OFlags::NOFOLLOW, mode, resolve))
    }

    fn open_following(&self, path: &Path, flags: OFlags) -> rustix::io::Result<OwnedFd> {
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        retried(|| rustix::fs::openat2(&self.0, path, flags, Mode::empty(), resolve))
    }
}

/// The kernel gives up with `EAGAIN` when a rename anywhere raced with the walk.
fn retried<T>(mut call: impl FnMut() -> rustix::io::Result<T>) -> rustix::io::Result<T> {
    for _ in 0..100 {
        match call() {
            Err(Errno::AGAIN | Errno::INTR) => {}
            other => return other,
        }
    }
    call()
}
