//! Which ranges of user ids running Pods have, so that no two share one.

use std::collections::BTreeSet;

use linux::userns::{FIRST_POD_ID, IdRange, POD_RANGES_MAX};

/// Numbers of ranges in use.
#[derive(Debug, Default)]
pub(crate) struct IdPool {
    used: BTreeSet<u32>,
}

impl IdPool {
    /// Takes the lowest free number; `None` when there is none left.
    pub(crate) fn take(&mut self) -> Option<u32> {
        let free = (0..POD_RANGES_MAX).find(|number| !self.used.contains(number))?;
        self.used.insert(free);
        Some(free)
    }

    /// Notes a number that a Pod has already.
    pub(crate) fn note(&mut self, number: u32) {
        self.used.insert(number);
    }

    /// Gives a number back.
    pub(crate) fn give_back(&mut self, number: u32) {
        self.used.remove(&number);
    }
}

/// The first id of a range.
pub(crate) fn first_id(number: u32) -> u32 {
    IdRange::for_pod(FIRST_POD_ID, number).outside
}
