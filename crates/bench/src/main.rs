//! Benchmarks of the whole system, driven as a user would: the release binary, HTTPS, real containers.
//! `cargo xtask bench NAME` builds and calls it. It measures and prints; it asserts nothing about time.

mod api_bench;
mod runs;
mod service;
mod start;
mod statistics;

use std::process::ExitCode;

use serde_json::{Value, json};

const ENGINE_RUNS: usize = 2_000;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let name = arguments.first().map(String::as_str).unwrap_or_default();
    let as_json = arguments.iter().any(|argument| argument == "--json");
    let figures = match name {
        "api" => on_runtime(api_bench::api()),
        "taskrun" => on_runtime(runs::task_run()),
        "pipelines" => on_runtime(runs::pipelines()),
        "engine" => engine(),
        "start" => start::start(),
        "idle" => start::idle(),
        other => Err(format!("`{other}` is not a benchmark")),
    };
    match figures {
        Ok(figures) => {
            print(name, &figures, as_json);
            ExitCode::SUCCESS
        }
        Err(message) => {
            eprintln!("bench: {message}");
            ExitCode::FAILURE
        }
    }
}

fn engine() -> Result<Value, String> {
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let figures = testkit::bench::engine(ENGINE_RUNS, threads).map_err(|error| error.to_string())?;
    serde_json::to_value(figures).map_err(|error| error.to_string())
}

fn on_runtime(figures: impl Future<Output = Result<Value, String>>) -> Result<Value, String> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(|error| error.to_string())?.block_on(figures)
}

fn print(name: &str, figures: &Value, as_json: bool) {
    let cpus = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let report = json!({
        "benchmark": name,
        "machine": { "cpus": cpus, "kernel": kernel.trim() },
        "figures": figures,
    });
    if as_json {
        println!("{report:#}");
        return;
    }
    println!("{name} on {cpus} processors, Linux {}", kernel.trim());
    for (figure, value) in figures.as_object().into_iter().flatten() {
        println!("  {figure:<40} {value}");
    }
}
