//! The root file system of image `psvc.local/host`: this machine's own files, read-only, at every depth.
//! A small file system in memory holds the top directory; each directory of the machine's root is bound into it
//! read-only, except those that describe the running machine or let one talk to its services.
//! Invariant: `/proc`, `/sys`, `/dev`, `/run` and `/tmp` of the machine are not visible; nothing of the machine can be
//! written, and sockets under `/run` cannot be reached by path.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::error::{Doing, Result};
use crate::mount::{self, Bind};
use crate::userns::UserNamespace;

/// Top directories that start empty: the container's own mounts cover them.
const EMPTY: [&str; 7] = ["proc", "sys", "dev", "run", "tmp", "workspace", "tekton"];

/// Mounts the view at `target`. The top directory itself takes new mount points; it is in memory and ends with the
/// mount. Directories named in `hidden` (for example the node's data directory) are covered by empty ones.
///
/// Inside a user namespace whose ids map to others, the machine's files appear as owned by nobody: what everyone may
/// read can be read, what only root may read cannot. That is intended.
///
/// # Errors
/// The kernel's.
pub fn mount(target: &Path, hidden: &[PathBuf], userns: Option<&UserNamespace>) -> Result<()> {
    let owner = userns.map_or(String::new(), |userns| {
        let (uid, gid) = userns.root_ids();
        format!(",uid={uid},gid={gid}")
    });
    mount::tmpfs(target, &format!("mode=0755,size=16m{owner}"))?;
    for name in EMPTY {
        make_directory(&target.join(name), name == "tmp", userns)?;
    }
    let entries = fs::read_dir("/").doing(|| "list /")?;
    for entry in entries {
        let entry = entry.doing(|| "list /")?;
        let (name, source) = (entry.file_name(), entry.path());
        let place = target.join(&name);
        let kind = entry.file_type().doing(|| format!("look at {}", source.display()))?;
        if EMPTY.iter().any(|empty| name.as_encoded_bytes() == empty.as_bytes()) {
            continue;
        }
        if kind.is_symlink() {
            let to = fs::read_link(&source).doing(|| format!("read link {}", source.display()))?;
            symlink(to, &place).doing(|| format!("make link {}", place.display()))?;
        } else if kind.is_dir() {
            make_directory(&place, false, None)?;
            Bind { source: &source, target: &place, recursive: true, readonly: true, idmap: None }.mount()?;
        }
    }
    for path in hidden {
        let place = target.join(path.strip_prefix("/").unwrap_or(path));
        if place.is_dir() {
            mount::tmpfs(&place, "mode=0555,size=4k")?;
        }
    }
    Ok(())
}

fn make_directory(path: &Path, sticky: bool, userns: Option<&UserNamespace>) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::create_dir(path).doing(|| format!("make directory {}", path.display()))?;
    if sticky {
        fs::set_permissions(path, fs::Permissions::from_mode(0o1777))
            .doing(|| format!("open {} to all", path.display()))?;
    }
    if let Some(userns) = userns {
        let (uid, gid) = userns.root_ids();
        std::os::unix::fs::chown(path, Some(uid), Some(gid))
            .doing(|| format!("give away {}", path.display()))?;
    }
    Ok(())
}
