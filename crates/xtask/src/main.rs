//! The repository's own commands: `cargo xtask check`, `test` and `bench`. CI calls nothing else.
//! It builds nothing of the product itself; it calls cargo and reads the tree.
//! Invariant: `cargo xtask check` is exactly what CI checks.

mod architecture;
mod bench;
mod check;
mod packages;
mod run;

use std::process::ExitCode;

const USAGE: &str = "\
cargo xtask COMMAND

Commands:
  check                 format, clippy with warnings denied, cargo deny, purity and direction of the crates
  test [ARGS...]        install the Debian packages that the tests need, then run all tests;
                        ARGS go to `cargo test` (for example: -p store)
  packages              only install the Debian packages, and say which
  bench NAME [--json]   run a benchmark: store, api, taskrun, pipelines, engine, start, idle
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut words = arguments.iter().map(String::as_str);
    let outcome = match words.next() {
        Some("check") => check::check(),
        Some("test") => check::test(&arguments[1..]),
        Some("packages") => packages::install(),
        Some("bench") => bench::bench(&arguments[1..]),
        Some("help" | "--help" | "-h") => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        other => Err(format!("`{}` is not a command\n\n{USAGE}", other.unwrap_or_default())),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("xtask: {message}");
            ExitCode::FAILURE
        }
    }
}
