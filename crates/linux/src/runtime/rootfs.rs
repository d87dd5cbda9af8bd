//! Building the container's file tree from inside: mounts, devices, masked and read-only paths, then the move into it.
//! Every path is resolved below the root's descriptor (`openat2` with `RESOLVE_IN_ROOT`) and every mount is attached by
//! descriptor, so that links in an image cannot lead anything out of it.
//! Invariant: when [`enter`] returns, the machine's files are out of reach.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags};
use rustix::mount::{MountPropagationFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags};

use super::builtin::Prepared;
use super::plan::{MountPlan, MountSource};
use crate::error::{Doing, Result};
use crate::mount::{self, filesystem, set_attributes};

/// How many links to nothing are followed on the way to a mount point, as many as the kernel follows links.
const LINKS_MAX: u32 = 40;
/// The devices that every container has.
const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];
/// Links in `/dev`, with what they lead to.
const LINKS: [(&str, &str); 5] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("ptmx", "pts/ptmx"),
];

/// Puts the root file system where it can become the root. Needs the ids that the process was born with.
pub(super) fn attach_root(prepared: &Prepared) -> Result<()> {
    rustix::mount::mount_change("/", MountPropagationFlags::REC | MountPropagationFlags::PRIVATE)
        .doing(|| "keep mounts private")?;
    mount::attach(prepared.root.as_fd(), &prepared.plan.root)
}

/// Mounts everything that the plan lists, below the attached root.
pub(super) fn build(prepared: &Prepared) -> Result<()> {
    let root = prepared.root.as_fd();
    for (mount, source) in prepared.plan.mounts.iter().zip(&prepared.sources) {
        mount_one(prepared, mount, source.as_ref())
            .map_err(|error| within(error, "mount on", &mount.destination))?;
        if mount.destination == Path::new("/dev") && matches!(mount.source, MountSource::New { .. }) {
            devices(root, &prepared.plan.devices)?;
        }
    }
    for (key, value) in &prepared.plan.sysctl {
        sysctl(root, key, value)?;
    }
    for path in &prepared.plan.readonly {
        make_readonly(root, path).doing(|| format!("make {} read-only", path.display()))?;
    }
    for path in &prepared.plan.masked {
        mask(root, path)?;
    }
    make(root, &prepared.plan.process.cwd, true)
        .doing(|| format!("make working directory {}", prepared.plan.process.cwd.display()))?;
    if prepared.plan.root_readonly {
        set_attributes(root, false, libc::MOUNT_ATTR_RDONLY).doing(|| "make the root read-only")?;
    }
    Ok(())
}

/// Makes the attached root the root directory, and forgets the old one.
pub(super) fn enter(root: BorrowedFd<'_>) -> Result<()> {
    let moved = rustix::process::fchdir(root)
        .and_then(|()| rustix::process::pivot_root(".", "."))
        .and_then(|()| rustix::mount::unmount(".", UnmountFlags::DETACH))
        .and_then(|()| rustix::process::chdir("/"));
    moved.doing(|| "move into the root file system")
}

fn within(error: crate::Error, what: &str, path: &Path) -> crate::Error {
    crate::Error::Os {
        doing: format!("{what} {} in the container", path.display()),
        source: io::Error::other(error.chain()),
    }
}

fn mount_one(prepared: &Prepared, mount: &MountPlan, source: Option<&(OwnedFd, bool)>) -> Result<()> {
    let root = prepared.root.as_fd();
    let directory = source.is_none_or(|(_, directory)| *directory);
    let target = make(root, &mount.destination, directory).doing(|| "make the mount point")?;
    match (&mount.source, source) {
        (_, Some((tree, _))) => attach_fd(tree.as_fd(), target.as_fd()).doing(|| "attach"),
        (MountSource::New { kind, options }, None) => {
            let tree = new_instance(kind, options, mount.attributes)?;
            attach_fd(tree.as_fd(), target.as_fd()).doing(|| "attach")
        }
        (MountSource::Cgroup, None) => cgroups(prepared, mount, target.as_fd()),
        (MountSource::Bind { .. }, None) => Ok(()),
    }
}

fn new_instance(kind: &str, options: &str, attributes: u64) -> Result<OwnedFd> {
    match filesystem(kind, options, attributes) {
        // Where only the machine's owner may mount sysfs anew, its own is shown, read-only.
        Err(error) if kind == "sysfs" && error.raw_os_error() == Some(libc::EPERM) => {
            let tree = mount::clone_tree(Path::new("/sys"), true)?;
            set_attributes(tree.as_fd(), true, attributes | libc::MOUNT_ATTR_RDONLY)
                .doing(|| "make /sys read-only")?;
            Ok(tree)
        }
        // Group `tty` does not exist where only one id is mapped.
        Err(error) if kind == "devpts" && error.raw_os_error() == Some(libc::EINVAL) => {
            let rest: Vec<&str> = options.split(',').filter(|option| !option.starts_with("gid=")).collect();
            filesystem(kind, &rest.join(","), attributes)
        }
        other => other,
    }
}

/// Shows the container its own groups: as the whole tree on version 2, one directory for each controller otherwise.
fn cgroups(prepared: &Prepared, mount: &MountPlan, target: BorrowedFd<'_>) -> Result<()> {
    let attributes = mount.attributes
        | libc::MOUNT_ATTR_RDONLY
        | libc::MOUNT_ATTR_NOSUID
        | libc::MOUNT_ATTR_NODEV
        | libc::MOUNT_ATTR_NOEXEC;
    if let [("", tree)] = prepared.cgroups.as_slice() {
        set_attributes(tree.as_fd(), false, attributes).doing(|| "make it read-only")?;
        return attach_fd(tree.as_fd(), target).doing(|| "attach");
    }
    let top = filesystem("tmpfs", "mode=0755,size=64k", attributes & !libc::MOUNT_ATTR_RDONLY)?;
    attach_fd(top.as_fd(), target).doing(|| "attach")?;
    for (controller, tree) in &prepared.cgroups {
        set_attributes(tree.as_fd(), false, attributes).doing(|| "make it read-only")?;
        let place = make(top.as_fd(), Path::new(controller), true).doing(|| "make the mount point")?;
        attach_fd(tree.as_fd(), place.as_fd()).doing(|| "attach")?;
    }
    set_attributes(top.as_fd(), false, attributes).doing(|| "make it read-only")
}

/// The machine's own device nodes, bound: nobody in a user namespace may make nodes, and nothing else is needed.
fn devices(root: BorrowedFd<'_>, more: &[PathBuf]) -> Result<()> {
    let own = DEVICES.iter().map(|name| Path::new("/dev").join(name));
    for path in own.chain(more.iter().cloned()) {
        let tree = mount::clone_tree(&path, false)?;
        let placed = make(root, &path, false).and_then(|target| attach_fd(tree.as_fd(), target.as_fd()));
        placed.doing(|| format!("put device {} into the container", path.display()))?;
    }
    let dev = resolve(root, Path::new("/dev"), OFlags::PATH).doing(|| "open /dev")?;
    for (name, to) in LINKS {
        match rustix::fs::symlinkat(to, &dev, name) {
            Ok(()) | Err(rustix::io::Errno::EXIST) => {}
            Err(error) => return Err(error).doing(|| format!("make link /dev/{name}")),
        }
    }
    Ok(())
}

fn sysctl(root: BorrowedFd<'_>, key: &str, value: &str) -> Result<()> {
    let path = Path::new("/proc/sys").join(key.replace('.', "/"));
    let write = || -> io::Result<()> {
        let file = resolve(root, &path, OFlags::WRONLY)?;
        io::Write::write_all(&mut std::fs::File::from(file), value.as_bytes())
    };
    write().doing(|| format!("set {key} to {value}"))
}

fn make_readonly(root: BorrowedFd<'_>, path: &Path) -> io::Result<()> {
    let Some(target) = existing(root, path)? else { return Ok(()) };
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_RECURSIVE
        | OpenTreeFlags::AT_EMPTY_PATH;
    let tree = rustix::mount::open_tree(target.as_fd(), "", flags)?;
    set_attributes(tree.as_fd(), true, libc::MOUNT_ATTR_RDONLY)?;
    attach_fd(tree.as_fd(), target.as_fd())
}

/// Covers a file by `/dev/null` and a directory by an empty one.
fn mask(root: BorrowedFd<'_>, path: &Path) -> Result<()> {
    let doing = || format!("mask {}", path.display());
    let Some(target) = existing(root, path).doing(doing)? else { return Ok(()) };
    let status = rustix::fs::statat(&target, "", AtFlags::EMPTY_PATH).doing(doing)?;
    let tree = if FileType::from_raw_mode(status.st_mode) == FileType::Directory {
        let attributes = libc::MOUNT_ATTR_RDONLY
            | libc::MOUNT_ATTR_NOSUID
            | libc::MOUNT_ATTR_NODEV
            | libc::MOUNT_ATTR_NOEXEC;
        filesystem("tmpfs", "mode=0555,size=4k", attributes)?
    } else {
        mount::clone_tree(Path::new("/dev/null"), false)?
    };
    attach_fd(tree.as_fd(), target.as_fd()).doing(doing)
}

fn attach_fd(tree: BorrowedFd<'_>, target: BorrowedFd<'_>) -> io::Result<()> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    Ok(rustix::mount::move_mount(tree, "", target, "", flags)?)
}

/// Opens a path below the root, as if the root were `/`.
fn resolve(root: BorrowedFd<'_>, path: &Path, flags: OFlags) -> rustix::io::Result<OwnedFd> {
    let relative = path.strip_prefix("/").unwrap_or(path);
    let relative = if relative.as_os_str().is_empty() { Path::new(".") } else { relative };
    // The kernel asks to try again when someone renames in the tree meanwhile.
    for _ in 0..16 {
        let opened = rustix::fs::openat2(
            root,
            relative,
            flags | OFlags::CLOEXEC,
            Mode::empty(),
            ResolveFlags::IN_ROOT,
        );
        if !matches!(opened, Err(rustix::io::Errno::AGAIN)) {
            return opened;
        }
    }
    Err(rustix::io::Errno::AGAIN)
}

fn existing(root: BorrowedFd<'_>, path: &Path) -> io::Result<Option<OwnedFd>> {
    match resolve(root, path, OFlags::PATH) {
        Ok(file) => Ok(Some(file)),
        Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Opens a path below the root, making it and its parents if missing. Where a link on the way leads to nothing, what it
/// leads to is made, below the root as well (`/etc/resolv.conf` often is such a link).
fn make(root: BorrowedFd<'_>, path: &Path, directory: bool) -> io::Result<OwnedFd> {
    let mut path = path.to_owned();
    for _ in 0..LINKS_MAX {
        match make_without_links(root, &path, directory)? {
            Made::Opened(file) => return Ok(file),
            Made::LeadsTo(other) => path = other,
        }
    }
    Err(io::Error::from_raw_os_error(libc::ELOOP))
}

enum Made {
    Opened(OwnedFd),
    /// A link that leads to nothing was met; this is the whole path with it replaced.
    LeadsTo(PathBuf),
}

fn make_without_links(root: BorrowedFd<'_>, path: &Path, directory: bool) -> io::Result<Made> {
    if let Ok(file) = resolve(root, path, OFlags::PATH) {
        return Ok(Made::Opened(file));
    }
    let mut done = PathBuf::from("/");
    let mut parts =
        path.components().filter(|part| matches!(part, Component::Normal(_) | Component::ParentDir));
    while let Some(part) = parts.next() {
        let parent = resolve(root, &done, OFlags::PATH | OFlags::DIRECTORY)?;
        let before = done.clone();
        done.push(part);
        if resolve(root, &done, OFlags::PATH).is_ok() {
            continue;
        }
        if let Ok(link) = rustix::fs::readlinkat(&parent, part.as_os_str(), Vec::new()) {
            let link = PathBuf::from(OsString::from_vec(link.into_bytes()));
            return Ok(Made::LeadsTo(parts.fold(before.join(link), |path, rest| path.join(rest))));
        }
        if parts.clone().next().is_some() || directory {
            rustix::fs::mkdirat(&parent, part.as_os_str(), Mode::from(0o755))?;
        } else {
            let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
            rustix::fs::openat(&parent, part.as_os_str(), flags, Mode::from(0o644))?;
        }
    }
    Ok(Made::Opened(resolve(root, path, OFlags::PATH)?))
}
