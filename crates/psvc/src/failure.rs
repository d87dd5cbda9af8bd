//! Why a command could not be carried out, and with which exit status it ends.

use std::fmt;
use std::process::ExitCode;

use crate::manifest::Invalid;

/// A command that ends without an outcome.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command line or a file is wrong: exit status 2.
    Usage(String),
    /// The world refused: exit status 1.
    Other {
        /// What was being done.
        doing: String,
        /// Why it could not be done.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Failure {
    pub(crate) fn usage(what: impl ToString) -> Self {
        Self::Usage(what.to_string())
    }

    pub(crate) fn other(
        doing: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Other { doing: doing.into(), source: source.into() }
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_) => ExitCode::from(2),
            Self::Other { .. } => ExitCode::FAILURE,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(what) => f.write_str(what),
            Self::Other { doing, source } => {
                write!(f, "could not {doing}: {source}")?;
                let mut cause = source.source();
                while let Some(next) = cause {
                    write!(f, ": {next}")?;
                    cause = next.source();
                }
                Ok(())
            }
        }
    }
}

impl From<Invalid> for Failure {
    fn from(invalid: Invalid) -> Self {
        Self::Usage(invalid.to_string())
    }
}
