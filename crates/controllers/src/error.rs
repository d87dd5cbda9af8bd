//! Why a reconcile failed: the world did, and the driver tries again later.
//! Bad input of users is not an error here but a status.

/// Why a reconcile failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The API server refused or could not be reached.
    #[error(transparent)]
    Api(#[from] client::Error),
    /// A child cannot be made yet because another object of its name is still going.
    #[error("create {kind} `{name}`: another one of that name is still being deleted")]
    NameTaken {
        /// The kind of the child.
        kind: &'static str,
        /// The name of the child.
        name: String,
    },
    /// A decision asks for the same things again and again.
    #[error("decide about `{key}` within {rounds} rounds of looking things up")]
    NoDecision {
        /// The run.
        key: String,
        /// How often it was asked.
        rounds: usize,
    },
}

impl Error {
    /// Whether the whole workspace is gone, and with it everything that could be done.
    pub(crate) fn is_about_nothing(&self) -> bool {
        let Self::Api(client::Error::Forbidden(refusal)) = self else { return false };
        refusal.status.message.as_deref().is_some_and(|message| message.ends_with("LogicalCluster not found"))
    }

    /// Whether the object changed while it was worked on, which is everyday life and not worth a word.
    pub(crate) fn is_conflict(&self) -> bool {
        matches!(self, Self::Api(client::Error::Conflict(_)))
    }
}
