//! What this process may do on this machine, tried out rather than guessed, and in one line each what is missing.
//! Called once at start, before there are threads; the node passes the answer to its plans.
//! Invariant: a plan made from [`Privileges`] does not fail for a reason that was knowable here.

use std::fs;
use std::os::fd::AsFd;
use std::path::Path;

use rustix::thread::{CapabilitySet, capabilities};

use crate::error::{Doing, Error, Result};
use crate::userns::{self, IdRange, UserNamespace};
use crate::{mount, sys};

/// How containers are kept apart from the machine's users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserIsolation {
    /// Root, and each Pod in a user namespace with a range of ids of its own.
    NamespacePerPod,
    /// Root on a machine that cannot map owners: containers run with the machine's ids and reduced capabilities.
    None,
    /// The whole node runs in an ordinary user's namespace, with this many ids.
    Rootless {
        /// 1 means that a container can only run as its root.
        ids: u64,
    },
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Privileges {
    /// How containers are kept apart from the machine's users.
    pub isolation: UserIsolation,
    /// One line each: what is missing and what that means. Empty on a good machine.
    pub problems: Vec<String>,
    /// True if containers cannot be run at all; `problems` says why.
    pub fatal: bool,
}

impl Privileges {
    /// Tries what containers need, with files in `data_dir`. Call after [`userns::enter`], with one thread.
    #[must_use]
    pub fn detect(data_dir: &Path) -> Self {
        if userns::in_initial_namespace() { Self::detect_root(data_dir) } else { Self::detect_rootless() }
    }

    fn detect_root(data_dir: &Path) -> Self {
        let effective = capabilities(None).map(|sets| sets.effective).unwrap_or(CapabilitySet::empty());
        if !effective.contains(CapabilitySet::SYS_ADMIN) {
            return Self {
                isolation: UserIsolation::None,
                problems: vec![
                    "containers cannot be run: this process may not make namespaces (CAP_SYS_ADMIN is missing)".into(),
                ],
                fatal: true,
            };
        }
        match probe_mapped_overlay(data_dir) {
            Ok(()) => Self { isolation: UserIsolation::NamespacePerPod, problems: Vec::new(), fatal: false },
            Err(error) => Self {
                isolation: UserIsolation::None,
                problems: vec![format!(
                    "containers share the machine's user ids: id-mapped mounts do not work here ({}); they need \
                     Linux 5.19 and a file system such as ext4, xfs or btrfs",
                    error.chain()
                )],
                fatal: false,
            },
        }
    }

    fn detect_rootless() -> Self {
        let ids = userns::mapped_ids();
        let mut problems = Vec::new();
        if ids == 1 {
            problems.push(
                "only one user id is available: images that use other users than root do not work (install \
                 uidmap and add a range for this user to /etc/subuid and /etc/subgid)"
                    .into(),
            );
        }
        Self { isolation: UserIsolation::Rootless { ids }, problems, fatal: false }
    }
}

/// Mounts an overlay over a mapped directory in a child, seen by nobody.
fn probe_mapped_overlay(data_dir: &Path) -> Result<()> {
    let probe = data_dir.join(format!(".probe-{}", std::process::id()));
    let layer = probe.join("layer");
    fs::create_dir_all(&layer).doing(|| format!("make directory {}", layer.display()))?;
    let target = probe.join("target");
    fs::create_dir_all(&target).doing(|| format!("make directory {}", target.display()))?;
    let userns = UserNamespace::create(IdRange::for_pod(userns::FIRST_POD_ID, 0));
    let probed = userns.and_then(|userns| {
        let tree = mount::clone_tree(&layer, false)?;
        mount::map_owners(tree.as_fd(), false, &userns).doing(|| "map owners")?;
        let overlay = crate::overlay::Overlay { layers: vec![layer.clone()], scratch: probe.join("scratch") };
        let inside = || {
            mount::private_namespace()?;
            overlay.mount(&target, Some(&userns))?;
            fs::write(target.join("file"), "").doing(|| "write to an overlay")
        };
        userns::forked_owner(0, "try an overlay", inside, |_| Ok(()))
    });
    let _ = fs::remove_dir_all(&probe);
    probed
}

/// The kernel's release as `uname -r` prints it.
#[must_use]
pub fn kernel_release() -> String {
    rustix::system::uname().release().to_string_lossy().into_owned()
}

/// Refuses what needs a process with one thread.
///
/// # Errors
/// [`Error::Threads`].
pub fn require_single_thread(what: &'static str) -> Result<()> {
    let threads = sys::thread_count().doing(|| "count threads")?;
    if threads == 1 { Ok(()) } else { Err(Error::Threads(what)) }
}
