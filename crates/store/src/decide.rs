//! Decides what a transaction does to the state that it meets: refused, no change, or these events.
//! Pure but for the lookup it is given; memory and embedded store decide with the same words.
//! Invariant: every revision has at least one event, so a transaction that changes nothing gets none.

use std::sync::Arc;

use bytes::Bytes;
use types::Revision;

use crate::key::Key;
use crate::store::{Entry, Error, Event, Expect, Op, Txn};

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// This precondition does not hold; the entry is what stands there.
    Refused(usize, Option<Entry>),
    /// Every precondition holds and nothing is to be written.
    Unchanged,
    /// These events, all at the revision that was offered.
    Changed(Vec<Arc<Event>>),
}

/// Checks what every caller owes, on the caller's own thread.
///
/// # Panics
/// When a key occurs in more than one operation: callers build transactions, users do not.
pub(crate) fn assert_distinct_keys(txn: &Txn) {
    let mut keys: Vec<&Key> = txn.ops.iter().map(|(Op::Put(key, _) | Op::Delete(key))| key).collect();
    keys.sort_unstable();
    assert!(keys.windows(2).all(|pair| pair[0] != pair[1]), "a key occurs twice in a transaction");
}

pub(crate) fn decide(
    txn: Txn,
    revision: Revision,
    mut lookup: impl FnMut(&Key) -> Result<Option<Entry>, Error>,
) -> Result<Decision, Error> {
    for (index, (key, expect)) in txn.expect.iter().enumerate() {
        let found = lookup(key)?;
        if !holds(*expect, found.as_ref()) {
            return Ok(Decision::Refused(index, found));
        }
    }
    let mut events: Vec<Arc<Event>> = Vec::with_capacity(txn.ops.len());
    for op in txn.ops {
        let (key, value) = match op {
            Op::Put(key, value) => (key, Some(value)),
            Op::Delete(key) => (key, None),
        };
        let before = lookup(&key)?;
        if value.is_some() || before.is_some() {
            events.push(Arc::new(change(key, before, value, revision)));
        }
    }
    Ok(if events.is_empty() { Decision::Unchanged } else { Decision::Changed(events) })
}

fn holds(expect: Expect, found: Option<&Entry>) -> bool {
    match expect {
        Expect::Absent => found.is_none(),
        Expect::Present => found.is_some(),
        Expect::ModifiedAt(revision) => found.is_some_and(|entry| entry.modified == revision),
    }
}

fn change(key: Key, before: Option<Entry>, value: Option<Bytes>, revision: Revision) -> Event {
    let created = before.as_ref().map_or(revision, |entry| entry.created);
    let after = value.map(|value| Entry { key: key.clone(), value, created, modified: revision });
    Event { revision, key, before, after }
}
