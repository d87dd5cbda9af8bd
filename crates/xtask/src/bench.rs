//! `bench`: builds the benchmarks in release mode and runs one of them.

use crate::run::run;

/// The benchmarks and what each measures; `store` is an example of its crate, the others are crate `bench`.
const BENCHMARKS: &[(&str, &str)] = &[
    ("store", "durable creates at 1 and 32 writers, ranges, events to 1,000 watchers"),
    ("api", "create, get, list 1,000 and patch at 1, 8 and 32 clients over HTTPS"),
    ("taskrun", "one-step TaskRun with a cached image, create to Succeeded"),
    ("pipelines", "200 PipelineRuns of one task at once, as real containers"),
    ("engine", "2,000 PipelineRuns of one task with a fake node"),
    ("start", "process start to `ready`, and `run examples/hello.yaml` whole"),
    ("idle", "resident memory of an idle `up`"),
];

/// Runs the benchmark that the first argument names.
pub(crate) fn bench(arguments: &[String]) -> Result<(), String> {
    let name = arguments.first().map(String::as_str).unwrap_or_default();
    if !BENCHMARKS.iter().any(|(known, _)| *known == name) {
        let list: Vec<String> =
            BENCHMARKS.iter().map(|(name, what)| format!("  {name:<10} {what}")).collect();
        return Err(format!("`{name}` is not a benchmark; there are:\n{}", list.join("\n")));
    }
    let rest = arguments[1..].iter().map(String::as_str);
    if name == "store" {
        let words = ["run", "--release", "--quiet", "--package", "store", "--example", "bench", "--"];
        return run("cargo", &words.into_iter().chain(rest).collect::<Vec<_>>());
    }
    run("cargo", &["build", "--release", "--quiet", "--package", "psvc", "--package", "bench"])?;
    let words = ["run", "--release", "--quiet", "--package", "bench", "--", name];
    run("cargo", &words.into_iter().chain(rest).collect::<Vec<_>>())
}
