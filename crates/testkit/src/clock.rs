//! Time of day that follows tokio's clock, so that pausing and advancing moves both.

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// The first instant of every simulation, in seconds since the epoch: 2026-01-01T00:00:00Z.
const BEGIN_SECONDS: i64 = 1_767_225_600;

/// A clock that began at a fixed instant.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SimulatedClock {
    begin: Instant,
}

impl SimulatedClock {
    pub(crate) fn begin() -> Self {
        Self { begin: Instant::now() }
    }
}

impl controllers::Clock for SimulatedClock {
    fn now(&self) -> Timestamp {
        let passed = SignedDuration::try_from(self.begin.elapsed()).unwrap_or_default();
        Timestamp::from_second(BEGIN_SECONDS).unwrap_or_default().saturating_add(passed).unwrap_or_default()
    }
}
