//! A `psvc up` of the release binary, with a data directory of its own.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use client::{Client, Https, Kubeconfig};

/// The release binary beside this one.
pub(crate) fn psvc() -> Result<PathBuf, String> {
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let beside = own.with_file_name("psvc");
    if beside.is_file() { Ok(beside) } else { Err(format!("build `{}` first", beside.display())) }
}

/// A running service.
pub(crate) struct Service {
    process: Child,
    directory: tempfile::TempDir,
    /// From the start of the process to its `ready` line.
    pub(crate) ready_after: Duration,
}

impl Service {
    pub(crate) fn start() -> Result<Self, String> {
        let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
        let begun = Instant::now();
        let mut process = Command::new(psvc()?)
            .args(["up", "--listen", "127.0.0.1:0", "--allow-host-image", "--data-dir"])
            .arg(directory.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("start psvc: {error}"))?;
        let out = process.stdout.take().ok_or("psvc has no standard output")?;
        let line = BufReader::new(out).lines().next().and_then(Result::ok).unwrap_or_default();
        let ready_after = begun.elapsed();
        let service = Self { process, directory, ready_after };
        if line.starts_with("ready ") { Ok(service) } else { Err(format!("psvc said `{line}`")) }
    }

    /// A client with a connection of its own.
    pub(crate) fn client(&self) -> Result<Client, String> {
        let path = self.directory.path().join("admin.kubeconfig");
        let text = std::fs::read_to_string(&path).map_err(|error| error.to_string())?;
        let config = Kubeconfig::parse(&text, None).map_err(|error| error.to_string())?;
        let https = Https::new(&config).map_err(|error| error.to_string())?;
        Ok(Client::new(Arc::new(https)))
    }

    /// The resident memory of the process, in bytes.
    pub(crate) fn resident_bytes(&self) -> Result<u64, String> {
        let path = format!("/proc/{}/status", self.process.id());
        let status = std::fs::read_to_string(Path::new(&path)).map_err(|error| error.to_string())?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
        let kibibytes: u64 = line.trim().trim_end_matches(" kB").parse().unwrap_or(0);
        Ok(kibibytes * 1024)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _gone = self.process.kill();
        let _reaped = self.process.wait();
    }
}
