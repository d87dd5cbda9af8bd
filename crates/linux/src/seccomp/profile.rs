//! The default filter of containers, as data: what a program that builds and tests software needs of the kernel.
//! Everything not listed is refused with `EPERM`: namespaces, mounts, keyrings, modules, `bpf`, `perf_event_open`,
//! `userfaultfd`, `io_uring`, clocks, `ptrace`-like access across users, the kernel's log, reboot. It is as strict as the
//! customary profile of container engines, and stricter in three points: only the machine's own architecture, no
//! sockets to the hypervisor (`AF_VSOCK`) nor to the kernel's cryptography (`AF_ALG`).
//! Invariant: one table, [`ALLOWED`] and [`conditional`], is behind both the form for external runtimes and the
//! compiled form of the built-in one.

use oci_spec::runtime::{
    LinuxSeccomp, LinuxSeccompAction as Action, LinuxSeccompArg, LinuxSeccompArgBuilder, LinuxSeccompBuilder,
    LinuxSeccompOperator as Operator, LinuxSyscall, LinuxSyscallBuilder,
};

/// Flags of `clone` that make namespaces.
const NAMESPACE_FLAGS: u64 = 0x7e02_0000;
const AF_ALG: u64 = 38;
const AF_VSOCK: u64 = 40;

/// Calls that are allowed whatever their arguments.
const ALLOWED: &str = "\
    accept accept4 access adjtimex alarm arch_prctl bind brk cachestat capget capset chdir chmod chown chroot \
    clock_adjtime clock_getres clock_gettime clock_nanosleep close close_range connect copy_file_range creat dup \
    dup2 dup3 epoll_create epoll_create1 epoll_ctl epoll_pwait epoll_pwait2 epoll_wait eventfd eventfd2 execve \
    execveat exit exit_group faccessat faccessat2 fadvise64 fallocate fanotify_mark fchdir fchmod fchmodat \
    fchmodat2 fchown fchownat fcntl fdatasync fgetxattr flistxattr flock fork fremovexattr fsetxattr fstat fstatfs \
    fsync ftruncate futex futex_requeue futex_wait futex_waitv futex_wake futimesat get_robust_list \
    get_thread_area getcpu getcwd getdents getdents64 getegid geteuid getgid getgroups getitimer getpeername \
    getpgid getpgrp getpid getppid getpriority getrandom getresgid getresuid getrlimit getrusage getsid \
    getsockname getsockopt gettid gettimeofday getuid getxattr getxattrat inotify_add_watch inotify_init \
    inotify_init1 inotify_rm_watch io_cancel io_destroy io_getevents io_pgetevents io_setup io_submit ioctl \
    ioprio_get ioprio_set kill landlock_add_rule landlock_create_ruleset landlock_restrict_self lchown lgetxattr \
    link linkat listen listmount listxattr listxattrat llistxattr lremovexattr lseek lsetxattr lstat madvise \
    map_shadow_stack membarrier memfd_create memfd_secret mincore mkdir mkdirat mknod mknodat mlock mlock2 mlockall \
    mmap modify_ldt mprotect mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedsend mq_unlink mremap mseal \
    msgctl msgget msgrcv msgsnd msync munlock munlockall munmap name_to_handle_at nanosleep newfstatat open openat \
    openat2 pause pidfd_getfd pidfd_open pidfd_send_signal pipe pipe2 pkey_alloc pkey_free pkey_mprotect poll ppoll \
    prctl pread64 preadv preadv2 prlimit64 process_mrelease process_vm_readv process_vm_writev pselect6 ptrace \
    pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv recvfrom recvmmsg recvmsg remap_file_pages \
    removexattr removexattrat rename renameat renameat2 restart_syscall rmdir rseq rt_sigaction rt_sigpending \
    rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_tgsigqueueinfo \
    sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr sched_getparam \
    sched_getscheduler sched_rr_get_interval sched_setaffinity sched_setattr sched_setparam sched_setscheduler \
    sched_yield seccomp select semctl semget semop semtimedop sendfile sendmmsg sendmsg sendto set_robust_list \
    set_thread_area set_tid_address setfsgid setfsuid setgid setgroups setitimer setpgid setpriority setregid \
    setresgid setresuid setreuid setrlimit setsid setsockopt setuid setxattr setxattrat shmat shmctl shmdt shmget \
    shutdown sigaltstack signalfd signalfd4 socketpair splice stat statfs statmount statx symlink symlinkat sync \
    sync_file_range syncfs sysinfo tee tgkill time timer_create timer_delete timer_getoverrun timer_gettime \
    timer_settime timerfd_create timerfd_gettime timerfd_settime times tkill truncate umask uname unlink unlinkat \
    uretprobe utime utimensat utimes vfork vmsplice wait4 waitid write writev";

/// The profile in the form of an OCI runtime configuration (`linux.seccomp`); for the built-in runtime as well.
///
/// # Panics
/// Never: every builder is given all that it requires.
#[must_use]
pub fn oci_profile() -> LinuxSeccomp {
    let mut syscalls = vec![rule(ALLOWED.split_ascii_whitespace(), Action::ScmpActAllow, None, &[])];
    syscalls.extend(conditional());
    LinuxSeccompBuilder::default()
        .default_action(Action::ScmpActErrno)
        .default_errno_ret(libc::EPERM as u32)
        .syscalls(syscalls)
        .build()
        .expect("a profile needs no more")
}

/// Calls whose arguments decide.
fn conditional() -> Vec<LinuxSyscall> {
    let allow = |name: &'static str, conditions: &[LinuxSeccompArg]| {
        rule([name].into_iter(), Action::ScmpActAllow, None, conditions)
    };
    let mut rules = vec![
        allow("clone", &[condition(0, Operator::ScmpCmpMaskedEq, NAMESPACE_FLAGS, Some(0))]),
        // Its flags are in memory, where a filter cannot look; libraries then fall back to `clone`.
        rule(["clone3"].into_iter(), Action::ScmpActErrno, Some(libc::ENOSYS as u32), &[]),
    ];
    // PER_LINUX, PER_LINUX32, UNAME26, UNAME26 | PER_LINUX32, and the question which it is.
    for personality in [0, 8, 0x2_0000, 0x2_0008, 0xffff_ffff] {
        rules.push(allow("personality", &[condition(0, Operator::ScmpCmpEq, personality, None)]));
    }
    rules.push(allow("socket", &[condition(0, Operator::ScmpCmpLt, AF_ALG, None)]));
    rules.push(allow("socket", &[condition(0, Operator::ScmpCmpEq, AF_ALG + 1, None)]));
    rules.push(allow("socket", &[condition(0, Operator::ScmpCmpGt, AF_VSOCK, None)]));
    rules
}

fn condition(index: usize, op: Operator, value: u64, value_two: Option<u64>) -> LinuxSeccompArg {
    let mut builder = LinuxSeccompArgBuilder::default().index(index).op(op).value(value);
    if let Some(value) = value_two {
        builder = builder.value_two(value);
    }
    builder.build().expect("a condition needs no more")
}

fn rule<'a>(
    names: impl Iterator<Item = &'a str>,
    action: Action,
    errno: Option<u32>,
    conditions: &[LinuxSeccompArg],
) -> LinuxSyscall {
    let names: Vec<String> = names.map(str::to_owned).collect();
    let mut builder = LinuxSyscallBuilder::default().names(names).action(action);
    if let Some(errno) = errno {
        builder = builder.errno_ret(errno);
    }
    if !conditions.is_empty() {
        builder = builder.args(conditions.to_vec());
    }
    builder.build().expect("a rule needs no more")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seccomp::table;

    #[test]
    fn every_allowed_name_is_a_call_of_this_or_another_architecture() {
        let only_elsewhere = ["uretprobe"];
        for name in ALLOWED.split_ascii_whitespace() {
            let known = table::number(name).is_some() || only_elsewhere.contains(&name);
            assert!(known || cfg!(not(target_arch = "x86_64")), "{name}");
        }
    }

    #[test]
    fn dangerous_calls_are_not_in_the_table() {
        for name in [
            "add_key",
            "bpf",
            "clone3",
            "clone",
            "fsopen",
            "init_module",
            "io_uring_setup",
            "kexec_load",
            "keyctl",
            "mount",
            "mount_setattr",
            "move_mount",
            "open_by_handle_at",
            "open_tree",
            "perf_event_open",
            "pivot_root",
            "quotactl",
            "reboot",
            "request_key",
            "setns",
            "settimeofday",
            "swapon",
            "syslog",
            "umount2",
            "unshare",
            "userfaultfd",
            "acct",
            "finit_module",
            "iopl",
            "kcmp",
            "nfsservctl",
            "vhangup",
        ] {
            assert!(!ALLOWED.split_ascii_whitespace().any(|allowed| allowed == name), "{name}");
        }
    }
}
