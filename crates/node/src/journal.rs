//! The dispatcher's end of a shim's journal: it waits on the pipe and reads the file from where it stopped.
//! Invariant: what was written before the shim ended is read before its end is reported.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use tokio::net::unix::pipe::Receiver;

use crate::shim::{Event, STATE_FILE};

/// Follows one journal.
#[derive(Debug)]
pub(crate) struct Follower {
    /// `None` when the shim had ended before it was looked at.
    pipe: Option<Receiver>,
    file: Option<File>,
    path: std::path::PathBuf,
    offset: u64,
    torn: Vec<u8>,
    ended: bool,
}

/// What there is to know.
#[derive(Debug)]
pub(crate) enum Followed {
    /// Events since the last time; maybe none.
    Events(Vec<Event>),
    /// The shim has ended; all its events have been given.
    Ended,
}

impl Follower {
    /// Begins at the first event. `events` is the reading end of the pipe.
    pub(crate) fn new(dir: &Path, mut events: File) -> io::Result<Self> {
        // A pipe without a writer reads as ended, but would never wake anybody.
        let alive = loop {
            match events.read(&mut [0; 4096]) {
                Ok(0) => break false,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break true,
                Err(error) => return Err(error),
            }
        };
        let pipe = if alive { Some(Receiver::from_file(events)?) } else { None };
        let path = dir.join(STATE_FILE);
        Ok(Self { pipe, file: None, path, offset: 0, torn: Vec::new(), ended: false })
    }

    /// The next events, or the end. It may be dropped while it waits.
    pub(crate) async fn next(&mut self) -> io::Result<Followed> {
        let events = self.read()?;
        if !events.is_empty() {
            return Ok(Followed::Events(events));
        }
        if self.ended {
            return Ok(Followed::Ended);
        }
        let Some(pipe) = &self.pipe else {
            self.ended = true;
            return self.read().map(Followed::Events);
        };
        pipe.readable().await?;
        loop {
            match pipe.try_read(&mut [0; 4096]) {
                Ok(0) => {
                    self.ended = true;
                    break;
                }
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        self.read().map(Followed::Events)
    }

    /// Reads whole lines that have been added.
    fn read(&mut self) -> io::Result<Vec<Event>> {
        if self.file.is_none() {
            match File::open(&self.path) {
                Ok(file) => self.file = Some(file),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
                Err(error) => return Err(error),
            }
        }
        let Some(file) = &mut self.file else { return Ok(Vec::new()) };
        file.seek(SeekFrom::Start(self.offset))?;
        let read = file.read_to_end(&mut self.torn)?;
        self.offset += read as u64;
        let whole = self.torn.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let lines: Vec<u8> = self.torn.drain(..whole).collect();
        let lines = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        lines.map(|line| serde_json::from_slice(line).map_err(io::Error::from)).collect()
    }
}
