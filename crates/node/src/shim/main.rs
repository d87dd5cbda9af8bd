//! The shim from start to end: read the job, prepare, run the containers, write the last event.
//! Invariant: whatever fails after the journal is open ends in [`Event::Finished`] with words for the Pod's owner.

use std::fs::File;
use std::io;
use std::os::fd::AsFd as _;
use std::path::Path;
use std::process::ExitCode;

use linux::cgroup::Cgroups;
use linux::runtime::Runtime;
use sandbox::{Order, VolumeKind};

use super::container::Ground;
use super::control::Control;
use super::executor::{Executor, StopCause};
use super::job::Job;
use super::journal::{Event, Journal};
use super::log::chain;
use super::prepare::{Prepared, prepare};
use super::{steps, together};

/// The base of all control groups of Pods.
const CGROUP_BASE: &str = "psvc";

/// Why a Pod ends otherwise than by its containers: reason and message.
type Why = (String, String);

/// Runs the Pod whose directory is `dir`, to its end. Call it first thing in `main`, before any thread exists:
/// standard input ends with the parent, standard output is the pipe that wakes it.
#[must_use]
pub fn main(dir: &Path) -> ExitCode {
    let opened = open(dir);
    let (job, mut journal, control) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            eprintln!("could not begin with the Pod in {}: {error}", dir.display());
            return ExitCode::FAILURE;
        }
    };
    let why = match execute(dir, &job, &mut journal, control) {
        Ok(why) => why,
        Err(error) => Some(("Error".to_owned(), error)),
    };
    match journal.append(&Event::Finished { why }) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("could not write the last event of the Pod in {}: {error}", dir.display());
            ExitCode::FAILURE
        }
    }
}

fn open(dir: &Path) -> io::Result<(Job, Journal, Control)> {
    // Modes in the plan are meant as they are.
    rustix::process::umask(rustix::fs::Mode::empty());
    // A shim that was started as a process group's leader already is what this wants.
    let _ = linux::process::new_session();
    let job = Job::take(dir)?;
    let wake = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    rustix::io::ioctl_fionbio(&wake, true)?;
    let parent =
        if job.kill_with_parent { Some(File::from(io::stdin().as_fd().try_clone_to_owned()?)) } else { None };
    Ok((job, Journal::open(dir, wake)?, Control::open(dir, parent)?))
}

fn execute(dir: &Path, job: &Job, journal: &mut Journal, control: Control) -> Result<Option<Why>, String> {
    let runtime: Runtime = job.runtime.parse().map_err(|error| chain(&error))?;
    if matches!(runtime, Runtime::External(_)) {
        linux::process::become_subreaper().map_err(|error| chain(&error))?;
    }
    let prepared =
        prepare(dir, &job.plan, job.first_id).map_err(|error| format!("could not {}", chain(&error)))?;
    let cgroups = Cgroups::open(CGROUP_BASE);
    let why = run(dir, job, (&runtime, &cgroups, &prepared), journal, control)?;
    if let Ok(group) = cgroups.create(&job.plan.pod.uid, &linux::cgroup::Limits::default())
        && let Err(error) = group.remove()
    {
        eprintln!("{}", chain(&error));
    }
    Ok(why)
}

fn run(
    dir: &Path,
    job: &Job,
    (runtime, cgroups, prepared): (&Runtime, &Cgroups, &Prepared),
    journal: &mut Journal,
    control: Control,
) -> Result<Option<Why>, String> {
    let ground = Ground { dir, runtime, cgroups, prepared, hidden: &job.hidden, uid: &job.plan.pod.uid };
    let mut executor = Executor::new(job, ground, journal, control);
    let ran = match job.plan.order {
        Order::Steps => steps::run(&mut executor),
        Order::Together(policy) => together::run(&mut executor, policy),
    };
    ran.map_err(|error| format!("could not run the Pod's containers: {error}"))?;
    if executor.stopping() == Some(StopCause::Deadline) {
        let message = "Pod was active on the node longer than the specified deadline".to_owned();
        return Ok(Some(("DeadlineExceeded".to_owned(), message)));
    }
    Ok(overfull_volume(job))
}

/// Ends what a shim that was killed may have left running, and removes its control groups.
pub(crate) fn kill_leftovers<'a>(uid: &str, containers: impl Iterator<Item = &'a str>) {
    let cgroups = Cgroups::open(CGROUP_BASE);
    let no_limits = linux::cgroup::Limits::default();
    for container in containers {
        let group = cgroups.create(&format!("{uid}/{container}"), &no_limits);
        if let Err(error) = group.and_then(|group| group.kill()) {
            tracing::warn!("could not end what is left of container {container}: {}", chain(&error));
        }
    }
    if let Err(error) = cgroups.create(uid, &no_limits).and_then(linux::cgroup::Group::remove) {
        tracing::warn!("could not remove a control group: {}", chain(&error));
    }
}

/// A volume that holds more than its limit makes the Pod evicted, as on Kubernetes.
fn overfull_volume(job: &Job) -> Option<Why> {
    job.plan.volumes.iter().find_map(|volume| {
        let VolumeKind::Directory { size_limit_bytes: Some(limit) } = volume.kind else { return None };
        (size_of(&volume.path) > limit).then(|| {
            let message =
                format!("Usage of EmptyDir volume \"{}\" exceeds the limit of {limit} bytes. ", volume.name);
            ("Evicted".to_owned(), message)
        })
    })
}

/// The bytes of all files below a directory; links are not followed.
fn size_of(directory: &Path) -> u64 {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => size_of(&entry.path()),
            Ok(metadata) => metadata.len(),
            Err(_) => 0,
        })
        .sum()
}
