//! What the cases of the container test share: a root file system, a configuration, running it.

mod cases;
mod files;
mod limits;

use std::fs::{self, File};
use std::io::{Read, Seek};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use linux::cgroup::{Cgroups, Group, Limits};
use linux::process::Ended;
use linux::runtime::{Exit, Running, Runtime, Start, Stdio};
use linux::seccomp;
use linux::userns::{self, FIRST_POD_ID, IdRange};
use serde_json::{Value, json};

/// The id of the ordinary user; one that every machine has and that may do nothing.
pub(crate) const ORDINARY_USER: &str = "65534";

/// One case: the name says what must hold.
pub(crate) struct Case {
    /// The sentence.
    pub(crate) name: &'static str,
    /// Whether it must hold for an ordinary user too.
    pub(crate) rootless: bool,
    run: fn(),
}

/// All cases.
pub(crate) static CASES: std::sync::LazyLock<Vec<Case>> =
    std::sync::LazyLock::new(|| [cases::CASES, files::CASES, limits::CASES].concat_cases());

trait ConcatCases {
    fn concat_cases(self) -> Vec<Case>;
}

impl<const N: usize> ConcatCases for [&[(&'static str, bool, fn())]; N] {
    fn concat_cases(self) -> Vec<Case> {
        self.iter()
            .flat_map(|list| list.iter())
            .map(|(name, rootless, run)| Case { name, rootless: *rootless, run: *run })
            .collect()
    }
}

/// True if started by root.
pub(crate) fn is_root() -> bool {
    fs::metadata("/proc/self")
        .map(|status| std::os::unix::fs::MetadataExt::uid(&status))
        .is_ok_and(|uid| uid == 0)
}

/// The id of a user who has ranges of ids in `/etc/subuid`, if they can be used here.
pub(crate) fn user_with_ranges() -> Option<String> {
    let text = fs::read_to_string("/etc/subuid").ok()?;
    let name = text.lines().next()?.split(':').next()?.to_owned();
    let installed = Path::new("/usr/bin/newuidmap").exists() && Path::new("/usr/bin/newgidmap").exists();
    let passwd = fs::read_to_string("/etc/passwd").ok()?;
    let line = passwd.lines().find(|line| line.split(':').next() == Some(&name))?;
    installed.then(|| line.split(':').nth(2).unwrap_or_default().to_owned())
}

/// A copy of this program that every user may execute, wherever the build directory is.
pub(crate) fn public_copy(directory: &Path) -> PathBuf {
    fs::set_permissions(directory, fs::Permissions::from_mode(0o755)).expect("open the directory to all");
    let copy = directory.join("containers");
    fs::copy("/proc/self/exe", &copy).expect("copy this program");
    copy
}

/// Runs one case in this process.
pub(crate) fn run_here(case: &Case) -> ExitCode {
    let entered = userns::enter().and_then(|()| linux::mount::private_namespace());
    if let Err(error) = entered {
        println!("{error}");
        return ExitCode::FAILURE;
    }
    linux::process::become_subreaper().expect("become a subreaper");
    (case.run)();
    ExitCode::SUCCESS
}

/// A bundle in a temporary directory.
pub(crate) struct Bundle {
    directory: tempfile::TempDir,
    /// The configuration, to be changed before the start.
    pub(crate) config: Value,
    runtime: Runtime,
    group: Option<Group>,
}

/// What became of a container.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// How it ended.
    pub(crate) exit: Exit,
    /// All output.
    pub(crate) out: String,
    /// All error output.
    pub(crate) err: String,
}

impl Bundle {
    /// A bundle that runs a shell script.
    pub(crate) fn script(script: &str) -> Self {
        Self::program(&["/bin/sh", "-c", script])
    }

    /// A bundle that runs a program.
    pub(crate) fn program(arguments: &[&str]) -> Self {
        let directory = tempfile::tempdir_in("/tmp").expect("a scratch directory");
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).expect("open it");
        busybox_root(&directory.path().join("rootfs"));
        Self { config: config(arguments), directory, runtime: Runtime::Builtin, group: None }
    }

    /// The same in a user namespace of its own; its root file system is then given to it.
    pub(crate) fn in_user_namespace(mut self) -> Self {
        let range = IdRange::for_pod(FIRST_POD_ID, 7);
        let map = json!([{ "containerID": range.inside, "hostID": range.outside, "size": range.count }]);
        self.config["linux"]["uidMappings"] = map.clone();
        self.config["linux"]["gidMappings"] = map;
        let namespaces = self.config["linux"]["namespaces"].as_array_mut().expect("a list");
        namespaces.push(json!({ "type": "user" }));
        give_away(&self.root(), range.outside);
        self
    }

    /// The same in an external runtime.
    pub(crate) fn in_runtime(mut self, name: &str) -> Self {
        self.runtime = name.parse().expect("an installed runtime");
        self
    }

    /// The same in a control group with limits.
    pub(crate) fn limited(mut self, limits: Limits) -> Self {
        let cgroups = Cgroups::open("psvc-test");
        let name = self.directory.path().file_name().expect("a name").to_string_lossy().into_owned();
        let group = cgroups.create(&name, &limits).expect("a control group");
        self.config["linux"]["cgroupsPath"] = json!(group.oci_path());
        self.group = Some(group);
        self
    }

    /// The bundle's directory.
    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The container's root on the machine.
    pub(crate) fn root(&self) -> PathBuf {
        self.path().join("rootfs")
    }

    /// Adds a bind mount.
    pub(crate) fn bind(&mut self, source: &Path, destination: &str, options: &[&str]) {
        let options: Vec<&str> = ["bind"].iter().chain(options).copied().collect();
        let mounts = self.config["mounts"].as_array_mut().expect("a list");
        mounts.push(
            json!({ "destination": destination, "type": "bind", "source": source, "options": options }),
        );
    }

    /// Starts it with files for its output.
    pub(crate) fn start(&self) -> linux::Result<(Running, File, File)> {
        let text = serde_json::to_vec(&self.config).expect("a configuration");
        fs::write(self.path().join("config.json"), text).expect("write the configuration");
        let file = |name: &str| {
            let options = File::options().read(true).write(true).create(true).truncate(true).clone();
            options.open(self.path().join(name)).expect("a file for output")
        };
        let (out, err) = (file("out"), file("err"));
        let stdio = Stdio {
            stdin: None,
            stdout: out.try_clone().expect("a copy").into(),
            stderr: err.try_clone().expect("a copy").into(),
        };
        let id = self.path().file_name().expect("a name").to_string_lossy().replace('.', "");
        let start = Start {
            bundle: self.path(),
            id: &id,
            cgroup: self.group.as_ref(),
            state_dir: &self.path().join("state"),
        };
        Ok((self.runtime.start(&start, stdio)?, out, err))
    }

    /// Starts it, waits for its end, and cleans up.
    pub(crate) fn run(&self) -> linux::Result<Outcome> {
        let (mut running, mut out, mut err) = self.start()?;
        let exit = running.wait()?;
        running.delete()?;
        let read = |file: &mut File| {
            let mut text = String::new();
            file.rewind().expect("rewind");
            file.read_to_string(&mut text).expect("text");
            text
        };
        Ok(Outcome { exit, out: read(&mut out), err: read(&mut err) })
    }

    /// Runs it and gives its output, after checking that it succeeded.
    pub(crate) fn output(&self) -> String {
        let outcome = self.run().unwrap_or_else(|error| panic!("{}", chain(&error)));
        assert_eq!(outcome.exit.ended, Ended::Code(0), "{outcome:?}");
        outcome.out
    }

    /// The control group of [`Bundle::limited`].
    pub(crate) fn group(&self) -> &Group {
        self.group.as_ref().expect("a control group")
    }
}

impl Drop for Bundle {
    fn drop(&mut self) {
        if let Some(group) = self.group.take() {
            let _ = group.kill();
            let _ = group.remove();
        }
    }
}

/// An error with its causes.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let cause = error.source().map(|cause| format!(": {}", chain(cause)));
    format!("{error}{}", cause.unwrap_or_default())
}

/// A root file system with busybox in `bin`.
pub(crate) fn busybox_root(root: &Path) {
    for directory in ["bin", "proc", "sys", "dev", "tmp", "etc"] {
        fs::create_dir_all(root.join(directory)).expect("a directory");
    }
    fs::copy("/bin/busybox", root.join("bin/busybox")).expect("busybox (install busybox-static)");
    let applets = [
        "sh", "cat", "echo", "ls", "id", "sleep", "mount", "unshare", "kill", "hostname", "grep", "readlink",
        "ps", "mkdir", "touch", "ip", "stat", "dd", "true", "pwd", "env", "wc", "mknod", "chroot", "nc",
        "tail", "head", "tr", "setpriv",
    ];
    for applet in applets {
        symlink("busybox", root.join("bin").join(applet)).expect("a link");
    }
    fs::write(root.join("etc/passwd"), "root:x:0:0::/:/bin/sh\n").expect("a file");
}

/// Makes an id the owner of everything below, as an image unpacked for it would be.
fn give_away(path: &Path, id: u32) {
    std::os::unix::fs::lchown(path, Some(id), Some(id)).expect("give away");
    if path.is_dir() && !path.is_symlink() {
        for entry in fs::read_dir(path).expect("list") {
            give_away(&entry.expect("an entry").path(), id);
        }
    }
}

fn config(arguments: &[&str]) -> Value {
    let capabilities: Vec<String> = linux::capability::DEFAULT.iter().map(|name| format!("{name}")).collect();
    json!({
        "ociVersion": "1.0.2",
        "root": { "path": "rootfs", "readonly": false },
        "hostname": "step",
        "process": {
            "terminal": false,
            "user": { "uid": 0, "gid": 0 },
            "args": arguments,
            "env": ["PATH=/bin", "GREETING=hello"],
            "cwd": "/",
            "capabilities": {
                "bounding": capabilities, "effective": capabilities, "permitted": capabilities,
            },
            "noNewPrivileges": true,
        },
        "mounts": [
            { "destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid", "noexec", "nodev"] },
            { "destination": "/dev", "type": "tmpfs", "source": "tmpfs",
              "options": ["nosuid", "strictatime", "mode=755", "size=65536k"] },
            { "destination": "/dev/pts", "type": "devpts", "source": "devpts",
              "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"] },
            { "destination": "/dev/shm", "type": "tmpfs", "source": "shm",
              "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"] },
            { "destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue",
              "options": ["nosuid", "noexec", "nodev"] },
            { "destination": "/sys", "type": "sysfs", "source": "sysfs",
              "options": ["nosuid", "noexec", "nodev", "ro"] },
            { "destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
              "options": ["nosuid", "noexec", "nodev", "ro"] },
        ],
        "linux": {
            "namespaces": [
                { "type": "pid" }, { "type": "mount" }, { "type": "uts" }, { "type": "ipc" }, { "type": "cgroup" },
            ],
            "maskedPaths": ["/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/acpi", "/sys/firmware"],
            "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
            "seccomp": seccomp::oci_profile(),
        },
    })
}
