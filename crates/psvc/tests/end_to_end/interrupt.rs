//! Ctrl-C or SIGTERM: the first cancels the run and lets its final tasks run, the second kills everything.

use std::io::{BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::process::{PSVC, signal};

const RUN: &str = "apiVersion: tekton.dev/v1
kind: PipelineRun
metadata: {name: interrupted}
spec:
  pipelineSpec:
    tasks:
      - name: long
        taskSpec:
          steps: [{name: s, image: psvc.local/host, script: \"echo begun; sleep 300\"}]
    finally:
      - name: clean
        taskSpec:
          steps: [{name: s, image: psvc.local/host, script: \"echo cleaning; sleep SECONDS\"}]
";

/// Starts the run, and returns when its step has said something.
fn start(data: &Path, clean_seconds: &str) -> (Child, BufReader<std::process::ChildStdout>) {
    let file = data.join("run.yaml");
    std::fs::write(&file, RUN.replace("SECONDS", clean_seconds)).unwrap();
    let mut child = Command::new(PSVC)
        .arg("run")
        .arg(&file)
        .env("PSVC_DATA_DIR", data)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    wait_for(&mut out, "[long : s] begun");
    (child, out)
}

fn wait_for(out: &mut impl std::io::BufRead, wanted: &str) {
    let mut line = String::new();
    while out.read_line(&mut line).unwrap() > 0 {
        if line.trim_end() == wanted {
            return;
        }
        line.clear();
    }
    panic!("`{wanted}` was never printed");
}

#[test]
fn the_first_signal_cancels_with_final_tasks() {
    let data = tempfile::tempdir().unwrap();
    let (mut child, mut out) = start(data.path(), "0");
    signal(child.id(), "TERM");
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(6), "{rest}");
    assert!(rest.contains("[clean : s] cleaning"), "{rest}");
}

#[test]
fn the_second_interrupt_kills_everything() {
    let data = tempfile::tempdir().unwrap();
    let (mut child, mut out) = start(data.path(), "300");
    signal(child.id(), "INT");
    wait_for(&mut out, "[clean : s] cleaning");
    signal(child.id(), "INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));
}
