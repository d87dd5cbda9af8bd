//! Mounts: a private mount namespace, binds (also read-only through and through, and with mapped owners), detaching.
//! Root file systems are made by [`crate::overlay`] and [`crate::hostview`]; what is mounted *inside* a container is
//! the runtime's.
//! Invariant: a mount's flags and id mapping are set before it becomes visible anywhere.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::CWD;
use rustix::mount::{MountPropagationFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags};
use rustix::thread::UnshareFlags;

use crate::error::{Doing, Error, Result};
use crate::sys::{self, MountAttr};
use crate::userns::UserNamespace;

/// Gives this process a mount namespace of its own: mounts made in it are seen by nobody else and end with the last
/// process in it, while unmounts on the machine still reach it (so that it keeps no disk busy).
///
/// # Errors
/// [`Error::Threads`] with more than one thread; `EPERM` without `CAP_SYS_ADMIN`.
pub fn private_namespace() -> Result<()> {
    if sys::thread_count().doing(|| "count threads")? != 1 {
        return Err(Error::Threads("make a mount namespace"));
    }
    sys::unshare(UnshareFlags::NEWNS).doing(|| "make a mount namespace")?;
    rustix::mount::mount_change("/", MountPropagationFlags::REC | MountPropagationFlags::DOWNSTREAM)
        .doing(|| "keep mounts private")
}

/// One directory or file shown at another place.
#[derive(Clone, Copy, Debug)]
pub struct Bind<'a> {
    /// What is shown; symbolic links are followed.
    pub source: &'a Path,
    /// Where; it must exist and be of the same sort (directory or not).
    pub target: &'a Path,
    /// Whether mounts below the source are shown too.
    pub recursive: bool,
    /// Whether nothing may be changed through the target, at any depth.
    pub readonly: bool,
    /// Shows files owned by id 0, 1, .. on disk as owned by the namespace's id 0, 1, .. and the reverse for new
    /// files. Not possible together with `recursive` unless every file system below can do it.
    pub idmap: Option<&'a UserNamespace>,
}

impl Bind<'_> {
    /// Makes the bind. Set-user-id bits and device nodes never count through it.
    ///
    /// # Errors
    /// `EINVAL` or `EPERM` with `idmap` if the file system cannot map owners.
    pub fn mount(&self) -> Result<()> {
        let tree = clone_tree(self.source, self.recursive)?;
        let mut set = libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV;
        if self.readonly {
            set |= libc::MOUNT_ATTR_RDONLY;
        }
        set_attributes(tree.as_fd(), self.recursive, set)
            .doing(|| format!("set the flags of the mount of {}", self.source.display()))?;
        if let Some(userns) = self.idmap {
            map_owners(tree.as_fd(), self.recursive, userns)
                .doing(|| format!("map the owners of the files under {}", self.source.display()))?;
        }
        attach(tree.as_fd(), self.target)
    }
}

/// Mounts an empty file system in memory.
///
/// # Errors
/// The kernel's; also for options that it does not know.
pub fn tmpfs(target: &Path, options: &str) -> Result<()> {
    let fs = filesystem("tmpfs", options, libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV)?;
    attach(fs.as_fd(), target)
}

/// Detaches the mount at `target`, at once for new users and when the last open file closes for others. What is not a
/// mount (any more) is fine.
///
/// # Errors
/// `EPERM` without privilege.
pub fn unmount(target: &Path) -> Result<()> {
    match rustix::mount::unmount(target, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW) {
        Ok(()) | Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOENT) => Ok(()),
        Err(error) => Err(error).doing(|| format!("unmount {}", target.display())),
    }
}

/// A copy of the mount at `source`, or of the subtree there, attached nowhere yet.
pub(crate) fn clone_tree(source: &Path, recursive: bool) -> Result<OwnedFd> {
    let mut flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    if recursive {
        flags |= OpenTreeFlags::AT_RECURSIVE;
    }
    rustix::mount::open_tree(CWD, source, flags).doing(|| format!("open {} for mounting", source.display()))
}

/// Attaches a detached mount.
pub(crate) fn attach(tree: BorrowedFd<'_>, target: &Path) -> Result<()> {
    rustix::mount::move_mount(tree, "", CWD, target, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
        .doing(|| format!("mount on {}", target.display()))
}

/// Sets `MOUNT_ATTR_*` on a mount.
pub(crate) fn set_attributes(tree: BorrowedFd<'_>, recursive: bool, set: u64) -> std::io::Result<()> {
    sys::mount_setattr(tree, recursive, &MountAttr { set, ..MountAttr::default() })
}

/// Gives a detached mount the id mapping of a user namespace.
pub(crate) fn map_owners(
    tree: BorrowedFd<'_>,
    recursive: bool,
    userns: &UserNamespace,
) -> std::io::Result<()> {
    use std::os::fd::AsRawFd;
    let attr = MountAttr {
        set: libc::MOUNT_ATTR_IDMAP,
        userns_fd: userns.as_fd().as_raw_fd() as u64,
        ..MountAttr::default()
    };
    sys::mount_setattr(tree, recursive, &attr)
}

/// Makes a new instance of a file system from mount options as in `/proc/mounts` (`mode=755,size=64k`), attached
/// nowhere yet.
pub(crate) fn filesystem(kind: &str, options: &str, attributes: u64) -> Result<OwnedFd> {
    let make = || -> rustix::io::Result<OwnedFd> {
        let fs = rustix::mount::fsopen(kind, rustix::mount::FsOpenFlags::FSOPEN_CLOEXEC)?;
        for option in options.split(',').filter(|option| !option.is_empty()) {
            match option.split_once('=') {
                Some((key, value)) => rustix::mount::fsconfig_set_string(fs.as_fd(), key, value)?,
                None => rustix::mount::fsconfig_set_flag(fs.as_fd(), option)?,
            }
        }
        rustix::mount::fsconfig_create(fs.as_fd())?;
        let attributes = rustix::mount::MountAttrFlags::from_bits_retain(attributes as u32);
        rustix::mount::fsmount(fs.as_fd(), rustix::mount::FsMountFlags::FSMOUNT_CLOEXEC, attributes)
    };
    make().doing(|| format!("make a file system of type {kind} with options `{options}`"))
}
