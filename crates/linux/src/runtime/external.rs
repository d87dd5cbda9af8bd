//! Drives an external OCI runtime: a program with the command line of `runc`.
//! Its `run --detach` leaves the container's first process to us, the nearest reaper; from then on only `delete` is
//! needed of it. Signals and waiting go by pidfd.
//! Invariant: a failed start leaves no state of the runtime behind.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use super::api::{Running, Start, Stdio};
use crate::error::{Doing, Error, Result};
use crate::process::{self, Ended, PidFd};
use crate::userns;

/// How often, and how long between, an ended container is asked for that is not yet our child: 2 s in all.
const ADOPTION_TRIES: u32 = 1_000;
const ADOPTION_PAUSE: Duration = Duration::from_millis(2);

/// What is needed to remove a container from the runtime's state.
#[derive(Debug)]
pub(super) struct Handle {
    program: PathBuf,
    state_dir: PathBuf,
    id: String,
}

impl Handle {
    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("--root").arg(&self.state_dir);
        command
    }

    /// Runs `delete --force`.
    pub(super) fn delete(self) -> Result<()> {
        let output = self
            .command()
            .args(["delete", "--force", &self.id])
            .output()
            .doing(|| format!("run {}", self.program.display()))?;
        if output.status.success() {
            return Ok(());
        }
        let message = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(Error::Container { id: self.id, message })
    }
}

/// Starts a container.
pub(super) fn start(program: &Path, start: &Start<'_>, stdio: Stdio) -> Result<Running> {
    let handle = Handle {
        program: program.to_owned(),
        state_dir: start.state_dir.to_owned(),
        id: start.id.to_owned(),
    };
    fs::create_dir_all(start.state_dir).doing(|| format!("make directory {}", start.state_dir.display()))?;
    adapt(start.bundle)?;
    let log = start.state_dir.join(format!("{}.log", start.id));
    let pid_file = start.state_dir.join(format!("{}.pid", start.id));
    let stdin = match stdio.stdin {
        Some(stdin) => stdin,
        None => process::dev_null()?,
    };
    let mut command = Command::new(program);
    command.arg("--root").arg(start.state_dir).arg("--log").arg(&log);
    command.args(["run", "--detach"]).arg("--pid-file").arg(&pid_file);
    command.arg("--bundle").arg(start.bundle).arg(start.id);
    let oom_kills_before = start.cgroup.map_or(0, crate::cgroup::Group::oom_kills);
    let status = command.stdin(stdin).stdout(stdio.stdout).stderr(stdio.stderr).status();
    let status = status.doing(|| format!("run {}", program.display()));
    let started = status.and_then(|status| {
        if !status.success() {
            return Err(Error::Container { id: start.id.to_owned(), message: last_line(&log) });
        }
        let pid = fs::read_to_string(&pid_file).doing(|| format!("read {}", pid_file.display()))?;
        let pid = pid.trim().parse();
        PidFd::open(pid.map_err(|_| Error::Spec(format!("{} has no number", pid_file.display())))?)
    });
    let _ = fs::remove_file(&log);
    let _ = fs::remove_file(&pid_file);
    match started {
        Ok(process) => Ok(Running {
            process,
            outcome: None,
            external: Some(handle),
            cgroup: start.cgroup.cloned(),
            oom_kills_before,
        }),
        Err(error) => {
            let _ = handle.delete();
            Err(error)
        }
    }
}

/// Waits for the end of a container. Its parent may be a process of the runtime that is itself about to end, only then
/// is it ours (`crun` answers before that): for this moment, "not a child" is not the last word.
pub(super) fn wait(process: &PidFd) -> Result<Ended> {
    process.wait_ended(None)?;
    for _ in 0..ADOPTION_TRIES {
        match process.wait() {
            Err(error) if error.raw_os_error() == Some(libc::ECHILD) => std::thread::sleep(ADOPTION_PAUSE),
            other => return other,
        }
    }
    process.wait()
}

/// Makes mounts possible that the machine refuses; the built-in runtime does the same by itself. Only the owner of a
/// network namespace may mount sysfs anew: where the container will not be that, it gets the machine's `/sys`, read-only.
/// Where only one id is mapped, terminals cannot belong to group 5.
fn adapt(bundle: &Path) -> Result<()> {
    let path = bundle.join("config.json");
    let text = fs::read(&path).doing(|| format!("read {}", path.display()))?;
    let mut config: Value =
        serde_json::from_slice(&text).map_err(|error| Error::Spec(format!("{}: {error}", path.display())))?;
    let namespace = |kind: &str| {
        let list = config["linux"]["namespaces"].as_array();
        list.and_then(|list| list.iter().find(|namespace| namespace["type"] == kind)).cloned()
    };
    let (user, network) = (namespace("user"), namespace("network"));
    let owned = match (&user, &network) {
        (Some(_), network) => network.as_ref().is_some_and(|network| network.get("path").is_none()),
        (None, network) => network.is_some() || userns::in_initial_namespace(),
    };
    let one_id = user.is_none() && userns::mapped_ids() == 1;
    for mount in config["mounts"].as_array_mut().into_iter().flatten() {
        if mount["type"] == "sysfs" && !owned {
            mount["type"] = json!("none");
            mount["source"] = json!("/sys");
            mount["options"] = json!(["rbind", "rslave", "nosuid", "noexec", "nodev", "ro"]);
        } else if mount["type"] == "devpts" && one_id {
            let options = mount["options"].as_array_mut();
            options.into_iter().for_each(|list| list.retain(|option| option != "gid=5"));
        }
    }
    fs::write(&path, config.to_string()).doing(|| format!("write {}", path.display()))
}

/// The last message in the runtime's log, without its decoration.
fn last_line(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let line = text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it gave no reason");
    let message = line.split_once("msg=").map_or(line, |(_, message)| message);
    message.trim_matches('"').replace("\\\"", "\"")
}
