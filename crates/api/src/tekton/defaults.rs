//! What Tekton's defaulting webhook fills in, on JSON.
//! Settings that Tekton takes from its ConfigMaps have its own default values here.
//! Invariant: applying it twice changes nothing.

use serde_json::{Map, Value};

use super::v1::ParamValue;
use crate::core::default_text;

/// How long a run may take when it does not say: one hour.
const TIMEOUT: &str = "1h0m0s";
/// The service account of a run that names none.
const SERVICE_ACCOUNT: &str = "default";

/// The label that says who made a run, and the value that Tekton gives it.
const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
const MANAGER: &str = "tekton-pipelines";

type Fields = Map<String, Value>;

pub(super) fn task(object: &mut Value) {
    if let Some(spec) = spec(object) {
        task_spec(spec);
    }
}

pub(super) fn pipeline(object: &mut Value) {
    if let Some(spec) = spec(object) {
        pipeline_spec(spec);
    }
}

pub(super) fn task_run(object: &mut Value) {
    let metadata = object.get_mut("metadata").and_then(Value::as_object_mut);
    if let Some(labels) = metadata.and_then(|metadata| child_or_new(metadata, "labels")) {
        default_text(labels, MANAGED_BY, MANAGER);
    }
    let Some(spec) = spec(object) else { return };
    default_text(spec, "timeout", TIMEOUT);
    default_text(spec, "serviceAccountName", SERVICE_ACCOUNT);
    if let Some(reference) = child(spec, "taskRef") {
        task_ref(reference);
    }
    if let Some(spec) = child(spec, "taskSpec") {
        task_spec(spec);
    }
}

pub(super) fn pipeline_run(object: &mut Value) {
    let Some(spec) = spec(object) else { return };
    if let Some(timeouts) = child_or_new(spec, "timeouts") {
        default_text(timeouts, "pipeline", TIMEOUT);
    }
    if let Some(template) = child_or_new(spec, "taskRunTemplate") {
        default_text(template, "serviceAccountName", SERVICE_ACCOUNT);
    }
    if let Some(spec) = child(spec, "pipelineSpec") {
        pipeline_spec(spec);
    }
}

pub(super) fn custom_run(object: &mut Value) {
    if let Some(spec) = spec(object) {
        default_text(spec, "serviceAccountName", SERVICE_ACCOUNT);
    }
}

pub(super) fn step_action(object: &mut Value) {
    let Some(spec) = spec(object) else { return };
    children(spec, "params").for_each(param_spec);
    children(spec, "results").for_each(result);
}

pub(super) fn verification_policy(object: &mut Value) {
    let Some(spec) = spec(object) else { return };
    for authority in children(spec, "authorities") {
        if let Some(key) = child(authority, "key") {
            default_text(key, "hashAlgorithm", "sha256");
        }
    }
}

fn task_spec(spec: &mut Fields) {
    children(spec, "params").for_each(param_spec);
    children(spec, "results").for_each(result);
}

fn pipeline_spec(spec: &mut Fields) {
    children(spec, "params").for_each(param_spec);
    for list in ["tasks", "finally"] {
        for task in children(spec, list) {
            if let Some(reference) = child(task, "taskRef") {
                task_ref(reference);
            }
            if let Some(spec) = child(task, "taskSpec") {
                task_spec(spec);
            }
            if let Some(spec) = child(task, "pipelineSpec") {
                pipeline_spec(spec);
            }
        }
    }
}

/// A reference without a resolver is to a Task, unless it says otherwise.
fn task_ref(reference: &mut Fields) {
    if text(reference, "resolver").is_empty() {
        default_text(reference, "kind", "Task");
    }
}

/// The type of a param follows from its properties or its default value.
fn param_spec(param: &mut Fields) {
    let has_properties = param.get("properties").is_some_and(Value::is_object);
    let kind = match param.get("default") {
        _ if has_properties => "object".to_owned(),
        None | Some(Value::Null) => "string".to_owned(),
        Some(value) => ParamValue::from_json(value).kind().to_string(),
    };
    default_text(param, "type", &kind);
    properties(param);
}

fn result(result: &mut Fields) {
    let has_properties = result.get("properties").is_some_and(Value::is_object);
    default_text(result, "type", if has_properties { "object" } else { "string" });
    properties(result);
}

fn properties(fields: &mut Fields) {
    let properties = child(fields, "properties").into_iter().flat_map(Map::values_mut);
    for property in properties.filter_map(Value::as_object_mut) {
        default_text(property, "type", "string");
    }
}

fn spec(object: &mut Value) -> Option<&mut Fields> {
    object.get_mut("spec")?.as_object_mut()
}

fn text<'a>(fields: &'a Fields, name: &str) -> &'a str {
    fields.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn child<'a>(fields: &'a mut Fields, name: &str) -> Option<&'a mut Fields> {
    fields.get_mut(name)?.as_object_mut()
}

fn child_or_new<'a>(fields: &'a mut Fields, name: &str) -> Option<&'a mut Fields> {
    let child = fields.entry(name).or_insert(Value::Null);
    if child.is_null() {
        *child = Value::Object(Map::new());
    }
    child.as_object_mut()
}

fn children<'a>(fields: &'a mut Fields, name: &str) -> impl Iterator<Item = &'a mut Fields> {
    fields.get_mut(name).and_then(Value::as_array_mut).into_iter().flatten().filter_map(Value::as_object_mut)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_task_run_gets_an_hour_an_account_and_a_kind() {
        let mut run = json!({ "spec": { "taskRef": { "name": "build" } } });
        task_run(&mut run);
        assert_eq!(
            run["spec"],
            json!({
                "serviceAccountName": "default",
                "taskRef": { "kind": "Task", "name": "build" },
                "timeout": "1h0m0s",
            })
        );
    }

    #[test]
    fn a_pipeline_run_keeps_its_own_limits_and_gets_the_missing_one() {
        let mut run = json!({ "spec": { "timeouts": { "tasks": "10m" } } });
        pipeline_run(&mut run);
        let once = run.clone();
        pipeline_run(&mut run);
        assert_eq!(run, once);
        assert_eq!(
            run["spec"],
            json!({
                "taskRunTemplate": { "serviceAccountName": "default" },
                "timeouts": { "pipeline": "1h0m0s", "tasks": "10m" },
            })
        );
    }

    #[test]
    fn the_type_of_a_param_follows_from_what_it_has() {
        let cases = [
            (json!({}), "string"),
            (json!({ "default": "a" }), "string"),
            (json!({ "default": 1 }), "string"),
            (json!({ "default": ["a"] }), "array"),
            (json!({ "default": { "a": "b" } }), "object"),
            (json!({ "properties": { "a": {} } }), "object"),
            (json!({ "type": "array", "default": "a" }), "array"),
        ];
        for (param, expected) in cases {
            let mut task_object = json!({ "spec": { "params": [param] } });
            task(&mut task_object);
            let param = &task_object["spec"]["params"][0];
            assert_eq!(param["type"], expected, "{param}");
        }
    }

    #[test]
    fn keys_of_objects_are_strings() {
        let mut object = json!({ "spec": { "results": [{ "name": "r", "properties": { "a": {} } }] } });
        task(&mut object);
        assert_eq!(
            object["spec"]["results"],
            json!([{ "name": "r", "type": "object", "properties": { "a": { "type": "string" } } }])
        );
    }
}
