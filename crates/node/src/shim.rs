//! The process that runs one Pod. It has one thread and no runtime, because it makes namespaces.

use std::path::Path;
use std::process::ExitCode;

/// Runs the Pod whose directory is `dir`, to its end. Call it first thing in `main`, before any thread exists.
#[must_use]
pub fn main(dir: &Path) -> ExitCode {
    let _ = dir;
    ExitCode::FAILURE
}
