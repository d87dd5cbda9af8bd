//! `start` and `idle`: how long until it is there, and what it takes when nothing happens.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::service::{Service, psvc};
use crate::statistics::percentile_ms;

const STARTS: usize = 15;

pub(crate) fn start() -> Result<Value, String> {
    let mut ready = Vec::new();
    for _ in 0..STARTS {
        ready.push(Service::start()?.ready_after);
    }
    let data = tempfile::tempdir().map_err(|error| error.to_string())?;
    let mut hello = Vec::new();
    for _ in 0..STARTS {
        let begun = Instant::now();
        let status = Command::new(psvc()?)
            .args(["run", "examples/hello.yaml"])
            .env("PSVC_DATA_DIR", data.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .map_err(|error| error.to_string())?;
        if !status.success() {
            return Err(format!("psvc run examples/hello.yaml ended with {status}"));
        }
        hello.push(begun.elapsed());
    }
    Ok(json!({
        "up_to_ready_ms_median": percentile_ms(&mut ready, 50),
        "up_to_ready_ms_max": percentile_ms(&mut ready, 100),
        "run_hello_ms_median": percentile_ms(&mut hello, 50),
        "run_hello_ms_max": percentile_ms(&mut hello, 100),
    }))
}

pub(crate) fn idle() -> Result<Value, String> {
    let service = Service::start()?;
    std::thread::sleep(Duration::from_secs(3));
    let mebibytes = service.resident_bytes()? / (1024 * 1024);
    Ok(json!({ "resident_mib": mebibytes }))
}
