//! The same as an ordinary user: everything runs in a user namespace.

use std::os::unix::fs::{PermissionsExt as _, chown};
use std::process::Command;

use crate::process::{PSVC, root, shown};

#[test]
fn an_ordinary_user_runs_a_pipeline() {
    let data = tempfile::tempdir().unwrap();
    std::fs::set_permissions(data.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    // The binary and the examples may stand where nobody else can read.
    let (binary, example) = (data.path().join("psvc"), data.path().join("hello.yaml"));
    std::fs::copy(PSVC, &binary).unwrap();
    std::fs::copy(root().join("examples/hello.yaml"), &example).unwrap();
    let home = data.path().join("home");
    std::fs::create_dir(&home).unwrap();
    chown(&home, Some(12345), Some(12345)).unwrap();
    let output = Command::new("setpriv")
        .args(["--reuid", "12345", "--regid", "12345", "--clear-groups"])
        .arg(&binary)
        .arg("run")
        .arg(&example)
        .current_dir("/")
        .env("HOME", &home)
        .env("TMPDIR", &home)
        .env_remove("XDG_DATA_HOME")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", shown(&output));
    assert!(String::from_utf8_lossy(&output.stdout).contains("without a cluster."), "{}", shown(&output));
}
