//! The Debian packages that the tests need, and installing them.

use std::path::Path;

use crate::run::run;

/// A package, the file that shows that it is there, and what for.
const PACKAGES: &[(&str, &str, &str)] = &[
    ("crun", "/usr/bin/crun", "an OCI runtime as a process, beside the built-in one"),
    ("runc", "/usr/sbin/runc", "another OCI runtime"),
    ("busybox-static", "/bin/busybox", "images that the tests build"),
    ("docker-registry", "/usr/bin/docker-registry", "a real OCI registry on loopback"),
    ("uidmap", "/usr/bin/newuidmap", "ranges of user ids for rootless containers"),
    ("curl", "/usr/bin/curl", "a plain HTTP client for the documented tour"),
];

/// Installs what is missing, and says so.
pub(crate) fn install() -> Result<(), String> {
    let mut missing: Vec<&str> = Vec::new();
    for (package, file, purpose) in PACKAGES {
        if !Path::new(file).exists() {
            eprintln!("xtask: the tests need the Debian package `{package}`: {purpose}");
            missing.push(package);
        }
    }
    if !on_path("kubectl") {
        eprintln!("xtask: the tests need `kubectl`: Debian's package `kubernetes-client`");
        missing.push("kubernetes-client");
    }
    if missing.is_empty() {
        return Ok(());
    }
    let sudo = if is_root() { &[][..] } else { &["sudo"][..] };
    let install = ["apt-get", "install", "--yes", "--no-install-recommends"];
    run_words(&[sudo, &["apt-get", "update", "--quiet"]].concat())?;
    run_words(&[sudo, &install, &missing].concat())
}

fn run_words(words: &[&str]) -> Result<(), String> {
    run(words[0], &words[1..])
}

/// Whether a program of this name can be found.
pub(crate) fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| directory.join(program).is_file())
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|metadata| {
        use std::os::unix::fs::MetadataExt as _;
        metadata.uid() == 0
    })
}
