//! The directories of the node on disk, and the start of shims in them.
//! `<data>/pods/<uid>` is one Pod's: `pod.json` for the dispatcher, the plan and the journal of its shim, two pipes.
//! `<data>/claims/<uid>` is one PersistentVolumeClaim's.
//! Invariant: a Pod's directory exists from before its shim starts until its last status is in the API.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use jiff::Timestamp;
use sandbox::PodRef;
use serde::{Deserialize, Serialize};
use tokio::process::{Child, Command};

use crate::error::Error;
use crate::options::Options;
use crate::shim::{CONTROL_FIFO, EVENTS_FIFO, Job, SHIM_LOG, make_fifo, open_fifo};
use crate::status::Identity;

/// The file with the [`Record`].
const RECORD_FILE: &str = "pod.json";

/// Where things are.
#[derive(Clone, Debug)]
pub(crate) struct Directories {
    pub(crate) pods: PathBuf,
    pub(crate) claims: PathBuf,
}

/// What a dispatcher that starts anew must know of a Pod that its predecessor started.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) pod: PodRef,
    pub(crate) started_at: Timestamp,
    pub(crate) containers: Vec<Identity>,
    pub(crate) id_range: Option<u32>,
}

/// The dispatcher's side of a running shim.
#[derive(Debug)]
pub(crate) struct Shim {
    /// Ends when the shim does.
    pub(crate) events: File,
    /// Takes requests.
    pub(crate) control: File,
    /// The process, when it is our child.
    pub(crate) child: Option<Child>,
    /// Held open for shims that die with us.
    pub(crate) lifeline: Option<OwnedFd>,
}

impl Directories {
    /// Makes the directories. Containers in user namespaces pass through them, so others may enter but not list.
    pub(crate) fn create(options: &Options) -> Result<Self, Error> {
        let directory = |path: PathBuf| match DirBuilder::new().recursive(true).mode(0o711).create(&path) {
            Ok(()) => Ok(path),
            Err(source) => Err(Error::Directory { path, source }),
        };
        let data_dir = std::path::absolute(&options.data_dir)
            .map_err(|source| Error::Directory { path: options.data_dir.clone(), source })?;
        directory(data_dir.clone())?;
        Ok(Self { pods: directory(data_dir.join("pods"))?, claims: directory(data_dir.join("claims"))? })
    }

    /// The directory of a Pod.
    pub(crate) fn pod(&self, uid: &str) -> PathBuf {
        self.pods.join(uid)
    }

    /// The Pods that have a directory with a record; directories without one never got a shim and are removed.
    pub(crate) fn records(&self) -> Vec<Record> {
        let mut records = Vec::new();
        for entry in fs::read_dir(&self.pods).into_iter().flatten().flatten() {
            let record = fs::read(entry.path().join(RECORD_FILE)).ok();
            match record.and_then(|json| serde_json::from_slice(&json).ok()) {
                Some(record) => records.push(record),
                None => remove(&entry.path()),
            }
        }
        records
    }
}

/// Removes a directory with everything in it.
pub(crate) fn remove(path: &Path) {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!("could not remove {}: {error}", path.display());
        }
        _ => {}
    }
}

/// Makes a Pod's directory.
pub(crate) fn make(dir: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o711).create(dir)
}

/// Starts a shim in a Pod's new directory. Wants to be called inside of a tokio runtime; it blocks for a moment.
pub(crate) fn start_shim(
    dir: &Path,
    record: &Record,
    job: &Job,
    command: &[std::ffi::OsString],
) -> io::Result<Shim> {
    let (events_path, control_path) = (dir.join(EVENTS_FIFO), dir.join(CONTROL_FIFO));
    make_fifo(&events_path)?;
    make_fifo(&control_path)?;
    job.write(dir)?;
    let control = open_fifo(&control_path)?;
    let events = open_reader(&events_path)?;
    let wake = OpenOptions::new().write(true).open(&events_path)?;
    let shim_log = File::options().append(true).create(true).open(dir.join(SHIM_LOG))?;
    let (stdin, lifeline) = if job.kill_with_parent {
        let (read, write) = linux::process::pipe().map_err(io::Error::other)?;
        (Stdio::from(read), Some(write))
    } else {
        (Stdio::null(), None)
    };
    let (program, arguments) = command
        .split_first()
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "no command for shims"))?;
    // The record comes last: a directory with one has, or had, a shim.
    fs::write(dir.join(RECORD_FILE), serde_json::to_vec(record)?)?;
    let child = Command::new(program)
        .args(arguments)
        .arg(dir)
        .stdin(stdin)
        .stdout(Stdio::from(wake))
        .stderr(Stdio::from(shim_log))
        .spawn()?;
    Ok(Shim { events, control, child: Some(child), lifeline })
}

/// Takes hold of a shim that somebody else started; it may have ended already.
pub(crate) fn attach_shim(dir: &Path) -> io::Result<Shim> {
    let control = open_fifo(&dir.join(CONTROL_FIFO))?;
    Ok(Shim { events: open_reader(&dir.join(EVENTS_FIFO))?, control, child: None, lifeline: None })
}

fn open_reader(path: &Path) -> io::Result<File> {
    let flags = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or_default();
    OpenOptions::new().read(true).custom_flags(flags).open(path)
}
