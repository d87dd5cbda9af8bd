//! The system calls that need `unsafe`, each behind a safe function that upholds its contract.
//! Nothing is decided here; whoever calls knows why.
//! Invariant: no `unsafe` outside this file.
#![expect(unsafe_code, reason = "the one place that talks to the kernel where rustix has no safe call")]

use std::ffi::{CString, c_char};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;

/// Which side of [`clone3`] one is on.
pub(crate) enum Cloned {
    /// The new process.
    Child,
    /// The old one, with the child's number and a pidfd for it.
    Parent {
        /// The child's process id in the caller's pid namespace.
        pid: i32,
        /// A descriptor of the child that is safe against reuse of the number.
        pidfd: OwnedFd,
    },
}

#[repr(C)]
#[derive(Default)]
struct CloneArgs {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

/// Forks with namespace flags, and optionally straight into a version 2 control group.
///
/// # Errors
/// The kernel's answer, or `EBUSY` when this process has more than one thread: the child could then meet locks
/// that no thread will ever release.
pub(crate) fn clone3(flags: i32, cgroup: Option<BorrowedFd<'_>>) -> io::Result<Cloned> {
    if thread_count()? != 1 {
        return Err(io::Error::from_raw_os_error(libc::EBUSY));
    }
    let mut pidfd: RawFd = -1;
    let mut args = CloneArgs {
        flags: u64::from(flags as u32) | libc::CLONE_PIDFD as u64,
        pidfd: ptr::from_mut(&mut pidfd) as u64,
        exit_signal: libc::SIGCHLD as u64,
        ..CloneArgs::default()
    };
    if let Some(cgroup) = cgroup {
        const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = cgroup.as_raw_fd() as u64;
    }
    // SAFETY: `args` is valid for its stated size and lives through the call. Without CLONE_VM and with a null
    // stack this is a fork: the child has its own copy of this single-threaded process, with no lock held by a
    // thread that is gone.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, ptr::from_mut(&mut args), size_of::<CloneArgs>()) };
    match pid {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(Cloned::Child),
        pid => {
            // SAFETY: with CLONE_PIDFD the kernel stored a new descriptor there, which nobody else owns.
            let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
            Ok(Cloned::Parent { pid: pid as i32, pidfd })
        }
    }
}

/// Forks in a process that is known to have one thread (a child of [`clone3`]), where `/proc` may not be there to ask.
/// Gives 0 to the child and its process id to the parent.
pub(crate) fn fork_single_threaded() -> io::Result<i32> {
    let mut args = CloneArgs { exit_signal: libc::SIGCHLD as u64, ..CloneArgs::default() };
    // SAFETY: as in `clone3`.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, ptr::from_mut(&mut args), size_of::<CloneArgs>()) };
    if pid < 0 { Err(io::Error::last_os_error()) } else { Ok(pid as i32) }
}

/// How many threads this process has.
pub(crate) fn thread_count() -> io::Result<usize> {
    Ok(std::fs::read_dir("/proc/self/task")?.count())
}

/// Ends this process without running destructors or exit handlers: the end of a forked child.
pub(crate) fn exit_now(code: i32) -> ! {
    // SAFETY: `_exit` has no preconditions.
    unsafe { libc::_exit(code) }
}

/// Attributes for [`mount_setattr`].
#[repr(C)]
#[derive(Default)]
pub(crate) struct MountAttr {
    /// `MOUNT_ATTR_*` to set.
    pub set: u64,
    /// `MOUNT_ATTR_*` to clear.
    pub clear: u64,
    /// `MS_SHARED` and its relatives, or 0.
    pub propagation: u64,
    /// A user namespace's descriptor for `MOUNT_ATTR_IDMAP`.
    pub userns_fd: u64,
}

/// Changes the attributes of a mount.
pub(crate) fn mount_setattr(mount: BorrowedFd<'_>, recursive: bool, attr: &MountAttr) -> io::Result<()> {
    let flags = libc::AT_EMPTY_PATH | if recursive { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: the path is a terminated string, `attr` is valid for its stated size.
    let done = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            flags,
            ptr::from_ref(attr),
            size_of::<MountAttr>(),
        )
    };
    zero_or_errno(done)
}

/// Brings up the loopback interface of the current network namespace.
pub(crate) fn loopback_up() -> io::Result<()> {
    // SAFETY: `socket` has no memory preconditions.
    let fd = unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel just gave us this descriptor.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    // SAFETY: an all-zero `ifreq` is a valid value of plain data.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    request.ifr_name[0] = b'l' as c_char;
    request.ifr_name[1] = b'o' as c_char;
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as i16;
    // SAFETY: SIOCSIFFLAGS reads an `ifreq`, which `request` is.
    let done = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS as _, ptr::from_ref(&request)) };
    zero_or_errno(done.into())
}

/// Installs a seccomp filter on this thread, which must already have given up new privileges or have
/// `CAP_SYS_ADMIN` in its user namespace.
pub(crate) fn install_seccomp(filter: &[libc::sock_filter]) -> io::Result<()> {
    let length = u16::try_from(filter.len()).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?;
    let program = libc::sock_fprog { len: length, filter: filter.as_ptr().cast_mut() };
    // SAFETY: the program points to `length` instructions that outlive the call; the kernel only reads them.
    let done = unsafe {
        libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, ptr::from_ref(&program))
    };
    zero_or_errno(done)
}

/// Puts another program in the place of this process. Returns only on failure.
pub(crate) fn execve(path: &CString, arguments: &[CString], environment: &[CString]) -> io::Error {
    let pointers = |strings: &[CString]| -> Vec<*const c_char> {
        strings.iter().map(|text| text.as_ptr()).chain([ptr::null()]).collect()
    };
    let (argv, envp) = (pointers(arguments), pointers(environment));
    // SAFETY: all strings are terminated and outlive the call, both arrays end with a null pointer.
    unsafe { libc::execve(path.as_ptr(), argv.as_ptr(), envp.as_ptr()) };
    io::Error::last_os_error()
}

/// Moves `kept` to descriptor 3, to be closed on exec, and closes all others from 4 on. For a forked child that will
/// never touch the values that owned them.
pub(crate) fn keep_stdio_and(kept: impl AsFd) -> io::Result<ReportFd> {
    let kept = kept.as_fd().as_raw_fd();
    if kept != ReportFd::NUMBER {
        // SAFETY: whatever was at 3 is not used any more, see above.
        let done = unsafe { libc::dup3(kept, ReportFd::NUMBER, libc::O_CLOEXEC) };
        if done < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    // SAFETY: the caller drops no owner of the closed descriptors.
    zero_or_errno(unsafe { libc::syscall(libc::SYS_close_range, ReportFd::NUMBER + 1, u32::MAX, 0) })?;
    Ok(ReportFd(()))
}

/// The one descriptor that [`keep_stdio_and`] leaves, closed on exec.
pub(crate) struct ReportFd(());

impl ReportFd {
    const NUMBER: RawFd = 3;
}

impl AsFd for ReportFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: descriptor 3 was opened by `keep_stdio_and` and is closed by nobody.
        unsafe { BorrowedFd::borrow_raw(Self::NUMBER) }
    }
}

/// Makes `target` (0, 1 or 2) a copy of `source` that survives exec.
pub(crate) fn replace_stdio(source: impl AsFd, target: RawFd) -> io::Result<()> {
    // SAFETY: only called in a forked child for the three standard descriptors, which no `OwnedFd` owns.
    let done = unsafe { libc::dup2(source.as_fd().as_raw_fd(), target) };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Blocks all signals, so that [`wait_signal`] gets them.
pub(crate) fn block_signals() -> io::Result<()> {
    // SAFETY: the set is filled by `sigfillset` before use.
    let done = unsafe {
        let mut all: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&raw mut all);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const all, ptr::null_mut())
    };
    zero_or_errno(done.into())
}

/// Waits for a blocked signal and takes it.
pub(crate) fn wait_signal() -> io::Result<i32> {
    // SAFETY: the set is filled by `sigfillset` before use; no information about the sender is asked for.
    let signal = unsafe {
        let mut all: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&raw mut all);
        libc::sigwaitinfo(&raw const all, ptr::null_mut())
    };
    if signal < 0 { Err(io::Error::last_os_error()) } else { Ok(signal) }
}

/// Closes every descriptor but one, for a forked child that will never touch the values that owned them.
pub(crate) fn keep_only(kept: impl AsFd) -> io::Result<()> {
    let kept = kept.as_fd().as_raw_fd() as u32;
    let close = |first: u32, last: u32| {
        // SAFETY: the caller never returns and drops no owner of the closed descriptors.
        zero_or_errno(unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) })
    };
    if kept > 0 {
        close(0, kept - 1)?;
    }
    close(kept + 1, u32::MAX)
}

/// Gives every signal its default action and unblocks all, as a new program expects.
pub(crate) fn reset_signals() -> io::Result<()> {
    for signal in 1..=64 {
        if signal == libc::SIGKILL || signal == libc::SIGSTOP || signal == 32 || signal == 33 {
            continue;
        }
        // SAFETY: SIG_DFL installs no handler of ours.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    // SAFETY: an all-zero set is plain data, initialised by `sigemptyset` before use.
    let done = unsafe {
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, ptr::null_mut())
    };
    zero_or_errno(done.into())
}

/// Moves this process into new namespaces.
pub(crate) fn unshare(flags: rustix::thread::UnshareFlags) -> io::Result<()> {
    // SAFETY: only namespace flags are passed, never CLONE_FILES, so that no owned descriptor changes meaning.
    Ok(unsafe { rustix::thread::unshare_unsafe(flags) }?)
}

/// Gives this process an empty session keyring.
pub(crate) fn new_keyring() -> io::Result<()> {
    const KEYCTL_JOIN_SESSION_KEYRING: i32 = 1;
    // SAFETY: a null name asks for an anonymous session keyring.
    let done = unsafe { libc::syscall(libc::SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, ptr::null::<c_char>()) };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn zero_or_errno(done: i64) -> io::Result<()> {
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Takes user and group 0 of the current user namespace.
pub(crate) fn become_namespace_root() -> io::Result<()> {
    // SAFETY: the raw calls act on the only thread of this process and have no memory preconditions.
    let done =
        unsafe { libc::syscall(libc::SYS_setresgid, 0, 0, 0) | libc::syscall(libc::SYS_setresuid, 0, 0, 0) };
    zero_or_errno(done)
}
