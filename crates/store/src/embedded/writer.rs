//! The one thread that commits: it decides queued transactions one by one, writes them as one frame, and acknowledges
//! all of them after one fsync.
//! Invariant: an outcome is sent only after everything it rests on is durable; a write that could not be made durable
//! stops the writer for good, and readers go on with what they had.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use types::Revision;

use super::frame::Frame;
use super::log::Log;
use super::upkeep::Signals;
use crate::decide::{Decision, decide};
use crate::live::Core;
use crate::store::{Committed, Entry, Error, Event, Outcome, Txn};

/// Where an outcome goes.
pub(crate) type Ack<T> = oneshot::Sender<Result<T, Error>>;

/// What waits for the writer.
pub(crate) enum Request {
    Commit(Txn, Ack<Outcome>),
    Compact(Revision, Ack<()>),
}

/// A frame is written once it is this large, or once nobody waits.
const BATCH_BYTES_MAX: usize = 1 << 20;

/// How often the writer offers its processor to writers that it just acknowledged, when there were several: they
/// mostly come back at once, and one fsync then serves them all. A lone writer never waits.
const GATHER_ROUNDS: u32 = 20;

pub(crate) struct Writer {
    pub(crate) core: Arc<Core>,
    pub(crate) log: Arc<Log>,
    pub(crate) signals: Arc<Signals>,
    pub(crate) memory_bytes: usize,
    pub(crate) history_bytes_max: u64,
}

/// What one fsync acknowledges.
struct Batch {
    frame: Frame,
    pending: HashMap<Bytes, Option<Entry>>,
    transactions: Vec<Vec<Arc<Event>>>,
    floor: Option<Revision>,
    replies: Vec<Reply>,
}

enum Reply {
    Outcome(Ack<Outcome>, Outcome),
    Compacted(Ack<()>),
}

impl Writer {
    /// Commits until all senders are gone.
    pub(crate) fn run(self, mut requests: mpsc::Receiver<Request>) {
        let mut batch = Batch::new(self.log.last().next());
        let mut companions = 0;
        while let Some(request) = requests.blocking_recv() {
            self.add(&mut batch, request);
            self.gather(&mut batch, &mut requests, companions);
            companions = batch.replies.len();
            if let Err(error) = self.commit(&mut batch) {
                let stopped = Stopped::new(error);
                batch.refuse(&stopped);
                return stopped.refuse_all(requests);
            }
            batch.acknowledge();
        }
    }

    fn add(&self, batch: &mut Batch, request: Request) {
        match request {
            Request::Commit(txn, ack) => batch.commit(&self.core, txn, ack),
            Request::Compact(revision, ack) => batch.compact(&self.core, revision, ack),
        }
    }

    fn gather(&self, batch: &mut Batch, requests: &mut mpsc::Receiver<Request>, companions: usize) {
        let mut rounds = 0;
        while batch.frame.len() < BATCH_BYTES_MAX {
            match requests.try_recv() {
                Ok(request) => self.add(batch, request),
                Err(_) if batch.replies.len() < companions && rounds < GATHER_ROUNDS => {
                    rounds += 1;
                    std::thread::yield_now();
                }
                Err(_) => return,
            }
        }
    }

    fn commit(&self, batch: &mut Batch) -> Result<(), Error> {
        if batch.frame.is_empty() {
            return Ok(());
        }
        self.signals.wait_until(|| self.core.live.read().active_bytes < self.memory_bytes * 2);
        if let Some(failure) = self.signals.failure() {
            return Err(super::io_error(self.log.dir(), std::io::Error::other(failure)));
        }
        self.log.append(&mut batch.frame, self.core.live.read().floor)?;
        self.core.publish(&batch.transactions);
        let excess = self.log.excess(self.history_bytes_max);
        if let Some(floor) = batch.floor.max(excess) {
            self.core.forget(floor);
        }
        let (full, floor) = {
            let live = self.core.live.read();
            (live.active_bytes >= self.memory_bytes, live.floor)
        };
        if full || self.log.droppable(floor).is_some() {
            self.signals.want();
        }
        Ok(())
    }
}

impl Batch {
    fn new(first: Revision) -> Self {
        Self {
            frame: Frame::new(first),
            pending: HashMap::new(),
            transactions: Vec::new(),
            floor: None,
            replies: Vec::new(),
        }
    }

    fn commit(&mut self, core: &Core, txn: Txn, ack: Ack<Outcome>) {
        let revision = self.frame.next();
        let lookup = |key: &crate::Key| match self.pending.get(key.as_bytes()) {
            Some(pending) => Ok(pending.clone()),
            None => core.get(key),
        };
        let outcome = match decide(txn, revision, lookup) {
            Err(error) => {
                let _ = ack.send(Err(error)); // whoever asked has gone when this fails
                return;
            }
            Ok(Decision::Refused(index, entry)) => Outcome::Refused(index, entry),
            Ok(Decision::Unchanged) => Outcome::Committed(Committed { revision: Revision(revision.0 - 1) }),
            Ok(Decision::Changed(events)) => {
                self.frame.push(&events);
                for event in &events {
                    self.pending.insert(event.key.as_bytes().clone(), event.after.clone());
                }
                self.transactions.push(events);
                Outcome::Committed(Committed { revision })
            }
        };
        self.replies.push(Reply::Outcome(ack, outcome));
    }

    fn compact(&mut self, core: &Core, revision: Revision, ack: Ack<()>) {
        match core.check_readable(revision.max(self.floor.unwrap_or_default())) {
            Ok(()) => {
                self.frame.raise_floor(revision);
                self.floor = self.floor.max(Some(revision));
                self.replies.push(Reply::Compacted(ack));
            }
            Err(error) => {
                let _ = ack.send(Err(error));
            }
        }
    }

    fn acknowledge(&mut self) {
        self.frame.reset(self.frame.next());
        self.pending.clear();
        self.transactions.clear();
        self.floor = None;
        for reply in self.replies.drain(..) {
            // A receiver that is gone does not want to know; its write stands.
            match reply {
                Reply::Outcome(ack, outcome) => drop(ack.send(Ok(outcome))),
                Reply::Compacted(ack) => drop(ack.send(Ok(()))),
            }
        }
    }

    fn refuse(&mut self, stopped: &Stopped) {
        for reply in self.replies.drain(..) {
            match reply {
                Reply::Outcome(ack, _) => drop(ack.send(Err(stopped.error()))),
                Reply::Compacted(ack) => drop(ack.send(Err(stopped.error()))),
            }
        }
    }
}

/// A writer that cannot make anything durable any more.
struct Stopped {
    path: String,
    source: Arc<std::io::Error>,
}

impl Stopped {
    fn new(error: Error) -> Self {
        match error {
            Error::Io { path, source } => Self { path, source: Arc::new(source) },
            other => Self { path: String::new(), source: Arc::new(std::io::Error::other(other)) },
        }
    }

    fn error(&self) -> Error {
        Error::Durability { path: self.path.clone(), source: Arc::clone(&self.source) }
    }

    fn refuse_all(&self, mut requests: mpsc::Receiver<Request>) {
        while let Some(request) = requests.blocking_recv() {
            match request {
                Request::Commit(_, ack) => drop(ack.send(Err(self.error()))),
                Request::Compact(_, ack) => drop(ack.send(Err(self.error()))),
            }
        }
    }
}
