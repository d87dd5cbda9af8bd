//! The thread that moves changes from memory to the table and drops segments that nobody can ask for.
//! It is the only one that freezes the active layer and the only one that writes the table.
//! Invariant: a segment is dropped only when it is before the floor and the table stands after it.

use std::sync::Arc;

use parking_lot::{Condvar, Mutex};
use types::Revision;

use super::log::Log;
use super::table::Table;
use crate::live::Core;
use crate::merge::Layer;
use crate::store::Error;

/// How the writer and the upkeep thread talk.
#[derive(Default)]
pub(crate) struct Signals {
    state: Mutex<State>,
    work: Condvar,
    done: Condvar,
}

#[derive(Default)]
struct State {
    wanted: bool,
    stop: bool,
    /// Why the table can be written no more, in words.
    failure: Option<String>,
}

pub(crate) struct Upkeep {
    pub(crate) core: Arc<Core>,
    pub(crate) log: Arc<Log>,
    pub(crate) table: Arc<Table>,
    pub(crate) signals: Arc<Signals>,
    pub(crate) applied: Revision,
    pub(crate) memory_bytes: usize,
}

impl Signals {
    /// Asks for a round of upkeep.
    pub(crate) fn want(&self) {
        self.state.lock().wanted = true;
        self.work.notify_one();
    }

    /// Asks for a last round.
    pub(crate) fn stop(&self) {
        self.state.lock().stop = true;
        self.work.notify_one();
    }

    /// Why upkeep failed, if it did.
    pub(crate) fn failure(&self) -> Option<String> {
        self.state.lock().failure.clone()
    }

    /// Waits until `enough` holds, asking for upkeep as long as it does not. Gives up when upkeep failed.
    pub(crate) fn wait_until(&self, enough: impl Fn() -> bool) {
        let mut state = self.state.lock();
        while state.failure.is_none() && !enough() {
            state.wanted = true;
            self.work.notify_one();
            self.done.wait(&mut state);
        }
    }
}

impl Upkeep {
    /// Works until it is told to stop or a write of the table fails.
    pub(crate) fn run(mut self) {
        let _guard = PanicGuard(Arc::clone(&self.signals));
        loop {
            let stop = {
                let mut state = self.signals.state.lock();
                while !state.wanted && !state.stop {
                    self.signals.work.wait(&mut state);
                }
                state.wanted = false;
                state.stop
            };
            let outcome = self.round(stop);
            let mut state = self.signals.state.lock();
            state.failure = outcome.err().map(|error| chain(&error));
            self.signals.done.notify_all();
            if stop || state.failure.is_some() {
                return;
            }
        }
    }

    fn round(&mut self, stop: bool) -> Result<(), Error> {
        let (floor, full) = {
            let live = self.core.live.read();
            (live.floor, live.active_bytes >= self.memory_bytes)
        };
        let droppable = self.log.droppable(floor);
        if stop || full || droppable.is_some_and(|last| last > self.applied) {
            self.flush()?;
        }
        match droppable {
            Some(last) => self.log.drop_through(last.min(self.applied)),
            None => Ok(()),
        }
    }

    /// Moves the active layer to the table. Readers see the frozen layer until the table has it.
    fn flush(&mut self) -> Result<(), Error> {
        let (layer, through): (Arc<Layer>, Revision) = {
            let mut live = self.core.live.write();
            let layer = Arc::new(std::mem::take(&mut live.active));
            live.active_bytes = 0;
            live.frozen = Some(Arc::clone(&layer));
            (layer, live.published)
        };
        if through > self.applied {
            self.table.apply(&layer, through)?;
            self.applied = through;
        }
        self.core.live.write().frozen = None;
        Ok(())
    }
}

/// Lets nobody wait for a thread that is gone.
struct PanicGuard(Arc<Signals>);

impl Drop for PanicGuard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.state.lock().failure = Some("the upkeep of the table panicked".to_owned());
            self.0.done.notify_all();
        }
    }
}

/// An error with its causes, for a place that keeps words only.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
