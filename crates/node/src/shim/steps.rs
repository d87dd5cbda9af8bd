//! Runs containers as the steps of a Task: strictly one after the other.
//! Invariant: once a step has failed, or the Pod is being stopped, no further step starts; each is noted as skipped.
//! Source: the behaviour of Tekton's entrypoint, as its documentation of steps describes it.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use api::step_plan::{OnError, PlannedResult, PlannedStep, RunResult};
use jiff::Timestamp;
use oci_spec::runtime::Spec;
use sandbox::steps::{Outcome, allows, expand_list, expand_text, message, step_dirs};

use super::beneath::Directory;
use super::executor::{Ended, Executor};
use super::journal::End;
use super::log::Log;

/// The most that one result may hold, in bytes: what an object in the API can carry with room for others.
const RESULT_BYTES_MAX: u64 = 1024 * 1024;

/// Runs all steps to the end.
pub(crate) fn run(executor: &mut Executor<'_>) -> io::Result<()> {
    let job = executor.job;
    let Some(tekton_dir) = job.plan.tekton_dir.as_deref() else {
        return Err(io::Error::other("the plan has steps but no directory for them"));
    };
    let mut steps =
        Steps { directory: Directory::open(tekton_dir)?, reported: BTreeMap::new(), failed: false };
    for index in 0..job.plan.containers.len() {
        let Some(step) = &job.plan.containers[index].step else {
            return Err(io::Error::other("a container of the plan is no step"));
        };
        executor.look();
        if steps.failed || executor.stopping().is_some() {
            steps.skip(executor, index)?;
        } else {
            steps.run_one(executor, index, step)?;
        }
    }
    Ok(())
}

struct Steps {
    /// `/tekton` on the host.
    directory: Directory,
    /// The content of results that a message has carried already.
    reported: BTreeMap<String, String>,
    failed: bool,
}

impl Steps {
    fn run_one(&mut self, executor: &mut Executor<'_>, index: usize, step: &PlannedStep) -> io::Result<()> {
        let plan = &executor.job.plan.containers[index];
        let mut log = Log::open(executor.job.logs.get(&plan.name).map(PathBuf::as_path));
        let mut spec = plan.spec.clone();
        let allowed = self.resolve(executor, step, &mut spec, &mut log);
        if !allowed {
            log.end();
            self.write_exit_code(index, 0);
            let end = unstarted(0, "Completed", Outcome::Skipped);
            return executor.note_end(index, end);
        }
        if let Some(failure) = log.failure() {
            self.failed = true;
            let end = End { message: failure.to_owned(), ..unstarted(1, "Error", Outcome::Completed) };
            return executor.note_end(index, end);
        }
        match executor.ground.start(plan, spec, 0, log) {
            Ok(container) => {
                let limit = step.timeout.filter(|limit| !limit.is_zero()).map(types::GoDuration::to_std);
                executor.add(index, container, limit)?;
            }
            Err(mut unstarted_container) => {
                unstarted_container.log.end();
                self.failed = true;
                return executor.note_end(index, unstarted(128, "StartError", Outcome::Completed));
            }
        }
        loop {
            if let Some(ended) = executor.turn(None)?.pop() {
                return self.ended(executor, step, ended);
            }
        }
    }

    /// Replaces references to results of earlier steps; false when a `when` says no.
    fn resolve(&self, executor: &Executor<'_>, step: &PlannedStep, spec: &mut Spec, log: &mut Log) -> bool {
        let containers = &executor.job.plan.containers;
        let mut lookup = |wanted: &str, result: &str| {
            let planned = |step: &PlannedStep| step.name == wanted || step.container == wanted;
            let index =
                containers.iter().position(|container| container.step.as_ref().is_some_and(planned))?;
            let path = step_dirs(Path::new(""), index).results.join(result);
            let content = self.directory.read(&path, RESULT_BYTES_MAX).ok().flatten()?;
            Some(String::from_utf8_lossy(&content).into_owned())
        };
        // A reference that cannot be resolved stays as it is, as with Tekton; the log says why.
        let mut complain = |error: &dyn std::error::Error| {
            log.say(&format!("Error while substituting step results: {error}"));
        };
        if let Some(process) = spec.process_mut() {
            match expand_list(process.args().as_deref().unwrap_or_default(), &mut lookup) {
                Ok(expanded) => {
                    process.set_args(Some(expanded));
                }
                Err(error) => complain(&error),
            }
            let mut environment = process.env().clone().unwrap_or_default();
            for variable in &mut environment {
                match expand_text(variable, &mut lookup) {
                    Ok(expanded) => *variable = expanded,
                    Err(error) => complain(&error),
                }
            }
            process.set_env(Some(environment));
        }
        match allows(&step.when, &mut lookup) {
            Ok(allowed) => allowed,
            Err(error) => {
                complain(&error);
                false
            }
        }
    }

    fn skip(&mut self, executor: &mut Executor<'_>, index: usize) -> io::Result<()> {
        let plan = &executor.job.plan.containers[index];
        Log::open(executor.job.logs.get(&plan.name).map(PathBuf::as_path)).end();
        executor.note_end(index, unstarted(1, "Error", Outcome::Skipped))
    }

    fn ended(&mut self, executor: &mut Executor<'_>, step: &PlannedStep, ended: Ended) -> io::Result<()> {
        let Ended { index, id, ending, mut log, started_at, timed_out } = ended;
        let mut results = Vec::new();
        let mut exit_code = ending.exit_code;
        let task_results = executor.job.plan.results.clone();
        let own_results = step_dirs(Path::new(""), index).results;
        for (directory, declared, kind) in [
            (Path::new("results"), &task_results, RunResult::TASK),
            (own_results.as_path(), &step.results, RunResult::STEP),
        ] {
            if let Err(message) = self.collect(directory, declared, kind, &mut results) {
                log.say(&message);
                exit_code = if exit_code == 0 { 1 } else { exit_code };
            }
        }
        log.end();
        if log.failure().is_some() && exit_code == 0 {
            exit_code = 1;
        }
        let tolerated = step.on_error == OnError::Continue && !timed_out && !ending.oom_killed;
        let (exit_code, reason, outcome) = match (timed_out, exit_code) {
            (true, _) => (1, "Error", Outcome::TimeoutExceeded),
            (false, 0) => (0, "Completed", Outcome::Completed),
            (false, code) if tolerated && executor.stopping().is_none() => {
                (0, "Completed", Outcome::Continued(code))
            }
            (false, code) if ending.oom_killed => (code, "OOMKilled", Outcome::Completed),
            (false, code) => (code, "Error", Outcome::Completed),
        };
        self.failed |= exit_code != 0;
        match outcome {
            Outcome::Continued(code) => self.write_exit_code(index, code),
            _ if !self.failed => self.write_exit_code(index, 0),
            _ => {}
        }
        let end = End {
            id,
            exit_code,
            reason: reason.to_owned(),
            message: message(&milliseconds(started_at), outcome, &results),
            started_at,
            finished_at: Timestamp::now(),
        };
        executor.note_end(index, end)
    }

    /// Reads declared results that are there and have changed since they were last reported.
    fn collect(
        &mut self,
        directory: &Path,
        declared: &[PlannedResult],
        kind: u8,
        results: &mut Vec<RunResult>,
    ) -> Result<(), String> {
        for PlannedResult { name, .. } in declared {
            let path = directory.join(name);
            let read = self.directory.read(&path, RESULT_BYTES_MAX);
            let content = read.map_err(|error| format!("could not read result \"{name}\": {error}"))?;
            let Some(content) = content else { continue };
            if content.len() as u64 > RESULT_BYTES_MAX {
                return Err(format!(
                    "result \"{name}\" is larger than the limit of {RESULT_BYTES_MAX} bytes"
                ));
            }
            let value = String::from_utf8_lossy(&content).into_owned();
            let key = path.to_string_lossy().into_owned();
            if self.reported.get(&key) != Some(&value) {
                self.reported.insert(key, value.clone());
                results.push(RunResult { key: name.clone(), value, kind });
            }
        }
        Ok(())
    }

    fn write_exit_code(&self, index: usize, code: i32) {
        let path = step_dirs(Path::new(""), index).exit_code;
        // A step that has made this impossible only harms what its own Task can read.
        let _ = self.directory.write(&path, code.to_string().as_bytes());
    }
}

/// The end of a step that never ran.
fn unstarted(exit_code: i32, reason: &str, outcome: Outcome) -> End {
    let now = Timestamp::now();
    End {
        id: String::new(),
        exit_code,
        reason: reason.to_owned(),
        message: message(&milliseconds(now), outcome, &[]),
        started_at: now,
        finished_at: now,
    }
}

/// A time as the executor's own entries of termination messages have it.
fn milliseconds(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}
