//! Pipeline and its specification, without the graph.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::apis::Errors;
use crate::field::Rejection;
use crate::names;
use crate::tekton::gates;
use crate::tekton::v1::{Pipeline, PipelineSpec, PipelineTask, PipelineTaskOnError};

use super::param::{param_specs, pipeline_task_params};
use super::read::{is_same_spec, metadata, read};
use super::reference::reference;
use super::step::is_param_reference;
use super::task::task_spec;
use super::when::when_expressions;

/// Checks a Pipeline.
pub(in crate::tekton) fn pipeline(new: &Value, old: Option<&Value>) -> Result<(), Rejection> {
    if is_same_spec(new, old) {
        return Ok(());
    }
    let pipeline: Pipeline = read(new)?;
    let spec = pipeline_spec(&pipeline.spec)
        .also(declared_workspaces_are_used(&pipeline.spec))
        .also(gates::pipeline_spec(&new["spec"]));
    metadata(new).also(spec.via_field("spec")).into_result()
}

/// Checks the specification of a Pipeline; paths are relative to it.
///
/// The graph and variables are not looked at, and features that are not there yet are [`gates`]'.
#[must_use]
pub fn pipeline_spec(spec: &PipelineSpec) -> Errors {
    let mut errors = Errors::none();
    if *spec == PipelineSpec::default() {
        let paths = ["description", "params", "resources", "tasks", "workspaces"];
        errors.add(Errors::generic("expected at least one, got none", &paths));
    }
    let mut names = BTreeSet::new();
    for (list, tasks) in [("tasks", &spec.tasks), ("finally", &spec.finally)] {
        for (index, task) in tasks.iter().enumerate() {
            let mut found = pipeline_task(task);
            if !names.insert(task.name.as_deref().unwrap_or_default()) {
                found.add(Errors::multiple_one_of(&["name"]));
            }
            errors.add(found.via_field_index(list, index));
        }
    }
    errors.add(param_specs(&spec.params));
    errors.add(workspace_declarations(spec));
    errors.also(finally(spec))
}

fn pipeline_task(task: &PipelineTask) -> Errors {
    let mut errors = name(task).also(ref_or_spec(task)).also(on_error(task));
    errors.add(pipeline_task_params(&task.params).via_field("params"));
    errors.add(when_expressions(&task.when));
    if is_custom(task) {
        return errors.also(custom_task(task));
    }
    if let Some(task_ref) = &task.task_ref {
        let found = reference(task_ref.name.as_deref(), task_ref.resolver.as_deref(), &task_ref.params);
        errors.add(found.via_field("taskRef"));
    }
    if let Some(embedded) = &task.task_spec {
        errors.add(embedded_type(task));
        errors.add(task_spec(&embedded.task_spec).via_field("taskSpec"));
    }
    if let Some(pipeline_ref) = &task.pipeline_ref {
        let found =
            reference(pipeline_ref.name.as_deref(), pipeline_ref.resolver.as_deref(), &pipeline_ref.params);
        errors.add(found.via_field("pipelineRef"));
    }
    if let Some(spec) = &task.pipeline_spec {
        errors.add(pipeline_spec(spec).via_field("pipelineSpec"));
    }
    errors
}

fn name(task: &PipelineTask) -> Errors {
    let name = task.name.as_deref().unwrap_or_default();
    if names::dns_label_problem(name).is_none() {
        return Errors::none();
    }
    Errors::generic(format!("invalid value {name:?}"), &["name"]).with_details(
        "Pipeline Task name must be a valid DNS Label.For more info refer to \
         https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#names",
    )
}

fn ref_or_spec(task: &PipelineTask) -> Errors {
    let all = [
        ("taskRef", task.task_ref.is_some()),
        ("taskSpec", task.task_spec.is_some()),
        ("pipelineRef", task.pipeline_ref.is_some()),
        ("pipelineSpec", task.pipeline_spec.is_some()),
    ];
    let set = all.iter().filter(|(_, set)| *set).map(|(name, _)| *name).collect::<Vec<_>>();
    match set.as_slice() {
        [] => Errors::missing_one_of(&["taskRef", "taskSpec"]),
        [_] => Errors::none(),
        several => Errors::generic("expected exactly one, got multiple", several),
    }
}

fn on_error(task: &PipelineTask) -> Errors {
    match &task.on_error {
        Some(PipelineTaskOnError::Other(word)) if !is_param_reference(word) => {
            Errors::invalid_value(word, "OnError")
                .with_details("PipelineTask OnError must be either \"continue\" or \"stopAndFail\"")
        }
        Some(PipelineTaskOnError::Continue) if task.retries > 0 => Errors::generic(
            "PipelineTask OnError cannot be set to \"continue\" when Retries is greater than 0",
            &["onError"],
        ),
        _ => Errors::none(),
    }
}

/// Whether a task is carried out by somebody else's controller.
fn is_custom(task: &PipelineTask) -> bool {
    let foreign = |version: Option<&str>, kind: Option<&str>| {
        version.is_some_and(|version| !version.starts_with("tekton.dev/"))
            || kind.is_some_and(|kind| kind != "Task")
    };
    let by_ref =
        task.task_ref.as_ref().is_some_and(|task| foreign(task.api_version.as_deref(), task.kind.as_deref()));
    let by_spec = task.task_spec.as_ref().is_some_and(|task| {
        task.task_spec.steps.is_empty() && foreign(task.api_version.as_deref(), task.kind.as_deref())
    });
    by_ref || by_spec
}

fn custom_task(task: &PipelineTask) -> Errors {
    let mut errors = Errors::none();
    let parts = [
        (task.task_ref.as_ref().map(|task| (&task.kind, &task.api_version)), "taskRef", "ref"),
        (task.task_spec.as_ref().map(|task| (&task.kind, &task.api_version)), "taskSpec", "spec"),
    ];
    for (part, field, word) in parts {
        let Some((kind, version)) = part else { continue };
        if kind.is_none() {
            let message = format!("custom task {word} must specify kind");
            errors.add(Errors::invalid_value(message, &format!("{field}.kind")));
        }
        let at = format!("{field}.apiVersion");
        match version {
            None => {
                errors.add(Errors::invalid_value(format!("custom task {word} must specify apiVersion"), &at))
            }
            Some(version) if !is_group_and_version(version) => {
                let message =
                    format!("invalid apiVersion format {version:?}, must be in the format \"group/version\"");
                errors.add(Errors::invalid_value(message, &at));
            }
            Some(_) => {}
        }
    }
    errors
}

fn is_group_and_version(version: &str) -> bool {
    version
        .split_once('/')
        .is_some_and(|(group, name)| !group.is_empty() && !name.is_empty() && !name.contains('/'))
}

/// A Task that is written out has no API version or kind of its own.
fn embedded_type(task: &PipelineTask) -> Errors {
    let Some(embedded) = task.task_spec.as_ref().filter(|task| !task.task_spec.steps.is_empty()) else {
        return Errors::none();
    };
    let set = [(embedded.api_version.is_some(), "apiVersion"), (embedded.kind.is_some(), "kind")];
    set.iter()
        .filter(|(is_set, _)| *is_set)
        .map(|(_, field)| {
            let at = format!("taskSpec.{field}");
            Errors::generic(format!("{at} cannot be specified when using taskSpec.steps"), &[&at])
        })
        .collect()
}

fn workspace_declarations(spec: &PipelineSpec) -> Errors {
    let mut seen = BTreeSet::new();
    let mut errors = Errors::none();
    for (index, workspace) in spec.workspaces.iter().enumerate() {
        let mut found = Errors::none();
        if workspace.name.is_empty() {
            found.add(Errors::invalid_value(format_args!("workspace {index} has empty name"), ""));
        }
        if !seen.insert(&workspace.name) {
            let name = &workspace.name;
            found.add(Errors::invalid_value(
                format_args!("workspace with name {name:?} appears more than once"),
                "",
            ));
        }
        errors.add(found.via_field_index("workspaces", index));
    }
    errors
}

/// Tasks of a Pipeline bind only workspaces that it declares; a run with an embedded Pipeline may bind its own.
fn declared_workspaces_are_used(spec: &PipelineSpec) -> Errors {
    let declared = spec.workspaces.iter().map(|workspace| workspace.name.as_str()).collect::<BTreeSet<_>>();
    let mut errors = Errors::none();
    for (list, tasks) in [("tasks", &spec.tasks), ("finally", &spec.finally)] {
        for (index, task) in tasks.iter().enumerate() {
            errors.add(task_workspaces(task, &declared).via_field_index(list, index));
        }
    }
    errors
}

fn task_workspaces(task: &PipelineTask, declared: &BTreeSet<&str>) -> Errors {
    let mut seen = BTreeSet::new();
    let mut errors = Errors::none();
    for (index, binding) in task.workspaces.iter().enumerate() {
        let mut found = Errors::none();
        if !seen.insert(&binding.name) {
            found.add(Errors::generic(format!("workspace name {:?} must be unique", binding.name), &[""]));
        }
        let wanted = binding.workspace.as_deref().unwrap_or(&binding.name);
        if !declared.contains(wanted) {
            let task = task.name.as_deref().unwrap_or_default();
            let message = format!(
                "pipeline task {task:?} expects workspace with name {wanted:?} but none exists in pipeline spec"
            );
            found.add(Errors::invalid_value(message, ""));
        }
        errors.add(found.via_field_index("workspaces", index));
    }
    errors
}

fn finally(spec: &PipelineSpec) -> Errors {
    let mut errors = Errors::none();
    if !spec.finally.is_empty() && spec.tasks.is_empty() {
        let count = spec.finally.len();
        let message = format!("spec.tasks is empty but spec.finally has {count} tasks");
        errors.add(Errors::invalid_value(message, "finally"));
    }
    for (index, task) in spec.finally.iter().enumerate().filter(|(_, task)| !task.run_after.is_empty()) {
        let name = task.name.as_deref().unwrap_or_default();
        let message =
            format!("no runAfter allowed under spec.finally, final task {name} has runAfter specified");
        errors.add(Errors::invalid_value(message, "").via_field_index("finally", index));
    }
    errors
}
