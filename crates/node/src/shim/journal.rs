//! The journal of a Pod: what happened to its containers, one JSON line each, appended by the shim and read by
//! the dispatcher, also by one that was started later.
//! Invariant: an event is in the file before the dispatcher is woken; nothing is ever changed or taken back.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::job::STATE_FILE;

/// Something happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Event {
    /// A container's process runs.
    Started {
        /// The container's name.
        container: String,
        /// Its id on this machine.
        id: String,
        /// Since when.
        at: Timestamp,
    },
    /// A container ended, or will never start.
    Ended {
        /// The container's name.
        container: String,
        /// How.
        end: End,
    },
    /// A container will be started again after a while.
    BackingOff {
        /// The container's name.
        container: String,
        /// The while, in seconds.
        seconds: u64,
    },
    /// The Pod is over; nothing follows.
    Finished {
        /// Why, when it is not its containers' doing: a CamelCase reason and a message.
        why: Option<(String, String)>,
    },
}

/// How a container ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct End {
    /// Its id on this machine; empty when it never started.
    pub(crate) id: String,
    /// The exit code; 128 and the signal's number for a signal.
    pub(crate) exit_code: i32,
    /// Kubernetes' reason: `Completed`, `Error`, `OOMKilled`, `StartError`, ...
    pub(crate) reason: String,
    /// The termination message.
    pub(crate) message: String,
    /// When it started; equal to `finished_at` when it never did.
    pub(crate) started_at: Timestamp,
    /// When it ended.
    pub(crate) finished_at: Timestamp,
}

/// The writing end.
#[derive(Debug)]
pub(crate) struct Journal {
    file: File,
    wake: File,
}

impl Journal {
    /// Opens the journal in the Pod's directory; `wake` is the dispatcher's pipe.
    pub(crate) fn open(dir: &Path, wake: File) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).create(true).open(dir.join(STATE_FILE))?;
        Ok(Self { file, wake })
    }

    /// Appends an event and wakes the dispatcher, if there is one.
    pub(crate) fn append(&mut self, event: &Event) -> io::Result<()> {
        let mut line = serde_json::to_vec(event)?;
        line.push(b'\n');
        self.file.write_all(&line)?;
        // Nobody listening, or a full pipe of one who will read the file anyway: both are fine.
        let _ = self.wake.write(b".");
        Ok(())
    }
}
