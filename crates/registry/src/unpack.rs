//! Unpacks one layer into a directory, as an overlay expects it, and never outside that directory.
//! Deletions become overlay whiteouts: a character device 0/0, and the attribute `user.overlay.opaque`
//! (so the overlay must be mounted with `userxattr`).
//! Invariant: every path is resolved by the kernel beneath the layer's root, so neither `..` nor a symbolic
//! link of an earlier entry can lead out of it.

use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, ResolveFlags, Timespec, Timestamps, Uid, XattrFlags};
use rustix::io::Errno;
use tar::{Archive, Entry, EntryType};

use crate::Error;

/// A layer with more entries is refused.
const ENTRIES_MAX: u64 = 2_000_000;
/// A layer that unpacks to more bytes is refused: 32 GiB.
const BYTES_MAX: u64 = 32 * 1024 * 1024 * 1024;

/// Unpacks the tar stream `layer` (already decompressed) into `directory`, which exists and is empty.
pub(crate) fn unpack(name: &str, layer: impl Read, directory: &Path) -> Result<(), Error> {
    let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
    let root = rustix::fs::open(directory, flags, Mode::empty());
    let root = root.map_err(|errno| Error::io(directory)(errno.into()))?;
    let mut unpacking = Unpacking { root, directories: Vec::new() };
    let mut archive = Archive::new(layer);
    let (mut entries, mut bytes) = (0_u64, 0_u64);
    for entry in archive.entries().map_err(|error| Error::unpack(name, error))? {
        let mut entry = entry.map_err(|error| Error::unpack(name, error))?;
        entries += 1;
        bytes = bytes.saturating_add(entry.header().size().unwrap_or(0));
        if entries > ENTRIES_MAX || bytes > BYTES_MAX {
            return Err(Error::unpack(name, "it is larger than a layer may be"));
        }
        let path = entry.path().map_err(|error| Error::unpack(name, error))?.into_owned();
        unpacking
            .entry(&mut entry, &path)
            .map_err(|error| Error::unpack(name, format!("entry `{}`: {error}", path.display())))?;
    }
    unpacking.finish().map_err(|error| Error::unpack(name, error))
}

struct Unpacking {
    root: OwnedFd,
    /// Times of directories, set at the end because every entry inside changes them.
    directories: Vec<(PathBuf, i64)>,
}

impl Unpacking {
    fn entry<R: Read>(&mut self, entry: &mut Entry<'_, R>, path: &Path) -> io::Result<()> {
        let path = clean(path)?;
        let Some(name) = path.file_name().map(OsStr::to_owned) else {
            return self.attributes_of_root(entry);
        };
        let parent = self.parent(path.parent().unwrap_or(Path::new("")))?;
        if name == ".wh..wh..opq" {
            return opaque(&parent);
        }
        if let Some(hidden) = name.as_bytes().strip_prefix(b".wh.") {
            return whiteout(&parent, OsStr::from_bytes(hidden));
        }
        let kind = entry.header().entry_type();
        match kind {
            EntryType::Directory => make_directory(&parent, &name)?,
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                make_file(&parent, &name, entry)?;
            }
            EntryType::Symlink => make_symlink(&parent, &name, entry)?,
            EntryType::Link => return self.make_hard_link(&parent, &name, entry),
            EntryType::Char | EntryType::Block | EntryType::Fifo => make_node(&parent, &name, entry)?,
            // Global headers and the like carry nothing that belongs into the file system.
            _ => return Ok(()),
        }
        attributes(&parent, &name, entry, kind)?;
        if kind == EntryType::Directory {
            self.directories.push((path, modified(entry)));
        }
        Ok(())
    }

    /// Opens a directory beneath the root, making what is missing.
    fn parent(&self, path: &Path) -> io::Result<OwnedFd> {
        match self.open_directory(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            other => return other,
        }
        let mut made = PathBuf::new();
        for component in path.components() {
            let above = self.open_directory(&made)?;
            match rustix::fs::mkdirat(&above, component.as_os_str(), Mode::from_raw_mode(0o755)) {
                Ok(()) | Err(Errno::EXIST) => made.push(component),
                Err(errno) => return Err(errno.into()),
            }
        }
        self.open_directory(path)
    }

    fn open_directory(&self, path: &Path) -> io::Result<OwnedFd> {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        Ok(rustix::fs::openat2(&self.root, path, flags, Mode::empty(), resolve)?)
    }

    fn make_hard_link<R: Read>(
        &self,
        parent: &OwnedFd,
        name: &OsStr,
        entry: &Entry<'_, R>,
    ) -> io::Result<()> {
        let target = entry.link_name()?.ok_or_else(|| invalid("a hard link without a target"))?;
        let target = clean(&target)?;
        let target_name = target.file_name().ok_or_else(|| invalid("a hard link to the root"))?;
        let target_parent = self.open_directory(target.parent().unwrap_or(Path::new("")))?;
        remove(parent, name)?;
        rustix::fs::linkat(&target_parent, target_name, parent, name, AtFlags::empty())?;
        Ok(())
    }

    fn attributes_of_root<R: Read>(&self, entry: &Entry<'_, R>) -> io::Result<()> {
        let mode = Mode::from_raw_mode(entry.header().mode()? & 0o7777);
        rustix::fs::fchmod(&self.root, mode)?;
        Ok(())
    }

    fn finish(self) -> io::Result<()> {
        for (path, seconds) in self.directories.iter().rev() {
            // A later entry may have replaced the directory by something else.
            if let Ok(directory) = self.open_directory(path) {
                rustix::fs::futimens(&directory, &times(*seconds))?;
            }
        }
        Ok(())
    }
}

/// The path without a root, `.` and empty parts; `..` is refused.
fn clean(path: &Path) -> io::Result<PathBuf> {
    let mut cleaned = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(part) => cleaned.push(part),
            Component::RootDir | Component::CurDir => {}
            Component::ParentDir | Component::Prefix(_) => return Err(invalid("the path leads upward")),
        }
    }
    Ok(cleaned)
}

fn make_directory(parent: &OwnedFd, name: &OsStr) -> io::Result<()> {
    match rustix::fs::mkdirat(parent, name, Mode::from_raw_mode(0o755)) {
        Err(Errno::EXIST) => {
            let found = rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
            if FileType::from_raw_mode(found.st_mode) == FileType::Directory {
                return Ok(());
            }
            rustix::fs::unlinkat(parent, name, AtFlags::empty())?;
            Ok(rustix::fs::mkdirat(parent, name, Mode::from_raw_mode(0o755))?)
        }
        other => Ok(other?),
    }
}

fn make_file<R: Read>(parent: &OwnedFd, name: &OsStr, entry: &mut Entry<'_, R>) -> io::Result<()> {
    remove(parent, name)?;
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = rustix::fs::openat(parent, name, flags, Mode::from_raw_mode(0o600))?;
    let size = entry.header().size()?;
    let copied = io::copy(entry, &mut std::fs::File::from(file))?;
    if copied < size { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
}

fn make_symlink<R: Read>(parent: &OwnedFd, name: &OsStr, entry: &Entry<'_, R>) -> io::Result<()> {
    let target = entry.link_name()?.ok_or_else(|| invalid("a symbolic link without a target"))?;
    remove(parent, name)?;
    rustix::fs::symlinkat(target.as_os_str(), parent, name)?;
    Ok(())
}

fn make_node<R: Read>(parent: &OwnedFd, name: &OsStr, entry: &Entry<'_, R>) -> io::Result<()> {
    remove(parent, name)?;
    let header = entry.header();
    let kind = match header.entry_type() {
        EntryType::Char => FileType::CharacterDevice,
        EntryType::Block => FileType::BlockDevice,
        _ => FileType::Fifo,
    };
    let device =
        rustix::fs::makedev(header.device_major()?.unwrap_or(0), header.device_minor()?.unwrap_or(0));
    match rustix::fs::mknodat(parent, name, kind, Mode::from_raw_mode(0o600), device) {
        // Without privileges there are no device files; containers get their own /dev.
        Err(Errno::PERM) if kind != FileType::Fifo => Ok(()),
        other => Ok(other?),
    }
}

fn whiteout(parent: &OwnedFd, name: &OsStr) -> io::Result<()> {
    if name.is_empty() || name == "." || name == ".." {
        return Err(invalid("a whiteout of nothing"));
    }
    remove(parent, name)?;
    let device = rustix::fs::makedev(0, 0);
    rustix::fs::mknodat(parent, name, FileType::CharacterDevice, Mode::empty(), device)?;
    Ok(())
}

fn opaque(directory: &OwnedFd) -> io::Result<()> {
    rustix::fs::fsetxattr(directory, "user.overlay.opaque", b"y", XattrFlags::empty())?;
    Ok(())
}

/// Removes whatever stands at a name, with everything in it.
fn remove(parent: &OwnedFd, name: &OsStr) -> io::Result<()> {
    match rustix::fs::unlinkat(parent, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => return Ok(()),
        Err(Errno::ISDIR) => {}
        Err(errno) => return Err(errno.into()),
    }
    let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let directory = rustix::fs::openat(parent, name, flags, Mode::empty())?;
    for child in rustix::fs::Dir::read_from(&directory)? {
        let child = child?;
        let child = OsStr::from_bytes(child.file_name().to_bytes());
        if child != "." && child != ".." {
            remove(&directory, child)?;
        }
    }
    Ok(rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR)?)
}

fn attributes<R: Read>(
    parent: &OwnedFd,
    name: &OsStr,
    entry: &mut Entry<'_, R>,
    kind: EntryType,
) -> io::Result<()> {
    let header = entry.header();
    let id = |value: io::Result<u64>| Ok::<_, io::Error>(u32::try_from(value?).unwrap_or(u32::MAX - 1));
    let (uid, gid) = (id(header.uid())?, id(header.gid())?);
    let mode = Mode::from_raw_mode(header.mode()? & 0o7777);
    let owner = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
    match rustix::fs::chownat(parent, name, owner.0, owner.1, AtFlags::SYMLINK_NOFOLLOW) {
        // With a single mapped id (rootless without ranges) everything belongs to that one.
        Ok(()) | Err(Errno::PERM | Errno::INVAL) => {}
        // A device file that could not be made.
        Err(Errno::NOENT) if matches!(kind, EntryType::Char | EntryType::Block) => return Ok(()),
        Err(errno) => return Err(errno.into()),
    }
    if kind != EntryType::Symlink {
        rustix::fs::chmodat(parent, name, mode, AtFlags::empty())?;
    }
    if kind == EntryType::Regular {
        capabilities(parent, name, entry)?;
    }
    let times = times(modified(entry));
    rustix::fs::utimensat(parent, name, &times, AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(())
}

/// File capabilities are the one extended attribute that images rely on.
fn capabilities<R: Read>(parent: &OwnedFd, name: &OsStr, entry: &mut Entry<'_, R>) -> io::Result<()> {
    const KEY: &str = "SCHILY.xattr.security.capability";
    let Some(extensions) = entry.pax_extensions()? else { return Ok(()) };
    for extension in extensions.flatten() {
        if extension.key() == Ok(KEY) {
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let file = rustix::fs::openat(parent.as_fd(), name, flags, Mode::empty())?;
            match rustix::fs::fsetxattr(
                &file,
                "security.capability",
                extension.value_bytes(),
                XattrFlags::empty(),
            ) {
                Ok(()) | Err(Errno::PERM | Errno::NOTSUP) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }
    Ok(())
}

fn modified<R: Read>(entry: &Entry<'_, R>) -> i64 {
    entry.header().mtime().ok().and_then(|seconds| i64::try_from(seconds).ok()).unwrap_or(0)
}

fn times(seconds: i64) -> Timestamps {
    let time = Timespec { tv_sec: seconds, tv_nsec: 0 };
    Timestamps { last_access: time, last_modification: time }
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
