//! Why the node as a whole cannot work. What goes wrong with one Pod becomes its status instead.

use std::io;
use std::path::PathBuf;

/// The node cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A directory of the node cannot be used.
    #[error("use the node's directory `{path}`")]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// The log storage cannot be used.
    #[error("use the log storage")]
    Logs(#[source] archive::Error),
}
