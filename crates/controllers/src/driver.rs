//! Runs one controller: takes keys from its queue and works on up to N of them at a time.
//! A failure, a panic or a missed deadline costs one key its turn, never the controller its life.
//! Invariant: no key is worked on twice at a time, and on stop every reconcile under way is let finish.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{Id, JoinError, JoinSet};

use crate::controller::{Controller, Cx, Requeue};
use crate::error::Error;
use crate::key::Key;
use crate::queue::{Done, Queue};

/// How long one reconcile may take.
const RECONCILE_DEADLINE: Duration = Duration::from_secs(120);

type Outcome = Result<Requeue, Error>;

/// Works until `stopping` says true, then finishes what is under way.
pub(crate) async fn drive(
    controller: Arc<Controller>,
    cx: Arc<Cx>,
    queue: Arc<Queue>,
    mut stopping: watch::Receiver<bool>,
) {
    let mut under_way: JoinSet<Option<Outcome>> = JoinSet::new();
    let mut keys: HashMap<Id, Key> = HashMap::new();
    loop {
        tokio::select! {
            biased;
            _ = stopping.wait_for(|stop| *stop) => break,
            Some(ended) = under_way.join_next_with_id() => finish(&controller, &queue, &mut keys, ended),
            key = queue.next(), if under_way.len() < controller.workers => {
                let work = (controller.reconcile)(Arc::clone(&cx), key.clone());
                let work = async move { tokio::time::timeout(RECONCILE_DEADLINE, work).await.ok() };
                keys.insert(under_way.spawn(work).id(), key);
            }
        }
    }
    while let Some(ended) = under_way.join_next_with_id().await {
        finish(&controller, &queue, &mut keys, ended);
    }
}

fn finish(
    controller: &Controller,
    queue: &Queue,
    keys: &mut HashMap<Id, Key>,
    ended: Result<(Id, Option<Outcome>), JoinError>,
) {
    let (id, outcome) = match ended {
        Ok((id, Some(outcome))) => (id, outcome.map_err(|error| Failure::of(&error))),
        Ok((id, None)) => (id, Err(Failure::Loud(format!("no end within {RECONCILE_DEADLINE:?}")))),
        Err(error) => (error.id(), Err(Failure::Loud(format!("our own error: {error}")))),
    };
    let Some(key) = keys.remove(&id) else { return };
    let done = match outcome {
        Ok(Requeue::Never) => Done::Settled,
        Ok(Requeue::After(delay)) => Done::After(delay),
        Ok(Requeue::Known { revision, after }) => Done::Known { revision, after },
        Err(Failure::Conflict) => {
            tracing::debug!(controller = controller.name, %key, "it changed meanwhile; once more");
            Done::Failed
        }
        Err(Failure::Moot) => Done::Settled,
        Err(Failure::Loud(what)) => {
            tracing::warn!(controller = controller.name, %key, "could not {what}");
            Done::Failed
        }
    };
    queue.done(&key, done);
}

enum Failure {
    Conflict,
    /// There is nothing left to work on.
    Moot,
    Loud(String),
}

impl Failure {
    fn of(error: &Error) -> Self {
        if error.is_conflict() {
            return Self::Conflict;
        }
        if error.is_about_nothing() {
            return Self::Moot;
        }
        let mut text = error.to_string();
        let mut cause = std::error::Error::source(error);
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        Self::Loud(text)
    }
}
