//! One group of processes with limits, in all the hierarchies that matter.
//! Processes are put in by the runtime at birth, never moved: moving is slow, and a process could fork before.
//! Invariant: [`Group::kill`] returns only when no process is left in the group, or with an error.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::{Doing, Error, Result};

/// The kernel's accounting period for CPU time, in microseconds.
const CPU_PERIOD_MICROSECONDS: u64 = 100_000;
/// How often, and how long between, an operation that needs processes to vanish is tried: 2 s in all.
const TRIES: u32 = 1_000;
const PAUSE: Duration = Duration::from_millis(2);

/// Limits of one group; an absent one is not limited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Memory in bytes, swap included.
    pub memory_bytes: Option<u64>,
    /// CPU time in thousandths of a CPU.
    pub cpu_millis: Option<u64>,
    /// Processes and threads.
    pub pids: Option<u64>,
}

/// A group. Dropping the value changes nothing on the machine.
#[derive(Clone, Debug)]
pub struct Group {
    pub(super) v1: BTreeMap<&'static str, PathBuf>,
    pub(super) v2: Option<PathBuf>,
    pub(super) v2_controllers: bool,
    pub(super) path: String,
}

impl Group {
    /// The value of `linux.cgroupsPath` that makes an external runtime use this group.
    #[must_use]
    pub fn oci_path(&self) -> &str {
        &self.path
    }

    /// Sets the limits of a group that may already have processes.
    ///
    /// # Errors
    /// The kernel's, for example a memory limit below what is in use and cannot be freed.
    pub fn set(&self, limits: &Limits) -> Result<()> {
        if let (true, Some(group)) = (self.v2_controllers, &self.v2) {
            set_v2(group, limits)
        } else {
            self.set_v1(limits)
        }
    }

    fn set_v1(&self, limits: &Limits) -> Result<()> {
        if let (Some(group), Some(bytes)) = (self.v1.get("memory"), limits.memory_bytes) {
            // Memory with swap may never be less than memory: first when it grows, last when it shrinks.
            let bytes = bytes.to_string();
            write_if_offered(group, "memory.memsw.limit_in_bytes", &bytes);
            write_limit(group, "memory.limit_in_bytes", &bytes)?;
            write_if_offered(group, "memory.memsw.limit_in_bytes", &bytes);
        }
        if let (Some(group), Some(millis)) = (self.v1.get("cpu"), limits.cpu_millis) {
            write_limit(group, "cpu.cfs_period_us", &CPU_PERIOD_MICROSECONDS.to_string())?;
            write_limit(group, "cpu.cfs_quota_us", &quota(millis).to_string())?;
        }
        if let (Some(group), Some(pids)) = (self.v1.get("pids"), limits.pids) {
            write_limit(group, "pids.max", &pids.to_string())?;
        }
        Ok(())
    }

    /// How many processes in this group the kernel has killed for lack of memory.
    #[must_use]
    pub fn oom_kills(&self) -> u64 {
        let file = match (self.v1.get("memory"), &self.v2) {
            (Some(group), _) => group.join("memory.oom_control"),
            (None, Some(group)) => group.join("memory.events"),
            (None, None) => return 0,
        };
        let text = fs::read_to_string(file).unwrap_or_default();
        text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.parse().ok()).unwrap_or(0)
    }

    /// Kills every process in the group and waits until all are gone.
    ///
    /// # Errors
    /// [`Error::Missing`] if some are still there after 2 seconds, which only the kernel can cause (a process in an
    /// uninterruptible wait).
    pub fn kill(&self) -> Result<()> {
        for _ in 0..TRIES {
            if let Some(group) = &self.v2 {
                write_if_offered(group, "cgroup.kill", "1");
            }
            let left = self.processes();
            if left.is_empty() {
                return Ok(());
            }
            for pid in left {
                // A member of the group is ours to kill whoever it is; a reused number is a member again or fails.
                if let Some(pid) = rustix::process::Pid::from_raw(pid) {
                    let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
                }
            }
            std::thread::sleep(PAUSE);
        }
        Err(Error::Missing(format!("could not end all processes of control group {}", self.path)))
    }

    /// The processes in the group, not in its children.
    #[must_use]
    pub fn processes(&self) -> Vec<i32> {
        let mut pids: Vec<i32> = Vec::new();
        for group in self.v1.values().chain(&self.v2) {
            let text = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
            pids.extend(text.lines().filter_map(|line| line.parse::<i32>().ok()));
        }
        pids.sort_unstable();
        pids.dedup();
        pids
    }

    /// Removes the group and its children, waiting a moment for processes that are about to be gone.
    ///
    /// # Errors
    /// `EBUSY` if it still has processes after 2 seconds.
    pub fn remove(self) -> Result<()> {
        for group in self.v1.values().chain(&self.v2) {
            let mut tries = 0;
            while !remove_tree(group) {
                tries += 1;
                if tries == TRIES {
                    let busy = std::io::Error::from_raw_os_error(libc::EBUSY);
                    return Err(busy).doing(|| format!("remove control group {}", group.display()));
                }
                std::thread::sleep(PAUSE);
            }
        }
        Ok(())
    }

    /// Descriptors for a newborn process to put itself into the version 1 groups by writing `0`.
    ///
    /// The `tasks` file and `0` together spare the kernel a lock over all process creation on the machine, which
    /// costs milliseconds.
    pub(crate) fn join_v1(&self) -> Result<Vec<OwnedFd>> {
        let open = |group: &PathBuf| {
            let file = group.join("tasks");
            File::options()
                .write(true)
                .open(&file)
                .map(OwnedFd::from)
                .doing(|| format!("open {}", file.display()))
        };
        let mut directories: Vec<&PathBuf> = self.v1.values().collect();
        directories.dedup();
        directories.into_iter().map(open).collect()
    }

    /// The directories with the group's controllers, by controller; the empty name for version 2.
    pub(crate) fn directories(&self) -> Vec<(&'static str, PathBuf)> {
        match (&self.v2, self.v2_controllers) {
            (Some(group), true) => vec![("", group.clone())],
            _ => self.v1.iter().map(|(controller, group)| (*controller, group.clone())).collect(),
        }
    }

    /// The version 2 directory, to be born into.
    pub(crate) fn open_v2(&self) -> Result<Option<OwnedFd>> {
        let Some(group) = &self.v2 else { return Ok(None) };
        let flags = rustix::fs::OFlags::PATH | rustix::fs::OFlags::DIRECTORY | rustix::fs::OFlags::CLOEXEC;
        rustix::fs::open(group, flags, rustix::fs::Mode::empty())
            .map(Some)
            .doing(|| format!("open {}", group.display()))
    }
}

fn set_v2(group: &Path, limits: &Limits) -> Result<()> {
    if let Some(bytes) = limits.memory_bytes
        && write_if_offered(group, "memory.max", &bytes.to_string())
    {
        write_if_offered(group, "memory.swap.max", "0");
        // One process out of memory ends the whole step, as on Kubernetes.
        write_if_offered(group, "memory.oom.group", "1");
    }
    if let Some(millis) = limits.cpu_millis {
        write_if_offered(group, "cpu.max", &format!("{} {CPU_PERIOD_MICROSECONDS}", quota(millis)));
    }
    if let Some(pids) = limits.pids {
        write_if_offered(group, "pids.max", &pids.to_string());
    }
    Ok(())
}

/// CPU time per period, in microseconds; the kernel takes no less than a millisecond.
fn quota(millis: u64) -> u64 {
    (millis.saturating_mul(CPU_PERIOD_MICROSECONDS) / 1_000).max(1_000)
}

fn write_limit(group: &Path, file: &str, value: &str) -> Result<()> {
    let path = group.join(file);
    fs::write(&path, value).doing(|| format!("write {value} to {}", path.display()))
}

/// For files that not every kernel has, or that a parent has not handed on. True if written.
fn write_if_offered(group: &Path, file: &str, value: &str) -> bool {
    let opened = File::options().write(true).open(group.join(file));
    opened.and_then(|mut file| std::io::Write::write_all(&mut file, value.as_bytes())).is_ok()
}

/// Removes a group's directory after those below it. True if it is gone.
pub(super) fn remove_tree(group: &Path) -> bool {
    for entry in fs::read_dir(group).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_tree(&entry.path());
        }
    }
    match fs::remove_dir(group) {
        Ok(()) => true,
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    }
}
