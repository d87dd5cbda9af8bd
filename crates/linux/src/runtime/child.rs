//! The built-in OCI runtime, inside of the container: the first process and the program's process.
//!
//! The first process builds the file tree, enters it, forks the program, and stays as process 1: it passes signals on
//! to the program's process group, collects orphans, and ends with the program; all others then end with it. It keeps
//! nothing but the right to send signals, and nobody in the container can trace it or read its memory.
//! A fork of our own binary, it must never return into its caller's code: [`run`] does not.
//! Invariant: the program is executed only if every restriction of the plan holds.

use std::ffi::{CString, OsStr};
use std::fs::File;
use std::io::{Read, Write};
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use rustix::fs::Mode;
use rustix::process::{DumpableBehavior, Gid, Pid, Signal, Uid, WaitOptions};
use rustix::thread::{CapabilitySet, CapabilitySets, LinkNameSpaceType, UnshareFlags};

use super::builtin::Prepared;
use super::plan::{Capabilities, ProcessPlan};
use super::rootfs;
use crate::error::{Doing, Error, Result};
use crate::sys;

/// The last capability that Linux 6.18 knows; newer kernels' are dropped until they answer that there are no more.
const CAPABILITIES_MAX: u32 = 63;

/// The life of the first process. Ends it.
pub(super) fn run(prepared: Prepared, go: OwnedFd, report: OwnedFd, outcome: OwnedFd) -> ! {
    let mut report = File::from(report);
    match become_container(prepared, go, &report) {
        Ok(program) => {
            drop(report);
            supervise(program, outcome)
        }
        Err(error) => {
            let _ = report.write_all(error.chain().as_bytes());
            sys::exit_now(1)
        }
    }
}

/// Sets everything up and forks the program. Returns the program's process id, in the first process only.
fn become_container(prepared: Prepared, go: OwnedFd, report: &File) -> Result<i32> {
    let mut released = [0];
    if File::from(go).read(&mut released).doing(|| "wait to be released")? != 1 {
        sys::exit_now(1);
    }
    crate::process::die_with_parent()?;
    rustix::process::setsid().doing(|| "start a session")?;
    join(&prepared)?;
    rootfs::attach_root(&prepared)?;
    if prepared.plan.ids.is_some() {
        sys::become_namespace_root().doing(|| "become root of the user namespace")?;
        // The change of ids has undone it.
        crate::process::die_with_parent()?;
    }
    name(&prepared)?;
    rustix::process::umask(Mode::empty());
    rootfs::build(&prepared)?;
    rootfs::enter(prepared.root.as_fd())?;
    // Refused where the machine has no keyrings, or around us someone filters the call.
    let _ = sys::new_keyring();
    sys::block_signals().doing(|| "block signals")?;
    match sys::fork_single_threaded().doing(|| "start the program's process")? {
        0 => execute(prepared, report),
        program => Ok(program),
    }
}

/// Enters the groups and namespaces that could not be had at birth.
fn join(prepared: &Prepared) -> Result<()> {
    for tasks in &prepared.join {
        rustix::io::write(tasks, b"0").doing(|| "join a control group")?;
    }
    if let Some(network) = &prepared.network {
        rustix::thread::move_into_link_name_space(network.as_fd(), Some(LinkNameSpaceType::Network))
            .doing(|| "enter the network namespace")?;
    }
    if prepared.plan.namespaces & libc::CLONE_NEWCGROUP != 0 {
        sys::unshare(UnshareFlags::NEWCGROUP).doing(|| "make a control group namespace")?;
    }
    if prepared.plan.namespaces & libc::CLONE_NEWNET != 0 {
        sys::loopback_up().doing(|| "bring up the loopback interface")?;
    }
    Ok(())
}

fn name(prepared: &Prepared) -> Result<()> {
    if let Some(name) = &prepared.plan.hostname {
        rustix::system::sethostname(name.as_bytes()).doing(|| format!("set host name {name}"))?;
    }
    if let Some(name) = &prepared.plan.domainname {
        rustix::system::setdomainname(name.as_bytes()).doing(|| format!("set domain name {name}"))?;
    }
    Ok(())
}

/// Process 1 from here on.
fn supervise(program: i32, outcome: OwnedFd) -> ! {
    let mut outcome = File::from(outcome);
    let _ = rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable);
    let _ = rustix::thread::set_name(c"psvc-init");
    let kill = CapabilitySet::KILL;
    let sets = CapabilitySets { effective: kill, permitted: kill, inheritable: CapabilitySet::empty() };
    let given_up = rustix::thread::set_no_new_privs(true)
        .and_then(|()| rustix::thread::set_capabilities(None, sets))
        .is_ok()
        && sys::keep_only(&outcome).is_ok();
    if !given_up {
        sys::exit_now(1);
    }
    loop {
        match sys::wait_signal() {
            Ok(libc::SIGCHLD) => {}
            Ok(signal) => pass_on(program, signal),
            Err(_) => continue,
        }
        while let Ok(Some((pid, status))) = rustix::process::wait(WaitOptions::NOHANG) {
            if pid.as_raw_nonzero().get() == program {
                let _ = outcome.write_all(&status.as_raw().to_ne_bytes());
                let code = status.exit_status().or_else(|| Some(128 + status.terminating_signal()?));
                sys::exit_now(code.unwrap_or(1));
            }
        }
    }
}

/// Sends a signal to the program's process group, as one at a terminal would.
fn pass_on(program: i32, signal: i32) {
    if let (Some(group), Some(signal)) = (Pid::from_raw(program), Signal::from_named_raw(signal)) {
        let _ = rustix::process::kill_process_group(group, signal);
    }
}

/// The life of the program's process up to the program.
fn execute(prepared: Prepared, report: &File) -> ! {
    // From here on only the standard streams and the report are open: nothing of the machine can be reached through a
    // descriptor, for example by a working directory in `/proc/self/fd`. Their owners must not close them again.
    let prepared = ManuallyDrop::new(prepared);
    let streams = [(&prepared.stdin, 0), (&prepared.stdout, 1), (&prepared.stderr, 2)];
    let connected = streams.into_iter().try_for_each(|(stream, target)| sys::replace_stdio(stream, target));
    let kept = connected.and_then(|()| sys::keep_stdio_and(report));
    let Ok(report) = kept else {
        let _ = { report }.write_all(b"could not connect the standard streams");
        sys::exit_now(1)
    };
    let process = &prepared.plan.process;
    let error = restrict(process).err().unwrap_or_else(|| execute_found(process));
    let _ = rustix::io::write(&report, error.chain().as_bytes());
    sys::exit_now(1)
}

fn restrict(process: &ProcessPlan) -> Result<()> {
    rustix::process::setsid().doing(|| "start a session")?;
    rustix::process::umask(Mode::from_bits_retain(process.umask));
    rustix::process::chdir(&process.cwd)
        .doing(|| format!("change to working directory {}", process.cwd.display()))?;
    let filter = process.filter.as_deref();
    if let (false, Some(filter)) = (process.no_new_privileges, filter) {
        sys::install_seccomp(filter).doing(|| "install the system call filter")?;
    }
    drop_bounding(process.capabilities.bounding)?;
    set_user(process)?;
    set_capabilities(process.capabilities)?;
    sys::reset_signals().doing(|| "reset signals")?;
    if process.no_new_privileges {
        rustix::thread::set_no_new_privs(true).doing(|| "give up new privileges")?;
        if let Some(filter) = filter {
            sys::install_seccomp(filter).doing(|| "install the system call filter")?;
        }
    }
    Ok(())
}

fn drop_bounding(keep: u64) -> Result<()> {
    for bit in (0..=CAPABILITIES_MAX).filter(|bit| keep & (1 << bit) == 0) {
        match rustix::thread::remove_capability_from_bounding_set(CapabilitySet::from_bits_retain(1 << bit)) {
            Ok(()) => {}
            Err(rustix::io::Errno::INVAL) => break,
            Err(error) => return Err(error).doing(|| format!("give up capability {bit}")),
        }
    }
    Ok(())
}

/// Takes the program's ids and keeps the permitted capabilities over the change.
fn set_user(process: &ProcessPlan) -> Result<()> {
    rustix::thread::set_keep_capabilities(true).doing(|| "keep capabilities")?;
    let groups: Vec<Gid> = process.groups.iter().map(|gid| Gid::from_raw(*gid)).collect();
    match rustix::thread::set_thread_groups(&groups) {
        // Forbidden in a namespace with one id, where there is nothing to choose from but the main group.
        Err(rustix::io::Errno::PERM) if process.groups.iter().all(|group| *group == process.gid) => {}
        other => other.doing(|| format!("set groups {:?}", process.groups))?,
    }
    let (uid, gid) = (Uid::from_raw(process.uid), Gid::from_raw(process.gid));
    rustix::thread::set_thread_res_gid(gid, gid, gid).doing(|| format!("become group {}", process.gid))?;
    rustix::thread::set_thread_res_uid(uid, uid, uid).doing(|| format!("become user {}", process.uid))?;
    rustix::thread::set_keep_capabilities(false).doing(|| "stop keeping capabilities")
}

fn set_capabilities(wanted: Capabilities) -> Result<()> {
    let set = CapabilitySet::from_bits_retain;
    let sets = CapabilitySets {
        effective: set(wanted.effective),
        permitted: set(wanted.permitted),
        inheritable: set(wanted.inheritable),
    };
    rustix::thread::set_capabilities(None, sets).doing(|| "set capabilities")?;
    let _ = rustix::thread::clear_ambient_capability_set();
    for bit in (0..=CAPABILITIES_MAX).filter(|bit| wanted.ambient & (1 << bit) != 0) {
        rustix::thread::configure_capability_in_ambient_set(set(1 << bit), true)
            .doing(|| format!("raise ambient capability {bit}"))?;
    }
    Ok(())
}

/// Executes the program by path, or the first of its name in the search path that can be.
fn execute_found(process: &ProcessPlan) -> Error {
    let name = &process.arguments[0];
    let run = |path: &CString| sys::execve(path, &process.arguments, &process.environment);
    let shown = name.to_string_lossy();
    if name.as_bytes().contains(&b'/') {
        return Error::Os { doing: format!("execute `{shown}`"), source: run(name) };
    }
    let mut denied = None;
    for directory in &process.search {
        let path = directory.join(OsStr::from_bytes(name.as_bytes()));
        let Ok(path) = CString::new(path.as_os_str().as_bytes()) else { continue };
        let error = run(&path);
        match error.raw_os_error() {
            Some(libc::ENOENT | libc::ENOTDIR) => {}
            _ => {
                denied =
                    Some(Error::Os { doing: format!("execute `{}`", path.to_string_lossy()), source: error })
            }
        }
    }
    denied.unwrap_or_else(|| Error::Missing(format!("executable file `{shown}` not found in $PATH")))
}
