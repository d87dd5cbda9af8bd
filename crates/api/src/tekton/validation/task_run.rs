//! TaskRun: what is asked for, and what may still change.

use k8s_openapi::api::core::v1::ResourceRequirements;
use serde_json::Value;
use types::GoDuration;

use crate::apis::Errors;
use crate::field::Rejection;
use crate::tekton::v1::{
    Condition, ConditionStatus, TaskRun, TaskRunDebug, TaskRunSidecarSpec, TaskRunSpec, TaskRunSpecStatus,
    TaskRunStepSpec,
};
use crate::tekton::{defaults, gates};

use super::param::given_params;
use super::read::{duplicate_names_by_index, is_same_spec, metadata, pending_after_start, read};
use super::reference::reference;
use super::task::task_spec;
use super::workspace::bindings;

/// Checks a new TaskRun, or a change of one.
pub(in crate::tekton) fn task_run(new: &Value, old: Option<&Value>) -> Result<(), Rejection> {
    let mut errors = pending_after_start(new, "TaskRun");
    if is_same_spec(new, old) {
        return errors.into_result();
    }
    errors.add(metadata(new));
    let run: TaskRun = read(new)?;
    let mut spec = Errors::none();
    if let Some(old) = old {
        spec.add(update(&run.spec, old)?);
    }
    spec.add(task_run_spec(&run.spec));
    spec.add(gates::task_run_spec(&new["spec"]));
    errors.also(spec.via_field("spec")).into_result()
}

/// Whether the condition `Succeeded` says that a run has ended.
pub(super) fn has_ended(conditions: &[Condition]) -> bool {
    let succeeded = conditions.iter().find(|condition| condition.kind == "Succeeded");
    succeeded.is_some_and(|condition| condition.status != ConditionStatus::Unknown)
}

fn update(new: &TaskRunSpec, old: &Value) -> Result<Errors, Rejection> {
    let old_run: TaskRun = read(old)?;
    let mut errors = Errors::none();
    if old_run.spec.managed_by != new.managed_by {
        errors.add(Errors::invalid_value("managedBy is immutable", "spec.managedBy"));
    }
    if old_run.status.as_ref().is_some_and(|status| has_ended(&status.conditions)) {
        if old_run.spec != *new && with_defaults(old)? != *new {
            errors.add(Errors::invalid_value("Once the TaskRun is complete, no updates are allowed", ""));
        }
        return Ok(errors);
    }
    let expected = TaskRunSpec {
        status: new.status.clone(),
        status_message: new.status_message.clone(),
        managed_by: new.managed_by.clone(),
        ..old_run.spec
    };
    if expected != *new {
        let message = "Once the TaskRun has started, only status and statusMessage updates are allowed";
        errors.add(Errors::invalid_value(message, ""));
    }
    Ok(errors)
}

/// The specification as today's defaults would have made it.
fn with_defaults(old: &Value) -> Result<TaskRunSpec, Rejection> {
    let mut old = old.clone();
    defaults::task_run(&mut old);
    read::<TaskRun>(&old).map(|run| run.spec)
}

fn task_run_spec(spec: &TaskRunSpec) -> Errors {
    let mut errors = match (&spec.task_ref, &spec.task_spec) {
        (None, None) => Errors::missing_one_of(&["taskRef", "taskSpec"]),
        (Some(_), Some(_)) => Errors::multiple_one_of(&["taskRef", "taskSpec"]),
        _ => Errors::none(),
    };
    if let Some(task_ref) = &spec.task_ref {
        let found = reference(task_ref.name.as_deref(), task_ref.resolver.as_deref(), &task_ref.params);
        errors.add(found.via_field("taskRef"));
    }
    if let Some(task) = &spec.task_spec {
        errors.add(task_spec(task).via_field("taskSpec"));
    }
    errors.add(given_params(&spec.params).via_field("params"));
    errors.add(bindings(&spec.workspaces).via_field("workspaces"));
    errors.add(spec.debug.as_ref().map_or_else(Errors::none, debug).via_field("debug"));
    errors.add(step_specs(&spec.step_specs).via_field("stepSpecs"));
    errors.add(sidecar_specs(&spec.sidecar_specs).via_field("sidecarSpecs"));
    errors.add(compute_resources(spec.compute_resources.as_ref(), &spec.step_specs));
    errors.add(status(spec));
    if spec.retries < 0 {
        errors.add(Errors::invalid_value(format_args!("{} should be >= 0", spec.retries), "retries"));
    }
    if let Some(timeout) = spec.timeout.filter(|timeout| *timeout < GoDuration::ZERO) {
        errors.add(Errors::invalid_value(format_args!("{timeout} should be >= 0"), "timeout"));
    }
    errors
}

fn status(spec: &TaskRunSpec) -> Errors {
    match (&spec.status, &spec.status_message) {
        (Some(TaskRunSpecStatus::Other(word)), _) => {
            let message = format!("{word} should be TaskRunCancelled or TaskRunPending");
            Errors::invalid_value(message, "status")
        }
        (None, Some(message)) => Errors::invalid_value(
            format_args!(
                "statusMessage should not be set if status is not set, but it is currently set to {message}"
            ),
            "statusMessage",
        ),
        _ => Errors::none(),
    }
}

fn debug(debug: &TaskRunDebug) -> Errors {
    let Some(breakpoints) = &debug.breakpoints else { return Errors::none() };
    let at = "breakpoints.onFailure";
    let mut errors = match breakpoints.on_failure.as_deref() {
        None => Errors::invalid_value(
            "onFailure breakpoint is empty, it is only allowed to be set as enabled",
            at,
        ),
        Some("enabled") => Errors::none(),
        Some(word) => Errors::invalid_value(
            format_args!(
                "{word} is not a valid onFailure breakpoint value, onFailure breakpoint is only allowed to be set as enabled"
            ),
            at,
        ),
    };
    for (index, step) in breakpoints.before_steps.iter().enumerate() {
        if breakpoints.before_steps[..index].contains(step) {
            let message =
                format!("before step must be unique, the same step: {step} is defined multiple times at");
            errors.add(Errors::generic(message, &[&format!("breakpoints.beforeSteps[{index}]")]));
        }
    }
    errors
}

/// Checks settings for single steps; paths begin with an index.
pub(super) fn step_specs(specs: &[TaskRunStepSpec]) -> Errors {
    named(specs.iter().map(|spec| spec.name.as_str()))
}

/// Checks settings for single sidecars; paths begin with an index.
pub(super) fn sidecar_specs(specs: &[TaskRunSidecarSpec]) -> Errors {
    named(specs.iter().map(|spec| spec.name.as_str()))
}

fn named<'a>(names: impl Iterator<Item = &'a str> + Clone) -> Errors {
    let empty = names.clone().enumerate().filter(|(_, name)| name.is_empty());
    let missing: Errors = empty.map(|(index, _)| Errors::missing_field(&["name"]).via_index(index)).collect();
    missing.also(duplicate_names_by_index(names.filter(|name| !name.is_empty())))
}

/// Resources are set for all steps together or for single ones.
pub(super) fn compute_resources(
    together: Option<&ResourceRequirements>,
    single: &[TaskRunStepSpec],
) -> Errors {
    let any = single.iter().any(|spec| spec.compute_resources != ResourceRequirements::default());
    if together.is_some() && any {
        return Errors::multiple_one_of(&["stepSpecs.resources", "computeResources"]);
    }
    Errors::none()
}
