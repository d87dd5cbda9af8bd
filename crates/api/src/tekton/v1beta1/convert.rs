//! Turns objects of `tekton.dev/v1beta1` into `v1` and back, on JSON, so that unknown fields survive.
//! Fields with another name are renamed; fields that `v1` lacks are kept in annotations.
//! Invariant: from `v1beta1` to `v1` and back gives the same object, except for `timeout` (which comes back as
//! `timeouts.pipeline`), `bundle` (which comes back as the resolver `bundles`) and what Tekton itself forgets.

use serde_json::{Value, json};

use super::schema::CONTAINER_FIELDS;
use super::stash::{
    CLOUD_EVENTS, Fields, RESOURCES, RESOURCES_RESULT, RESOURCES_STATUS, Stash, Way, child, child_or_new,
    children,
};

pub(crate) fn task_to_v1(object: Value) -> Result<Value, String> {
    convert(object, Way::ToV1, task)
}

pub(crate) fn task_from_v1(object: Value) -> Result<Value, String> {
    convert(object, Way::FromV1, task)
}

pub(crate) fn pipeline_to_v1(object: Value) -> Result<Value, String> {
    convert(object, Way::ToV1, pipeline)
}

pub(crate) fn pipeline_from_v1(object: Value) -> Result<Value, String> {
    convert(object, Way::FromV1, pipeline)
}

pub(crate) fn task_run_to_v1(object: Value) -> Result<Value, String> {
    convert(object, Way::ToV1, task_run)
}

pub(crate) fn task_run_from_v1(object: Value) -> Result<Value, String> {
    convert(object, Way::FromV1, task_run)
}

pub(crate) fn pipeline_run_to_v1(object: Value) -> Result<Value, String> {
    convert(object, Way::ToV1, pipeline_run)
}

pub(crate) fn pipeline_run_from_v1(object: Value) -> Result<Value, String> {
    convert(object, Way::FromV1, pipeline_run)
}

type Body = fn(&mut Fields, Way, &mut Stash) -> Result<(), String>;

fn convert(object: Value, way: Way, body: Body) -> Result<Value, String> {
    let Value::Object(mut object) = object else { return Err("an object is expected".to_owned()) };
    let version = if way == Way::ToV1 { "tekton.dev/v1" } else { "tekton.dev/v1beta1" };
    object.insert("apiVersion".to_owned(), Value::from(version));
    let mut stash = Stash::take(&mut object)?;
    body(&mut object, way, &mut stash)?;
    stash.put_back(&mut object);
    Ok(Value::Object(object))
}

fn task(object: &mut Fields, way: Way, stash: &mut Stash) -> Result<(), String> {
    let Some(spec) = child(object, "spec") else { return Ok(()) };
    stash.swap(spec, "resources", RESOURCES, way);
    let name = stash.name.clone();
    task_spec(spec, way, &name, stash)
}

fn task_run(object: &mut Fields, way: Way, stash: &mut Stash) -> Result<(), String> {
    let name = stash.name.clone();
    if let Some(status) = child(object, "status") {
        stash.swap(status, "cloudEvents", CLOUD_EVENTS, way);
        stash.swap(status, "resourcesResult", RESOURCES_RESULT, way);
        task_run_status(status, way);
        if let Some(spec) = child(status, "taskSpec") {
            stash.swap(spec, "resources", RESOURCES_STATUS, way);
            // The specification in the status repeats the one that the stash belongs to.
            task_spec(spec, way, "", &mut Stash::default())?;
        }
    }
    let Some(spec) = child(object, "spec") else { return Ok(()) };
    stash.swap(spec, "resources", RESOURCES, way);
    overrides(spec, way);
    if let Some(reference) = child(spec, "taskRef") {
        bundle(reference, "task", way);
    }
    match child(spec, "taskSpec") {
        Some(spec) => task_spec(spec, way, &name, stash),
        None => Ok(()),
    }
}

fn task_run_status(status: &mut Fields, way: Way) {
    rename(status, "taskResults", "results", way);
    if way == Way::ToV1 {
        provenance(status);
    }
    for attempt in children(status, "retriesStatus") {
        task_run_status(attempt, way);
        if let Some(spec) = child(attempt, "taskSpec") {
            let mut none = Stash::default();
            // Without a stash there is nothing that could fail.
            let _ = task_spec(spec, way, "", &mut none);
        }
    }
}

fn pipeline(object: &mut Fields, way: Way, stash: &mut Stash) -> Result<(), String> {
    let Some(spec) = child(object, "spec") else { return Ok(()) };
    stash.swap(spec, "resources", RESOURCES, way);
    pipeline_spec(spec, way, stash)
}

fn pipeline_run(object: &mut Fields, way: Way, stash: &mut Stash) -> Result<(), String> {
    if let Some(status) = child(object, "status") {
        rename(status, "pipelineResults", "results", way);
        if way == Way::ToV1 {
            status.remove("taskRuns");
            status.remove("runs");
            provenance(status);
        }
        if let Some(spec) = child(status, "pipelineSpec") {
            let mut none = Stash::default();
            pipeline_spec(spec, way, &mut none)?;
        }
    }
    let Some(spec) = child(object, "spec") else { return Ok(()) };
    stash.swap(spec, "resources", RESOURCES, way);
    if let Some(reference) = child(spec, "pipelineRef") {
        bundle(reference, "pipeline", way);
    }
    run_template(spec, way);
    for settings in children(spec, "taskRunSpecs") {
        overrides(settings, way);
        rename(settings, "taskServiceAccountName", "serviceAccountName", way);
        rename(settings, "taskPodTemplate", "podTemplate", way);
    }
    match child(spec, "pipelineSpec") {
        Some(spec) => pipeline_spec(spec, way, stash),
        None => Ok(()),
    }
}

/// `serviceAccountName`, `podTemplate` and `timeout` of a run are `taskRunTemplate` and `timeouts` in `v1`.
fn run_template(spec: &mut Fields, way: Way) {
    const TEMPLATE: [&str; 2] = ["serviceAccountName", "podTemplate"];
    match way {
        Way::ToV1 => {
            let moved = TEMPLATE.iter().filter_map(|field| spec.remove_entry(*field)).collect::<Fields>();
            if !moved.is_empty()
                && let Some(template) = child_or_new(spec, "taskRunTemplate")
            {
                template.extend(moved);
            }
            if let Some(timeout) = spec.remove("timeout").filter(|timeout| !timeout.is_null()) {
                spec.insert("timeouts".to_owned(), json!({ "pipeline": timeout }));
            }
        }
        Way::FromV1 => {
            if let Some(Value::Object(template)) = spec.remove("taskRunTemplate") {
                spec.extend(template);
            }
        }
    }
}

fn pipeline_spec(spec: &mut Fields, way: Way, stash: &mut Stash) -> Result<(), String> {
    if way == Way::ToV1 {
        spec.remove("resources");
    }
    for list in ["tasks", "finally"] {
        for task in children(spec, list) {
            if way == Way::ToV1 {
                task.remove("resources");
            }
            let name = task.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
            if let Some(reference) = child(task, "taskRef") {
                bundle(reference, "task", way);
            }
            if let Some(reference) = child(task, "pipelineRef") {
                bundle(reference, "pipeline", way);
            }
            if let Some(spec) = child(task, "taskSpec") {
                task_spec(spec, way, &name, stash)?;
            }
            if let Some(spec) = child(task, "pipelineSpec") {
                pipeline_spec(spec, way, stash)?;
            }
        }
    }
    Ok(())
}

fn task_spec(spec: &mut Fields, way: Way, task: &str, stash: &mut Stash) -> Result<(), String> {
    if way == Way::ToV1 {
        spec.remove("resources");
        if let Some(deprecated) = take_deprecated(spec) {
            stash.tasks.insert(task.to_owned(), deprecated);
        }
    }
    for list in ["steps", "sidecars"] {
        for container in children(spec, list) {
            rename(container, "resources", "computeResources", way);
        }
    }
    if let Some(template) = child(spec, "stepTemplate") {
        rename(template, "resources", "computeResources", way);
    }
    match stash.tasks.remove(task) {
        Some(deprecated) if way == Way::FromV1 => give_deprecated(spec, deprecated),
        Some(deprecated) => {
            stash.tasks.insert(task.to_owned(), deprecated);
            Ok(())
        }
        None => Ok(()),
    }
}

/// Takes fields out of steps and the template that `v1` does not have in them.
fn take_deprecated(spec: &mut Fields) -> Option<Value> {
    let take = |fields: &mut Fields, more: &[&str]| {
        CONTAINER_FIELDS.iter().chain(more).filter_map(|name| fields.remove_entry(*name)).collect::<Fields>()
    };
    let steps = children(spec, "steps").map(|step| take(step, &[])).collect::<Vec<_>>();
    let template = child(spec, "stepTemplate").map(|template| take(template, &["name"]));
    let any = steps.iter().chain(&template).any(|fields| !fields.is_empty());
    any.then(|| {
        let mut deprecated = json!({ "deprecatedSteps": steps });
        if let Some(template) = template {
            deprecated["deprecatedStepTemplate"] = Value::Object(template);
        }
        deprecated
    })
}

fn give_deprecated(spec: &mut Fields, mut deprecated: Value) -> Result<(), String> {
    let kept = deprecated["deprecatedSteps"].as_array().cloned().unwrap_or_default();
    let count = spec.get("steps").and_then(Value::as_array).map_or(0, Vec::len);
    if kept.len() != count {
        return Err("length of deserialized steps mismatch the length of target steps".to_owned());
    }
    for (step, kept) in children(spec, "steps").zip(kept) {
        if let Value::Object(kept) = kept {
            step.extend(kept);
        }
    }
    if let Some(Value::Object(kept)) = deprecated.get_mut("deprecatedStepTemplate").map(Value::take)
        && let Some(template) = child_or_new(spec, "stepTemplate")
    {
        template.extend(kept);
    }
    Ok(())
}

/// `stepOverrides[].resources` is `stepSpecs[].computeResources` in `v1`; the same for sidecars.
fn overrides(fields: &mut Fields, way: Way) {
    for (old, new) in [("stepOverrides", "stepSpecs"), ("sidecarOverrides", "sidecarSpecs")] {
        rename(fields, old, new, way);
        let now = if way == Way::ToV1 { new } else { old };
        for settings in children(fields, now) {
            rename(settings, "resources", "computeResources", way);
        }
    }
}

/// A `bundle` is an image that holds definitions; in `v1` a resolver fetches it.
fn bundle(reference: &mut Fields, kind: &str, way: Way) {
    if way == Way::FromV1 {
        return;
    }
    let Some(Value::String(image)) = reference.remove("bundle") else { return };
    if image.is_empty() {
        return;
    }
    let name = reference.remove("name").unwrap_or_default();
    reference.remove("kind");
    reference.insert("resolver".to_owned(), Value::from("bundles"));
    let params = json!([
        { "name": "bundle", "value": image },
        { "name": "name", "value": name },
        { "name": "kind", "value": kind },
    ]);
    reference.insert("params".to_owned(), params);
}

/// `configSource` is the old name of `refSource`.
fn provenance(status: &mut Fields) {
    if let Some(provenance) = child(status, "provenance")
        && let Some(source) = provenance.remove("configSource")
    {
        provenance.entry("refSource").or_insert(source);
    }
}

fn rename(fields: &mut Fields, old: &str, new: &str, way: Way) {
    let (from, to) = if way == Way::ToV1 { (old, new) } else { (new, old) };
    if let Some(value) = fields.remove(from) {
        fields.insert(to.to_owned(), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipeline_run_of_v1beta1_gets_the_new_names_and_back() {
        let old = json!({
            "apiVersion": "tekton.dev/v1beta1",
            "kind": "PipelineRun",
            "metadata": { "name": "r" },
            "spec": {
                "serviceAccountName": "builder",
                "podTemplate": { "nodeSelector": { "a": "b" } },
                "timeouts": { "pipeline": "1h" },
                "resources": [{ "name": "x" }],
                "taskRunSpecs": [{
                    "pipelineTaskName": "t",
                    "taskServiceAccountName": "s",
                    "stepOverrides": [{ "name": "a", "resources": { "limits": { "cpu": "1" } } }],
                }],
                "pipelineSpec": { "tasks": [{
                    "name": "t",
                    "taskSpec": { "steps": [{ "name": "a", "resources": {}, "tty": true }, { "name": "b" }] },
                }] },
            },
            "status": { "pipelineResults": [{ "name": "x", "value": "1" }] },
        });
        let new = pipeline_run_to_v1(old.clone()).unwrap();
        assert_eq!(
            new,
            json!({
                "apiVersion": "tekton.dev/v1",
                "kind": "PipelineRun",
                "metadata": {
                    "name": "r",
                    "annotations": {
                        "tekton.dev/v1beta1Resources": "[{\"name\":\"x\"}]",
                        "tekton.dev/v1beta1.task-deprecations": "{\"t\":{\"deprecatedSteps\":[{\"tty\":true},{}]}}",
                    },
                },
                "spec": {
                    "taskRunTemplate": { "serviceAccountName": "builder", "podTemplate": { "nodeSelector": { "a": "b" } } },
                    "timeouts": { "pipeline": "1h" },
                    "taskRunSpecs": [{
                        "pipelineTaskName": "t",
                        "serviceAccountName": "s",
                        "stepSpecs": [{ "name": "a", "computeResources": { "limits": { "cpu": "1" } } }],
                    }],
                    "pipelineSpec": { "tasks": [{
                        "name": "t",
                        "taskSpec": { "steps": [{ "name": "a", "computeResources": {} }, { "name": "b" }] },
                    }] },
                },
                "status": { "results": [{ "name": "x", "value": "1" }] },
            })
        );
        assert_eq!(pipeline_run_from_v1(new).unwrap(), old);
    }

    #[test]
    fn a_task_run_of_v1beta1_survives_the_round_trip() {
        let old = json!({
            "apiVersion": "tekton.dev/v1beta1",
            "kind": "TaskRun",
            "metadata": { "name": "r", "annotations": { "mine": "1" } },
            "spec": {
                "resources": { "inputs": [{ "name": "git" }] },
                "taskSpec": {
                    "stepTemplate": { "name": "x", "resources": {} },
                    "steps": [{ "image": "i", "ports": [{ "containerPort": 80 }] }],
                    "sidecars": [{ "name": "s", "image": "i", "resources": {} }],
                },
            },
            "status": {
                "cloudEvents": [{ "target": "t" }],
                "taskResults": [{ "name": "x", "value": "1" }],
                "taskSpec": { "resources": { "inputs": [] }, "steps": [] },
            },
        });
        let new = task_run_to_v1(old.clone()).unwrap();
        assert_eq!(new["spec"]["taskSpec"]["steps"], json!([{ "image": "i" }]));
        assert_eq!(new["status"]["results"][0]["name"], "x");
        assert_eq!(task_run_from_v1(new).unwrap(), old);
    }

    #[test]
    fn a_bundle_becomes_a_resolver_and_the_old_timeout_moves() {
        let old = json!({ "spec": {
            "pipelineRef": { "name": "p", "bundle": "registry/bundle:1" },
            "timeout": "10m",
        } });
        assert_eq!(
            pipeline_run_to_v1(old).unwrap()["spec"],
            json!({
                "pipelineRef": { "resolver": "bundles", "params": [
                    { "name": "bundle", "value": "registry/bundle:1" },
                    { "name": "name", "value": "p" },
                    { "name": "kind", "value": "pipeline" },
                ] },
                "timeouts": { "pipeline": "10m" },
            })
        );
    }
}
