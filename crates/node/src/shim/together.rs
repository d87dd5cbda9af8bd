//! Runs all containers of a Pod at once, and again as its restart policy says.
//! Invariant: a Pod that is being stopped restarts nothing.
//! Source: the Pod lifecycle in the Kubernetes documentation; back-off and its limits are the kubelet's.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use sandbox::{ContainerPlan, RestartPolicy, TerminationPolicy};

use super::container::Unstarted;
use super::executor::{Ended, Executor};
use super::journal::{End, Event};
use super::log::Log;

/// The first wait before a restart, doubled each time.
const BACK_OFF_FIRST: Duration = Duration::from_secs(10);
/// The longest wait before a restart.
const BACK_OFF_MAX: Duration = Duration::from_secs(300);
/// A container that ran this long starts over with the shortest wait.
const BACK_OFF_RESET: Duration = Duration::from_secs(600);
/// What is read of a termination message, in bytes.
const TERMINATION_BYTES_MAX: u64 = 4096;

/// One container between its starts.
#[derive(Clone, Copy, Default)]
struct Attempts {
    /// How many there were.
    count: u32,
    /// How many in a row ended soon.
    failures: u32,
    /// When the next one is due.
    due: Option<Instant>,
}

/// Runs all containers to their end.
pub(crate) fn run(executor: &mut Executor<'_>, policy: RestartPolicy) -> io::Result<()> {
    let count = executor.job.plan.containers.len();
    let mut attempts = vec![Attempts { due: Some(Instant::now()), ..Attempts::default() }; count];
    loop {
        executor.look();
        start_due(executor, &mut attempts, policy)?;
        if executor.stopping().is_some() {
            attempts.iter_mut().for_each(|attempt| attempt.due = None);
        }
        let next = attempts.iter().filter_map(|attempt| attempt.due).min();
        if executor.running() == 0 && next.is_none() {
            return never_started(executor, &attempts);
        }
        for ended in executor.turn(next)? {
            let index = ended.index;
            let ran_long = ended.started_at + BACK_OFF_RESET < Timestamp::now();
            let end = end_of(&executor.job.plan.containers[index], ended);
            let again = restarts(policy, &end);
            executor.note_end(index, end)?;
            if ran_long {
                attempts[index].failures = 0;
            }
            if again && executor.stopping().is_none() {
                back_off(executor, index, &mut attempts[index])?;
            }
        }
    }
}

/// Containers that the Pod's end came before.
fn never_started(executor: &mut Executor<'_>, attempts: &[Attempts]) -> io::Result<()> {
    for (index, _) in attempts.iter().enumerate().filter(|(_, attempt)| attempt.count == 0) {
        let plan = &executor.job.plan.containers[index];
        Log::open(executor.job.logs.get(&plan.name).map(PathBuf::as_path)).end();
        let now = Timestamp::now();
        executor.note_end(
            index,
            End {
                id: String::new(),
                exit_code: 137,
                reason: "Error".to_owned(),
                message: "the Pod was stopped before this container started".to_owned(),
                started_at: now,
                finished_at: now,
            },
        )?;
    }
    Ok(())
}

fn start_due(
    executor: &mut Executor<'_>,
    attempts: &mut [Attempts],
    policy: RestartPolicy,
) -> io::Result<()> {
    for (index, attempt) in attempts.iter_mut().enumerate() {
        if executor.stopping().is_some() || attempt.due.is_none_or(|due| due > Instant::now()) {
            continue;
        }
        let plan = &executor.job.plan.containers[index];
        let number = attempt.count;
        attempt.count += 1;
        attempt.due = None;
        // Each run has its own message.
        if let Some(path) = &plan.termination_file {
            File::options().write(true).truncate(true).open(path)?;
        }
        let log = Log::open(executor.job.logs.get(&plan.name).map(PathBuf::as_path));
        match executor.ground.start(plan, plan.spec.clone(), number, log) {
            Ok(container) => executor.add(index, container, None)?,
            Err(unstarted) => {
                let Unstarted { message, mut log } = *unstarted;
                log.end();
                let now = Timestamp::now();
                let end = End {
                    id: String::new(),
                    exit_code: 128,
                    reason: "StartError".to_owned(),
                    message,
                    started_at: now,
                    finished_at: now,
                };
                let again = restarts(policy, &end);
                executor.note_end(index, end)?;
                if again {
                    back_off(executor, index, attempt)?;
                }
            }
        }
    }
    Ok(())
}

fn restarts(policy: RestartPolicy, end: &End) -> bool {
    match policy {
        RestartPolicy::Always => true,
        RestartPolicy::OnFailure => end.exit_code != 0,
        RestartPolicy::Never => false,
    }
}

/// Plans the next start: the first restart comes at once, each later one waits twice as long.
fn back_off(executor: &mut Executor<'_>, index: usize, attempt: &mut Attempts) -> io::Result<()> {
    let wait = match attempt.failures {
        0 => Duration::ZERO,
        failures => BACK_OFF_FIRST.saturating_mul(1 << (failures - 1).min(10)).min(BACK_OFF_MAX),
    };
    attempt.failures += 1;
    attempt.due = Instant::now().checked_add(wait);
    if wait > Duration::ZERO {
        let container = executor.job.plan.containers[index].name.clone();
        executor.journal.append(&Event::BackingOff { container, seconds: wait.as_secs() })?;
    }
    Ok(())
}

fn end_of(plan: &ContainerPlan, ended: Ended) -> End {
    let Ended { id, ending, mut log, started_at, .. } = ended;
    log.end();
    let log_failure = log.failure().map(str::to_owned);
    let exit_code = if log_failure.is_some() && ending.exit_code == 0 { 1 } else { ending.exit_code };
    let mut message = plan.termination_file.as_ref().map(read_message).unwrap_or_default();
    if message.is_empty()
        && exit_code != 0
        && plan.termination_policy == TerminationPolicy::FallbackToLogsOnError
    {
        message = log.tail();
    }
    let reason = match (ending.oom_killed, exit_code) {
        (true, _) => "OOMKilled",
        (false, 0) => "Completed",
        (false, _) => "Error",
    };
    End {
        id,
        exit_code,
        reason: reason.to_owned(),
        message: log_failure.unwrap_or(message),
        started_at,
        finished_at: Timestamp::now(),
    }
}

fn read_message(path: &PathBuf) -> String {
    let mut message = Vec::new();
    // The file itself is ours; containers see it as a mount and can only change its content.
    if let Ok(file) = File::open(path) {
        let _ = file.take(TERMINATION_BYTES_MAX).read_to_end(&mut message);
    }
    String::from_utf8_lossy(&message).into_owned()
}
