//! Limits on memory, processes and CPU time, where the machine has control groups for root.

use linux::cgroup::{Cgroups, Kind, Limits};
use linux::process::Ended;

use super::Bundle;

pub(super) const CASES: &[(&str, bool, fn())] = &[
    ("a program that takes too much memory is killed and told apart", false, memory),
    ("a fork bomb ends at the limit of processes and can be killed", false, fork_bomb),
    ("a container sees its own limits and no other groups", false, own_limits),
    ("groups are removed with their children, and leftovers are swept", false, removed),
    ("without control groups there is one line that says so", true, told),
];

fn memory() {
    let limits = Limits { memory_bytes: Some(32 << 20), ..Limits::default() };
    // The output of tail's input has no line end, so that it must keep all of it.
    let bundle = Bundle::script("tail /dev/zero").limited(limits);
    let outcome = bundle.run().unwrap();
    assert_eq!(outcome.exit.ended.exit_code(), 137, "{outcome:?}");
    assert!(outcome.exit.oom_killed, "{outcome:?}");
    let outcome = bundle.run().unwrap();
    assert!(outcome.exit.oom_killed, "a second container in the group: {outcome:?}");
    let outcome = Bundle::script("true").limited(limits).run().unwrap();
    assert!(!outcome.exit.oom_killed, "{outcome:?}");
}

fn fork_bomb() {
    let limits = Limits { pids: Some(64), ..Limits::default() };
    let bundle = Bundle::script("bomb() { bomb | bomb & }; bomb & exec sleep 1000").limited(limits);
    let (mut running, ..) = bundle.start().unwrap();
    assert!(!running.wait_ended(Some(std::time::Duration::from_millis(300))).unwrap());
    assert!(bundle.group().processes().len() <= 64);
    running.kill_all().unwrap();
    assert_eq!(running.wait().unwrap().ended, Ended::Signal(9));
    assert_eq!(bundle.group().processes(), Vec::<i32>::new());
}

fn own_limits() {
    let limits = Limits { memory_bytes: Some(64 << 20), cpu_millis: Some(1_500), pids: Some(77) };
    let script = "cd /sys/fs/cgroup; cat memory/memory.limit_in_bytes cpu/cpu.cfs_quota_us pids/pids.max 2>/dev/null || \
                  cat memory.max cpu.max pids.max; ls -d pids/*/ */psvc-test 2>/dev/null; cat /proc/self/cgroup";
    let bundle = Bundle::script(script).limited(limits);
    let outcome = bundle.run().unwrap();
    let lines: Vec<&str> = outcome.out.lines().collect();
    assert_eq!(lines[0], "67108864", "{outcome:?}");
    assert!(lines[1].starts_with("150000"), "{outcome:?}");
    assert_eq!(lines[2], "77", "{outcome:?}");
    assert!(!outcome.out.contains("psvc-test"), "{outcome:?}");
}

fn removed() {
    let cgroups = Cgroups::open("psvc-test-sweep");
    assert_ne!(cgroups.kind(), Kind::None);
    let group = cgroups.create("pod-a/step", &Limits::default()).unwrap();
    cgroups.create("pod-b/step", &Limits::default()).unwrap();
    cgroups.create("pod-a", &Limits::default()).unwrap().remove().unwrap();
    assert_eq!(group.processes(), Vec::<i32>::new());
    cgroups.sweep(&|name| name == "pod-a");
    assert!(cgroups.create("../escape", &Limits::default()).is_err());
    assert!(cgroups.create("a//b", &Limits::default()).is_err());
    for base in [
        "/sys/fs/cgroup",
        "/sys/fs/cgroup/pids",
        "/sys/fs/cgroup/memory",
        "/sys/fs/cgroup/cpu",
        "/sys/fs/cgroup/unified",
    ] {
        let base = std::path::Path::new(base).join("psvc-test-sweep");
        assert!(!base.join("pod-b").exists(), "{}", base.display());
        let _ = std::fs::remove_dir(base);
    }
}

fn told() {
    let cgroups = Cgroups::open("psvc-test");
    match cgroups.kind() {
        Kind::None => assert!(cgroups.problem().unwrap().contains("not enforced")),
        _ => assert_eq!(cgroups.problem(), None),
    }
    // Groups of nothing can be used all the same.
    let limits = Limits { pids: Some(1_000), ..Limits::default() };
    let outcome = Bundle::script("exit 4").limited(limits).run().unwrap();
    assert_eq!(outcome.exit.ended, Ended::Code(4));
}
