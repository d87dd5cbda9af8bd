//! Puts layers of one ordered range together: newer layers hide what older ones say of the same key.
//! Invariant: a patch that was cut at a limit says everything about the keys up to the cut, so a merge that stops
//! at the same limit never looks past what the patch knows.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as Slot;
use std::ops::Bound;

use bytes::Bytes;

use crate::store::{Entry, Error, Range};

/// Keys and what stands there; `None` hides what a layer below says.
pub(crate) type Layer = BTreeMap<Bytes, Option<Entry>>;

/// The keys that a reading covers, as bounds for ordered maps.
pub(crate) type Bounds = (Bound<Bytes>, Bound<Bytes>);

/// The bounds of a range; `None` when it is empty from the start.
pub(crate) fn bounds(range: &Range) -> Option<Bounds> {
    let first = range.prefix.as_bytes().clone();
    let start = range.start.clone().map_or(first.clone(), |start| start.max(first));
    match range.prefix.end() {
        Some(end) if start >= end => None,
        Some(end) => Some((Bound::Included(start), Bound::Excluded(end))),
        None => Some((Bound::Included(start), Bound::Unbounded)),
    }
}

/// Adds a lower layer to a patch: only keys that the patch does not have, and no more than `live_max` entries.
pub(crate) fn patch_below(patch: &mut Layer, below: &Layer, bounds: &Bounds, live_max: usize) {
    let mut live = 0;
    for (key, entry) in below.range::<Bytes, _>(bounds.clone()) {
        if let Slot::Vacant(slot) = patch.entry(key.clone()) {
            live += usize::from(entry.is_some());
            slot.insert(entry.clone());
            if live >= live_max {
                break;
            }
        }
    }
}

/// The merged entries, at most `limit` of them, and whether there are more. Zero means all.
pub(crate) fn merge(
    patch: Layer,
    below: impl Iterator<Item = Result<Entry, Error>>,
    limit: usize,
) -> Result<(Vec<Entry>, bool), Error> {
    let mut entries = Vec::new();
    let mut patch = patch.into_iter().peekable();
    let mut below = below.peekable();
    loop {
        let from_patch = match (patch.peek(), below.peek()) {
            (None, None) => return Ok((entries, false)),
            (Some(_), None) => true,
            (None, Some(_)) => false,
            (Some((key, _)), Some(Ok(entry))) => {
                let hidden = key == entry.key.as_bytes();
                let first = key <= entry.key.as_bytes();
                if hidden {
                    below.next();
                }
                first
            }
            (Some(_), Some(Err(_))) => false,
        };
        let next =
            if from_patch { patch.next().and_then(|(_, entry)| entry) } else { below.next().transpose()? };
        let Some(entry) = next else { continue };
        if limit > 0 && entries.len() == limit {
            return Ok((entries, true));
        }
        entries.push(entry);
    }
}
