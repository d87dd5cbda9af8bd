//! The one error of this crate: what was being done, and what the kernel answered.
//! Callers mostly show it; the variants are what a caller does differently.

use std::io;

/// The result of this crate's calls.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong at the edge to the kernel.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A system call or a file operation failed.
    #[error("could not {doing}")]
    Os {
        /// What was being done, to which thing, in words that follow "could not".
        doing: String,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
    /// The container's first process could not be set up; the text names the step and the cause, because it
    /// comes from another process.
    #[error("could not start container `{id}`: {message}")]
    Container {
        /// The container's id.
        id: String,
        /// What its first process, or the external runtime, reported.
        message: String,
    },
    /// The bundle's `config.json` asks for something that does not exist or is not offered.
    #[error("could not use the container's configuration: {0}")]
    Spec(String),
    /// The process has more than one thread, and what was asked for would act on one of them only.
    #[error("could not {0}: this process has more than one thread")]
    Threads(&'static str),
    /// This machine, or this user, lacks something; the text says what and how to get it.
    #[error("{0}")]
    Missing(String),
}

/// Adds to an error what was being done, in words that follow "could not".
pub(crate) trait Doing<T> {
    /// `doing` is built only if there is an error.
    fn doing<S: Into<String>>(self, doing: impl FnOnce() -> S) -> Result<T>;
}

impl<T, E: Into<io::Error>> Doing<T> for std::result::Result<T, E> {
    fn doing<S: Into<String>>(self, doing: impl FnOnce() -> S) -> Result<T> {
        self.map_err(|source| Error::Os { doing: doing().into(), source: source.into() })
    }
}

impl Error {
    /// The kernel's error number, if it answered with one.
    #[must_use]
    pub fn raw_os_error(&self) -> Option<i32> {
        match self {
            Self::Os { source, .. } => source.raw_os_error(),
            _ => None,
        }
    }

    /// The error and all its causes in one line, to hand to another process.
    pub(crate) fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut next = std::error::Error::source(self);
        while let Some(error) = next {
            text.push_str(": ");
            text.push_str(&error.to_string());
            next = error.source();
        }
        text
    }
}
