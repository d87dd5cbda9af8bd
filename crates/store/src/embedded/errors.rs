//! How errors of files are named.

use std::io;
use std::path::Path;

use crate::store::Error;

pub(super) fn io_error(path: &Path, source: io::Error) -> Error {
    Error::Io { path: path.display().to_string(), source }
}

pub(super) fn corrupted(path: &Path, offset: u64, what: &str) -> Error {
    Error::Corrupted { path: path.display().to_string(), offset, what: what.to_owned() }
}
