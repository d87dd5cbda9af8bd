//! Where everything is kept when nobody says otherwise.

use std::path::PathBuf;

use crate::failure::Failure;

/// The directory that `--data-dir` replaces: `$PSVC_DATA_DIR`, or `psvc` in the user's data directory.
///
/// Source: the XDG base directory specification.
pub(crate) fn default_directory() -> Result<PathBuf, Failure> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("PSVC_DATA_DIR")
        .or_else(|| set("XDG_DATA_HOME").map(|directory| directory.join("psvc")))
        .or_else(|| set("HOME").map(|home| home.join(".local/share/psvc")))
        .ok_or_else(|| Failure::usage("there is no home directory: set PSVC_DATA_DIR, or give --data-dir"))
}

/// The directory of images: shared by `run`, `image` and an `up` without `--data-dir`.
pub(crate) fn images_directory(data_dir: Option<PathBuf>) -> Result<PathBuf, Failure> {
    Ok(match data_dir {
        Some(directory) => directory,
        None => default_directory()?,
    }
    .join("images"))
}
