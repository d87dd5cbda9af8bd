//! The writing end of a log: bytes of two streams in, whole lines with their time of arrival out.
//! Blocking and free of threads, because it runs in the process that holds the step's pipes.
//! Invariant: everything given to [`LogWriter::write`] is in the file when it returns, but for the last
//! unfinished line of each stream.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use crate::record::{self, Content, Stream};
use crate::store::Error;

/// A line longer than this is written in parts, as Kubernetes' container runtimes do.
const LINE_BYTES_MAX: usize = 16 * 1024;

/// Writes one log file.
#[derive(Debug)]
pub struct LogWriter {
    file: File,
    unfinished: [Vec<u8>; 2],
    out: Vec<u8>,
}

impl LogWriter {
    /// Creates the file, and the directories above it; an existing file is continued.
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be opened.
    pub fn create(path: &Path) -> Result<Self, Error> {
        if let Some(directory) = path.parent() {
            std::fs::create_dir_all(directory).map_err(|source| Error::io(directory, source))?;
        }
        let file = OpenOptions::new().append(true).create(true).open(path);
        let file = file.map_err(|source| Error::io(path, source))?;
        Ok(Self { file, unfinished: [Vec::new(), Vec::new()], out: Vec::new() })
    }

    /// Takes bytes that arrived from a stream at a time.
    ///
    /// # Errors
    /// What the operating system said when the file could not be written, such as a full disk.
    pub fn write(&mut self, stream: Stream, mut bytes: &[u8], at: jiff::Timestamp) -> io::Result<()> {
        self.out.clear();
        let unfinished = &mut self.unfinished[stream as usize];
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            unfinished.extend_from_slice(&bytes[..end]);
            push_parts(&mut self.out, at, stream, unfinished);
            record::push(&mut self.out, at, stream, unfinished, true);
            unfinished.clear();
            bytes = &bytes[end + 1..];
        }
        unfinished.extend_from_slice(bytes);
        push_parts(&mut self.out, at, stream, unfinished);
        self.file.write_all(&self.out)
    }

    /// Writes what is unfinished and the record that ends the log.
    ///
    /// # Errors
    /// As for [`LogWriter::write`].
    pub fn end(mut self, at: jiff::Timestamp) -> io::Result<()> {
        self.out.clear();
        for stream in [Stream::Stdout, Stream::Stderr] {
            let unfinished = &self.unfinished[stream as usize];
            if !unfinished.is_empty() {
                record::push(&mut self.out, at, stream, unfinished, false);
            }
        }
        record::push_end(&mut self.out, at);
        self.file.write_all(&self.out)
    }
}

/// Moves everything but at most one maximal line's worth out of `unfinished`, in parts.
fn push_parts(out: &mut Vec<u8>, at: jiff::Timestamp, stream: Stream, unfinished: &mut Vec<u8>) {
    let mut start = 0;
    while unfinished.len() - start > LINE_BYTES_MAX {
        record::push(out, at, stream, &unfinished[start..start + LINE_BYTES_MAX], false);
        start += LINE_BYTES_MAX;
    }
    unfinished.drain(..start);
}

/// Ends a log whose writer died: cuts a torn last line off and appends the end record if it is missing.
/// A log that does not exist is created, ended and empty.
///
/// # Errors
/// [`Error::Io`] when the file cannot be read or written.
pub fn ensure_ended(path: &Path, at: jiff::Timestamp) -> Result<(), Error> {
    let io = |source| Error::io(path, source);
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(source) => return Err(io(source)),
    };
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |index| index + 1);
    let last = bytes[..whole].split(|byte| *byte == b'\n').rev().nth(1);
    if last.and_then(record::parse).is_some_and(|record| record.content == Content::End) {
        return Ok(());
    }
    if whole < bytes.len() {
        let file = OpenOptions::new().write(true).open(path).map_err(io)?;
        file.set_len(u64::try_from(whole).unwrap_or(u64::MAX)).map_err(io)?;
    }
    LogWriter::create(path)?.end(at).map_err(io)
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: &str = "2026-01-02T03:04:05Z";

    fn written(chunks: &[(Stream, &[u8])]) -> String {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a/b.log");
        let mut writer = LogWriter::create(&path).unwrap();
        for (stream, bytes) in chunks {
            writer.write(*stream, bytes, AT.parse().unwrap()).unwrap();
        }
        writer.end(AT.parse().unwrap()).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        text.replace("2026-01-02T03:04:05.000000000Z ", "")
    }

    #[test]
    fn lines_are_whole_whatever_the_chunks_were() {
        let chunks: [(Stream, &[u8]); 4] = [
            (Stream::Stdout, b"he"),
            (Stream::Stderr, b"oops\n"),
            (Stream::Stdout, b"llo\n\nwor"),
            (Stream::Stdout, b"ld"),
        ];
        assert_eq!(written(&chunks), "stderr F oops\nstdout F hello\nstdout F \nstdout P world\nend F\n");
    }

    #[test]
    fn a_very_long_line_is_written_in_parts() {
        let long = vec![b'x'; LINE_BYTES_MAX * 2 + 1];
        let text = written(&[(Stream::Stdout, &long), (Stream::Stdout, b"\n")]);
        let tags: Vec<_> = text.lines().map(|line| &line[..line.len().min(8)]).collect();
        assert_eq!(tags, ["stdout P", "stdout P", "stdout F", "end F"]);
    }

    #[test]
    fn a_log_whose_writer_died_is_ended_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("c.log");
        let torn = b"2026-01-02T03:04:05.000000000Z stdout F one\n2026-01-02T03:04:05.0000";
        std::fs::write(&path, torn).unwrap();
        for _ in 0..2 {
            ensure_ended(&path, AT.parse().unwrap()).unwrap();
            let text = std::fs::read_to_string(&path).unwrap();
            assert_eq!(text.replace("2026-01-02T03:04:05.000000000Z ", ""), "stdout F one\nend F\n");
        }
    }
}
