//! The newest part of the event log, in memory, in the order of commits.
//! Invariant: it holds every event after [`Ring::complete_after`] and none at or before it; a transaction is never
//! held in part. What is older lives in the log on disk, or nowhere.

use std::collections::VecDeque;
use std::sync::Arc;

use types::Revision;

use crate::store::Event;

/// Bounds of the ring; whichever is reached first counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RingLimits {
    pub(crate) events: usize,
    pub(crate) bytes: usize,
}

pub(crate) struct Ring {
    events: VecDeque<Arc<Event>>,
    complete_after: Revision,
    bytes: usize,
    limits: RingLimits,
}

impl Ring {
    pub(crate) fn new(complete_after: Revision, limits: RingLimits) -> Self {
        Self { events: VecDeque::new(), complete_after, bytes: 0, limits }
    }

    /// The ring holds every event that is newer than this revision.
    pub(crate) fn complete_after(&self) -> Revision {
        self.complete_after
    }

    /// Appends the events of one transaction and drops whole old transactions past the limits.
    pub(crate) fn push(&mut self, transaction: &[Arc<Event>]) {
        for event in transaction {
            self.bytes += event_bytes(event);
            self.events.push_back(Arc::clone(event));
        }
        while self.bytes > self.limits.bytes || self.events.len() > self.limits.events {
            match self.events.front().map(|event| event.revision) {
                Some(oldest) if self.events.back().is_some_and(|newest| newest.revision > oldest) => {
                    self.drop_through(oldest);
                }
                _ => break,
            }
        }
    }

    /// Forgets everything up to and including `revision`.
    pub(crate) fn drop_through(&mut self, revision: Revision) {
        while self.events.front().is_some_and(|event| event.revision <= revision) {
            if let Some(event) = self.events.pop_front() {
                self.bytes -= event_bytes(&event);
            }
        }
        self.complete_after = self.complete_after.max(revision);
    }

    /// Everything that the ring still holds after `revision`.
    pub(crate) fn after(&self, revision: Revision) -> impl Iterator<Item = &Arc<Event>> {
        let start = self.events.partition_point(|event| event.revision <= revision);
        self.events.range(start..)
    }

    /// The events of one transaction.
    pub(crate) fn at(&self, revision: Revision) -> impl Iterator<Item = &Arc<Event>> {
        let start = self.events.partition_point(|event| event.revision < revision);
        self.events.range(start..).take_while(move |event| event.revision == revision)
    }
}

/// What an event holds on to. Values are shared with the tables, so this is an upper bound.
fn event_bytes(event: &Event) -> usize {
    const OVERHEAD: usize = 256; // the event, its two entries and the reference counts of their bytes
    let value = |entry: &Option<crate::Entry>| entry.as_ref().map_or(0, |entry| entry.value.len());
    event.key.as_bytes().len() + value(&event.before) + value(&event.after) + OVERHEAD
}
