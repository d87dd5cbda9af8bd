//! The log: segments in order. The write-ahead log and the event log are this one thing.
//! It appends durable frames, reads stretches for watches and snapshots, and drops old segments whole.
//! Invariant: the segments follow each other without a gap, and readers see durable frames only.

use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::RwLock;
use types::Revision;

use super::frame::{Frame, Head, transactions};
use super::segment::{Found, Segment};
use super::{corrupted, io_error};
use crate::key::KeyPrefix;
use crate::live::Stretch;
use crate::store::{Error, Event};

/// About how much of the log one stretch covers.
const STRETCH_BYTES: u64 = 1 << 20;

/// The segments of a store, oldest first; never empty.
pub(crate) struct Log {
    dir: PathBuf,
    segments: RwLock<Vec<Arc<Segment>>>,
    segment_bytes: u64,
}

/// What opening a log found in it.
pub(crate) struct Opened {
    pub(crate) log: Log,
    pub(crate) floor: Revision,
}

impl Log {
    /// Opens the log in `dir`, checks all of it, and calls `replay` with every event after `applied`.
    ///
    /// `applied` is the last revision that the table has; a log that does not reach it has lost something.
    pub(crate) fn open(
        dir: &Path,
        segment_bytes: u64,
        applied: Revision,
        mut replay: impl FnMut(Event),
    ) -> Result<Opened, Error> {
        let paths = segment_paths(dir)?;
        let mut segments: Vec<Arc<Segment>> = Vec::with_capacity(paths.len());
        let mut floor = Revision(0);
        for (index, path) in paths.iter().enumerate() {
            let last = index + 1 == paths.len();
            let visit = |offset, found: Found| {
                floor = floor.max(found.head.floor);
                if found.head.next() > applied.next() {
                    let transactions = decoded(path, offset, &found)?;
                    let events = transactions.into_iter().flatten();
                    events.filter(|event| event.revision > applied).for_each(&mut replay);
                }
                Ok(())
            };
            let (segment, head_floor) = Segment::open(path.clone(), last, visit)?;
            floor = floor.max(head_floor);
            if segments.last().is_some_and(|before| before.next() != segment.first) {
                return Err(corrupted(path, 0, "the segment before it is missing or cut short"));
            }
            segments.push(Arc::new(segment));
        }
        let (Some(oldest), Some(newest)) = (segments.first(), segments.last()) else {
            let first = Segment::create(dir, applied.next(), applied)?;
            let segments = RwLock::new(vec![Arc::new(first)]);
            return Ok(Opened { log: Self { dir: dir.to_owned(), segments, segment_bytes }, floor: applied });
        };
        if oldest.first > applied.next() {
            return Err(corrupted(&oldest.path, 0, "the log begins after what the table holds"));
        }
        if newest.next() <= applied {
            return Err(corrupted(&newest.path, newest.bytes(), "the log ends before what the table holds"));
        }
        let floor = floor.max(Revision(oldest.first.0 - 1));
        Ok(Opened {
            log: Self { dir: dir.to_owned(), segments: RwLock::new(segments), segment_bytes },
            floor,
        })
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The last durable revision.
    pub(crate) fn last(&self) -> Revision {
        Revision(self.newest().next().0 - 1)
    }

    /// Appends a frame and returns when it is durable. `floor` is written down where a new segment begins.
    pub(crate) fn append(&self, frame: &mut Frame, floor: Revision) -> Result<(), Error> {
        let mut segment = self.newest();
        if segment.bytes() >= self.segment_bytes && segment.next() > segment.first {
            segment = Arc::new(Segment::create(&self.dir, segment.next(), floor)?);
            self.segments.write().push(Arc::clone(&segment));
        }
        let bytes = frame.seal();
        let written = || -> std::io::Result<()> {
            segment.file.write_all_at(bytes, segment.bytes())?;
            segment.file.sync_data()
        };
        written().map_err(|source| io_error(&segment.path, source))?;
        let head =
            Head::parse(bytes).ok_or_else(|| corrupted(&segment.path, segment.bytes(), "own frame"))?;
        segment.appended(&head);
        Ok(())
    }

    /// Reads the next stretch of a scope after `after`; `None` when the log begins later.
    pub(crate) fn stretch(&self, scope: &KeyPrefix, after: Revision) -> Result<Option<Stretch>, Error> {
        let wanted = after.next();
        let segment = {
            let segments = self.segments.read();
            let later = segments.partition_point(|segment| segment.first <= wanted);
            let Some(index) = later.checked_sub(1) else { return Ok(None) };
            Arc::clone(&segments[index])
        };
        let mut offset = segment.seek(wanted);
        let mut stretch = Stretch { events: Vec::new(), through: after };
        let start = offset;
        while offset - start < STRETCH_BYTES
            && let Some(found) = segment.read(offset)?
        {
            if found.head.next() > wanted {
                let events = decoded(&segment.path, offset, &found)?.into_iter().flatten();
                let ours = |event: &Event| event.revision >= wanted && scope.covers(event.key.as_bytes());
                stretch.events.extend(events.filter(ours).map(Arc::new));
                stretch.through = stretch.through.max(Revision(found.head.next().0 - 1));
            }
            offset += found.head.frame_bytes() as u64;
        }
        Ok(Some(stretch))
    }

    /// Drops the oldest segments that hold nothing after `through`; the newest always stays.
    pub(crate) fn drop_through(&self, through: Revision) -> Result<(), Error> {
        let dropped = {
            let mut segments = self.segments.write();
            let keep = segments.partition_point(|segment| segment.next() <= through.next());
            let keep = keep.min(segments.len() - 1);
            segments.drain(..keep).collect::<Vec<_>>()
        };
        for segment in &dropped {
            // One after the other, so that a power failure cannot leave a gap between those that remain.
            let removed = std::fs::remove_file(&segment.path)
                .and_then(|()| std::fs::File::open(&self.dir))
                .and_then(|dir| dir.sync_all());
            removed.map_err(|source| io_error(&segment.path, source))?;
        }
        Ok(())
    }

    /// The last revision of the oldest segments that have to go so that the rest is at most `bytes_max` large.
    pub(crate) fn excess(&self, bytes_max: u64) -> Option<Revision> {
        let segments = self.segments.read();
        let mut total: u64 = segments.iter().map(|segment| segment.bytes()).sum();
        let mut excess = None;
        for segment in &segments[..segments.len() - 1] {
            if total <= bytes_max {
                break;
            }
            total -= segment.bytes();
            excess = Some(Revision(segment.next().0 - 1));
        }
        excess
    }

    /// Whether a whole segment lies at or before `floor` and could be dropped.
    pub(crate) fn droppable(&self, floor: Revision) -> Option<Revision> {
        let segments = self.segments.read();
        let before_newest = &segments[..segments.len() - 1];
        let last = before_newest.iter().rev().find(|segment| segment.next() <= floor.next())?;
        Some(Revision(last.next().0 - 1))
    }

    fn newest(&self) -> Arc<Segment> {
        Arc::clone(self.segments.read().last().expect("a log has at least one segment"))
    }
}

fn decoded(path: &Path, offset: u64, found: &Found) -> Result<Vec<Vec<Event>>, Error> {
    let transactions = transactions(found.head.first, &found.payload);
    transactions.ok_or_else(|| corrupted(path, offset, "the records of a frame"))
}

/// The segment files in order. A draft that was never renamed is removed.
fn segment_paths(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut paths = Vec::new();
    for file in std::fs::read_dir(dir).map_err(|source| io_error(dir, source))? {
        let path = file.map_err(|source| io_error(dir, source))?.path();
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("log") => paths.push(path),
            Some("new") => std::fs::remove_file(&path).map_err(|source| io_error(&path, source))?,
            _ => {}
        }
    }
    paths.sort();
    Ok(paths)
}
