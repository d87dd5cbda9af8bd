//! The hooks of the table meet whatever a client sends: they may refuse it, but they always answer.

use api::resources;
use serde_json::{Value, json};

/// Values that no field expects.
fn oddities() -> Vec<Value> {
    vec![
        Value::Null,
        json!(true),
        json!(-1),
        json!("x"),
        json!([]),
        json!([null, 1, [], {}]),
        json!({}),
        json!({ "name": 1 }),
    ]
}

/// Fields that hooks look into.
const PATHS: &[&[&str]] = &[
    &[],
    &["metadata"],
    &["metadata", "annotations"],
    &["spec"],
    &["status"],
    &["data"],
    &["type"],
    &["spec", "params"],
    &["spec", "steps"],
    &["spec", "stepTemplate"],
    &["spec", "results"],
    &["spec", "workspaces"],
    &["spec", "tasks"],
    &["spec", "taskSpec"],
    &["spec", "taskSpec", "steps"],
    &["spec", "taskRef"],
    &["spec", "timeouts"],
    &["spec", "taskRunTemplate"],
    &["spec", "taskRunSpecs"],
    &["spec", "pipelineSpec", "tasks"],
    &["spec", "containers"],
    &["spec", "volumes"],
    &["spec", "type"],
    &["spec", "resources"],
    &["status", "conditions"],
    &["status", "retriesStatus"],
    &["status", "containerStatuses"],
    &["status", "provenance"],
];

fn nested(path: &[&str], value: Value) -> Value {
    path.iter().rev().fold(value, |inner, field| json!({ *field: inner }))
}

fn run_all_hooks(object: &Value) {
    for row in resources() {
        for version in row.versions {
            let Ok(mut stored) = (version.to_storage)(object.clone()) else { continue };
            (row.default)(&mut stored);
            for column in row.columns {
                if let api::table::Cell::Compute(cell) = column.cell {
                    cell(&stored);
                }
            }
            let _ = (row.validate)(&stored, None);
            let _ = (row.validate)(&stored, Some(&json!({ "spec": { "type": 1, "containers": [] } })));
            let _ = (version.from_storage)(stored);
        }
    }
}

#[test]
fn every_hook_answers_to_every_malformed_object() {
    for path in PATHS {
        for value in oddities() {
            run_all_hooks(&nested(path, value.clone()));
            run_all_hooks(&nested(path, json!([value])));
        }
    }
}

#[test]
fn annotations_of_the_old_version_may_hold_anything() {
    for text in ["", "1", "[]", "{", "{\"x\": 1}", "{\"x\": {\"deprecatedSteps\": [1]}}", "{\"x\": []}"] {
        run_all_hooks(&json!({
            "metadata": { "name": "x", "annotations": {
                "tekton.dev/v1beta1.task-deprecations": text,
                "tekton.dev/v1beta1Resources": text,
            } },
            "spec": { "steps": [{}], "taskSpec": { "steps": [{}] }, "tasks": [{ "name": "x", "taskSpec": { "steps": [] } }] },
        }));
    }
}
