//! Starting `psvc` and other programs, and waiting for what they say.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// The binary under test.
pub(crate) const PSVC: &str = env!("CARGO_BIN_EXE_psvc");

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Runs `psvc` to its end, with a data directory of its own.
pub(crate) fn psvc(data: &Path, arguments: &[&str]) -> Output {
    Command::new(PSVC)
        .args(arguments)
        .current_dir(root())
        .env("PSVC_DATA_DIR", data)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// Standard output and error together, for messages of tests.
pub(crate) fn shown(output: &Output) -> String {
    format!(
        "{}\n--- stdout\n{}\n--- stderr\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// A running `psvc up`, stopped at the end of the test.
pub(crate) struct Up {
    process: Child,
    directory: tempfile::TempDir,
    url: String,
}

impl Up {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), arguments)
    }

    pub(crate) fn start_in(directory: tempfile::TempDir, arguments: &[&str]) -> Self {
        let mut process = Command::new(PSVC)
            .args(["up", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(directory.path())
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let ready = lines.next().expect("`psvc up` ended before it was ready").unwrap();
        let url = ready.strip_prefix("ready ").unwrap_or_else(|| panic!("the first line is `{ready}`"));
        Self { process, url: url.to_owned(), directory }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.directory.path().join("admin.kubeconfig")
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// kubectl against this service.
    pub(crate) fn kubectl(&self, arguments: &[&str]) -> Output {
        self.kubectl_with_input(arguments, "")
    }

    pub(crate) fn kubectl_with_input(&self, arguments: &[&str], input: &str) -> Output {
        use std::io::Write as _;
        let mut child = Command::new("kubectl")
            .arg("--kubeconfig")
            .arg(self.kubeconfig())
            .args(arguments)
            .env("HOME", self.directory.path())
            .current_dir(root())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("kubectl; `cargo xtask packages` installs it");
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    }

    /// kubectl that must succeed; answers what it printed.
    pub(crate) fn ok(&self, arguments: &[&str]) -> String {
        let output = self.kubectl(arguments);
        assert!(output.status.success(), "kubectl {arguments:?}: {}", shown(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Stops with SIGTERM, checks the clean end, and gives the data directory back.
    pub(crate) fn stop(mut self) -> tempfile::TempDir {
        signal(self.pid(), "TERM");
        let status = self.process.wait().unwrap();
        assert!(status.success(), "`psvc up` ended with {status}");
        std::mem::replace(&mut self.directory, tempfile::tempdir().unwrap())
    }

    /// Kills without warning, and gives the data directory back.
    pub(crate) fn kill(mut self) -> tempfile::TempDir {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        std::mem::replace(&mut self.directory, tempfile::tempdir().unwrap())
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _gone = self.process.kill();
        let _reaped = self.process.wait();
    }
}

/// Sends a signal by name.
pub(crate) fn signal(pid: u32, name: &str) {
    let sent = Command::new("kill").args(["-s", name, &pid.to_string()]).status().unwrap();
    assert!(sent.success());
}
