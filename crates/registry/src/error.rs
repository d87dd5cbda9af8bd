//! Why an image could not be had.

use std::io;
use std::path::{Path, PathBuf};

/// Why an image could not be had. The node shows these texts in a Pod's status.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The text is not an image reference.
    #[error("`{reference}` is not an image reference: {what}")]
    Reference {
        /// The text.
        reference: String,
        /// What is wrong with it.
        what: String,
    },
    /// The image is not here and must not be pulled.
    #[error("image `{0}` is not present on this node, and its pull policy is Never")]
    NotPresent(String),
    /// The registry answered with an error, or not at all.
    #[error("pull image `{reference}` from {registry}: {what}")]
    Pull {
        /// The image.
        reference: String,
        /// The registry that was asked.
        registry: String,
        /// What it answered.
        what: String,
    },
    /// A download took longer than it may.
    #[error("pull image `{reference}`: no answer within {seconds} s")]
    Timeout {
        /// The image.
        reference: String,
        /// The limit, in seconds.
        seconds: u64,
    },
    /// Content does not have the digest that names it.
    #[error("`{name}` is damaged: expected {expected}, found {found}")]
    Digest {
        /// What was read.
        name: String,
        /// The digest in the manifest.
        expected: String,
        /// The digest of the content.
        found: String,
    },
    /// A layer or an archive holds something that cannot be unpacked.
    #[error("unpack `{name}`: {what}")]
    Unpack {
        /// The layer or archive.
        name: String,
        /// What is wrong with it.
        what: String,
    },
    /// The configuration of registries cannot be used.
    #[error("read the registries in `{path}`: {what}")]
    Config {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The file system refused.
    #[error("use `{path}`")]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
}

impl Error {
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }

    pub(crate) fn unpack(name: &str, what: impl ToString) -> Self {
        Self::Unpack { name: name.to_owned(), what: what.to_string() }
    }
}
