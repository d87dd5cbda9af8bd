//! Steps as they run: the step template merged in, resources shared out.
//! Invariant: what a step says itself beats the template.
//! Source: Tekton's `MergeStepsWithStepTemplate`, which is Kubernetes' strategic merge.

use std::collections::BTreeMap;

use api::tekton::v1::{Step, StepTemplate, TaskRunStepSpec};
use k8s_openapi::api::core::v1::ResourceRequirements;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use serde_json::Value;

use crate::quantity;

/// The steps with the template merged in.
pub(super) fn with_template(steps: &[Step], template: Option<&StepTemplate>) -> Vec<Step> {
    let Some(template) = template.and_then(|template| serde_json::to_value(template).ok()) else {
        return steps.to_vec();
    };
    let merged = steps.iter().map(|step| {
        let own = serde_json::to_value(step).unwrap_or_default();
        serde_json::from_value(merge(&template, &own)).unwrap_or_else(|_| step.clone())
    });
    merged.collect()
}

/// The strategic merge of two containers in JSON; `own` wins.
fn merge(template: &Value, own: &Value) -> Value {
    let (Value::Object(template), Value::Object(own)) = (template, own) else {
        return own.clone();
    };
    let mut merged = template.clone();
    for (key, value) in own {
        let value = match (merged.get(key), merge_key(key)) {
            (Some(Value::Array(base)), Some(name)) => {
                merge_lists(base, value.as_array().map_or(&[], Vec::as_slice), name)
            }
            (Some(base @ Value::Object(_)), _) => merge(base, value),
            _ => value.clone(),
        };
        merged.insert(key.clone(), value);
    }
    Value::Object(merged)
}

/// The field that tells elements of a list apart, for lists that are merged and not replaced.
fn merge_key(list: &str) -> Option<&'static str> {
    match list {
        "env" => Some("name"),
        "volumeMounts" => Some("mountPath"),
        "volumeDevices" => Some("devicePath"),
        _ => None,
    }
}

/// Elements of the template that `own` lacks, before those of `own`; but after those that the template has earlier.
fn merge_lists(template: &[Value], own: &[Value], key: &str) -> Value {
    let position =
        |list: &[Value], element: &Value| list.iter().position(|other| other.get(key) == element.get(key));
    let mut rest =
        template.iter().enumerate().filter(|(_, element)| position(own, element).is_none()).peekable();
    let mut merged = Vec::with_capacity(template.len() + own.len());
    for element in own {
        let at = position(template, element);
        while let Some((index, only_in_template)) = rest.peek() {
            if at.is_some_and(|at| at < *index) {
                break;
            }
            merged.push((*only_in_template).clone());
            rest.next();
        }
        merged.push(match at {
            // A variable is one thing: its value and its source are not mixed.
            Some(at) if key != "name" => merge(&template[at], element),
            _ => element.clone(),
        });
    }
    merged.extend(rest.map(|(_, element)| element.clone()));
    Value::Array(merged)
}

/// Applies resources that the run gives for single steps, then those that it gives for all steps together.
pub(super) fn share_resources(
    steps: &mut [Step],
    specs: &[TaskRunStepSpec],
    whole: Option<&ResourceRequirements>,
) {
    let specs: BTreeMap<&str, &ResourceRequirements> =
        specs.iter().map(|spec| (spec.name.as_str(), &spec.compute_resources)).collect();
    for step in steps.iter_mut() {
        if let Some(spec) = step.name.as_deref().and_then(|name| specs.get(name)) {
            let resources = step.compute_resources.get_or_insert_with(ResourceRequirements::default);
            overlay(&mut resources.requests, spec.requests.as_ref());
            overlay(&mut resources.limits, spec.limits.as_ref());
        }
    }
    let Some(whole) = whole.filter(|whole| whole.requests.is_some() || whole.limits.is_some()) else {
        return;
    };
    let count = steps.len();
    for step in steps {
        let resources = step.compute_resources.get_or_insert_with(ResourceRequirements::default);
        let limits_as_requests = resources.requests.is_none() && whole.requests.is_none();
        let requests = if limits_as_requests { &whole.limits } else { &whole.requests };
        resources.requests = requests.as_ref().map(|requests| divided(requests, count));
        resources.limits.clone_from(&whole.limits);
    }
}

fn overlay(base: &mut Option<BTreeMap<String, Quantity>>, over: Option<&BTreeMap<String, Quantity>>) {
    if let Some(over) = over {
        base.get_or_insert_with(BTreeMap::new).extend(over.clone());
    }
}

fn divided(requests: &BTreeMap<String, Quantity>, parts: usize) -> BTreeMap<String, Quantity> {
    requests.iter().map(|(name, value)| (name.clone(), quantity::divided(value, name, parts))).collect()
}

/// The first step that requests more of a resource than it, or the template for it, allows.
pub(super) fn request_above_limit(steps: &[Step], template: Option<&StepTemplate>) -> Option<String> {
    let empty = BTreeMap::new();
    let template_limits = template.and_then(|template| template.compute_resources.as_ref()?.limits.as_ref());
    for resources in steps.iter().filter_map(|step| step.compute_resources.as_ref()) {
        let own_limits = resources.limits.as_ref().unwrap_or(&empty);
        for (name, request) in resources.requests.as_ref().unwrap_or(&empty) {
            let limit = own_limits.get(name).or_else(|| template_limits?.get(name));
            if let Some(limit) = limit.filter(|limit| quantity::exceeds(request, limit)) {
                return Some(format!(
                    "invalid request resource value: {} must be less or equal to limit {}",
                    request.0, limit.0
                ));
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn merged(template: Value, step: Value) -> Value {
        let template: StepTemplate = serde_json::from_value(template).unwrap();
        let step: Step = serde_json::from_value(step).unwrap();
        serde_json::to_value(&with_template(&[step], Some(&template))[0]).unwrap()
    }

    #[test]
    fn a_step_beats_its_template_field_by_field() {
        assert_eq!(
            merged(
                json!({ "image": "base", "command": ["sh"], "workingDir": "/t",
                        "env": [{ "name": "A", "value": "t" }, { "name": "B", "value": "t" }],
                        "securityContext": { "runAsUser": 1, "runAsNonRoot": true },
                        "volumeMounts": [{ "name": "v", "mountPath": "/v", "subPath": "s" }] }),
                json!({ "name": "x", "image": "own", "args": ["-c"],
                        "env": [{ "name": "C", "value": "s" }, { "name": "B", "valueFrom": { "fieldRef": { "fieldPath": "p" } } }],
                        "securityContext": { "runAsUser": 2 },
                        "volumeMounts": [{ "name": "w", "mountPath": "/v" }] }),
            ),
            json!({ "name": "x", "image": "own", "command": ["sh"], "args": ["-c"], "workingDir": "/t",
                    "env": [{ "name": "A", "value": "t" }, { "name": "C", "value": "s" },
                            { "name": "B", "valueFrom": { "fieldRef": { "fieldPath": "p" } } }],
                    "securityContext": { "runAsUser": 2, "runAsNonRoot": true },
                    "volumeMounts": [{ "name": "w", "mountPath": "/v", "subPath": "s" }] })
        );
    }

    #[test]
    fn resources_of_the_run_are_shared_by_its_steps() {
        let mut steps: Vec<Step> = serde_json::from_value(json!([{ "name": "a" }, { "name": "b" }])).unwrap();
        let specs: Vec<TaskRunStepSpec> = serde_json::from_value(
            json!([{ "name": "b", "computeResources": { "requests": { "cpu": "2" } } }]),
        )
        .unwrap();
        share_resources(&mut steps, &specs, None);
        assert_eq!(serde_json::to_value(&steps).unwrap()[1]["computeResources"]["requests"]["cpu"], "2");
        let whole = serde_json::from_value(json!({ "limits": { "cpu": "1", "memory": "2Mi" } })).unwrap();
        let mut steps = vec![Step::default(), Step::default()];
        share_resources(&mut steps, &[], Some(&whole));
        assert_eq!(
            serde_json::to_value(&steps[0].compute_resources).unwrap(),
            json!({ "requests": { "cpu": "500m", "memory": "1Mi" }, "limits": { "cpu": "1", "memory": "2Mi" } })
        );
    }

    #[test]
    fn a_request_above_its_limit_is_refused() {
        let steps: Vec<Step> = serde_json::from_value(
            json!([{ "computeResources": { "requests": { "cpu": "2" }, "limits": { "cpu": "1" } } }]),
        )
        .unwrap();
        assert_eq!(
            request_above_limit(&steps, None).unwrap(),
            "invalid request resource value: 2 must be less or equal to limit 1"
        );
    }
}
