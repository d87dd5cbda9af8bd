//! One file of the log: a head, then frames. Here a segment is created, checked from end to end, and read.
//! It decides what a damaged end means; which segments there are is `log`'s business.
//! Invariant: only one frame is ever being written, and nothing follows it. So an incomplete frame at the very end
//! of the last segment is a write that was never acknowledged, and is cut off; any other damage is refused.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use bytes::{Buf, BufMut, Bytes};
use parking_lot::Mutex;
use types::Revision;

use super::frame::{HEAD_BYTES, Head, MAGIC};
use super::{corrupted, io_error};
use crate::store::Error;

/// Magic, first revision, floor, checksum.
pub(crate) const SEGMENT_HEAD_BYTES: usize = 8 + 8 + 8 + 4;
const SEGMENT_MAGIC: [u8; 8] = *b"PsvcLog1";

/// How far apart the marks are by which a reader finds its place.
const MARK_BYTES: u64 = 64 << 10;

/// The unit in which a disk writes: a torn write leaves whole units unwritten.
const SECTOR_BYTES: usize = 512;

/// A segment that is open for reading, and, if it is the last, for appending.
pub(crate) struct Segment {
    pub(crate) path: PathBuf,
    pub(crate) file: File,
    /// The first revision that it can hold.
    pub(crate) first: Revision,
    extent: Mutex<Extent>,
}

/// How much of a segment is durable.
struct Extent {
    bytes: u64,
    next: Revision,
    /// Offsets of frames by the revision that they begin with.
    marks: Vec<(Revision, u64)>,
}

/// A frame that was read and found whole.
pub(crate) struct Found {
    pub(crate) head: Head,
    pub(crate) payload: Bytes,
}

impl Segment {
    /// Creates a segment so that it exists whole or not at all.
    pub(crate) fn create(dir: &Path, first: Revision, floor: Revision) -> Result<Self, Error> {
        let path = dir.join(file_name(first));
        let draft = path.with_extension("new");
        let mut head = Vec::with_capacity(SEGMENT_HEAD_BYTES);
        head.put_slice(&SEGMENT_MAGIC);
        head.put_u64_le(first.0);
        head.put_u64_le(floor.0);
        let crc = crc32fast::hash(&head);
        head.put_u32_le(crc);
        let written = || -> std::io::Result<File> {
            let mut file = File::options().create(true).truncate(true).read(true).write(true).open(&draft)?;
            file.write_all(&head)?;
            file.sync_all()?;
            std::fs::rename(&draft, &path)?;
            File::open(dir)?.sync_all()?;
            Ok(file)
        };
        let file = written().map_err(|source| io_error(&path, source))?;
        let extent = Extent { bytes: SEGMENT_HEAD_BYTES as u64, next: first, marks: Vec::new() };
        Ok(Self { path, file, first, extent: Mutex::new(extent) })
    }

    /// Checks a segment from end to end, and calls `visit` with each frame and its offset. Gives the segment and its floor.
    pub(crate) fn open(
        path: PathBuf,
        last: bool,
        mut visit: impl FnMut(u64, Found) -> Result<(), Error>,
    ) -> Result<(Self, Revision), Error> {
        let failed = |source| io_error(&path, source);
        let file = File::options().read(true).write(true).open(&path).map_err(failed)?;
        let data = Bytes::from(std::fs::read(&path).map_err(failed)?);
        let (first, floor) = segment_head(&data).ok_or_else(|| corrupted(&path, 0, "the segment's head"))?;
        let mut extent = Extent { bytes: SEGMENT_HEAD_BYTES as u64, next: first, marks: Vec::new() };
        loop {
            let at = usize::try_from(extent.bytes).unwrap_or(usize::MAX);
            match next_frame(&data, at, extent.next) {
                Next::Frame(found) => {
                    let offset = extent.bytes;
                    extent.advance(&found.head);
                    visit(offset, found)?;
                }
                Next::End => break,
                Next::Torn(end) if last && !whole_frame_follows(&data, end, extent.next) => {
                    file.set_len(extent.bytes).map_err(failed)?;
                    break;
                }
                Next::Torn(_) => return Err(corrupted(&path, extent.bytes, "the frame ends too early")),
                Next::Damaged(what) => return Err(corrupted(&path, extent.bytes, what)),
            }
        }
        if last {
            file.sync_all().map_err(failed)?; // what was read here may never have been acknowledged, but is now
        }
        Ok((Self { path, file, first, extent: Mutex::new(extent) }, floor))
    }

    /// The number of durable bytes.
    pub(crate) fn bytes(&self) -> u64 {
        self.extent.lock().bytes
    }

    /// The revision after the last that it holds.
    pub(crate) fn next(&self) -> Revision {
        self.extent.lock().next
    }

    /// Notes that a frame at the end became durable.
    pub(crate) fn appended(&self, head: &Head) {
        self.extent.lock().advance(head);
    }

    /// The offset of a frame that begins at or before `revision`.
    pub(crate) fn seek(&self, revision: Revision) -> u64 {
        let extent = self.extent.lock();
        let marks = extent.marks.partition_point(|(first, _)| *first <= revision);
        marks.checked_sub(1).map_or(SEGMENT_HEAD_BYTES as u64, |mark| extent.marks[mark].1)
    }

    /// Reads the durable frame at `offset`; `None` at the end.
    pub(crate) fn read(&self, offset: u64) -> Result<Option<Found>, Error> {
        if offset >= self.bytes() {
            return Ok(None);
        }
        let read = |length: usize, at: u64| -> Result<Bytes, Error> {
            let mut bytes = vec![0; length];
            self.file.read_exact_at(&mut bytes, at).map_err(|source| io_error(&self.path, source))?;
            Ok(bytes.into())
        };
        let head = Head::parse(&read(HEAD_BYTES, offset)?);
        let head = head.ok_or_else(|| corrupted(&self.path, offset, "a frame's head"))?;
        let payload = read(head.payload_bytes, offset + HEAD_BYTES as u64)?;
        if !head.matches(&payload) {
            return Err(corrupted(&self.path, offset, "a frame's checksum"));
        }
        Ok(Some(Found { head, payload }))
    }
}

impl Extent {
    fn advance(&mut self, head: &Head) {
        if self.marks.last().is_none_or(|(_, offset)| self.bytes - offset >= MARK_BYTES) {
            self.marks.push((head.first, self.bytes));
        }
        self.bytes += head.frame_bytes() as u64;
        self.next = head.next();
    }
}

/// The name of the segment that begins with `first`: its order is the order of names.
pub(crate) fn file_name(first: Revision) -> String {
    format!("{:020}.log", first.0)
}

fn segment_head(data: &[u8]) -> Option<(Revision, Revision)> {
    let (checked, mut crc) = data.get(..SEGMENT_HEAD_BYTES)?.split_at(8 + 8 + 8);
    let mut fields = checked.strip_prefix(&SEGMENT_MAGIC)?;
    (crc.get_u32_le() == crc32fast::hash(checked))
        .then(|| (Revision(fields.get_u64_le()), Revision(fields.get_u64_le())))
}

/// What stands at an offset of a segment.
enum Next {
    Frame(Found),
    End,
    /// A frame that was not written to its end, and where something else could follow it.
    Torn(usize),
    Damaged(&'static str),
}

fn next_frame(data: &Bytes, at: usize, expected: Revision) -> Next {
    let rest = data.slice(at.min(data.len())..);
    if rest.iter().all(|byte| *byte == 0) {
        return Next::End; // nothing, or space that was reserved and never written
    }
    let Some(head) = Head::parse(&rest) else {
        let torn = rest.len() < HEAD_BYTES || unwritten_sector(&rest[..HEAD_BYTES], at);
        return if torn { Next::Torn(at + 1) } else { Next::Damaged("a frame's head") };
    };
    if head.first != expected {
        return Next::Damaged("a frame with a revision that does not follow the one before");
    }
    if rest.len() < head.frame_bytes() {
        return Next::Torn(data.len());
    }
    let payload = rest.slice(HEAD_BYTES..head.frame_bytes());
    if head.matches(&payload) {
        Next::Frame(Found { head, payload })
    } else if unwritten_sector(&payload, at + HEAD_BYTES) {
        Next::Torn(at + head.frame_bytes())
    } else {
        Next::Damaged("a frame's checksum")
    }
}

/// Whether a unit of the disk within these bytes was never written: then a crash explains a wrong checksum.
fn unwritten_sector(bytes: &[u8], offset: usize) -> bool {
    let to_boundary = (SECTOR_BYTES - offset % SECTOR_BYTES).min(bytes.len());
    let (first, rest) = bytes.split_at(to_boundary);
    let zero = |sector: &[u8]| !sector.is_empty() && sector.iter().all(|byte| *byte == 0);
    zero(first) || rest.chunks(SECTOR_BYTES).any(zero)
}

/// Whether a frame that belongs to this log stands somewhere after an unreadable one: then the latter was durable.
fn whole_frame_follows(data: &Bytes, from: usize, expected: Revision) -> bool {
    data.windows(HEAD_BYTES)
        .enumerate()
        .skip(from)
        .filter(|(_, window)| window.starts_with(&MAGIC))
        .any(|(_, window)| Head::parse(window).is_some_and(|head| head.first >= expected))
}
