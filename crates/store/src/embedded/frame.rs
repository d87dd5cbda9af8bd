//! The bytes of the log: one frame per durable batch, and in it the transactions with what stood there before.
//! Pure: it turns events into bytes and back; files are `segment`'s and `log`'s.
//! Invariant: a frame carries checksums of its head and of its payload, so that its length can be trusted before its
//! payload is read, and every event can be undone from the log alone.

use std::sync::Arc;

use bytes::{Buf, BufMut, Bytes};
use types::Revision;

use crate::key::Key;
use crate::store::{Entry, Event};

/// The size of a frame's head: magic, payload length, first revision, floor, transactions, payload and head checksum.
pub(crate) const HEAD_BYTES: usize = 4 + 4 + 8 + 8 + 4 + 4 + 4;

/// What a frame begins with.
pub(crate) const MAGIC: [u8; 4] = *b"PsF1";

const HAS_BEFORE: u8 = 1;
const HAS_AFTER: u8 = 2;

/// The head of a frame whose checksum was right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) payload_bytes: usize,
    pub(crate) first: Revision,
    /// History up to here was forgotten; zero when the frame says nothing of it.
    pub(crate) floor: Revision,
    pub(crate) transactions: u32,
    payload_crc: u32,
}

impl Head {
    /// Reads a head; `None` when it is not one or was damaged.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let head = bytes.get(..HEAD_BYTES)?;
        let (checked, mut crc) = head.split_at(HEAD_BYTES - 4);
        if checked[..4] != MAGIC || crc.get_u32_le() != crc32fast::hash(checked) {
            return None;
        }
        let mut fields = &checked[4..];
        let payload_bytes = usize::try_from(fields.get_u32_le()).ok()?;
        let first = Revision(fields.get_u64_le());
        let floor = Revision(fields.get_u64_le());
        let transactions = fields.get_u32_le();
        Some(Self { payload_bytes, first, floor, transactions, payload_crc: fields.get_u32_le() })
    }

    /// Head and payload together.
    pub(crate) fn frame_bytes(&self) -> usize {
        HEAD_BYTES + self.payload_bytes
    }

    /// The first revision after this frame.
    pub(crate) fn next(&self) -> Revision {
        Revision(self.first.0 + u64::from(self.transactions))
    }

    pub(crate) fn matches(&self, payload: &[u8]) -> bool {
        crc32fast::hash(payload) == self.payload_crc
    }
}

/// A frame under construction.
pub(crate) struct Frame {
    bytes: Vec<u8>,
    first: Revision,
    floor: Revision,
    transactions: u32,
}

impl Frame {
    /// An empty frame whose first transaction will have this revision.
    pub(crate) fn new(first: Revision) -> Self {
        Self { bytes: vec![0; HEAD_BYTES], first, floor: Revision(0), transactions: 0 }
    }

    /// Starts over and keeps the buffer.
    pub(crate) fn reset(&mut self, first: Revision) {
        self.bytes.truncate(HEAD_BYTES);
        self.bytes.shrink_to(BUFFER_KEPT_BYTES);
        self.first = first;
        self.floor = Revision(0);
        self.transactions = 0;
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.transactions == 0 && self.floor == Revision(0)
    }

    /// The revision that the next transaction gets.
    pub(crate) fn next(&self) -> Revision {
        Revision(self.first.0 + u64::from(self.transactions))
    }

    /// Adds the events of one transaction.
    pub(crate) fn push(&mut self, events: &[Arc<Event>]) {
        self.transactions += 1;
        self.bytes.put_u32_le(size(events.len()));
        for event in events {
            put_event(&mut self.bytes, event);
        }
    }

    /// Adds the word that history up to `floor` is forgotten.
    pub(crate) fn raise_floor(&mut self, floor: Revision) {
        self.floor = self.floor.max(floor);
    }

    /// The bytes to be written.
    pub(crate) fn seal(&mut self) -> &[u8] {
        let payload_crc = crc32fast::hash(&self.bytes[HEAD_BYTES..]);
        let payload_bytes = size(self.bytes.len() - HEAD_BYTES);
        let mut head = Vec::with_capacity(HEAD_BYTES);
        head.put_slice(&MAGIC);
        head.put_u32_le(payload_bytes);
        head.put_u64_le(self.first.0);
        head.put_u64_le(self.floor.0);
        head.put_u32_le(self.transactions);
        head.put_u32_le(payload_crc);
        let head_crc = crc32fast::hash(&head);
        head.put_u32_le(head_crc);
        self.bytes[..HEAD_BYTES].copy_from_slice(&head);
        &self.bytes
    }
}

/// What the frame buffer keeps after an unusually large batch.
const BUFFER_KEPT_BYTES: usize = 2 << 20;

/// Reads the transactions of a payload; `None` when it does not hold what its head says, which no checksum error
/// explains.
pub(crate) fn transactions(first: Revision, payload: &Bytes) -> Option<Vec<Vec<Event>>> {
    let mut bytes = payload.clone();
    let mut revision = first;
    let mut transactions = Vec::new();
    while bytes.has_remaining() {
        let count = bytes.try_get_u32_le().ok()?;
        let events = (0..count).map(|_| event(&mut bytes, revision)).collect::<Option<Vec<_>>>()?;
        revision = revision.next();
        transactions.push(events);
    }
    Some(transactions)
}

fn put_event(bytes: &mut Vec<u8>, event: &Event) {
    let flag = |there: bool, flag: u8| if there { flag } else { 0 };
    bytes.put_u8(flag(event.before.is_some(), HAS_BEFORE) | flag(event.after.is_some(), HAS_AFTER));
    put_blob(bytes, event.key.as_bytes());
    if let Some(before) = &event.before {
        bytes.put_u64_le(before.created.0);
        bytes.put_u64_le(before.modified.0);
    }
    match (&event.before, &event.after) {
        (Some(before), Some(after)) => {
            put_blob(bytes, &after.value);
            put_difference(bytes, &before.value, &after.value);
        }
        (Some(entry), None) | (None, Some(entry)) => put_blob(bytes, &entry.value),
        (None, None) => {}
    }
}

fn event(bytes: &mut Bytes, revision: Revision) -> Option<Event> {
    let flags = bytes.try_get_u8().ok()?;
    let key = Key::from_stored(blob(bytes)?);
    let mut old = None;
    if flags & HAS_BEFORE != 0 {
        old = Some((Revision(bytes.try_get_u64_le().ok()?), Revision(bytes.try_get_u64_le().ok()?)));
    }
    let entry = |value, (created, modified)| Entry { key: key.clone(), value, created, modified };
    let (before, after) = match (old, flags & HAS_AFTER != 0) {
        (None, false) => return None,
        (None, true) => (None, Some(entry(blob(bytes)?, (revision, revision)))),
        (Some(old), false) => (Some(entry(blob(bytes)?, old)), None),
        (Some(old), true) => {
            let after = blob(bytes)?;
            let before = difference(bytes, &after)?;
            (Some(entry(before, old)), Some(entry(after, (old.0, revision))))
        }
    };
    Some(Event { revision, key, before, after })
}

/// Writes the old value as what differs from the new one: an update mostly changes one stretch of an object.
fn put_difference(bytes: &mut Vec<u8>, old: &[u8], new: &[u8]) {
    let prefix = old.iter().zip(new).take_while(|(old, new)| old == new).count();
    let (old_rest, new_rest) = (&old[prefix..], &new[prefix..]);
    let suffix = old_rest.iter().rev().zip(new_rest.iter().rev()).take_while(|(old, new)| old == new).count();
    bytes.put_u32_le(size(prefix));
    bytes.put_u32_le(size(suffix));
    put_blob(bytes, &old_rest[..old_rest.len() - suffix]);
}

fn difference(bytes: &mut Bytes, new: &Bytes) -> Option<Bytes> {
    let prefix = usize::try_from(bytes.try_get_u32_le().ok()?).ok()?;
    let suffix = usize::try_from(bytes.try_get_u32_le().ok()?).ok()?;
    let middle = blob(bytes)?;
    let (start, end) = (new.get(..prefix)?, new.get(new.len().checked_sub(suffix)?..)?);
    Some([start, &middle, end].concat().into())
}

fn put_blob(bytes: &mut Vec<u8>, blob: &[u8]) {
    bytes.put_u32_le(size(blob.len()));
    bytes.put_slice(blob);
}

fn blob(bytes: &mut Bytes) -> Option<Bytes> {
    let length = usize::try_from(bytes.try_get_u32_le().ok()?).ok()?;
    (length <= bytes.len()).then(|| bytes.split_to(length))
}

/// # Panics
/// Past 4 GiB: the API server refuses bodies a thousand times smaller.
fn size(length: usize) -> u32 {
    u32::try_from(length).expect("a batch of the log is smaller than 4 GiB")
}

#[cfg(test)]
mod tests {
    use types::ClusterId;

    use super::*;

    fn entry(key: &Key, value: &'static str, created: u64, modified: u64) -> Entry {
        let (created, modified) = (Revision(created), Revision(modified));
        Entry { key: key.clone(), value: Bytes::from_static(value.as_bytes()), created, modified }
    }

    fn samples() -> Vec<Vec<Arc<Event>>> {
        let key = |name| Key::new("/pods", "", &ClusterId::root(), "ns", name);
        let (a, b) = (key("a"), key("b"));
        let event = |revision, key: &Key, before, after| {
            Arc::new(Event { revision: Revision(revision), key: key.clone(), before, after })
        };
        vec![
            vec![
                event(7, &a, None, Some(entry(&a, "x", 7, 7))),
                event(7, &b, None, Some(entry(&b, "", 7, 7))),
            ],
            vec![event(8, &a, Some(entry(&a, "x", 7, 7)), Some(entry(&a, "axa", 7, 8)))],
            vec![event(9, &a, Some(entry(&a, "axa", 7, 8)), Some(entry(&a, "aa", 7, 9)))],
            vec![event(10, &a, Some(entry(&a, "aa", 7, 9)), None)],
        ]
    }

    #[test]
    fn what_is_written_is_read_back() {
        let mut frame = Frame::new(Revision(7));
        samples().iter().for_each(|events| frame.push(events));
        frame.raise_floor(Revision(5));
        let bytes = Bytes::copy_from_slice(frame.seal());
        let head = Head::parse(&bytes).unwrap();
        assert_eq!((head.first, head.next(), head.floor), (Revision(7), Revision(11), Revision(5)));
        assert_eq!(head.frame_bytes(), bytes.len());
        let payload = bytes.slice(HEAD_BYTES..);
        assert!(head.matches(&payload));
        let expected: Vec<Vec<Event>> =
            samples().iter().map(|events| events.iter().map(|event| (**event).clone()).collect()).collect();
        assert_eq!(transactions(head.first, &payload).unwrap(), expected);
    }

    #[test]
    fn any_flipped_bit_is_noticed() {
        let mut frame = Frame::new(Revision(7));
        samples().iter().for_each(|events| frame.push(events));
        let bytes = frame.seal().to_vec();
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let whole = Head::parse(&damaged).is_some_and(|head| head.matches(&damaged[HEAD_BYTES..]));
            assert!(!whole, "bit {bit}");
        }
    }
}
