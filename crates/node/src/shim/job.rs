//! What the dispatcher hands to a shim: one file in the Pod's directory.
//! Both sides are the same binary, except after an upgrade, and then the old shim has read its file already.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use sandbox::PodPlan;
use serde::{Deserialize, Serialize};

/// The file with the [`Job`].
pub(crate) const PLAN_FILE: &str = "plan.json";
/// The file with the journal.
pub(crate) const STATE_FILE: &str = "state.jsonl";
/// The pipe through which the dispatcher asks a shim to stop its Pod.
pub(crate) const CONTROL_FIFO: &str = "control";
/// The pipe through which a shim wakes the dispatcher; it ends when the shim does.
pub(crate) const EVENTS_FIFO: &str = "events";
/// The file that takes what a shim itself has to say.
pub(crate) const SHIM_LOG: &str = "shim.log";

/// A plan, and how to carry it out on this machine.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Job {
    /// The plan.
    pub(crate) plan: PodPlan,
    /// `builtin` or the path of an OCI runtime.
    pub(crate) runtime: String,
    /// The first of the user and group ids that the Pod has to itself, when it has a user namespace.
    pub(crate) first_id: Option<u32>,
    /// Whether the Pod is killed when the dispatcher's process ends.
    pub(crate) kill_with_parent: bool,
    /// The log file of each container, by name.
    pub(crate) logs: BTreeMap<String, PathBuf>,
    /// Directories that a view of the machine's files must not show.
    pub(crate) hidden: Vec<PathBuf>,
}

impl Job {
    /// Writes the job for a shim to read. It holds the Pod's secrets, so nobody else may.
    pub(crate) fn write(&self, dir: &Path) -> io::Result<()> {
        let json = serde_json::to_vec(self)?;
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(dir.join(PLAN_FILE))?;
        file.write_all(&json)
    }

    /// Reads the job and removes its file.
    pub(crate) fn take(dir: &Path) -> io::Result<Self> {
        let path = dir.join(PLAN_FILE);
        let job = serde_json::from_reader(io::BufReader::new(File::open(&path)?))?;
        fs::remove_file(path)?;
        Ok(job)
    }
}
