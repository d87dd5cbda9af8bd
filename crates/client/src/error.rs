//! Why a request did not do what was asked: one variant for each thing that a caller does differently.
//! The server's own words travel along as its `Status`.

use http::StatusCode;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;

use crate::transport::TransportError;

/// A refusal by the API server.
#[derive(Debug)]
pub struct Refusal {
    /// What was being done to which thing, such as `get taskruns x/y in cluster c`.
    pub what: String,
    /// What the server said.
    pub status: Status,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let reason =
            self.status.message.as_deref().or(self.status.reason.as_deref()).unwrap_or("no reason given");
        write!(f, "{}: {reason}", self.what)
    }
}

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The object, or the resource, does not exist.
    #[error("{0}")]
    NotFound(Box<Refusal>),
    /// The object changed since it was read, or a precondition did not hold.
    #[error("{0}")]
    Conflict(Box<Refusal>),
    /// An object of this name exists.
    #[error("{0}")]
    AlreadyExists(Box<Refusal>),
    /// The object is not acceptable, and never will be.
    #[error("{0}")]
    Invalid(Box<Refusal>),
    /// The asked revision is too old: read again from the beginning.
    #[error("{0}")]
    Expired(Box<Refusal>),
    /// The caller may not do this.
    #[error("{0}")]
    Forbidden(Box<Refusal>),
    /// Any other refusal.
    #[error("{0}")]
    Other(Box<Refusal>),
    /// The server could not be reached, or the answer broke off.
    #[error("{what}")]
    Transport {
        /// What was being done.
        what: String,
        /// How the connection failed.
        #[source]
        source: TransportError,
    },
    /// No answer came in time.
    #[error("{what}: no answer within {seconds} seconds")]
    Deadline {
        /// What was being done.
        what: String,
        /// How long was waited, in seconds.
        seconds: u64,
    },
    /// The answer, or an event of a watch, is not what was asked for.
    #[error("decode the answer to {what}")]
    Decode {
        /// What was being done.
        what: String,
        /// Where it differs.
        #[source]
        source: serde_json::Error,
    },
    /// The request cannot be written as HTTP: a name with characters that no URL holds.
    #[error("build the request to {what}")]
    Request {
        /// What was being done.
        what: String,
        /// What was wrong.
        #[source]
        source: http::Error,
    },
}

impl Error {
    /// Sorts a refusal by its HTTP code and the `reason` of its `Status`.
    #[must_use]
    pub fn refused(what: String, code: StatusCode, status: Status) -> Self {
        let reason = status.reason.clone().unwrap_or_default();
        let refusal = Box::new(Refusal { what, status });
        match (code.as_u16(), reason.as_str()) {
            (404, _) => Self::NotFound(refusal),
            (409, "AlreadyExists") => Self::AlreadyExists(refusal),
            (409, _) => Self::Conflict(refusal),
            (410, _) | (_, "Expired" | "Gone") => Self::Expired(refusal),
            (403, _) => Self::Forbidden(refusal),
            (400 | 413 | 422, _) => Self::Invalid(refusal),
            _ => Self::Other(refusal),
        }
    }

    /// The server's `Status`, when it answered.
    #[must_use]
    pub fn status(&self) -> Option<&Status> {
        match self {
            Self::NotFound(r)
            | Self::Conflict(r)
            | Self::AlreadyExists(r)
            | Self::Invalid(r)
            | Self::Expired(r)
            | Self::Forbidden(r)
            | Self::Other(r) => Some(&r.status),
            _ => None,
        }
    }

    /// Whether the object, or the resource, does not exist.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound(_))
    }

    /// Whether the object changed since it was read.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Conflict(_))
    }

    /// Whether an object of this name exists.
    #[must_use]
    pub fn is_already_exists(&self) -> bool {
        matches!(self, Self::AlreadyExists(_))
    }
}

/// Turns "it does not exist" into `None`.
pub(crate) fn absent_as_none<T>(result: Result<T, Error>) -> Result<Option<T>, Error> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(Error::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}
