//! One network namespace for the steps of a Pod, with its loopback interface up and nothing else in it.
//! `host` networking needs nothing from here; a bridged mode will add a device to what this makes.
//! Invariant: the namespace lives as long as the value (or a process in it), and no longer: no file is left behind.

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use crate::error::{Doing, Error, Result};
use crate::sys;
use crate::userns::forked_owner;

/// A network namespace held open.
#[derive(Debug)]
pub struct NetworkNamespace {
    fd: OwnedFd,
}

impl NetworkNamespace {
    /// Makes a namespace in which `localhost` works, low ports are free to bind for every user, and ICMP echo sockets
    /// need no privilege. Wants a process with one thread.
    ///
    /// # Errors
    /// `EPERM` without `CAP_SYS_ADMIN` in the user namespace.
    pub fn create() -> Result<Self> {
        let open = |pid: i32| {
            let path = format!("/proc/{pid}/ns/net");
            File::open(&path).doing(|| format!("open {path}"))
        };
        let file = forked_owner(libc::CLONE_NEWNET, "make a network namespace", prepare, open)?;
        Ok(Self { fd: file.into() })
    }

    /// A path for a container's configuration, valid as long as this process keeps the value.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/fd/{}", std::process::id(), self.fd.as_raw_fd()))
    }
}

impl AsFd for NetworkNamespace {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

fn prepare() -> Result<(), Error> {
    sys::loopback_up().doing(|| "bring up the loopback interface")?;
    // Conveniences; a kernel or a container around us that forbids them is no reason to fail.
    let _ = std::fs::write("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0");
    let _ = std::fs::write("/proc/sys/net/ipv4/ping_group_range", "0 65535");
    Ok(())
}
