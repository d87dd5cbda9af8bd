//! The log of one container, and the end of it that may become a termination message.
//! Invariant: a log that could not be written makes its container fail; it is never cut short in silence.

use std::io;
use std::path::Path;

use archive::LogWriter;
use archive::record::Stream;
use jiff::Timestamp;

/// How much of the log's end a termination message may hold. Source: the kubelet.
const TAIL_BYTES_MAX: usize = 2048;
/// How many lines of it. Source: the kubelet.
const TAIL_LINES_MAX: usize = 80;

/// Takes what a container prints.
#[derive(Debug)]
pub(crate) struct Log {
    writer: Option<LogWriter>,
    tail: Vec<u8>,
    failure: Option<String>,
}

impl Log {
    /// Opens the log; when that fails, the log remembers why.
    pub(crate) fn open(path: Option<&Path>) -> Self {
        let (writer, failure) = match path.map(LogWriter::create) {
            Some(Ok(writer)) => (Some(writer), None),
            Some(Err(error)) => (None, Some(chain(&error))),
            None => (None, None),
        };
        Self { writer, tail: Vec::new(), failure }
    }

    /// Takes bytes of one stream.
    pub(crate) fn write(&mut self, stream: Stream, bytes: &[u8]) {
        if let Some(writer) = &mut self.writer {
            let written = writer.write(stream, bytes, Timestamp::now());
            self.note(written);
        }
        self.tail.extend_from_slice(&bytes[bytes.len().saturating_sub(TAIL_BYTES_MAX)..]);
        let surplus = self.tail.len().saturating_sub(TAIL_BYTES_MAX);
        if surplus > TAIL_BYTES_MAX {
            self.tail.drain(..surplus);
        }
    }

    /// Adds a line of our own to the container's standard error.
    pub(crate) fn say(&mut self, line: &str) {
        self.write(Stream::Stderr, format!("{line}\n").as_bytes());
    }

    /// Why the log is not whole, if so.
    pub(crate) fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    /// The last lines.
    pub(crate) fn tail(&self) -> String {
        let start = self.tail.len().saturating_sub(TAIL_BYTES_MAX);
        let text = String::from_utf8_lossy(&self.tail[start..]);
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        lines[lines.len().saturating_sub(TAIL_LINES_MAX)..].concat()
    }

    /// Ends the log.
    pub(crate) fn end(&mut self) {
        if let Some(writer) = self.writer.take() {
            let ended = writer.end(Timestamp::now());
            self.note(ended);
        }
    }

    fn note(&mut self, result: io::Result<()>) {
        if let Err(error) = result {
            self.failure.get_or_insert_with(|| format!("write the log: {error}"));
        }
    }
}

/// An error with its causes in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        text.push_str(": ");
        text.push_str(&error.to_string());
        next = error.source();
    }
    text
}
