//! `psvc`: the command line and the daemon. It reads options, puts the parts together and ends with an exit
//! status; everything else is in the crates below.
//! Start at [`cli`] for what can be said and at [`system`] for what runs.

mod cli;
mod compaction;
mod data;
mod failure;
mod hint;
mod image;
mod images;
mod logs;
mod manifest;
mod run;
mod system;
mod up;

use std::path::Path;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};

use cli::{Cli, Command, SHIM_COMMAND};
use failure::Failure;
use linux::privileges::{Privileges, UserIsolation};

fn main() -> ExitCode {
    // Before anything else: a shim has one thread and reads no configuration.
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|first| first == SHIM_COMMAND)
        && let Some(directory) = arguments.next()
    {
        return node::shim::main(directory.as_ref());
    }
    let cli = Cli::parse();
    log_to_stderr(matches!(cli.command, Command::Up(_)));
    match execute(cli.command) {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("psvc: {failure}");
            failure.exit_code()
        }
    }
}

fn execute(command: Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Run(arguments) => {
            let isolation = isolation(&std::env::temp_dir())?;
            on_runtime(run::run(arguments, isolation))
        }
        Command::Up(mut arguments) => {
            let directory = up::data_directory(&mut arguments)?;
            let isolation = isolation(&directory)?;
            on_runtime(up::up(arguments, directory, isolation))
        }
        Command::Logs(arguments) => on_runtime(logs::logs(arguments)),
        Command::Image(command) => {
            become_node()?;
            image::image(command)
        }
        Command::Version => {
            println!("psvc {}", env!("CARGO_PKG_VERSION"));
            Ok(ExitCode::SUCCESS)
        }
        Command::Completion { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "psvc", &mut std::io::stdout());
            Ok(ExitCode::SUCCESS)
        }
        Command::PodShim { directory } => Ok(node::shim::main(&directory)),
    }
}

/// Becomes what runs containers, and finds out how well they can be kept apart from this machine's users. What
/// is missing is said in one line each.
fn isolation(directory: &Path) -> Result<UserIsolation, Failure> {
    become_node()?;
    let privileges = Privileges::detect(directory);
    if privileges.fatal {
        return Err(Failure::usage(privileges.problems.join("; ")));
    }
    for problem in &privileges.problems {
        eprintln!("psvc: {problem}");
    }
    Ok(privileges.isolation)
}

/// An ordinary user becomes root of a user namespace of their own; this must happen before any thread exists.
fn become_node() -> Result<(), Failure> {
    if rustix::process::geteuid().is_root() {
        return Ok(());
    }
    linux::userns::enter().map_err(|error| {
        Failure::other("run containers as an ordinary user (user namespaces must be enabled)", error)
    })
}

fn on_runtime(command: impl Future<Output = Result<ExitCode, Failure>>) -> Result<ExitCode, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::other("start the runtime", error))?;
    let ended = runtime.block_on(command);
    // Nothing that still runs in the background is worth waiting for.
    runtime.shutdown_background();
    ended
}

/// Logs go to standard error; `PSVC_LOG` chooses, in the language of `tracing`'s filters.
fn log_to_stderr(daemon: bool) {
    let default = if daemon { "info" } else { "error" };
    let filter = std::env::var("PSVC_LOG").unwrap_or_else(|_| default.to_owned());
    let filter = tracing_subscriber::EnvFilter::new(filter);
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
}
