//! Makes what the plan says must exist before the first container: directories, files, links, volumes, namespaces.
//! All mounts are made in a mount namespace of the shim's own, so they end with it, however it ends.
//! Invariant: sources of mounts that containers could have tampered with are pinned by descriptor before use.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};

use linux::mount::{self, Bind};
use linux::netns::NetworkNamespace;
use linux::userns::{IDS_PER_POD, IdRange, UserNamespace};
use sandbox::{Network, PodPlan, Volume, VolumeKind};

use super::beneath::Directory;

/// What was made.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// The Pod's user namespace.
    pub(crate) userns: Option<UserNamespace>,
    /// The Pod's network namespace.
    pub(crate) netns: Option<NetworkNamespace>,
    /// Sources of mounts in the plan, and where they are mounted from instead.
    pub(crate) staged: BTreeMap<PathBuf, PathBuf>,
}

/// Something could not be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PrepareError {
    #[error("prepare {what}")]
    Io {
        what: String,
        #[source]
        source: io::Error,
    },
    #[error("prepare {what}")]
    Kernel {
        what: String,
        #[source]
        source: linux::Error,
    },
    #[error("{0}")]
    Refused(String),
}

fn io_error(what: impl Into<String>) -> impl FnOnce(io::Error) -> PrepareError {
    let what = what.into();
    move |source| PrepareError::Io { what, source }
}

fn kernel_error(what: impl Into<String>) -> impl FnOnce(linux::Error) -> PrepareError {
    let what = what.into();
    move |source| PrepareError::Kernel { what, source }
}

/// Makes everything. Wants a process with one thread and an empty umask.
pub(crate) fn prepare(dir: &Path, plan: &PodPlan, first_id: Option<u32>) -> Result<Prepared, PrepareError> {
    mount::private_namespace().map_err(kernel_error("the Pod's mounts"))?;
    let range = first_id.map(|outside| IdRange { inside: 0, outside, count: IDS_PER_POD });
    let userns = range.map(UserNamespace::create).transpose().map_err(kernel_error("the Pod's user ids"))?;
    let netns = match plan.network {
        Network::Host => None,
        Network::None => Some(NetworkNamespace::create().map_err(kernel_error("the Pod's network"))?),
    };
    let mut making = Making {
        dir,
        root: userns.as_ref().map(UserNamespace::root_ids),
        userns: userns.as_ref(),
        staged: BTreeMap::new(),
    };
    making.directories(plan)?;
    making.files(plan)?;
    for volume in &plan.volumes {
        making.volume(volume)?;
    }
    let staged = making.staged;
    Ok(Prepared { userns, netns, staged })
}

struct Making<'a> {
    dir: &'a Path,
    /// User and group outside that are 0 inside.
    root: Option<(u32, u32)>,
    userns: Option<&'a UserNamespace>,
    staged: BTreeMap<PathBuf, PathBuf>,
}

impl Making<'_> {
    fn directories(&self, plan: &PodPlan) -> Result<(), PrepareError> {
        for (path, mode) in &plan.directories {
            let made = make_directory(path, *mode);
            made.map_err(io_error(format!("directory {}", path.display())))?;
            if mode & 0o022 != 0 {
                self.give(path).map_err(io_error(format!("directory {}", path.display())))?;
            }
        }
        Ok(())
    }

    fn files(&self, plan: &PodPlan) -> Result<(), PrepareError> {
        for file in &plan.files {
            let written = write_new(&file.path, file.mode, file.content.as_bytes());
            written
                .and_then(|()| self.give(&file.path))
                .map_err(io_error(format!("file {}", file.path.display())))?;
        }
        for (path, target) in &plan.links {
            symlink(target, path).map_err(io_error(format!("link {}", path.display())))?;
        }
        Ok(())
    }

    /// Makes what is at `path` belong to the Pod's root.
    fn give(&self, path: &Path) -> io::Result<()> {
        self.root.map_or(Ok(()), |(uid, gid)| chown(path, Some(uid), Some(gid)))
    }

    fn volume(&mut self, volume: &Volume) -> Result<(), PrepareError> {
        let what = || format!("volume \"{}\"", volume.name);
        match &volume.kind {
            VolumeKind::Directory { .. } => {
                make_directory(&volume.path, 0o777).map_err(io_error(what()))?;
                self.own(volume, 0o777).map_err(io_error(what()))?;
            }
            VolumeKind::Memory { size_limit_bytes } => {
                make_directory(&volume.path, 0o777).map_err(io_error(what()))?;
                let size = size_limit_bytes.map_or_else(|| "50%".to_owned(), |bytes| bytes.to_string());
                mount::tmpfs(&volume.path, &format!("mode=0777,size={size}"))
                    .map_err(kernel_error(what()))?;
                self.own(volume, 0o777).map_err(io_error(what()))?;
            }
            VolumeKind::Files(files) => {
                make_directory(&volume.path, 0o755).map_err(io_error(what()))?;
                for file in files {
                    self.volume_file(volume, file).map_err(io_error(what()))?;
                }
            }
            VolumeKind::Claim => {
                let made = make_claim(&volume.path, volume.group);
                made.map_err(io_error(what()))?;
                self.stage(volume)?;
            }
            VolumeKind::HostPath { expected } => {
                check_host_path(&volume.path, expected, &volume.name)?;
                self.stage(volume)?;
            }
        }
        self.sub_paths(volume)
    }

    /// Gives a directory of the Pod's own to its root, or to the group that the Pod wants.
    fn own(&self, volume: &Volume, mode: u32) -> io::Result<()> {
        let (uid, gid) = self.root.unwrap_or((0, 0));
        match volume.group {
            Some(group) => {
                chown(&volume.path, Some(uid), Some(gid + group))?;
                fs::set_permissions(&volume.path, fs::Permissions::from_mode(mode | 0o2770))
            }
            None => self.give(&volume.path),
        }
    }

    fn volume_file(&self, volume: &Volume, file: &sandbox::FileEntry) -> io::Result<()> {
        let path = volume.path.join(&file.path);
        if let Some(parent) = path.parent() {
            DirBuilder::new().recursive(true).mode(0o755).create(parent)?;
        }
        let mode = if volume.group.is_some() { file.mode | 0o440 } else { file.mode };
        // Sources of a projected volume may overlap: the last one wins, as in Kubernetes.
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => write_new(&path, mode, &file.content)?,
        }
        let (uid, gid) = self.root.unwrap_or((0, 0));
        match volume.group {
            Some(group) => chown(&path, Some(uid), Some(gid + group)),
            None => self.give(&path),
        }
    }

    /// Shows what outlives the Pod with the owners that it has on disk, whatever ids the Pod has.
    fn stage(&mut self, volume: &Volume) -> Result<(), PrepareError> {
        if self.userns.is_none() {
            return Ok(());
        }
        let target = self.mount_point(&volume.path, volume.path.is_dir())?;
        self.bind(&volume.path, &target, &volume.name)?;
        self.staged.insert(volume.path.clone(), target);
        Ok(())
    }

    fn bind(&self, source: &Path, target: &Path, name: &str) -> Result<(), PrepareError> {
        let bind = |recursive, idmap| Bind { source, target, recursive, readonly: false, idmap }.mount();
        // Not every file system can map owners; then the Pod sees them as they are.
        let bound =
            bind(true, self.userns).or_else(|_| bind(false, self.userns)).or_else(|_| bind(true, None));
        bound.map_err(kernel_error(format!("volume \"{name}\"")))
    }

    /// Pins the parts of a volume that containers mount instead of the whole.
    fn sub_paths(&mut self, volume: &Volume) -> Result<(), PrepareError> {
        if volume.sub_paths.is_empty() {
            return Ok(());
        }
        let what = |path: &Path| format!("subPath {} of volume \"{}\"", path.display(), volume.name);
        let top = Directory::open(&volume.path).map_err(io_error(format!("volume \"{}\"", volume.name)))?;
        // What outlives the Pod is owned on disk as the Pod sees it; the Pod's own belongs to its ids.
        let owner = match volume.kind {
            VolumeKind::Claim | VolumeKind::HostPath { .. } => None,
            _ => self.root,
        };
        for path in &volume.sub_paths {
            let place = top.place(path, owner).map_err(io_error(what(path)))?;
            let pinned = PathBuf::from(format!("/proc/self/fd/{}", place.as_raw_fd()));
            let source = volume.path.join(path);
            let target = self.mount_point(&source, pinned.is_dir())?;
            match volume.kind {
                VolumeKind::Claim | VolumeKind::HostPath { .. } => {
                    self.bind(&pinned, &target, &volume.name)?
                }
                _ => Bind { source: &pinned, target: &target, recursive: true, readonly: false, idmap: None }
                    .mount()
                    .map_err(kernel_error(what(path)))?,
            }
            self.staged.insert(source, target);
        }
        Ok(())
    }

    /// An empty directory or file of the Pod's own to mount on.
    fn mount_point(&self, source: &Path, directory: bool) -> Result<PathBuf, PrepareError> {
        let parent = self.dir.join("mounts");
        let made = DirBuilder::new().recursive(true).mode(0o711).create(&parent);
        made.map_err(io_error(format!("directory {}", parent.display())))?;
        let target = parent.join(self.staged.len().to_string());
        let made = if directory { make_directory(&target, 0o755) } else { write_new(&target, 0o644, b"") };
        made.map_err(io_error(format!("a mount point for {}", source.display())))?;
        Ok(target)
    }
}

fn make_directory(path: &Path, mode: u32) -> io::Result<()> {
    match DirBuilder::new().mode(mode).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        other => other,
    }
}

fn write_new(path: &Path, mode: u32, content: &[u8]) -> io::Result<()> {
    let mut file = File::options().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(content)
}

fn make_claim(path: &Path, group: Option<u32>) -> io::Result<()> {
    match DirBuilder::new().mode(0o777).create(path) {
        Ok(()) => match group {
            Some(group) => {
                chown(path, None, Some(group))?;
                fs::set_permissions(path, fs::Permissions::from_mode(0o2777))
            }
            None => Ok(()),
        },
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// Checks a host path as Kubernetes' `hostPath.type` says, and makes it where that asks for it.
fn check_host_path(path: &Path, expected: &str, name: &str) -> Result<(), PrepareError> {
    let failed = |why: &str| {
        Err(PrepareError::Refused(format!(
            "volume \"{name}\": hostPath type check failed: {} is not a {why}",
            path.display()
        )))
    };
    match expected {
        "DirectoryOrCreate" if !path.exists() => DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(path)
            .map_err(io_error(format!("volume \"{name}\""))),
        "FileOrCreate" if !path.exists() => {
            write_new(path, 0o644, b"").map_err(io_error(format!("volume \"{name}\"")))
        }
        "Directory" | "DirectoryOrCreate" if !path.is_dir() => failed("directory"),
        "File" | "FileOrCreate" if !path.is_file() => failed("file"),
        _ if !path.exists() => Err(PrepareError::Refused(format!(
            "volume \"{name}\": host path {} does not exist",
            path.display()
        ))),
        _ => Ok(()),
    }
}
