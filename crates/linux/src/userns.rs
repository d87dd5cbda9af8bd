//! User namespaces: ids inside that are other ids outside.
//! Two uses. As root, each Pod gets a range of ids of its own ([`UserNamespace::create`]) and sees its files through
//! id-mapped mounts. As an ordinary user, the whole node moves into one namespace at start ([`enter`]), in which it is
//! root, and containers run in that one.
//! Invariant: id 0 of a Pod is never id 0 of the machine.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::{Command, Stdio};

use rustix::thread::UnshareFlags;

use crate::error::{Doing, Error, Result};
use crate::process::{self, PidFd};
use crate::sys::{self, Cloned};

/// How many ids a Pod has: what images expect (`nobody` is 65534).
pub const IDS_PER_POD: u32 = 65_536;

/// The first id of the range for Pods unless configured: above what systemd gives to its containers
/// (524288 to 1879048191), below the sign bit.
pub const FIRST_POD_ID: u32 = 0x7000_0000;

/// How many Pods can have ranges at once above [`FIRST_POD_ID`].
pub const POD_RANGES_MAX: u32 = 0x1000_0000 / IDS_PER_POD;

/// A piece of an id mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdRange {
    /// The first id inside.
    pub inside: u32,
    /// The first id outside.
    pub outside: u32,
    /// How many.
    pub count: u32,
}

impl IdRange {
    /// The ids of the Pod with this number, from `first` on.
    #[must_use]
    pub fn for_pod(first: u32, number: u32) -> Self {
        Self { inside: 0, outside: first + number % POD_RANGES_MAX * IDS_PER_POD, count: IDS_PER_POD }
    }

    /// The id outside for one inside.
    #[must_use]
    pub fn to_outside(self, id: u32) -> Option<u32> {
        let offset = id.checked_sub(self.inside)?;
        (offset < self.count).then(|| self.outside + offset)
    }
}

/// A user namespace held open; users and groups are mapped alike.
#[derive(Debug)]
pub struct UserNamespace {
    fd: OwnedFd,
    range: IdRange,
}

impl UserNamespace {
    /// Makes a namespace with this one range. Wants a process with one thread.
    ///
    /// # Errors
    /// `EPERM` if this user may not map those ids, or the machine forbids user namespaces (`ENOSPC`).
    pub fn create(range: IdRange) -> Result<Self> {
        let open = |pid: i32| {
            let map = format!("{} {} {}\n", range.inside, range.outside, range.count);
            write_map(pid, "uid_map", &map)?;
            write_map(pid, "gid_map", &map)?;
            let path = format!("/proc/{pid}/ns/user");
            File::open(&path).doing(|| format!("open {path}"))
        };
        let file = forked_owner(libc::CLONE_NEWUSER, "make a user namespace", || Ok(()), open)?;
        Ok(Self { fd: file.into(), range })
    }

    /// The mapping, for the container's configuration.
    #[must_use]
    pub fn range(&self) -> IdRange {
        self.range
    }

    /// The ids outside of user 0 and group 0 inside.
    #[must_use]
    pub fn root_ids(&self) -> (u32, u32) {
        (self.range.outside, self.range.outside)
    }
}

impl AsFd for UserNamespace {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Makes a namespace of one kind in a short-lived child: `inside` runs in the child, then `open` in this process
/// takes hold of the namespace by the child's number, then the child ends.
pub(crate) fn forked_owner<T>(
    flags: i32,
    what: &'static str,
    inside: impl FnOnce() -> Result<()>,
    open: impl FnOnce(i32) -> Result<T>,
) -> Result<T> {
    let (report_read, report_write) = process::pipe()?;
    let (release_read, release_write) = process::pipe()?;
    match sys::clone3(flags, None).doing(|| what)? {
        Cloned::Child => {
            drop((report_read, release_write));
            let text = inside().err().map_or(String::new(), |error| error.chain());
            let _ = File::from(report_write).write_all(text.as_bytes());
            let _ = File::from(release_read).read(&mut [0]);
            sys::exit_now(0)
        }
        Cloned::Parent { pid, pidfd } => {
            drop((report_write, release_read));
            let child = PidFd::from_parts(pid, pidfd);
            let mut text = String::new();
            let read = File::from(report_read).read_to_string(&mut text).doing(|| what);
            let opened =
                read.and_then(|_| if text.is_empty() { open(pid) } else { Err(Error::Missing(text)) });
            drop(release_write);
            child.wait()?;
            opened
        }
    }
}

fn write_map(pid: i32, file: &str, map: &str) -> Result<()> {
    let path = format!("/proc/{pid}/{file}");
    fs::write(&path, map).doing(|| format!("write `{}` to {path}", map.trim_end()))
}

/// True in the machine's own user namespace, where ids are what they seem.
#[must_use]
pub fn in_initial_namespace() -> bool {
    fs::read_to_string("/proc/self/uid_map").is_ok_and(|map| {
        let mut words = map.split_ascii_whitespace();
        (words.next(), words.next(), words.next()) == (Some("0"), Some("0"), Some("4294967295"))
    })
}

/// How many user ids exist in this process' user namespace: 1 means that only root does.
#[must_use]
pub fn mapped_ids() -> u64 {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    map.lines().filter_map(|line| line.split_ascii_whitespace().nth(2)?.parse::<u64>().ok()).sum()
}

/// For an ordinary user: moves this process into a user namespace in which it is root, and into a mount namespace of
/// its own. With `newuidmap`, `newgidmap` and ranges for the user in `/etc/subuid` and `/etc/subgid`, the ids 1.. are
/// those ranges; without, id 0 is the only one. Does nothing for root. Call it first thing in `main`: it wants a
/// process with one thread, and processes started before stay outside.
///
/// # Errors
/// [`Error::Missing`] with one line that says what the machine lacks.
pub fn enter() -> Result<()> {
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    if uid == 0 {
        return Ok(());
    }
    let ranges = SubordinateIds::of_user(uid, gid);
    let (ready_read, ready_write) = process::pipe()?;
    let parent = std::process::id();
    // The helper stays outside: only from there can the set-user-id programs be run.
    let Cloned::Parent { pid, pidfd } = sys::clone3(0, None).doing(|| "start a helper process")? else {
        drop(ready_write);
        let mut go = [0];
        let told = File::from(ready_read).read(&mut go).unwrap_or(0);
        let mapped = told == 1 && ranges.is_some_and(|ranges| ranges.apply(parent));
        sys::exit_now(i32::from(!mapped))
    };
    drop(ready_read);
    let helper = PidFd::from_parts(pid, pidfd);
    let entered = sys::unshare(UnshareFlags::NEWUSER);
    if entered.is_ok() {
        let _ = File::from(ready_write).write_all(&[1]);
    } else {
        drop(ready_write);
    }
    let mapped = helper.wait()? == process::Ended::Code(0);
    entered.map_err(|error| Error::Missing(forbidden(&error)))?;
    if !mapped {
        map_only_self(uid, gid)?;
    }
    sys::become_namespace_root().doing(|| "become root of the user namespace")?;
    crate::mount::private_namespace().map_err(|error| Error::Missing(restricted(&error.chain())))
}

fn map_only_self(uid: u32, gid: u32) -> Result<()> {
    let write = |file: &str, text: String| {
        let path = format!("/proc/self/{file}");
        fs::write(&path, &text).doing(|| format!("write `{text}` to {path}"))
    };
    write("setgroups", "deny".into())?;
    write("uid_map", format!("0 {uid} 1"))?;
    write("gid_map", format!("0 {gid} 1"))
}

fn forbidden(error: &std::io::Error) -> String {
    format!(
        "user namespaces are not allowed for ordinary users on this machine ({error}): run as root, or set \
         sysctl user.max_user_namespaces (and kernel.unprivileged_userns_clone=1 where it exists)"
    )
}

fn restricted(cause: &str) -> String {
    format!(
        "user namespaces are restricted on this machine ({cause}): run as root, or set sysctl \
         kernel.apparmor_restrict_unprivileged_userns=0"
    )
}

/// The ids that `/etc/subuid` and `/etc/subgid` give to a user.
struct SubordinateIds {
    uid: u32,
    gid: u32,
    users: Vec<(u32, u32)>,
    groups: Vec<(u32, u32)>,
}

impl SubordinateIds {
    fn of_user(uid: u32, gid: u32) -> Option<Self> {
        let name = user_name(&fs::read_to_string("/etc/passwd").unwrap_or_default(), uid);
        let read = |path| ranges(&fs::read_to_string(path).unwrap_or_default(), name.as_deref(), uid);
        let (users, groups) = (read("/etc/subuid"), read("/etc/subgid"));
        (!users.is_empty() && !groups.is_empty()).then_some(Self { uid, gid, users, groups })
    }

    fn apply(&self, pid: u32) -> bool {
        let run = |program: &str, own: u32, ranges: &[(u32, u32)]| {
            let mut command = Command::new(program);
            command.arg(pid.to_string()).args(["0".to_owned(), own.to_string(), "1".to_owned()]);
            let mut inside = 1;
            for (start, count) in ranges {
                command.args([inside.to_string(), start.to_string(), count.to_string()]);
                inside += count;
            }
            let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
            status.is_ok_and(|status| status.success())
        };
        run("newuidmap", self.uid, &self.users) && run("newgidmap", self.gid, &self.groups)
    }
}

/// The name of a user in the text of `/etc/passwd`.
fn user_name(passwd: &str, uid: u32) -> Option<String> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    })
}

/// The (start, count) pairs for a user, by name or number, in the text of `/etc/subuid`.
fn ranges(text: &str, name: Option<&str>, uid: u32) -> Vec<(u32, u32)> {
    let number = uid.to_string();
    let mine = text.lines().filter_map(|line| {
        let mut fields = line.trim().split(':');
        let owner = fields.next()?;
        let pair = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        (Some(owner) == name || owner == number).then_some(pair)
    });
    mine.filter(|(_, count)| *count > 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subordinate_ranges_are_found_by_name_and_by_number() {
        let text = "alice:100000:65536\n1000:300000:10\nbob:200000:65536\nalice:bad:1\n";
        assert_eq!(ranges(text, Some("alice"), 1000), [(100_000, 65_536), (300_000, 10)]);
        assert_eq!(ranges(text, None, 7), []);
    }

    #[test]
    fn a_user_is_named_by_the_third_field() {
        let text = "root:x:0:0::/root:/bin/sh\nalice:x:1000:1000::/home/alice:/bin/sh\n";
        assert_eq!(user_name(text, 1000).as_deref(), Some("alice"));
        assert_eq!(user_name(text, 1001), None);
    }

    #[test]
    fn pods_get_ranges_that_do_not_meet() {
        let (one, two) = (IdRange::for_pod(FIRST_POD_ID, 0), IdRange::for_pod(FIRST_POD_ID, 1));
        assert_eq!(one.outside + one.count, two.outside);
        assert_eq!(two.to_outside(65_535), Some(two.outside + 65_535));
        assert_eq!(two.to_outside(65_536), None);
        assert_eq!(IdRange::for_pod(FIRST_POD_ID, POD_RANGES_MAX), one);
    }
}
