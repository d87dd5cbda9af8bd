//! `check` and `test`: what CI runs, in the order in which failures are cheapest to find.

use crate::packages::{self, on_path};
use crate::run::{output, run};
use crate::{architecture, run::root};

/// Format, architecture, clippy with warnings denied, cargo deny.
pub(crate) fn check() -> Result<(), String> {
    run("cargo", &["fmt", "--all", "--check"])?;
    eprintln!("xtask: architecture");
    architecture::check()?;
    run("cargo", &["clippy", "--workspace", "--all-targets", "--quiet", "--", "--deny", "warnings"])?;
    deny()
}

/// Licences, bans and sources. The list of advisories needs a network; it is checked where there is one.
fn deny() -> Result<(), String> {
    if !on_path("cargo-deny") {
        return Err("`cargo deny` is missing: run `cargo install --locked cargo-deny`".to_owned());
    }
    let version = output("cargo", &["deny", "--version"])?;
    eprintln!("xtask: {}", version.trim());
    run(
        "cargo",
        &["deny", "--all-features", "check", "--hide-inclusion-graph", "bans", "licenses", "sources"],
    )
}

/// All tests, with the packages that they need.
pub(crate) fn test(arguments: &[String]) -> Result<(), String> {
    packages::install()?;
    // The end-to-end tests drive this binary.
    run("cargo", &["build", "--package", "psvc"])?;
    eprintln!("xtask: tests in {}", root().display());
    let mut words = vec!["test"];
    if arguments.is_empty() {
        words.push("--workspace");
    }
    words.extend(arguments.iter().map(String::as_str));
    run("cargo", &words)
}
