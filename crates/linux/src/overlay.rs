//! A container's root file system: the layers of an image, read-only, under a directory for what the container writes.
//! Layers are unpacked once, with the owners of the image (0 is root), and shared by all containers; a container in a
//! user namespace sees them through id-mapped mounts, so that nothing on disk is ever changed for it.
//! Invariant: the written files lie under `scratch` only; deleting `scratch` after the unmount leaves no trace.

use std::fs;
use std::os::fd::AsFd;
use std::os::unix::fs::{DirBuilderExt, chown};
use std::path::{Path, PathBuf};

use crate::error::{Doing, Error, Result};
use crate::mount;
use crate::userns::{self, UserNamespace};

/// The kernel takes at most one page of mount options.
const OPTIONS_BYTES_MAX: usize = 4095;

/// What to stack.
#[derive(Clone, Debug)]
pub struct Overlay {
    /// Unpacked layers as in the image's manifest: the base first. Whiteouts are overlayfs' own (a 0/0 character
    /// device, or in rootless the `user.overlay.*` attributes that [`whiteout_style`] names).
    pub layers: Vec<PathBuf>,
    /// A directory of the Pod, on a file system that overlayfs can write to; made if missing.
    pub scratch: PathBuf,
}

/// How a deleted file of a lower layer is marked on disk in this process' circumstances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhiteoutStyle {
    /// A character device with number 0/0 and `trusted.overlay.opaque` on directories.
    Device,
    /// As `Device` (overlayfs lets every user make 0/0 devices in his own namespace), with `user.overlay.opaque`.
    DeviceUserXattr,
}

impl WhiteoutStyle {
    /// The extended attribute whose value `y` marks a directory that hides the layers below.
    #[must_use]
    pub fn opaque_attribute(self) -> &'static str {
        match self {
            Self::Device => "trusted.overlay.opaque",
            Self::DeviceUserXattr => "user.overlay.opaque",
        }
    }
}

/// The marks that unpacked layers must carry so that [`Overlay::mount`] understands them.
#[must_use]
pub fn whiteout_style() -> WhiteoutStyle {
    if userns::in_initial_namespace() { WhiteoutStyle::Device } else { WhiteoutStyle::DeviceUserXattr }
}

impl Overlay {
    /// Mounts at `target`. With `idmap`, id 0 of the layers is that namespace's id 0.
    ///
    /// Device nodes and set-id bits in layers: nodes do not work (`nodev`); set-id bits do nothing for processes that
    /// cannot gain privileges, which the container's configuration decides.
    ///
    /// # Errors
    /// The kernel's; [`Error::Missing`] for more layers than fit into its options.
    pub fn mount(&self, target: &Path, idmap: Option<&UserNamespace>) -> Result<()> {
        let (upper, work) = (self.scratch.join("upper"), self.scratch.join("work"));
        for (directory, mode) in [(&self.scratch, 0o711), (&upper, 0o755), (&work, 0o700)] {
            make_directory(directory, mode)?;
        }
        if let Some(userns) = idmap {
            let (uid, gid) = userns.root_ids();
            chown(&upper, Some(uid), Some(gid)).doing(|| format!("give away {}", upper.display()))?;
        }
        let staged = Staged::new(&self.layers, &self.scratch, idmap)?;
        let mut options = format!("volatile,upperdir={},workdir={},lowerdir=", escape(&upper), escape(&work));
        let lower: Vec<String> = staged.layers.iter().rev().map(|layer| escape(layer)).collect();
        options.push_str(&lower.join(":"));
        if !userns::in_initial_namespace() {
            options.push_str(",userxattr");
        }
        if options.len() > OPTIONS_BYTES_MAX {
            return Err(Error::Missing(format!(
                "could not stack {} layers: their paths are too long for the kernel",
                self.layers.len()
            )));
        }
        let options = std::ffi::CString::new(options).map_err(|_| {
            Error::Spec(format!("a layer's path under {} has a zero byte", self.scratch.display()))
        })?;
        let flags = rustix::mount::MountFlags::NODEV;
        rustix::mount::mount("overlay", target, "overlay", flags, options.as_c_str())
            .doing(|| format!("mount {} layers on {}", self.layers.len(), target.display()))
    }
}

/// Layers under short names in `scratch/stage`, for the time of the mount call.
struct Staged {
    layers: Vec<PathBuf>,
    mounted: Vec<PathBuf>,
}

impl Staged {
    fn new(layers: &[PathBuf], scratch: &Path, idmap: Option<&UserNamespace>) -> Result<Self> {
        let bytes: usize = layers.iter().map(|layer| layer.as_os_str().len() + 1).sum();
        if idmap.is_none() && bytes + 3 * scratch.as_os_str().len() < OPTIONS_BYTES_MAX - 200 {
            return Ok(Self { layers: layers.to_vec(), mounted: Vec::new() });
        }
        let mut staged = Self { layers: Vec::new(), mounted: Vec::new() };
        let stage = scratch.join("stage");
        make_directory(&stage, 0o700)?;
        for (index, layer) in layers.iter().enumerate() {
            let place = stage.join(index.to_string());
            make_directory(&place, 0o700)?;
            let tree = mount::clone_tree(layer, false)?;
            if let Some(userns) = idmap {
                mount::map_owners(tree.as_fd(), false, userns)
                    .doing(|| format!("map the owners of the files of layer {}", layer.display()))?;
            }
            mount::attach(tree.as_fd(), &place)?;
            staged.mounted.push(place.clone());
            staged.layers.push(place);
        }
        Ok(staged)
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        // The overlay holds its own references to the layers.
        for place in &self.mounted {
            let _ = mount::unmount(place);
        }
    }
}

fn make_directory(path: &Path, mode: u32) -> Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(path)
        .doing(|| format!("make directory {}", path.display()))
}

/// Escapes what overlayfs' option parser takes for separators.
fn escape(path: &Path) -> String {
    let mut text = String::new();
    for letter in path.to_string_lossy().chars() {
        if matches!(letter, ':' | ',' | '\\') {
            text.push('\\');
        }
        text.push(letter);
    }
    text
}
