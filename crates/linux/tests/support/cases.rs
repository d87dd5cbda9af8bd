//! How a container starts, ends, and is kept apart from the machine.

use std::fs;
use std::time::Duration;

use linux::netns::NetworkNamespace;
use linux::process::Ended;
use linux::userns;
use serde_json::json;

use super::{Bundle, chain, is_root};

pub(super) const CASES: &[(&str, bool, fn())] = &[
    ("a program's exit code, output and environment come through", true, exit_code),
    ("a program killed by a signal is reported with that signal", true, killed_by_signal),
    ("a program without handlers ends on SIGTERM", true, ends_on_sigterm),
    ("a handler of SIGTERM runs and decides the exit code", true, handler_runs),
    ("a program that ignores SIGTERM is killed with all its children", true, kill_all),
    ("processes left in the background end with the program", true, orphans_end),
    ("a program that is not there is named with the reason", true, missing_program),
    ("a failed mount names the mount, and nothing is left", true, missing_source),
    ("no descriptor of the machine is left open", true, no_descriptors),
    ("namespaces are not the machine's", true, namespaces),
    ("the container sees only its own processes, and cannot look into the first", true, own_processes),
    ("masked and read-only paths are", true, masked_paths),
    ("capabilities are the default set, privileges cannot be gained", true, capabilities),
    ("the filter refuses namespaces, mounts and kernel keys even to a capable program", true, filter),
    ("user and groups of the configuration are those of the program", true, other_user),
    ("a program run by another user can open its standard output", false, reopen_stdout),
    ("in a user namespace root is nobody on the machine", false, mapped_root),
    ("the network namespace of a Pod has a working loopback and nothing else", true, loopback),
    ("the same bundle runs in runc", true, external_runtime),
    ("a user namespace and a Pod's network work in runc too", false, external_isolation),
    ("an external runtime's refusal is told", false, external_refusal),
    ("the same bundle runs in crun where only version 2 is mounted", false, crun_on_version_2),
];

fn exit_code() {
    let mut bundle = Bundle::script("echo $GREETING from $(hostname) in $(pwd); echo trouble >&2; exit 42");
    bundle.config["process"]["cwd"] = json!("/some/new/place");
    let outcome = bundle.run().unwrap();
    assert_eq!(outcome.exit.ended, Ended::Code(42));
    assert!(!outcome.exit.oom_killed);
    assert_eq!(outcome.out, "hello from step in /some/new/place\n");
    assert_eq!(outcome.err, "trouble\n");
}

fn killed_by_signal() {
    let outcome = Bundle::script("kill -SEGV $$").run().unwrap();
    assert_eq!(outcome.exit.ended, Ended::Signal(11));
    assert_eq!(outcome.exit.ended.exit_code(), 139);
}

fn ends_on_sigterm() {
    let bundle = Bundle::script("sleep 1000");
    let (mut running, ..) = bundle.start().unwrap();
    running.signal(15).unwrap();
    assert_eq!(running.wait().unwrap().ended, Ended::Signal(15));
}

fn handler_runs() {
    let mut bundle =
        Bundle::script("trap 'echo stopped; exit 7' TERM; touch /shared/ready; sleep 1000 & wait");
    let shared = bundle.path().join("shared");
    fs::create_dir(&shared).unwrap();
    bundle.bind(&shared, "/shared", &[]);
    let watch = linux::watch::DirectoryWatch::new(&shared).unwrap();
    let (mut running, ..) = bundle.start().unwrap();
    assert!(watch.wait(Some(Duration::from_secs(30))).unwrap());
    running.signal(15).unwrap();
    assert_eq!(running.wait().unwrap().ended, Ended::Code(7));
}

fn kill_all() {
    let mut bundle =
        Bundle::script("trap '' TERM; (trap '' TERM; sleep 1000) & touch /shared/ready; wait; sleep 1000");
    let shared = bundle.path().join("shared");
    fs::create_dir(&shared).unwrap();
    bundle.bind(&shared, "/shared", &[]);
    let watch = linux::watch::DirectoryWatch::new(&shared).unwrap();
    let (mut running, ..) = bundle.start().unwrap();
    assert!(watch.wait(Some(Duration::from_secs(30))).unwrap());
    running.signal(15).unwrap();
    assert!(!running.wait_ended(Some(Duration::from_millis(50))).unwrap());
    running.kill_all().unwrap();
    assert_eq!(running.wait().unwrap().ended, Ended::Signal(9));
    running.kill_all().unwrap();
}

fn orphans_end() {
    let outcome = Bundle::script("sleep 1000 & (sleep 1000 &) ; exit 3").run().unwrap();
    assert_eq!(outcome.exit.ended, Ended::Code(3));
}

fn missing_program() {
    for (program, expected) in [
        ("nothing-here", "executable file `nothing-here` not found in $PATH"),
        (
            "/bin/nothing-here",
            "could not execute `/bin/nothing-here`: No such file or directory (os error 2)",
        ),
        ("/etc/passwd", "could not execute `/etc/passwd`: Permission denied (os error 13)"),
    ] {
        let error = Bundle::program(&[program]).run().unwrap_err();
        assert!(error.to_string().ends_with(expected), "{error}");
    }
}

fn missing_source() {
    let mut bundle = Bundle::script("true");
    bundle.bind("/nothing/here".as_ref(), "/mnt", &[]);
    let error = chain(&bundle.run().unwrap_err());
    assert_eq!(error, "could not open /nothing/here for mounting: No such file or directory (os error 2)");
    let mut bundle = Bundle::script("true");
    bundle.bind("/etc".as_ref(), "/etc/passwd/below", &[]);
    let error = chain(&bundle.run().unwrap_err());
    assert!(
        error.contains("could not mount on /etc/passwd/below in the container: could not make the mount"),
        "{error}"
    );
}

fn no_descriptors() {
    // The shell that lists opens the directory itself, as the next free number.
    let output = Bundle::program(&["/bin/ls", "/proc/self/fd"]).output();
    assert_eq!(output, "0\n1\n2\n3\n");
    for number in 3..20 {
        let mut bundle = Bundle::script("pwd; ls ..");
        bundle.config["process"]["cwd"] = json!(format!("/proc/self/fd/{number}"));
        let error = chain(&bundle.run().unwrap_err());
        assert!(error.contains("working directory"), "{error}");
    }
}

fn namespaces() {
    let kinds = ["pid", "mnt", "uts", "ipc", "cgroup"];
    let script: String = kinds.iter().map(|kind| format!("readlink /proc/self/ns/{kind};")).collect();
    let output = Bundle::script(&script).output();
    let inside: Vec<&str> = output.lines().collect();
    assert_eq!(inside.len(), kinds.len());
    for (kind, inside) in kinds.iter().zip(inside) {
        let outside = fs::read_link(format!("/proc/self/ns/{kind}")).unwrap();
        assert_ne!(inside, outside.to_string_lossy());
    }
}

fn own_processes() {
    let script = "ls -d /proc/[0-9]* | wc -l; cat /proc/1/comm; cat /proc/1/environ; readlink /proc/1/exe; cat /proc/1/exe; echo $$";
    let outcome = Bundle::script(script).run().unwrap();
    let lines: Vec<&str> = outcome.out.lines().collect();
    assert_eq!(lines[1..], ["psvc-init", "2"], "{outcome:?}");
    assert!(lines[0].parse::<u32>().unwrap() <= 4, "{outcome:?}");
    assert_eq!(outcome.err.matches("Permission denied").count(), 2, "{outcome:?}");
}

fn masked_paths() {
    let script = "cat /proc/timer_list /proc/keys | wc -c; ls /sys/firmware | wc -l; \
                  echo 1 > /proc/sys/kernel/panic; touch /sys/x; \
                  ls /sys/fs/cgroup/cgroup.kill /sys/fs/cgroup/unified /sys/fs/cgroup/systemd";
    let outcome = Bundle::script(script).run().unwrap();
    assert_eq!(outcome.out, "0\n0\n", "{outcome:?}");
    assert_eq!(outcome.err.matches("Read-only file system").count(), 2, "{outcome:?}");
    assert_eq!(outcome.err.matches("No such file or directory").count(), 3, "{outcome:?}");
}

fn capabilities() {
    let output =
        Bundle::script("grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status | tr -d '\\t'").output();
    let expected = "CapInh:0000000000000000\nCapPrm:00000000a80425fb\nCapEff:00000000a80425fb\n\
                    CapBnd:00000000a80425fb\nCapAmb:0000000000000000\nNoNewPrivs:1\nSeccomp:2\n";
    assert_eq!(output, expected);
}

fn filter() {
    let mut bundle = Bundle::script(
        "unshare -U true; unshare -m true; mount -t tmpfs none /tmp; chroot / /bin/true && echo chroot",
    );
    let capabilities = &mut bundle.config["process"]["capabilities"];
    for set in ["bounding", "effective", "permitted"] {
        capabilities[set].as_array_mut().unwrap().push(json!("CAP_SYS_ADMIN"));
    }
    let outcome = bundle.run().unwrap();
    assert_eq!(outcome.out, "chroot\n", "{outcome:?}");
    assert_eq!(
        outcome.err.matches("Operation not permitted").count()
            + outcome.err.matches("permission denied").count(),
        3,
        "{outcome:?}"
    );
}

fn other_user() {
    if userns::mapped_ids() == 1 {
        return one_id_only();
    }
    let mut bundle = Bundle::script("id; grep CapEff /proc/self/status; touch /etc/new");
    bundle.config["process"]["user"] = json!({ "uid": 1000, "gid": 1001, "additionalGids": [2000] });
    let outcome = bundle.run().unwrap();
    assert_eq!(outcome.exit.ended, Ended::Code(1));
    assert!(outcome.out.starts_with("uid=1000 gid=1001 groups=2000"), "{outcome:?}");
    assert!(outcome.out.contains("0000000000000000"), "{outcome:?}");
    assert!(outcome.err.contains("Permission denied"), "{outcome:?}");
}

fn one_id_only() {
    let mut bundle = Bundle::script("id");
    bundle.config["process"]["user"] = json!({ "uid": 1000, "gid": 1000 });
    let error = bundle.run().unwrap_err().to_string();
    assert!(error.ends_with("could not become group 1000: Invalid argument (os error 22)"), "{error}");
}

fn reopen_stdout() {
    use std::io::Read;
    let mut bundle = Bundle::script("echo again > /dev/stdout");
    bundle.config["process"]["user"] = json!({ "uid": 1000, "gid": 1000 });
    fs::write(bundle.path().join("config.json"), bundle.config.to_string()).unwrap();
    let (read, write) = linux::process::pipe().unwrap();
    let stdio = linux::runtime::Stdio { stdin: None, stdout: write.try_clone().unwrap(), stderr: write };
    let state_dir = bundle.path().join("state");
    let start =
        linux::runtime::Start { bundle: bundle.path(), id: "reopen", cgroup: None, state_dir: &state_dir };
    let mut running = linux::runtime::Runtime::Builtin.start(&start, stdio).unwrap();
    let mut text = String::new();
    fs::File::from(read).read_to_string(&mut text).unwrap();
    assert_eq!((running.wait().unwrap().ended, text.as_str()), (Ended::Code(0), "again\n"));
}

fn mapped_root() {
    let bundle = Bundle::script(
        "id -u; touch /made; cat /proc/self/uid_map; ls -l /bin/busybox; mount -t tmpfs x /tmp; cat /secret",
    )
    .in_user_namespace();
    fs::write(bundle.root().join("secret"), "x").unwrap();
    fs::set_permissions(bundle.root().join("secret"), std::os::unix::fs::PermissionsExt::from_mode(0o600))
        .unwrap();
    let outcome = bundle.run().unwrap();
    let range = userns::IdRange::for_pod(userns::FIRST_POD_ID, 7);
    assert!(outcome.out.starts_with("0\n"), "{outcome:?}");
    assert!(outcome.out.contains(&range.outside.to_string()), "{outcome:?}");
    assert!(outcome.err.contains("'/secret': Permission denied"), "{outcome:?}");
    let made = fs::metadata(bundle.root().join("made")).unwrap();
    assert_eq!(std::os::unix::fs::MetadataExt::uid(&made), range.outside);
}

fn loopback() {
    let network = NetworkNamespace::create().unwrap();
    let script = "ip -o addr; ls /sys/class/net; while true; do echo over | nc -l -p 80 >/dev/null; done & \
                  until nc 127.0.0.1 80 </dev/null 2>/dev/null | grep over; do :; done";
    let both = [Bundle::script(script), Bundle::script(script)];
    for (index, mut bundle) in both.into_iter().enumerate() {
        if index == 1 && is_root() && userns::in_initial_namespace() {
            bundle = bundle.in_user_namespace();
        }
        let namespaces = bundle.config["linux"]["namespaces"].as_array_mut().unwrap();
        namespaces.push(json!({ "type": "network", "path": network.path() }));
        let output = bundle.output();
        assert!(output.contains("inet 127.0.0.1/8"), "{output}");
        assert!(output.contains("over"), "{output}");
        assert!(!output.contains("eth"), "{output}");
    }
}

fn external_runtime() {
    let bundle = Bundle::script("echo $GREETING from $(hostname); exit 5").in_runtime("runc");
    let outcome = bundle.run().unwrap();
    assert_eq!(outcome.exit.ended, Ended::Code(5));
    assert_eq!(outcome.out, "hello from step\n");
    let bundle = Bundle::script("trap '' TERM; sleep 1000").in_runtime("runc");
    let (mut running, ..) = bundle.start().unwrap();
    running.kill_all().unwrap();
    assert_eq!(running.wait().unwrap().ended, Ended::Signal(9));
    running.delete().unwrap();
}

fn external_isolation() {
    let network = NetworkNamespace::create().unwrap();
    let mut bundle =
        Bundle::script("id -u; cat /proc/self/uid_map; ip -o addr").in_user_namespace().in_runtime("runc");
    let namespaces = bundle.config["linux"]["namespaces"].as_array_mut().unwrap();
    namespaces.push(json!({ "type": "network", "path": network.path() }));
    let output = bundle.output();
    assert!(output.starts_with("0\n"), "{output}");
    assert!(output.contains("1879506944"), "{output}");
    assert!(output.contains("inet 127.0.0.1/8"), "{output}");
}

fn external_refusal() {
    let error = Bundle::program(&["/nothing"]).in_runtime("runc").run().unwrap_err().to_string();
    assert!(error.starts_with("could not start container `"), "{error}");
    assert!(error.contains("/nothing"), "{error}");
}

/// Older versions of crun refuse machines that mount both versions with controllers on the second.
fn crun_on_version_2() {
    let hierarchy = std::path::Path::new("/sys/fs/cgroup");
    let mounted = fs::read_to_string("/proc/self/mountinfo").unwrap();
    if mounted.lines().any(|line| line.contains(" - cgroup ")) {
        let cgroup2 = mounted.lines().find(|line| line.contains(" - cgroup2 ")).expect("version 2");
        let source = cgroup2.split(' ').nth(4).unwrap();
        let bind = linux::mount::Bind {
            source: source.as_ref(),
            target: hierarchy,
            recursive: false,
            readonly: false,
            idmap: None,
        };
        bind.mount().unwrap();
    }
    let outcome = Bundle::script("echo $GREETING; exit 5").in_runtime("crun").run().unwrap();
    assert_eq!((outcome.exit.ended, outcome.out.as_str()), (Ended::Code(5), "hello\n"));
}
