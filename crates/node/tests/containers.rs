//! The node with real containers, against a small API server in memory.
//! Without a harness, because the shim wants a process with one thread: it is this program, started again.
//! Needs Linux, root and `busybox` (package busybox-static). `NODE_TEST_RUNTIME=crun` uses another OCI runtime.

mod support;

#[path = "cases/mod.rs"]
mod cases;

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [first, dir] = arguments.as_slice()
        && first == "pod-shim"
    {
        return node::shim::main(Path::new(dir));
    }
    if arguments.iter().any(|argument| argument == "--list") {
        cases::CASES.iter().for_each(|(name, _)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    if !rustix::process::geteuid().is_root() || !Path::new("/usr/bin/busybox").exists() {
        println!("left out: these tests need root and busybox-static");
        return ExitCode::SUCCESS;
    }
    let filter = arguments.iter().find(|argument| !argument.starts_with('-'));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut failed = Vec::new();
    for (name, case) in cases::CASES {
        if filter.is_some_and(|filter| !name.contains(filter.as_str())) {
            continue;
        }
        let started = std::time::Instant::now();
        let passed = std::panic::catch_unwind(|| runtime.block_on(case())).is_ok();
        println!(
            "{name} ... {} ({} ms)",
            if passed { "ok" } else { "FAILED" },
            started.elapsed().as_millis()
        );
        if !passed {
            failed.push(name);
        }
    }
    failed.iter().for_each(|name| println!("failed: {name}"));
    ExitCode::from(u8::from(!failed.is_empty()))
}
