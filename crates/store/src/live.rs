//! What every implementation in this process shares: the newest state in memory, the ring of events, the watches.
//! A [`Beneath`] holds what is older or larger: nothing for the memory store, table and log for the embedded one.
//! Invariant: whatever [`Live`] says under one lock is one moment of history: state, ring and `published` move
//! together, and only after the write that moved them is durable.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use parking_lot::RwLock;
use types::Revision;

use crate::hub::Hub;
use crate::key::{Key, KeyPrefix};
use crate::merge::{Bounds, Layer, bounds, merge, patch_below};
use crate::ring::{Ring, RingLimits};
use crate::store::{Entry, Error, Event, Range, RangePage};

/// Entries of a table in key order.
pub(crate) type Scan = Box<dyn Iterator<Item = Result<Entry, Error>> + Send>;

/// Events of one stretch of the log.
pub(crate) struct Stretch {
    /// The events of the scope, whole transactions in order.
    pub(crate) events: Vec<Arc<Event>>,
    /// The stretch is complete up to and including this revision.
    pub(crate) through: Revision,
}

/// What lies beneath the memory: an ordered table that may lag behind, and the log before the ring.
pub(crate) trait Beneath: Send + Sync {
    /// The entry that the table has at `key`.
    fn get(&self, key: &Key) -> Result<Option<Entry>, Error>;

    /// A snapshot of the table, taken now and read later.
    fn scan(&self, bounds: &Bounds) -> Result<Scan, Error>;

    /// The next stretch of the log after `after`, of bounded size. `None` when there is no log.
    fn stretch(&self, scope: &KeyPrefix, after: Revision) -> Result<Option<Stretch>, Error>;
}

/// One moment of the store.
pub(crate) struct Live {
    /// What changed since the table beneath was last written.
    pub(crate) active: Layer,
    /// What is being written to the table beneath right now.
    pub(crate) frozen: Option<Arc<Layer>>,
    /// The size of `active`.
    pub(crate) active_bytes: usize,
    /// The newest events.
    pub(crate) ring: Ring,
    /// The newest durable revision.
    pub(crate) published: Revision,
    /// History starts after this revision, and the state at it can still be read.
    pub(crate) floor: Revision,
    /// Whether the store was closed.
    pub(crate) closed: bool,
}

/// The state in memory with what lies beneath it and those who watch it.
pub(crate) struct Core {
    pub(crate) live: RwLock<Live>,
    pub(crate) hub: Arc<Hub>,
    pub(crate) beneath: Box<dyn Beneath>,
    published: AtomicU64,
    /// Whether there is a table and a log beneath: deletions hide what the table says, and the ring is not all
    /// of history.
    grounded: bool,
}

impl Core {
    /// `published` and `floor` are where the history of the store stands; the state at `published` is beneath.
    pub(crate) fn new(beneath: Box<dyn Beneath>, at: Revision, floor: Revision, ring: RingLimits) -> Self {
        let live = Live {
            active: Layer::new(),
            frozen: None,
            active_bytes: 0,
            ring: Ring::new(at, ring),
            published: at,
            floor,
            closed: false,
        };
        Self {
            live: RwLock::new(live),
            hub: Arc::new(Hub::default()),
            beneath,
            published: AtomicU64::new(at.0),
            grounded: true,
        }
    }

    /// A core with nothing beneath it.
    pub(crate) fn in_memory(at: Revision, ring: RingLimits) -> Self {
        Self { grounded: false, ..Self::new(Box::new(Nothing), at, at, ring) }
    }

    pub(crate) fn published(&self) -> Revision {
        Revision(self.published.load(Ordering::Acquire))
    }

    pub(crate) fn get(&self, key: &Key) -> Result<Option<Entry>, Error> {
        {
            let live = self.live.read();
            if live.closed {
                return Err(Error::Closed);
            }
            if let Some(known) = live.get(key.as_bytes()) {
                return Ok(known);
            }
        }
        // Whatever memory no longer has, the table has by now.
        self.beneath.get(key)
    }

    /// Takes over changes that the table beneath does not have yet. They are in the log already.
    pub(crate) fn replay(&self, events: &[Event]) {
        let mut live = self.live.write();
        events.iter().for_each(|event| live.apply(event, self.grounded));
    }

    /// Makes durable events visible: state, ring, watches. They are whole transactions in the order of commits.
    pub(crate) fn publish(&self, transactions: &[Vec<Arc<Event>>]) {
        let mut touched = Vec::new();
        let mut live = self.live.write();
        for events in transactions {
            for event in events {
                live.apply(event, self.grounded);
                self.hub.record(event.key.as_bytes(), event.revision, &mut touched);
            }
            live.ring.push(events);
            live.published = events.last().map_or(live.published, |event| event.revision);
        }
        if !self.grounded {
            live.floor = live.floor.max(live.ring.complete_after());
        }
        self.published.store(live.published.0, Ordering::Release);
        drop(live);
        for scope in touched {
            scope.wake();
        }
    }

    /// Forgets history up to and including `revision`; the caller has done so beneath.
    pub(crate) fn forget(&self, revision: Revision) {
        let mut live = self.live.write();
        live.floor = live.floor.max(revision);
        live.ring.drop_through(revision);
    }

    /// Whether history can be forgotten up to `revision`.
    pub(crate) fn check_readable(&self, revision: Revision) -> Result<(), Error> {
        self.live.read().check_readable(revision)
    }

    /// Ends all watches once they have handed out what there is.
    pub(crate) fn close(&self) {
        self.live.write().closed = true;
        self.hub.wake_all();
    }

    pub(crate) fn range(&self, range: &Range) -> Result<RangePage, Error> {
        let live = self.live.read();
        let revision = range.at.unwrap_or(live.published);
        live.check_readable(revision)?;
        let Some(bounds) = bounds(range) else {
            return Ok(RangePage { entries: Vec::new(), revision, more: false });
        };
        let mut undo = Layer::new();
        let past_ring = revision < live.ring.complete_after();
        if !past_ring {
            undo_events(&mut undo, live.ring.after(revision), range);
        }
        let live_max = if range.limit == 0 || past_ring { usize::MAX } else { range.limit + 1 };
        let mut newest = Layer::new();
        let patch = if past_ring { &mut newest } else { &mut undo };
        patch_below(patch, &live.active, &bounds, live_max);
        if let Some(frozen) = &live.frozen {
            patch_below(patch, frozen, &bounds, live_max);
        }
        let ring_after = live.ring.complete_after();
        let mut in_ring: Vec<Arc<Event>> = Vec::new();
        if past_ring {
            in_ring.extend(live.ring.after(revision).filter(|event| covers(range, event)).cloned());
        }
        let scan = self.beneath.scan(&bounds)?;
        drop(live);
        if past_ring {
            self.undo_log(&mut undo, range, revision, ring_after)?;
            undo_events(&mut undo, in_ring.iter(), range);
            for (key, entry) in newest {
                undo.entry(key).or_insert(entry);
            }
        }
        let (entries, more) = merge(undo, scan, range.limit)?;
        Ok(RangePage { entries, revision, more })
    }

    /// Undoes what the log says of `(after, through]`.
    fn undo_log(
        &self,
        undo: &mut Layer,
        range: &Range,
        mut after: Revision,
        through: Revision,
    ) -> Result<(), Error> {
        while after < through {
            self.check_readable(after)?;
            let Some(stretch) = self.beneath.stretch(&range.prefix, after)? else {
                return Err(Error::Compacted { asked: after, oldest: through });
            };
            let events = stretch.events.iter().filter(|event| event.revision <= through);
            undo_events(undo, events, range);
            after = stretch.through;
        }
        Ok(())
    }
}

impl Live {
    /// What memory knows of a key: `Some(None)` is a deletion.
    pub(crate) fn get(&self, key: &Bytes) -> Option<Option<Entry>> {
        let frozen = || self.frozen.as_ref().and_then(|frozen| frozen.get(key));
        self.active.get(key).or_else(frozen).cloned()
    }

    /// Whether the state at `revision` can be read and the log followed from there.
    pub(crate) fn check_readable(&self, revision: Revision) -> Result<(), Error> {
        if self.closed {
            Err(Error::Closed)
        } else if revision < self.floor {
            Err(Error::Compacted { asked: revision, oldest: self.floor })
        } else if revision > self.published {
            Err(Error::Future { asked: revision, newest: self.published })
        } else {
            Ok(())
        }
    }

    fn apply(&mut self, event: &Event, grounded: bool) {
        const OVERHEAD: usize = 160; // a slot of the map, the entry and the reference counts
        let key = event.key.as_bytes();
        if event.after.is_none() && !grounded {
            self.active.remove(key);
            return;
        }
        self.active_bytes += OVERHEAD + key.len() + event.after.as_ref().map_or(0, |entry| entry.value.len());
        self.active.insert(key.clone(), event.after.clone());
    }
}

/// Adds what stood before each event; the oldest event of a key decides.
fn undo_events<'a>(undo: &mut Layer, events: impl Iterator<Item = &'a Arc<Event>>, range: &Range) {
    for event in events.filter(|event| covers(range, event)) {
        undo.entry(event.key.as_bytes().clone()).or_insert_with(|| event.before.clone());
    }
}

fn covers(range: &Range, event: &Event) -> bool {
    let key = event.key.as_bytes();
    range.prefix.covers(key) && range.start.as_ref().is_none_or(|start| key >= start)
}

/// The ground of the memory store.
struct Nothing;

impl Beneath for Nothing {
    fn get(&self, _: &Key) -> Result<Option<Entry>, Error> {
        Ok(None)
    }

    fn scan(&self, _: &Bounds) -> Result<Scan, Error> {
        Ok(Box::new(std::iter::empty()))
    }

    fn stretch(&self, _: &KeyPrefix, _: Revision) -> Result<Option<Stretch>, Error> {
        Ok(None)
    }
}
