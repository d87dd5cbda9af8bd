//! The revision of a shard, which is also every object's `resourceVersion`.
//! Invariant: its text is a plain decimal without leading zeros, as client-go parses it.

use std::fmt;

/// One point in the history of a shard: +1 for every committed transaction, never reused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub u64);

impl Revision {
    /// Parses the decimal text of a `resourceVersion`.
    ///
    /// # Errors
    /// [`InvalidRevision`] when the text is not a plain decimal.
    pub fn parse(text: &str) -> Result<Self, InvalidRevision> {
        if text.bytes().all(|b| b.is_ascii_digit()) && !text.is_empty() {
            text.parse().map(Self).map_err(|_| InvalidRevision(text.to_owned()))
        } else {
            Err(InvalidRevision(text.to_owned()))
        }
    }

    /// The next revision.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Text that is not a resource version.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a resource version: use the decimal number that the server gave")]
pub struct InvalidRevision(String);
