//! Finds the control group hierarchies in `/proc/self/mountinfo` and this process' place in them.
//! Pure text in, tables out.
//! Invariant: a path in [`Hierarchies`] exists on this machine as this process sees it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The hierarchies that are mounted, and where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Hierarchies {
    /// The mount point of each version 1 controller (`memory`, `cpu`, `pids`, ..).
    pub v1: BTreeMap<String, PathBuf>,
    /// The mount point of version 2, and the directory of it that the mount shows (`/` unless inside a container).
    pub v2: Option<(PathBuf, PathBuf)>,
}

/// Reads `/proc/self/mountinfo`.
pub(super) fn hierarchies(mountinfo: &str) -> Hierarchies {
    let mut found = Hierarchies::default();
    for line in mountinfo.lines() {
        let Some((left, right)) = line.split_once(" - ") else { continue };
        let mut left = left.split(' ');
        let (Some(root), Some(point)) = (left.nth(3), left.next()) else { continue };
        let mut right = right.split(' ');
        match right.next() {
            Some("cgroup2") => found.v2 = Some((unescape(point), unescape(root))),
            Some("cgroup") => {
                for option in right.nth(1).unwrap_or("").split(',') {
                    found.v1.insert(option.to_owned(), unescape(point));
                }
            }
            _ => {}
        }
    }
    found
}

/// This process' directory in version 2, from `/proc/self/cgroup`, under its mount.
pub(super) fn own_v2(proc_cgroup: &str, (point, root): &(PathBuf, PathBuf)) -> PathBuf {
    let path = proc_cgroup.lines().find_map(|line| line.strip_prefix("0::")).unwrap_or("/");
    let below = Path::new(path).strip_prefix(root).unwrap_or_else(|_| Path::new(""));
    if below.as_os_str().is_empty() { point.clone() } else { point.join(below) }
}

/// Decodes `\040` and its relatives.
fn unescape(text: &str) -> PathBuf {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let octal = tail.get(..3).and_then(|digits| std::str::from_utf8(digits).ok());
        match octal.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) if first == b'\\' => {
                bytes.push(byte);
                rest = &tail[3..];
            }
            _ => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    PathBuf::from(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HYBRID: &str = "\
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
";

    #[test]
    fn a_hybrid_machine_has_both() {
        let found = hierarchies(HYBRID);
        assert_eq!(found.v1["cpu"], Path::new("/sys/fs/cgroup/cpu,cpuacct"));
        assert_eq!(found.v1["memory"], Path::new("/sys/fs/cgroup/memory"));
        assert_eq!(found.v2, Some(("/sys/fs/cgroup/unified".into(), "/".into())));
    }

    #[test]
    fn the_own_group_is_seen_through_the_mount() {
        let machine = (PathBuf::from("/sys/fs/cgroup"), PathBuf::from("/"));
        assert_eq!(own_v2("0::/user.slice/a\n", &machine), Path::new("/sys/fs/cgroup/user.slice/a"));
        let container = (PathBuf::from("/sys/fs/cgroup"), PathBuf::from("/docker/1"));
        assert_eq!(own_v2("1:cpu:/x\n0::/docker/1/b\n", &container), Path::new("/sys/fs/cgroup/b"));
        assert_eq!(own_v2("0::/\n", &machine), Path::new("/sys/fs/cgroup"));
    }

    #[test]
    fn blanks_in_paths_are_decoded() {
        assert_eq!(unescape("/a\\040b\\x"), Path::new("/a b\\x"));
    }
}
