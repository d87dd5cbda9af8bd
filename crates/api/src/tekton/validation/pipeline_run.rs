//! PipelineRun: what is asked for, and what may still change.

use serde_json::Value;
use types::GoDuration;

use crate::apis::Errors;
use crate::field::Rejection;
use crate::tekton::v1::{
    ParamValue, PipelineRun, PipelineRunSpec, PipelineRunSpecStatus, PipelineTaskRunSpec, TimeoutFields,
    WorkspaceBinding,
};
use crate::tekton::{defaults, gates};

use super::param::given_params;
use super::pipeline::pipeline_spec;
use super::read::{go_list, is_same_spec, metadata, pending_after_start, read};
use super::reference::reference;
use super::task_run::{compute_resources, has_ended, sidecar_specs, step_specs};
use super::workspace::binding;

/// How long a run may take when it does not say.
const TIMEOUT_DEFAULT: GoDuration = GoDuration::from_minutes(60);

/// Checks a new PipelineRun, or a change of one.
pub(in crate::tekton) fn pipeline_run(new: &Value, old: Option<&Value>) -> Result<(), Rejection> {
    let mut errors = pending_after_start(new, "PipelineRun");
    if is_same_spec(new, old) {
        return errors.into_result();
    }
    errors.add(metadata(new));
    let run: PipelineRun = read(new)?;
    let mut spec = Errors::none();
    if let Some(old) = old {
        spec.add(update(&run.spec, old)?);
    }
    spec.add(pipeline_run_spec(&run.spec));
    spec.add(gates::pipeline_run_spec(&new["spec"]));
    errors.also(spec.via_field("spec")).into_result()
}

fn update(new: &PipelineRunSpec, old: &Value) -> Result<Errors, Rejection> {
    let old_run: PipelineRun = read(old)?;
    let mut errors = Errors::none();
    if old_run.spec.managed_by != new.managed_by {
        errors.add(Errors::invalid_value("managedBy is immutable", "spec.managedBy"));
    }
    if old_run.status.as_ref().is_some_and(|status| has_ended(&status.conditions)) {
        if old_run.spec != *new && with_defaults(old)? != *new {
            errors.add(Errors::invalid_value("Once the PipelineRun is complete, no updates are allowed", ""));
        }
        return Ok(errors);
    }
    let expected =
        PipelineRunSpec { status: new.status.clone(), managed_by: new.managed_by.clone(), ..old_run.spec };
    if expected != *new {
        let message = "Once the PipelineRun has started, only status updates are allowed";
        errors.add(Errors::invalid_value(message, ""));
    }
    Ok(errors)
}

/// The specification as today's defaults would have made it.
fn with_defaults(old: &Value) -> Result<PipelineRunSpec, Rejection> {
    let mut old = old.clone();
    defaults::pipeline_run(&mut old);
    read::<PipelineRun>(&old).map(|run| run.spec)
}

fn pipeline_run_spec(spec: &PipelineRunSpec) -> Errors {
    let mut errors = match (&spec.pipeline_ref, &spec.pipeline_spec) {
        (None, None) => Errors::missing_one_of(&["pipelineRef", "pipelineSpec"]),
        (Some(_), Some(_)) => Errors::multiple_one_of(&["pipelineRef", "pipelineSpec"]),
        _ => Errors::none(),
    };
    if let Some(pipeline_ref) = &spec.pipeline_ref {
        let found =
            reference(pipeline_ref.name.as_deref(), pipeline_ref.resolver.as_deref(), &pipeline_ref.params);
        errors.add(found.via_field("pipelineRef"));
    }
    if let Some(pipeline) = &spec.pipeline_spec {
        errors.add(pipeline_spec(pipeline).via_field("pipelineSpec"));
    }
    errors.add(given_params(&spec.params).via_field("params"));
    errors.add(params_have_no_results(spec));
    if let Some(limits) = &spec.timeouts {
        errors.add(timeouts(limits).via_field("timeouts"));
    }
    for (index, settings) in spec.task_run_specs.iter().enumerate() {
        errors.add(task_run_spec(settings, spec.timeouts.as_ref()).via_field_index("taskRunSpecs", index));
    }
    if let Some(PipelineRunSpecStatus::Other(word)) = &spec.status {
        let message = format!(
            "{word} should be Cancelled, CancelledRunFinally, StoppedRunFinally or PipelineRunPending"
        );
        errors.add(Errors::invalid_value(message, "status"));
    }
    errors.also(workspaces(&spec.workspaces).via_field("workspaces"))
}

/// There are no results yet when a run starts.
fn params_have_no_results(spec: &PipelineRunSpec) -> Errors {
    let mut errors = Errors::none();
    for param in &spec.params {
        let texts: Vec<&String> = match &param.value {
            ParamValue::String(text) => vec![text],
            ParamValue::Array(items) => items.iter().collect(),
            ParamValue::Object(fields) => fields.values().collect(),
        };
        let references = texts.into_iter().flat_map(|text| result_references(text)).collect::<Vec<_>>();
        if !references.is_empty() {
            let list = go_list(references);
            let message = format!("cannot use result expressions in {list} as PipelineRun parameter values");
            errors.add(Errors::invalid_value(message, "value").via_field_key("params", &param.name));
        }
    }
    errors
}

fn result_references(text: &str) -> impl Iterator<Item = &str> {
    let references =
        text.split("$(").skip(1).filter_map(|rest| rest.split_once(')')).map(|(reference, _)| reference);
    references.filter(|reference| {
        (reference.starts_with("tasks.") || reference.starts_with("finally."))
            && reference.contains(".results.")
    })
}

fn timeouts(limits: &TimeoutFields) -> Errors {
    let fields = [("tasks", limits.tasks), ("finally", limits.finally), ("pipeline", limits.pipeline)];
    let mut errors = Errors::none();
    for (field, limit) in fields {
        if let Some(limit) = limit.filter(|limit| *limit < GoDuration::ZERO) {
            errors.add(Errors::invalid_value(format_args!("{limit} should be >= 0"), field));
        }
    }
    let (whole, words) = match limits.pipeline {
        Some(whole) => (whole, "should be <= pipeline duration"),
        None => (TIMEOUT_DEFAULT, "should be <= default timeout duration"),
    };
    if whole.is_zero() {
        return errors;
    }
    for (field, limit) in [("tasks", limits.tasks), ("finally", limits.finally)] {
        let Some(limit) = limit else { continue };
        if limit.is_zero() {
            errors.add(Errors::invalid_value(format_args!("{limit} (no timeout) {words}"), field));
        } else if limit > whole {
            errors.add(Errors::invalid_value(format_args!("{limit} {words}"), field));
        }
    }
    if let (Some(tasks), Some(finally)) = (limits.tasks, limits.finally)
        && tasks.saturating_add(finally) > whole
    {
        let message = format!("invalid value: {tasks} + {finally} {words}");
        errors.add(Errors::generic(message, &["tasks", "finally"]));
    }
    errors
}

fn task_run_spec(settings: &PipelineTaskRunSpec, limits: Option<&TimeoutFields>) -> Errors {
    step_specs(&settings.step_specs)
        .via_field("stepSpecs")
        .also(sidecar_specs(&settings.sidecar_specs).via_field("sidecarSpecs"))
        .also(compute_resources(settings.compute_resources.as_ref(), &settings.step_specs))
        .also(task_timeout(settings.timeout, limits))
}

/// One task may not take longer than all of them.
fn task_timeout(timeout: Option<GoDuration>, limits: Option<&TimeoutFields>) -> Errors {
    let Some(timeout) = timeout else { return Errors::none() };
    if timeout < GoDuration::ZERO {
        return Errors::invalid_value(format_args!("{timeout} should be >= 0"), "timeout");
    }
    let tasks = limits.and_then(|limits| limits.tasks).map(|limit| (limit, "pipeline tasks duration"));
    let whole = limits.and_then(|limits| limits.pipeline).map(|limit| (limit, "pipeline duration"));
    let (most, source) = tasks.or(whole).unwrap_or((TIMEOUT_DEFAULT, "default pipeline duration"));
    if !most.is_zero() && timeout > most {
        return Errors::invalid_value(format_args!("{timeout} should be <= {source} {most}"), "timeout");
    }
    Errors::none()
}

fn workspaces(bindings: &[WorkspaceBinding]) -> Errors {
    let mut errors = Errors::none();
    for (index, one) in bindings.iter().enumerate() {
        let mut found = binding(one);
        if let Some(before) = bindings[..index].iter().rposition(|other| other.name == one.name) {
            let name = &one.name;
            let message = format!(
                "workspace {name:?} provided by pipelinerun more than once, at index {before} and {index}"
            );
            found.add(Errors::generic(message, &["name"]));
        }
        errors.add(found.via_index(index));
    }
    errors
}
