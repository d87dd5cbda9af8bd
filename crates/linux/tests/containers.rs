//! Real containers, made by the built-in runtime from a busybox root file system, as root and as an ordinary user.
//! Without a harness, because the runtime wants a process with one thread: each case is this program started again
//! with the case's name, and again as an ordinary user where the case says so.
//! Needs Linux, `busybox` (package busybox-static) and, for the cases as an ordinary user, to be started by root. With
//! `newuidmap` (package uidmap) and a user in `/etc/subuid`, those cases run as a user with ranges of ids too.

mod support;

use std::process::{Command, ExitCode};

use support::{CASES, Case};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, name] = arguments.as_slice()
        && flag == "--case"
    {
        let case = CASES.iter().find(|case| case.name == name).expect("a case of this name");
        return support::run_here(case);
    }
    if arguments.iter().any(|argument| argument == "--list") {
        CASES.iter().for_each(|case| println!("{}: test", case.name));
        return ExitCode::SUCCESS;
    }
    let filter = arguments.iter().find(|argument| !argument.starts_with('-'));
    let chosen = CASES.iter().filter(|case| filter.is_none_or(|filter| case.name.contains(filter.as_str())));
    let (mut passed, mut failed) = (0, Vec::new());
    for case in chosen {
        for user in users(case) {
            if run_as(case, user) { passed += 1 } else { failed.push(format!("{} ({user})", case.name)) }
        }
    }
    println!("\n{passed} passed, {} failed", failed.len());
    failed.iter().for_each(|name| println!("    {name}"));
    ExitCode::from(u8::from(!failed.is_empty()))
}

/// As whom a case is run.
fn users(case: &Case) -> Vec<&'static str> {
    if !support::is_root() {
        println!("only as this ordinary user: start as root to run all cases");
        return if case.rootless { vec!["user"] } else { Vec::new() };
    }
    let ranged = support::user_with_ranges().is_some();
    match (case.rootless, ranged) {
        (false, _) => vec!["root"],
        (true, false) => vec!["root", "user"],
        (true, true) => vec!["root", "user", "user with ranges"],
    }
}

fn run_as(case: &Case, user: &str) -> bool {
    let scratch = tempfile::tempdir_in("/tmp").expect("a scratch directory");
    let program = support::public_copy(scratch.path());
    let mut command = if user == "user" && support::is_root() {
        let mut command = Command::new("setpriv");
        command.args([
            "--reuid",
            support::ORDINARY_USER,
            "--regid",
            support::ORDINARY_USER,
            "--clear-groups",
        ]);
        command.arg(program);
        command
    } else {
        Command::new(program)
    };
    let output = command.args(["--case", case.name]).output().expect("start the case");
    let passed = output.status.success();
    println!("{} ({user}) ... {}", case.name, if passed { "ok" } else { "FAILED" });
    if !passed {
        println!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    }
    passed
}
