//! Measures a container's whole life (start, `true`, wait, delete) with one OCI runtime, as a node would drive it.
//! `cargo run --release -p linux --example runtimes -- builtin 200 userns cgroup` prints one line of JSON.
//! Needs busybox-static; the root file system is a plain directory, so that only the runtime counts.

use std::fs;
use std::path::Path;
use std::time::Instant;

use linux::cgroup::{Cgroups, Limits};
use linux::runtime::{Runtime, Start, Stdio};
use linux::userns::{FIRST_POD_ID, IdRange};
use serde_json::{Value, json};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name, count, options @ ..] = arguments.as_slice() else {
        return Err("usage: runtimes builtin|crun|runc|PATH COUNT [userns] [cgroup]".into());
    };
    let (runtime, count): (Runtime, usize) = (name.parse()?, count.parse()?);
    let has = |option: &str| options.iter().any(|given| given == option);
    linux::userns::enter()?;
    linux::mount::private_namespace()?;
    linux::process::become_subreaper()?;
    let bundle = tempfile::tempdir_in("/tmp")?;
    let mut config = config();
    prepare(bundle.path(), has("userns"), &mut config)?;
    let cgroups = Cgroups::open("psvc-bench");
    let limits = Limits { memory_bytes: Some(1 << 30), cpu_millis: Some(2_000), pids: Some(1_000) };
    let mut micros = Vec::new();
    for index in 0..count {
        let id = format!("bench-{}-{index}", std::process::id());
        let begin = Instant::now();
        let group = if has("cgroup") { Some(cgroups.create(&id, &limits)?) } else { None };
        if let Some(group) = &group {
            config["linux"]["cgroupsPath"] = json!(group.oci_path());
        }
        fs::write(bundle.path().join("config.json"), serde_json::to_vec(&config)?)?;
        let null = || linux::process::dev_null();
        let stdio = Stdio { stdin: None, stdout: null()?, stderr: null()? };
        let state_dir = bundle.path().join("state");
        let start = Start { bundle: bundle.path(), id: &id, cgroup: group.as_ref(), state_dir: &state_dir };
        let mut running = runtime.start(&start, stdio)?;
        running.wait()?;
        running.delete()?;
        if let Some(group) = group {
            group.remove()?;
        }
        micros.push(begin.elapsed().as_micros() as u64);
    }
    micros.sort_unstable();
    let at = |percent: usize| micros[(micros.len() - 1) * percent / 100];
    let found = json!({
        "runtime": runtime.to_string(), "options": options, "count": count,
        "p50_us": at(50), "p90_us": at(90), "min_us": at(0), "max_us": at(100),
    });
    println!("{found}");
    Ok(())
}

fn prepare(bundle: &Path, userns: bool, config: &mut Value) -> Result<(), Box<dyn std::error::Error>> {
    let root = bundle.join("rootfs");
    for directory in ["bin", "proc", "sys", "dev"] {
        fs::create_dir_all(root.join(directory))?;
    }
    fs::copy("/bin/busybox", root.join("bin/true"))?;
    if userns {
        let range = IdRange::for_pod(FIRST_POD_ID, 0);
        let map = json!([{ "containerID": range.inside, "hostID": range.outside, "size": range.count }]);
        config["linux"]["uidMappings"] = map.clone();
        config["linux"]["gidMappings"] = map;
        config["linux"]["namespaces"].as_array_mut().expect("a list").push(json!({ "type": "user" }));
        for path in ["", "bin", "bin/true", "proc", "sys", "dev"] {
            std::os::unix::fs::chown(root.join(path), Some(range.outside), Some(range.outside))?;
        }
        std::fs::set_permissions(bundle, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    }
    Ok(())
}

fn config() -> Value {
    let set: Vec<String> = linux::capability::DEFAULT.iter().map(|name| format!("{name}")).collect();
    let flags = ["nosuid", "noexec", "nodev"];
    json!({
        "ociVersion": "1.0.2",
        "root": { "path": "rootfs" },
        "process": {
            "user": { "uid": 0, "gid": 0 }, "args": ["/bin/true"], "env": ["PATH=/bin"], "cwd": "/",
            "capabilities": { "bounding": set, "effective": set, "permitted": set },
            "noNewPrivileges": true,
        },
        "mounts": [
            { "destination": "/proc", "type": "proc", "source": "proc", "options": flags },
            { "destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"] },
            { "destination": "/dev/pts", "type": "devpts", "source": "devpts",
              "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"] },
            { "destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": flags },
            { "destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "nodev", "ro"] },
        ],
        "linux": {
            "namespaces": [{ "type": "pid" }, { "type": "mount" }, { "type": "uts" }, { "type": "ipc" }],
            "maskedPaths": ["/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/acpi", "/sys/firmware"],
            "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
            "seccomp": linux::seccomp::oci_profile(),
        },
    })
}
