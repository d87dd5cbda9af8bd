//! The reading end of a log: a stream of text, followed to the end record if wanted.
//! Options are those of the Pod `log` subresource of Kubernetes.
//! Invariant: a follower never misses a line and never gets one twice, whenever it began.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::pin::Pin;

use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream;

use crate::follow::Changes;
use crate::record::{self, Content};
use crate::store::{Error, LogKey, LogStore};

const CHUNK_BYTES: usize = 64 * 1024;

/// What to read of a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadOptions {
    /// Wait for more until the log's end record, and for the log itself to appear.
    pub follow: bool,
    /// Only this many lines from the end.
    pub tail_lines: Option<u64>,
    /// Only lines that arrived at this time or later.
    pub since: Option<jiff::Timestamp>,
    /// Begin each line with its time of arrival.
    pub timestamps: bool,
    /// Stop after this many bytes.
    pub limit_bytes: Option<u64>,
}

/// The text of a log in parts.
pub type LogStream = Pin<Box<dyn Stream<Item = Result<Bytes, Error>> + Send>>;

impl LogStore {
    /// Reads a log. Following needs a tokio runtime with its I/O driver.
    ///
    /// # Errors
    /// [`Error::Missing`] when there is no such log and it is not followed; [`Error::Name`], [`Error::Io`].
    pub fn read(&self, key: &LogKey, options: ReadOptions) -> Result<LogStream, Error> {
        let path = self.path(key)?;
        let changes = if options.follow { Some(watched(&path)?) } else { None };
        let file = match File::open(&path) {
            Ok(file) => Some(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound && options.follow => None,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(Error::Missing { pod: key.pod.clone(), container: key.container.clone() });
            }
            Err(source) => return Err(Error::io(&path, source)),
        };
        let offset = match (&file, options.tail_lines) {
            (Some(file), Some(lines)) => tail(file, lines).map_err(|source| Error::io(&path, source))?,
            _ => 0,
        };
        let rendering =
            Rendering { remaining: options.limit_bytes, line_begins: true, options, ended: false };
        let reader = Reader { path, file, offset, carried: Vec::new(), changes, rendering };
        Ok(Box::pin(stream::unfold(reader, |mut reader| async move {
            let part = reader.next().await.transpose()?;
            Some((part, reader))
        })))
    }
}

fn watched(path: &std::path::Path) -> Result<Changes, Error> {
    let directory = path.parent().unwrap_or(path);
    std::fs::create_dir_all(directory).map_err(|source| Error::io(directory, source))?;
    Changes::new(directory).map_err(|source| Error::io(directory, source))
}

struct Reader {
    path: PathBuf,
    file: Option<File>,
    offset: u64,
    carried: Vec<u8>,
    changes: Option<Changes>,
    rendering: Rendering,
}

impl Reader {
    async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        while !self.rendering.ended {
            let part = self.available().map_err(|source| Error::io(&self.path, source))?;
            match (part, &mut self.changes) {
                (Some(part), _) if part.is_empty() => {}
                (Some(part), _) => return Ok(Some(part)),
                (None, None) => return Ok(None),
                (None, Some(_)) if self.rendering.ended => return Ok(None),
                (None, Some(changes)) => {
                    changes.wait().await.map_err(|source| Error::io(&self.path, source))?;
                }
            }
        }
        Ok(None)
    }

    /// The next part that is in the file already; `None` at its present end.
    fn available(&mut self) -> io::Result<Option<Bytes>> {
        if self.file.is_none() {
            self.file = match File::open(&self.path) {
                Ok(file) => Some(file),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(error),
            };
        }
        let Some(file) = &self.file else { return Ok(None) };
        let mut chunk = vec![0; CHUNK_BYTES];
        let length = file.read_at(&mut chunk, self.offset)?;
        if length == 0 {
            return Ok(None);
        }
        self.offset += length as u64;
        self.carried.extend_from_slice(&chunk[..length]);
        let whole = self.carried.iter().rposition(|byte| *byte == b'\n').map_or(0, |index| index + 1);
        let rendered = self.rendering.render(&self.carried[..whole]);
        self.carried.drain(..whole);
        Ok(Some(rendered.into()))
    }
}

/// Turns records into what a reader is shown.
struct Rendering {
    options: ReadOptions,
    remaining: Option<u64>,
    line_begins: bool,
    ended: bool,
}

impl Rendering {
    fn render(&mut self, records: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(records.len());
        for line in records.split_inclusive(|byte| *byte == b'\n') {
            let Some(record) = record::parse(line.strip_suffix(b"\n").unwrap_or(line)) else { continue };
            match record.content {
                Content::End => self.ended = true,
                Content::Output { text, full } => {
                    if self.too_early(record.time) {
                        continue;
                    }
                    if self.options.timestamps && self.line_begins {
                        out.extend_from_slice(record.time.as_bytes());
                        out.push(b' ');
                    }
                    out.extend_from_slice(text);
                    if full {
                        out.push(b'\n');
                    }
                    self.line_begins = full;
                }
            }
            if self.ended {
                break;
            }
        }
        self.limited(out)
    }

    fn too_early(&self, time: &str) -> bool {
        let Some(since) = self.options.since else { return false };
        time.parse::<jiff::Timestamp>().is_ok_and(|time| time < since)
    }

    fn limited(&mut self, mut out: Vec<u8>) -> Vec<u8> {
        if let Some(remaining) = &mut self.remaining {
            let allowed = usize::try_from(*remaining).unwrap_or(usize::MAX);
            out.truncate(allowed);
            *remaining -= out.len() as u64;
            self.ended |= *remaining == 0;
        }
        out
    }
}

/// The offset at which the last `lines` lines begin.
fn tail(file: &File, lines: u64) -> io::Result<u64> {
    let length = file.metadata()?.len();
    let mut window = CHUNK_BYTES as u64;
    loop {
        let begin = length.saturating_sub(window);
        let mut buffer = vec![0; usize::try_from(length - begin).unwrap_or(0)];
        file.read_exact_at(&mut buffer, begin)?;
        if let Some(offset) = tail_in(&buffer, lines) {
            return Ok(begin + offset as u64);
        }
        if begin == 0 {
            return Ok(0);
        }
        window *= 4;
    }
}

/// Where the last `lines` lines begin in `buffer`; `None` when it does not reach back far enough.
fn tail_in(buffer: &[u8], lines: u64) -> Option<usize> {
    let mut counted = 0;
    let mut end = buffer.iter().rposition(|byte| *byte == b'\n')? + 1;
    if lines == 0 {
        return Some(end);
    }
    loop {
        let start = buffer[..end - 1].iter().rposition(|byte| *byte == b'\n')? + 1;
        match record::parse(&buffer[start..end - 1]).map(|record| record.content) {
            // The record that finishes the line before the wanted ones.
            Some(Content::Output { full: true, .. }) if counted == lines => return Some(end),
            Some(Content::Output { full: true, .. }) => counted += 1,
            // An unfinished last line is a line too.
            Some(Content::Output { full: false, .. }) if counted == 0 => counted = 1,
            _ => {}
        }
        end = start;
    }
}
