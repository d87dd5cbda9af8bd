//! What control groups this machine offers to this process, and the place below which groups are made.
//! Where nothing can be had, groups are made of nothing: limits are then not enforced, and [`Cgroups::problem`] says so.
//! Invariant: only directories below `<hierarchy>/<base>` are ever made, written to or removed (plus, on version 2,
//! one leaf for processes that stand in the way).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::group::{Group, Limits};
use super::mountinfo::{self, Hierarchies};
use crate::error::{Doing, Error, Result};

/// The controllers that limits need.
pub(super) const CONTROLLERS: [&str; 3] = ["memory", "cpu", "pids"];

/// Which version carries the controllers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Version 1 only.
    V1,
    /// Controllers on version 1, with version 2 beside it for killing.
    Hybrid,
    /// Version 2 only.
    V2,
    /// Nothing that this process may use.
    None,
}

/// The control groups of this machine, as far as this process may use them.
#[derive(Clone, Debug)]
pub struct Cgroups {
    kind: Kind,
    /// Controller to the directory of our base group in its hierarchy.
    pub(super) v1: BTreeMap<&'static str, PathBuf>,
    /// The directory of our base group in version 2.
    pub(super) v2: Option<PathBuf>,
    /// The base group as an absolute path within a hierarchy.
    pub(super) base: String,
    problem: Option<String>,
}

impl Cgroups {
    /// Looks what there is and makes the base group `name` (one path component, for example `psvc`) where allowed. On
    /// version 2 with a delegated group, this process first moves into a leaf of it, as the kernel demands.
    /// Never fails: see [`Cgroups::problem`].
    #[must_use]
    pub fn open(name: &str) -> Self {
        let mountinfo = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let found = mountinfo::hierarchies(&mountinfo);
        let mut opened = Self::open_v1(&found, name);
        if let Some(mount) = &found.v2 {
            if opened.v1.is_empty() {
                opened.open_v2(mount, &mountinfo::own_v2(&own, mount), name);
            } else {
                // Beside version 1 it has no controllers, but groups in it can be killed whole.
                opened.v2 = make_group(&mount.0.join(name)).ok();
                opened.kind = if opened.v2.is_some() { Kind::Hybrid } else { Kind::V1 };
            }
        }
        opened.problem = opened.missing();
        opened
    }

    fn open_v1(found: &Hierarchies, name: &str) -> Self {
        let mut v1 = BTreeMap::new();
        for controller in CONTROLLERS {
            let Some(point) = found.v1.get(controller) else { continue };
            let directory = point.join(name);
            if make_group(&directory).is_ok() {
                v1.insert(controller, directory);
            }
        }
        let kind = if v1.is_empty() { Kind::None } else { Kind::V1 };
        Self { kind, v1, v2: None, base: format!("/{name}"), problem: None }
    }

    /// Tries the top of the hierarchy (root), then the group that this process was given (delegation).
    fn open_v2(&mut self, (point, root): &(PathBuf, PathBuf), own: &Path, name: &str) {
        for top in [point.as_path(), given_to_us(own, name)] {
            if !(free_of_processes(top, own, name) && enable_controllers(top)) {
                continue;
            }
            let directory = top.join(name);
            if make_group(&directory).is_ok() && enable_controllers(&directory) {
                let within = directory.strip_prefix(point).unwrap_or(&directory);
                self.base = Path::new("/").join(root).join(within).to_string_lossy().into_owned();
                self.v2 = Some(directory);
                self.kind = Kind::V2;
                return;
            }
        }
    }

    fn missing(&self) -> Option<String> {
        let has = |controller: &str| match (self.kind, &self.v2) {
            (Kind::V2, Some(base)) => controllers(base).iter().any(|name| name == controller),
            _ => self.v1.contains_key(controller),
        };
        let missing: Vec<_> = CONTROLLERS.into_iter().filter(|controller| !has(controller)).collect();
        match (missing.len(), crate::userns::in_initial_namespace()) {
            (0, _) => None,
            (3, false) => Some(
                "no control groups are delegated to this user: limits on memory, CPU and processes are not \
                 enforced (start with `systemd-run --user --scope -p Delegate=yes`, or as root)"
                    .into(),
            ),
            (3, true) => Some(
                "control groups cannot be used here: limits on memory, CPU and processes are not enforced"
                    .into(),
            ),
            _ => Some(format!("no control group for {}: those limits are not enforced", missing.join(", "))),
        }
    }

    /// Which version carries the controllers.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// One line that says which limits are not enforced and why, if any.
    #[must_use]
    pub fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    /// Makes the group `name` (components separated by `/`, for example a Pod's uid and a container's name) with these
    /// limits. Limits that the machine does not offer are left out. Making it again sets the limits anew.
    ///
    /// # Errors
    /// [`Error::Spec`] for a name that leaves the base group; the kernel's.
    pub fn create(&self, name: &str, limits: &Limits) -> Result<Group> {
        if name.is_empty() || name.split('/').any(|part| part.is_empty() || part == "." || part == "..") {
            return Err(Error::Spec(format!("`{name}` is not a control group's name")));
        }
        let mut group = Group {
            v1: BTreeMap::new(),
            v2: None,
            v2_controllers: self.kind == Kind::V2,
            path: format!("{}/{name}", self.base),
        };
        for (controller, base) in &self.v1 {
            group.v1.insert(controller, make_path(base, name, false)?);
        }
        if let Some(base) = &self.v2 {
            group.v2 = Some(make_path(base, name, self.kind == Kind::V2)?);
        }
        group.set(limits)?;
        Ok(group)
    }

    /// Removes groups below the base that have no processes, left over from a time before this process; their names
    /// are those given to [`Cgroups::create`] up to the first `/`. `keep` says which belong to Pods that live.
    pub fn sweep(&self, keep: &dyn Fn(&str) -> bool) {
        for base in self.v1.values().chain(&self.v2) {
            for entry in fs::read_dir(base).into_iter().flatten().flatten() {
                let name = entry.file_name().to_string_lossy().into_owned();
                if entry.path().is_dir() && !keep(&name) {
                    super::group::remove_tree(&entry.path());
                }
            }
        }
    }
}

/// Makes every directory of `name` below `base`; on version 2 with the controllers of each parent enabled.
fn make_path(base: &Path, name: &str, enable: bool) -> Result<PathBuf> {
    let mut directory = base.to_owned();
    let mut parts = name.split('/').peekable();
    while let Some(part) = parts.next() {
        directory.push(part);
        make_group(&directory).doing(|| format!("make control group {}", directory.display()))?;
        if enable && parts.peek().is_some() {
            enable_controllers(&directory);
        }
    }
    Ok(directory)
}

/// Makes one group; an existing one must be ours to write to.
fn make_group(directory: &Path) -> std::io::Result<PathBuf> {
    match fs::create_dir(directory) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
        _ => {
            let procs = directory.join("cgroup.procs");
            fs::File::options().write(true).open(procs).map(|_| directory.to_owned())
        }
    }
}

fn controllers(group: &Path) -> Vec<String> {
    let text = fs::read_to_string(group.join("cgroup.controllers")).unwrap_or_default();
    text.split_ascii_whitespace().map(str::to_owned).collect()
}

/// Hands the controllers of a version 2 group on to its children; true if at least one of ours could be.
fn enable_controllers(group: &Path) -> bool {
    let offered = controllers(group);
    let mut enabled = false;
    for controller in CONTROLLERS {
        let known = offered.iter().any(|name| name == controller);
        enabled |= known && fs::write(group.join("cgroup.subtree_control"), format!("+{controller}")).is_ok();
    }
    enabled
}

/// The group that was delegated: this process', unless it or the one that started it has moved into the leaf already.
fn given_to_us<'a>(own: &'a Path, name: &str) -> &'a Path {
    let leaf = format!("{name}-main");
    own.ancestors().find(|path| path.ends_with(&leaf)).and_then(Path::parent).unwrap_or(own)
}

/// Version 2 allows controllers only in groups that have no processes themselves (the machine's top group apart), so
/// those of a group that was given to us move into a leaf of it.
fn free_of_processes(top: &Path, own: &Path, name: &str) -> bool {
    let machine_top = !top.join("cgroup.type").exists();
    if machine_top || top != own {
        return fs::File::options().write(true).open(top.join("cgroup.subtree_control")).is_ok();
    }
    let leaf = top.join(format!("{name}-main"));
    if make_group(&leaf).is_err() {
        return false;
    }
    let inside = fs::read_to_string(top.join("cgroup.procs")).unwrap_or_default();
    inside.lines().all(|pid| fs::write(leaf.join("cgroup.procs"), pid).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory that looks like a version 2 group with all controllers.
    fn group(path: &Path) {
        fs::create_dir_all(path).unwrap();
        fs::write(path.join("cgroup.controllers"), "cpu io memory pids").unwrap();
        let files = [
            "cgroup.subtree_control",
            "cgroup.procs",
            "memory.max",
            "memory.swap.max",
            "cpu.max",
            "pids.max",
        ];
        files.iter().for_each(|file| fs::write(path.join(file), "").unwrap());
    }

    fn read(path: &Path, file: &str) -> String {
        fs::read_to_string(path.join(file)).unwrap()
    }

    fn opened(point: &Path, own: &Path) -> Cgroups {
        let mut cgroups = Cgroups::open_v1(&Hierarchies::default(), "psvc");
        cgroups.open_v2(&(point.to_owned(), "/".into()), own, "psvc");
        cgroups
    }

    #[test]
    fn version_2_limits_are_written_below_the_top_for_root() {
        let scratch = tempfile::tempdir().unwrap();
        let top = scratch.path();
        ["", "psvc", "psvc/pod", "psvc/pod/step"].iter().for_each(|path| group(&top.join(path)));
        let cgroups = opened(top, &top.join("user.slice/session"));
        assert_eq!(cgroups.kind(), Kind::V2);
        let limits = Limits { memory_bytes: Some(1024), cpu_millis: Some(250), pids: Some(9) };
        let made = cgroups.create("pod/step", &limits).unwrap();
        assert_eq!(made.oci_path(), "/psvc/pod/step");
        let step = top.join("psvc/pod/step");
        assert_eq!(read(&step, "memory.max"), "1024");
        assert_eq!(read(&step, "memory.swap.max"), "0");
        assert_eq!(read(&step, "cpu.max"), "25000 100000");
        assert_eq!(read(&step, "pids.max"), "9");
        assert_ne!(read(&top.join("psvc/pod"), "cgroup.subtree_control"), "");
    }

    #[test]
    fn a_delegated_group_is_used_after_its_processes_moved_into_a_leaf() {
        let scratch = tempfile::tempdir().unwrap();
        let own = scratch.path().join("user.slice/psvc.scope");
        [own.clone(), own.join("psvc"), own.join("psvc-main")].iter().for_each(|path| group(path));
        fs::write(own.join("cgroup.type"), "domain").unwrap();
        fs::write(own.join("cgroup.procs"), "42\n").unwrap();
        let cgroups = opened(scratch.path(), &own);
        assert_eq!((cgroups.kind(), cgroups.base.as_str()), (Kind::V2, "/user.slice/psvc.scope/psvc"));
        assert_eq!(read(&own.join("psvc-main"), "cgroup.procs"), "42");
        let started_later = opened(scratch.path(), &own.join("psvc-main"));
        assert_eq!(started_later.base, cgroups.base);
    }

    #[test]
    fn without_permission_there_is_nothing_and_no_error() {
        let scratch = tempfile::tempdir().unwrap();
        let cgroups = opened(&scratch.path().join("none"), &scratch.path().join("none/own"));
        assert_eq!(cgroups.kind(), Kind::None);
        assert!(cgroups.missing().unwrap().contains("not enforced"));
        let limits = Limits { pids: Some(1), ..Limits::default() };
        let group = cgroups.create("pod", &limits).unwrap();
        assert_eq!(group.oom_kills(), 0);
        group.remove().unwrap();
    }
}
