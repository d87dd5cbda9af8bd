//! The reading end of the event log: a cursor over one scope.
//! It owns no queue: it reads the ring where its scope's index points, and the log on disk when it fell behind.
//! Invariant: the cursor moves past a revision only when everything of the scope up to it was handed out, and a
//! transaction is never handed out in part.

use std::pin::pin;
use std::sync::Arc;

use types::Revision;

use crate::blocking::off_thread;
use crate::hub::{Changes, Subscription};
use crate::live::{Core, Live};
use crate::store::{BoxFuture, Error, Event, Watch};

/// About how many events one call hands out; a transaction is never cut.
const BATCH_EVENTS: usize = 256;

/// How many events of the whole ring a watch that fell behind looks at in one go.
const RING_SCAN_EVENTS: usize = 8192;

pub(crate) struct Cursor {
    core: Arc<Core>,
    subscription: Subscription,
    /// Everything of the scope up to and including this revision was handed out.
    at: Revision,
}

impl Watch for Cursor {
    fn next(&mut self) -> BoxFuture<'_, Result<Vec<Arc<Event>>, Error>> {
        Box::pin(async move {
            let scope = Arc::clone(self.subscription.scope());
            loop {
                let mut changed = pin!(scope.notify().notified());
                changed.as_mut().enable(); // before looking, so that no change between look and wait is missed
                match self.look()? {
                    Look::Found(events) => return Ok(events),
                    Look::Again => {}
                    Look::Idle => changed.await,
                    Look::Behind => {
                        let events = self.read_log().await?;
                        if !events.is_empty() {
                            return Ok(events);
                        }
                    }
                }
            }
        })
    }

    fn progress(&self) -> Revision {
        let live = self.core.live.read();
        match self.subscription.scope().changes(self.at, 1) {
            Changes::Known(revisions) if revisions.is_empty() => live.published,
            _ => self.at,
        }
    }
}

/// What one look at memory gives.
enum Look {
    Found(Vec<Arc<Event>>),
    /// The cursor moved, and there may be more.
    Again,
    /// Everything published was handed out.
    Idle,
    /// What comes next is only in the log on disk.
    Behind,
}

impl Cursor {
    pub(crate) fn open(core: &Arc<Core>, scope: &crate::KeyPrefix, after: Revision) -> Result<Self, Error> {
        let live = core.live.read();
        live.check_readable(after)?;
        let subscription = core.hub.subscribe(scope, live.published);
        Ok(Self { core: Arc::clone(core), subscription, at: after })
    }

    fn look(&mut self) -> Result<Look, Error> {
        let core = Arc::clone(&self.core);
        let live = core.live.read();
        match self.subscription.scope().changes(self.at, BATCH_EVENTS) {
            Changes::Known(revisions) if revisions.is_empty() => {
                self.at = live.published;
                if live.closed { Err(Error::Closed) } else { Ok(Look::Idle) }
            }
            Changes::Known(revisions) if revisions[0] > live.ring.complete_after() => {
                Ok(Look::Found(self.pick(&live, &revisions)))
            }
            Changes::Known(revisions) if revisions[0] <= live.floor => Err(self.compacted(&live)),
            Changes::Known(revisions) => {
                // Nothing of the scope happened before the first of them.
                self.at = Revision(revisions[0].0 - 1);
                Ok(Look::Behind)
            }
            Changes::Unknown if self.at < live.floor => Err(self.compacted(&live)),
            Changes::Unknown if self.at >= live.ring.complete_after() => Ok(self.scan(&live)),
            Changes::Unknown => Ok(Look::Behind),
        }
    }

    fn compacted(&self, live: &Live) -> Error {
        Error::Compacted { asked: self.at, oldest: live.floor }
    }

    /// The scope's events of these revisions, up to the size of a batch.
    fn pick(&mut self, live: &Live, revisions: &[Revision]) -> Vec<Arc<Event>> {
        let mut events = Vec::new();
        for revision in revisions {
            self.at = *revision;
            events.extend(live.ring.at(*revision).filter(|event| self.covers(event)).cloned());
            if events.len() >= BATCH_EVENTS {
                break;
            }
        }
        events
    }

    /// Reads the ring itself where the scope's index does not reach.
    fn scan(&mut self, live: &Live) -> Look {
        let mut events: Vec<Arc<Event>> = Vec::new();
        let mut through = live.published;
        let mut last = self.at;
        for (seen, event) in live.ring.after(self.at).enumerate() {
            let enough = events.len() >= BATCH_EVENTS || seen >= RING_SCAN_EVENTS;
            if enough && event.revision > last {
                through = last;
                break;
            }
            last = event.revision;
            if self.covers(event) {
                events.push(Arc::clone(event));
            }
        }
        self.at = through;
        if events.is_empty() { Look::Again } else { Look::Found(events) }
    }

    /// The next stretch of the log on disk.
    async fn read_log(&mut self) -> Result<Vec<Arc<Event>>, Error> {
        let (core, after) = (Arc::clone(&self.core), self.at);
        let prefix = self.subscription.prefix().clone();
        let stretch = off_thread(move || core.beneath.stretch(&prefix, after)).await?;
        let Some(stretch) = stretch else {
            return Err(self.compacted(&self.core.live.read()));
        };
        self.at = stretch.through;
        Ok(stretch.events)
    }

    fn covers(&self, event: &Event) -> bool {
        self.subscription.prefix().covers(event.key.as_bytes())
    }
}
