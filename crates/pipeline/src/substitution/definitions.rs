//! Replacement in whole definitions: the spec of a Task, a task of a Pipeline, any other object.
//! Objects are walked in their JSON form, so that no field is forgotten; the few places that are not texts to be
//! replaced, or that take arrays, are named here.
//! Source: Tekton's `container` package and `ApplyReplacements` of both reconcilers.

use api::tekton::v1::{PipelineTask, PipelineTaskOnError, TaskSpec};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::params::replacements_of_params;
use super::text::{Replacements, Scope};
use super::values::{replace_value, replace_when};

/// Replaces in every text of an object except its keys.
pub(crate) fn replace_in_leaves<T: Serialize + DeserializeOwned>(object: &mut T, scope: Scope<'_>) {
    rewrite(object, |json| leaves(json, &[scope]));
}

/// The passes over a Task's spec, in order; values that a pass brings in are seen by the later ones.
#[derive(Default)]
pub(crate) struct Passes<'a> {
    /// Over everything.
    pub(crate) first: Vec<Scope<'a>>,
    /// Then over each step, with values of its own, by index.
    pub(crate) own: Vec<Replacements>,
    /// Then over everything.
    pub(crate) last: Vec<Scope<'a>>,
}

/// Replaces in the spec of a Task.
pub(crate) fn replace_in_task_spec(spec: &mut TaskSpec, passes: &Passes<'_>) {
    let scopes: Vec<Scope<'_>> = passes.first.iter().chain(&passes.last).copied().collect();
    rewrite(spec, |json| {
        let Value::Object(fields) = json else { return };
        let scopes = scopes.as_slice();
        for (key, value) in fields {
            match (key.as_str(), value) {
                ("steps", Value::Array(steps)) => {
                    for (index, step) in steps.iter_mut().enumerate() {
                        let own = passes.own.get(index).map(Replacements::scope);
                        let scopes: Vec<Scope<'_>> = passes
                            .first
                            .iter()
                            .copied()
                            .chain(own)
                            .chain(passes.last.iter().copied())
                            .collect();
                        container(step, &scopes);
                    }
                }
                ("sidecars", Value::Array(sidecars)) => {
                    sidecars.iter_mut().for_each(|one| container(one, scopes))
                }
                ("stepTemplate", template) => container(template, scopes),
                ("volumes", volumes) => leaves(volumes, scopes),
                ("workspaces", Value::Array(workspaces)) => {
                    let paths = workspaces.iter_mut().filter_map(|workspace| workspace.get_mut("mountPath"));
                    paths.for_each(|path| leaves(path, scopes));
                }
                _ => {}
            }
        }
    });
}

/// Replaces in a task of a Pipeline; its own params hide outer ones of the same name inside its embedded spec.
pub(crate) fn replace_in_pipeline_task(task: &mut PipelineTask, values: &Replacements) {
    let scope = values.scope();
    for param in &mut task.params {
        param.value = replace_value(&param.value, scope);
    }
    for workspace in &mut task.workspaces {
        if let Some(sub_path) = &mut workspace.sub_path {
            scope.replace_in(sub_path);
        }
    }
    if let Some(name) = &mut task.display_name {
        scope.replace_in(name);
    }
    replace_when(&mut task.when, scope);
    if let Some(reference) = &mut task.task_ref {
        for param in &mut reference.params {
            param.value = replace_value(&param.value, scope);
        }
        if let Some(name) = &mut reference.name {
            scope.replace_in(name);
        }
    }
    if let Some(on_error) = &mut task.on_error {
        *on_error = PipelineTaskOnError::from(scope.replace(on_error.as_str()));
    }
    if let Some(embedded) = &mut task.task_spec {
        let own = task.params.iter().filter(|param| is_named(values, &param.name));
        let own = replacements_of_params(own);
        let passes = Passes { first: vec![values.under(&own)], ..Passes::default() };
        replace_in_task_spec(&mut embedded.task_spec, &passes);
    }
}

fn is_named(values: &Replacements, param: &str) -> bool {
    let key = format!("params.{param}");
    values.strings.contains_key(&key) || values.arrays.contains_key(&key) || values.objects.contains_key(&key)
}

/// Changes an object in its JSON form. An object that cannot be read back is left as it was: no value of a variable may
/// make it unreadable, because only texts change.
fn rewrite<T: Serialize + DeserializeOwned>(object: &mut T, change: impl FnOnce(&mut Value)) {
    let Ok(mut json) = serde_json::to_value(&*object) else { return };
    if !mentions_variables(&json) {
        return;
    }
    change(&mut json);
    if let Ok(changed) = serde_json::from_value(json) {
        *object = changed;
    }
}

fn mentions_variables(json: &Value) -> bool {
    match json {
        Value::String(text) => text.contains("$("),
        Value::Array(items) => items.iter().any(mentions_variables),
        Value::Object(fields) => fields.values().any(mentions_variables),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn leaves(json: &mut Value, scopes: &[Scope<'_>]) {
    match json {
        Value::String(text) => scopes.iter().for_each(|scope| scope.replace_in(text)),
        Value::Array(items) => items.iter_mut().for_each(|item| leaves(item, scopes)),
        Value::Object(fields) => fields.values_mut().for_each(|value| leaves(value, scopes)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// A step, a sidecar or the template of steps.
fn container(json: &mut Value, scopes: &[Scope<'_>]) {
    let Value::Object(fields) = json else { return };
    for (key, value) in fields {
        match (key.as_str(), value) {
            ("command" | "args", Value::Array(items)) => expand(items, scopes),
            ("when", Value::Array(expressions)) => {
                expressions.iter_mut().filter_map(Value::as_object_mut).for_each(|one| when(one, scopes));
            }
            ("params", Value::Array(params)) => {
                for value in params.iter_mut().filter_map(|param| param.get_mut("value")) {
                    let replaced =
                        scopes.iter().fold(api::tekton::v1::ParamValue::from_json(value), |value, scope| {
                            replace_value(&value, *scope)
                        });
                    *value = replaced.to_json();
                }
            }
            ("results" | "displayName" | "timeout", _) => {}
            (_, value) => leaves(value, scopes),
        }
    }
}

fn expand(items: &mut Vec<Value>, scopes: &[Scope<'_>]) {
    for scope in scopes {
        let expanded = std::mem::take(items).into_iter().flat_map(|item| match item {
            Value::String(text) => scope.expand(&text).into_iter().map(Value::from).collect(),
            other => vec![other],
        });
        *items = expanded.collect();
    }
}

fn when(fields: &mut Map<String, Value>, scopes: &[Scope<'_>]) {
    let Ok(expression) = serde_json::from_value(Value::Object(fields.clone())) else { return };
    let mut expressions = [expression];
    for scope in scopes {
        replace_when(&mut expressions, *scope);
    }
    if let Ok(Value::Object(replaced)) = serde_json::to_value(&expressions[0]) {
        *fields = replaced;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn values() -> Replacements {
        let mut values = Replacements::of_strings([
            ("params.a", "1"),
            ("params.l[0]", "x"),
            ("params.later", "$(context.taskRun.name)"),
        ]);
        values.arrays.insert("params.l".to_owned(), vec!["x".to_owned(), "y".to_owned()]);
        values
    }

    fn replaced(spec: Value) -> Value {
        let mut spec: TaskSpec = serde_json::from_value(spec).unwrap();
        let (params, context) = (values(), Replacements::of_strings([("context.taskRun.name", "run")]));
        let own = vec![Replacements::of_strings([("step.results.r.path", "/step/0")])];
        replace_in_task_spec(
            &mut spec,
            &Passes { first: vec![params.scope()], own, last: vec![context.scope()] },
        );
        serde_json::to_value(spec).unwrap()
    }

    #[test]
    fn every_text_of_a_step_is_replaced_and_lists_take_arrays() {
        assert_eq!(
            replaced(json!({
                "params": [{ "name": "p", "default": "$(params.a)" }],
                "results": [{ "name": "r", "value": "$(params.a)" }],
                "steps": [{
                    "name": "one", "image": "i:$(params.a)", "args": ["$(params.l[*])", "-$(params.a)"],
                    "env": [{ "name": "E", "value": "$(params.later)" }],
                    "envFrom": [{ "configMapRef": { "name": "c$(params.a)" } }],
                    "when": [{ "input": "$(params.a)", "operator": "in", "values": ["$(params.l[*])"] }],
                    "script": "echo $(params.a) > $(step.results.r.path)",
                }],
                "volumes": [{ "name": "v", "secret": { "secretName": "s$(params.a)" } }],
                "workspaces": [{ "name": "w", "mountPath": "/$(params.a)", "description": "$(params.a)" }],
            })),
            json!({
                "params": [{ "name": "p", "default": "$(params.a)" }],
                "results": [{ "name": "r", "value": "$(params.a)" }],
                "steps": [{
                    "name": "one", "image": "i:1", "args": ["x", "y", "-1"],
                    "env": [{ "name": "E", "value": "run" }],
                    "envFrom": [{ "configMapRef": { "name": "c1" } }],
                    "when": [{ "input": "1", "operator": "in", "values": ["x", "y"] }],
                    "script": "echo 1 > /step/0",
                }],
                "volumes": [{ "name": "v", "secret": { "secretName": "s1" } }],
                "workspaces": [{ "name": "w", "mountPath": "/1", "description": "$(params.a)" }],
            })
        );
    }

    #[test]
    fn own_params_hide_outer_ones_in_an_embedded_spec() {
        let mut task: PipelineTask = serde_json::from_value(json!({
            "name": "t",
            "params": [{ "name": "a", "value": "inner-$(params.a)" }, { "name": "own", "value": "o" }],
            "taskSpec": { "steps": [{ "image": "i", "script": "$(params.a) $(params.own) $(params.l[0])" }] },
        }))
        .unwrap();
        replace_in_pipeline_task(&mut task, &values());
        let script = task.task_spec.unwrap().task_spec.steps[0].script.clone();
        assert_eq!(script.as_deref(), Some("inner-1 $(params.own) x"));
    }
}
