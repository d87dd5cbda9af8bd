//! Variables, references and the graph of a Pipeline's spec.
//! Source: Tekton's `pipeline_validation.go`.

use std::collections::BTreeSet;

use api::apis::Errors;
use api::tekton::v1::{Param, ParamValue, PipelineResult, PipelineSpec, PipelineTask, WhenExpression};

use super::variables::{Known, unknown};
use super::{steps, texts_of};
use crate::pipeline_run::graph;
use crate::substitution::{
    expressions, isolated, looks_like_result_ref, param_expressions, result_refs, when_expressions,
};

/// Checks what does not depend on where the spec is written. Paths are relative to it.
pub(super) fn of_spec(spec: &PipelineSpec) -> Errors {
    let mut errors = Errors::none();
    if let Err(error) = graph(&spec.tasks) {
        errors.add(Errors::invalid_value(error, "tasks"));
    }
    let tasks = Names::of(spec);
    for (list, in_list) in [("tasks", &spec.tasks), ("finally", &spec.finally)] {
        for (index, task) in in_list.iter().enumerate() {
            let mut found = contexts(task).also(prefixes(task));
            found.add(if list == "tasks" { no_execution_status(task) } else { finally(task, &tasks) });
            if let Some(embedded) = &task.task_spec {
                found.add(steps::of_task_spec(&embedded.task_spec).via_field("taskSpec"));
            }
            errors.add(found.via_field_index(list, index));
        }
    }
    for (index, result) in spec.results.iter().enumerate() {
        errors.add(pipeline_result(result, &tasks).via_field("value").via_field_index("results", index));
    }
    errors
}

/// The names of tasks, by where they are.
struct Names<'a> {
    tasks: BTreeSet<&'a str>,
    finally: BTreeSet<&'a str>,
}

impl<'a> Names<'a> {
    fn of(spec: &'a PipelineSpec) -> Self {
        let names =
            |tasks: &'a [PipelineTask]| tasks.iter().filter_map(|task| task.name.as_deref()).collect();
        Self { tasks: names(&spec.tasks), finally: names(&spec.finally) }
    }
}

/// Calls `check` for the expressions of each param and each `when` expression that has any.
fn each(task: &PipelineTask, check: impl Fn(&[&str]) -> Errors) -> Errors {
    let mut errors = Errors::none();
    for param in &task.params {
        let found = param_expressions(&param.value);
        if !found.is_empty() {
            errors.add(check(&found).via_field("value").via_field_key("params", &param.name));
        }
    }
    for (index, when) in task.when.iter().enumerate() {
        let found = when_expressions(when);
        if !found.is_empty() {
            errors.add(check(&found).via_field_index("when", index));
        }
    }
    errors
}

fn contexts(task: &PipelineTask) -> Errors {
    let run = |name: &str| matches!(name, "name" | "namespace" | "uid");
    let mut errors = Errors::none();
    for param in &task.params {
        for text in texts_of(&param.value) {
            let found = unknown(text, "context.pipelineRun", run)
                .also(unknown(text, "context.pipeline", |name| name == "name"))
                .also(unknown(text, "context.pipelineTask", |name| name == "retries"));
            errors.add(found.via_field("value").via_field_key("params", &param.name));
        }
    }
    errors
}

fn prefixes(task: &PipelineTask) -> Errors {
    const PREFIXES: [&str; 6] = ["params", "tasks", "finally", "context", "workspaces", "results"];
    each(task, |found| {
        let wrong = found.iter().filter(|one| !PREFIXES.contains(&one.split('.').next().unwrap_or_default()));
        let errors = wrong.map(|one| {
            let variable = format!("$({one})");
            Errors::invalid_value(
                format_args!(
                    "invalid variable reference {variable:?}, must start with a valid prefix: params, tasks, finally, context, workspaces, or results; if you meant a shell variable, use ${{VAR}} instead"
                ),
                "",
            )
        });
        errors.collect()
    })
}

/// The task whose status or reason an expression names; empty for all of them together.
fn execution_status(expression: &str) -> Option<&str> {
    if expression == "tasks.status" {
        return Some("");
    }
    let name = expression.strip_prefix("tasks.")?;
    name.strip_suffix(".status").or_else(|| name.strip_suffix(".reason"))
}

fn no_execution_status(task: &PipelineTask) -> Errors {
    each(task, |found| {
        let results = found.iter().any(|one| looks_like_result_ref(one));
        if results || !found.iter().any(|one| execution_status(one).is_some()) {
            return Errors::none();
        }
        Errors::invalid_value(
            "pipeline tasks can not refer to execution status of any other pipeline task or aggregate status of tasks",
            "",
        )
    })
}

fn finally(task: &PipelineTask, names: &Names<'_>) -> Errors {
    each(task, |found| {
        let mut errors = Errors::none();
        if !found.iter().any(|one| looks_like_result_ref(one)) {
            let unknown =
                found.iter().filter_map(|one| execution_status(one)).filter(|name| !name.is_empty());
            for name in unknown.filter(|name| !names.tasks.contains(name)) {
                let message = format!("pipeline task {name} is not defined in the pipeline");
                errors.add(Errors::invalid_value(message, ""));
            }
        }
        for reference in result_refs(found.iter().copied()) {
            let name = reference.task.as_str();
            if names.finally.contains(name) {
                errors.add(Errors::invalid_value(
                    format_args!("invalid task result reference, final task has task result reference from a final task {name}"),
                    "",
                ));
            } else if !names.tasks.contains(name) {
                errors.add(Errors::invalid_value(
                    format_args!(
                        "invalid task result reference, final task has task result reference from a task {name} which is not defined in the pipeline"
                    ),
                    "",
                ));
            }
        }
        errors
    })
}

fn pipeline_result(result: &PipelineResult, names: &Names<'_>) -> Errors {
    let found = param_expressions(&result.value);
    let mut errors = Errors::none();
    if found.is_empty() {
        let message = "expected pipeline results to be task result expressions but no expressions were found";
        errors.add(Errors::invalid_value(message, ""));
    }
    let references: Vec<&str> = found.iter().copied().filter(|one| looks_like_result_ref(one)).collect();
    if references.is_empty() {
        let message =
            "expected pipeline results to be task result expressions but an invalid expressions was found";
        errors.add(Errors::invalid_value(message, ""));
    }
    let read = result_refs(references.iter().copied());
    if read.len() != references.len() {
        errors.add(Errors::invalid_value(
            format_args!(
                "expected all of the expressions [{}] to be result expressions but only {} were",
                references.join(" "),
                read.len()
            ),
            "",
        ));
    }
    let missing = references.iter().zip(&read).any(|(expression, reference)| {
        let names = if expression.starts_with("finally.") { &names.finally } else { &names.tasks };
        !names.contains(reference.task.as_str())
    });
    if missing {
        errors.add(Errors::invalid_value("referencing a nonexistent task", ""));
    }
    errors
}

/// Checks that every param named by tasks is declared, and fits its place.
pub(super) fn declared(spec: &PipelineSpec, known: &Known<'_>) -> Errors {
    let mut errors = Errors::none();
    for (list, tasks) in [("tasks", &spec.tasks), ("finally", &spec.finally)] {
        for (index, task) in tasks.iter().enumerate() {
            let mut found: Errors = task.params.iter().map(|param| of_param(param, known)).collect();
            for (at, when) in task.when.iter().enumerate() {
                found.add(of_when(when, known).via_field_index("when", at));
            }
            errors.add(found.via_field_index(list, index));
        }
    }
    errors
}

fn of_text(text: &str, known: &Known<'_>) -> Errors {
    known.unknown(text).also(known.objects(text)).also(known.no_arrays(text))
}

fn of_element(text: &str, known: &Known<'_>) -> Errors {
    known.unknown(text).also(known.objects(text)).also(known.isolated_arrays(text))
}

fn of_param(param: &Param, known: &Known<'_>) -> Errors {
    let found = match &param.value {
        ParamValue::String(text) if is_whole(text) => known.unknown(text),
        ParamValue::String(text) => of_text(text, known),
        ParamValue::Array(items) => {
            let items = items.iter().enumerate();
            items.map(|(index, item)| of_element(item, known).via_field_index("value", index)).collect()
        }
        ParamValue::Object(fields) => {
            let fields = fields.iter();
            fields.map(|(key, text)| of_text(text, known).via_field_key("properties", key)).collect()
        }
    };
    found.via_field_key("params", &param.name)
}

/// Whether a text names a whole array or object, and nothing else.
fn is_whole(text: &str) -> bool {
    isolated(text).is_some_and(|key| key.starts_with("params") && key.ends_with("[*]"))
}

fn of_when(when: &WhenExpression, known: &Known<'_>) -> Errors {
    let mut errors = of_text(when.input.as_deref().unwrap_or_default(), known).via_field("input");
    for value in &when.values {
        let name = expressions(value).next().and_then(|one| one.strip_prefix("params.")?.strip_suffix("[*]"));
        let is_array = name.is_some_and(|name| known.is_array(name));
        let found = if is_array { of_element(value, known) } else { of_text(value, known) };
        errors.add(found.via_field("values"));
    }
    errors
}
