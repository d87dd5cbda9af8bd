//! Copies of a step's output into files of the step's own choice (`stdoutConfig`, `stderrConfig`).
//! The files are opened as the step's user, inside of the step's root file system.
//! Invariant: no path leads out of the container, and nothing is opened that the step itself could not open.

use std::fs::File;
use std::io;
use std::path::{Component, Path, PathBuf};

use api::step_plan::PlannedStep;
use linux::userns::UserNamespace;
use oci_spec::runtime::Spec;
use rustix::fs::{Mode, OFlags, ResolveFlags};

use super::log::Log;

/// Copies of the two streams.
#[derive(Debug, Default)]
pub(crate) struct Copies {
    pub(crate) stdout: Option<File>,
    pub(crate) stderr: Option<File>,
}

/// Opens the files of a step that is about to start: `spec` is complete and `rootfs` mounted. What cannot be opened
/// is said in the log.
pub(crate) fn open(
    step: Option<&PlannedStep>,
    spec: &Spec,
    rootfs: &Path,
    userns: Option<&UserNamespace>,
    log: &mut Log,
) -> Copies {
    let Some(step) = step else { return Copies::default() };
    let user = spec.process().as_ref().map_or((0, 0), |process| (process.user().uid(), process.user().gid()));
    let outside =
        |id: u32| userns.map_or(Some(id), |userns| userns.range().to_outside(id)).unwrap_or(u32::MAX - 1);
    let owner = (outside(user.0), outside(user.1));
    let mut open = |path: &Option<String>| {
        let path = path.as_deref()?;
        let (top, rest) = place(Path::new(path), spec, rootfs);
        match open_as(owner, || open_inside(&top, &rest)) {
            Ok(file) => Some(file),
            Err(error) => {
                log.say(&format!("could not open {path} for a copy of the output: {error}"));
                None
            }
        }
    };
    let stdout = open(&step.stdout_path);
    if step.stderr_path == step.stdout_path {
        // One file for both, so that they are interleaved as they came.
        let stderr = stdout.as_ref().and_then(|file| file.try_clone().ok());
        return Copies { stdout, stderr };
    }
    Copies { stdout, stderr: open(&step.stderr_path) }
}

/// Where a path of the container lies on the machine: the directory mounted there or above it, and the rest.
fn place(path: &Path, spec: &Spec, rootfs: &Path) -> (PathBuf, PathBuf) {
    let mounts = spec.mounts().iter().flatten();
    let above = mounts
        .filter(|mount| mount.typ().as_deref() == Some("bind") && path.starts_with(mount.destination()));
    let nearest = above.max_by_key(|mount| mount.destination().components().count());
    let found = nearest.and_then(|mount| {
        let rest = path.strip_prefix(mount.destination()).ok()?;
        Some((mount.source().clone()?, rest.to_owned()))
    });
    found.unwrap_or_else(|| (rootfs.to_owned(), path.strip_prefix("/").unwrap_or(path).to_owned()))
}

/// Does something as another user, with that user's rights only.
fn open_as((uid, gid): (u32, u32), open: impl FnOnce() -> io::Result<File>) -> io::Result<File> {
    use rustix::fs::{Gid, Uid};
    use rustix::thread::{set_thread_res_gid, set_thread_res_uid};
    if uid == 0 {
        return open();
    }
    let (own_uid, own_gid) = (rustix::process::geteuid(), rustix::process::getegid());
    set_thread_res_gid(None, Gid::from_raw(gid), None)?;
    let opened = match set_thread_res_uid(None, Uid::from_raw(uid), None) {
        Ok(()) => {
            let opened = open();
            set_thread_res_uid(None, own_uid, None)?;
            opened
        }
        Err(error) => Err(error.into()),
    };
    set_thread_res_gid(None, own_gid, None)?;
    opened
}

fn open_inside(top: &Path, path: &Path) -> io::Result<File> {
    let directory = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let top = rustix::fs::open(top, directory, Mode::empty())?;
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let mut made = PathBuf::from("/");
    for part in path.parent().into_iter().flat_map(Path::components) {
        let Component::Normal(name) = part else { continue };
        let parent = rustix::fs::openat2(&top, &made, directory, Mode::empty(), resolve)?;
        match rustix::fs::mkdirat(&parent, name, Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(rustix::io::Errno::EXIST) => made.push(name),
            Err(error) => return Err(error.into()),
        }
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::APPEND | OFlags::NONBLOCK | OFlags::CLOEXEC;
    Ok(File::from(rustix::fs::openat2(&top, path, flags, Mode::from_raw_mode(0o644), resolve)?))
}
