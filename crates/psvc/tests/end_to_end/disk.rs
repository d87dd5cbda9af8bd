//! A full disk: writes are refused with the cause, the health check says so, and nothing acknowledged is lost.

use std::path::Path;
use std::process::Command;

use crate::process::{Up, shown};

/// A small file system of its own at a directory; needs root.
struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    fn at(directory: &'a Path) -> Self {
        let mount =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=16m", "tmpfs"]).arg(directory).status();
        assert!(mount.unwrap().success());
        Self(directory)
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        let _best_effort = Command::new("umount").arg("--lazy").arg(self.0).status();
    }
}

#[test]
fn a_full_disk_stops_writes_only_and_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_owned();
    let disk = SmallDisk::at(&path);
    let up = Up::start_in(directory, &[]);
    let object = |number: usize| {
        let payload = "x".repeat(200 * 1024);
        format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c-{number}}}\ndata: {{x: {payload}}}\n")
    };
    let mut kept = 0;
    let refused = loop {
        let output = up.kubectl_with_input(&["create", "-f", "-"], &object(kept));
        if !output.status.success() {
            break output;
        }
        kept += 1;
        assert!(kept < 200, "the disk never fills");
    };
    let error = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(error.contains("takes no more writes") && error.contains("No space left"), "{}", shown(&refused));
    let health = up.kubectl(&["get", "--raw", "/readyz"]);
    assert!(!health.status.success(), "{}", shown(&health));
    assert_eq!(up.ok(&["get", "configmaps", "-o", "name"]).matches("/c-").count(), kept, "reads go on");

    let directory = up.kill();
    let room = Command::new("mount").args(["-o", "remount,size=64m"]).arg(&path).status().unwrap();
    assert!(room.success());
    let up = Up::start_in(directory, &[]);
    assert_eq!(up.ok(&["get", "configmaps", "-o", "name"]).matches("/c-").count(), kept);
    let output = up.kubectl_with_input(&["create", "-f", "-"], &object(kept));
    assert!(output.status.success(), "{}", shown(&output));
    drop(up);
    drop(disk);
}
