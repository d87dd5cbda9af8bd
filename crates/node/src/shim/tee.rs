//! Copies of a step's output into files of the step's own choice (`stdoutConfig`, `stderrConfig`).
//! The files are opened as the step's user, inside of the step's root file system.
//! Invariant: no path leads out of the container, and nothing is opened that the step itself could not open.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};

use archive::record::Stream;
use linux::userns::UserNamespace;
use rustix::fs::{Mode, OFlags, ResolveFlags};
use sandbox::ContainerPlan;

use super::container::Container;

/// Opens the files of a step that has just started. What cannot be opened is said in the log.
pub(crate) fn attach(container: &mut Container, plan: &ContainerPlan, userns: Option<&UserNamespace>) {
    let Some(step) = &plan.step else { return };
    let wanted = [(Stream::Stdout, &step.stdout_path), (Stream::Stderr, &step.stderr_path)];
    if wanted.iter().all(|(_, path)| path.is_none()) {
        return;
    }
    let user =
        plan.spec.process().as_ref().map_or((0, 0), |process| (process.user().uid(), process.user().gid()));
    let outside =
        |id: u32| userns.map_or(Some(id), |userns| userns.range().to_outside(id)).unwrap_or(u32::MAX - 1);
    let owner = (outside(user.0), outside(user.1));
    let root = PathBuf::from(format!("/proc/{}/root", container.pid()));
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let opened = rustix::fs::open(&root, flags, Mode::empty()).map_err(io::Error::from);
    for (stream, path) in wanted {
        let Some(path) = path else { continue };
        let file = match &opened {
            Ok(root) => open_as(owner, || open_inside(root, Path::new(path))),
            Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
        };
        match file {
            Ok(file) => container.copy_to(stream, file),
            Err(error) => {
                container.log.say(&format!("could not open {path} for a copy of the output: {error}"))
            }
        }
    }
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

fn open_inside(root: &OwnedFd, path: &Path) -> io::Result<File> {
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let mut made = PathBuf::from("/");
    let directory = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    for part in path.parent().into_iter().flat_map(Path::components) {
        let Component::Normal(name) = part else { continue };
        let parent = rustix::fs::openat2(root, &made, directory, Mode::empty(), resolve)?;
        match rustix::fs::mkdirat(&parent, name, Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(rustix::io::Errno::EXIST) => made.push(name),
            Err(error) => return Err(error.into()),
        }
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::APPEND | OFlags::NONBLOCK | OFlags::CLOEXEC;
    Ok(File::from(rustix::fs::openat2(root, path, flags, Mode::from_raw_mode(0o644), resolve)?))
}
