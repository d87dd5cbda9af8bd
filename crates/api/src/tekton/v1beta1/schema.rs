//! Schemas of the kinds that `v1beta1` shares with `v1`: those of `v1`, with the differences.
//! Invariant: each difference that [`super::convert`] handles is here, and no other.

use serde_json::{Map, Value, json};

use crate::schema;
use crate::tekton::v1;

/// The schema of a Task.
pub(crate) fn task() -> Value {
    older(schema::of::<v1::Task>())
}

/// The schema of a Pipeline.
pub(crate) fn pipeline() -> Value {
    older(schema::of::<v1::Pipeline>())
}

/// The schema of a TaskRun.
pub(crate) fn task_run() -> Value {
    older(schema::of::<v1::TaskRun>())
}

/// The schema of a PipelineRun.
pub(crate) fn pipeline_run() -> Value {
    older(schema::of::<v1::PipelineRun>())
}

/// Fields with another name: type, name in `v1`, name in `v1beta1`.
const RENAMED: &[(&str, &str, &str)] = &[
    ("Step", "computeResources", "resources"),
    ("StepTemplate", "computeResources", "resources"),
    ("Sidecar", "computeResources", "resources"),
    ("TaskRunStepSpec", "computeResources", "resources"),
    ("TaskRunSidecarSpec", "computeResources", "resources"),
    ("TaskRunSpec", "stepSpecs", "stepOverrides"),
    ("TaskRunSpec", "sidecarSpecs", "sidecarOverrides"),
    ("TaskRunStatus", "results", "taskResults"),
    ("PipelineTaskRunSpec", "stepSpecs", "stepOverrides"),
    ("PipelineTaskRunSpec", "sidecarSpecs", "sidecarOverrides"),
    ("PipelineTaskRunSpec", "serviceAccountName", "taskServiceAccountName"),
    ("PipelineTaskRunSpec", "podTemplate", "taskPodTemplate"),
    ("PipelineRunStatus", "results", "pipelineResults"),
];

/// Fields of containers that steps have no use for, but that `v1beta1` accepts in them.
pub(super) const CONTAINER_FIELDS: &[&str] = &[
    "lifecycle",
    "livenessProbe",
    "ports",
    "readinessProbe",
    "startupProbe",
    "stdin",
    "stdinOnce",
    "terminationMessagePath",
    "terminationMessagePolicy",
    "tty",
];

/// Fields that only `v1beta1` has: type, name, form, description.
const OLD: &[(&str, &str, Form, &str)] = &[
    ("TaskSpec", "resources", Form::Object, "No longer used."),
    ("EmbeddedTask", "resources", Form::Object, "No longer used."),
    ("PipelineSpec", "resources", Form::List, "No longer used."),
    ("PipelineTask", "resources", Form::Object, "No longer used."),
    ("TaskRunSpec", "resources", Form::Object, "No longer used."),
    ("TaskRunStatus", "cloudEvents", Form::List, "No longer used."),
    ("TaskRunStatus", "resourcesResult", Form::List, "No longer used."),
    ("PipelineRunSpec", "resources", Form::List, "No longer used."),
    ("PipelineRunSpec", "timeout", Form::Text, "How long the run may take; now `timeouts.pipeline`."),
    ("PipelineRunStatus", "taskRuns", Form::Object, "No longer used."),
    ("PipelineRunStatus", "runs", Form::Object, "No longer used."),
    ("Provenance", "configSource", Form::Object, "The old name of `refSource`."),
    ("TaskRef", "bundle", Form::Text, "The image that holds the Task; now the resolver `bundles`."),
    ("PipelineRef", "bundle", Form::Text, "The image that holds the Pipeline; now the resolver `bundles`."),
    ("StepTemplate", "name", Form::Text, "No longer used."),
];

#[derive(Clone, Copy)]
enum Form {
    Text,
    Object,
    List,
}

impl Form {
    fn schema(self, description: &str) -> Value {
        let open = json!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true });
        let mut schema = match self {
            Self::Text => json!({ "type": "string" }),
            Self::Object => open,
            Self::List => json!({ "type": "array", "items": open }),
        };
        schema["description"] = Value::from(description);
        schema
    }
}

fn older(mut schema: Value) -> Value {
    let Some(definitions) = schema.get_mut("$defs").and_then(Value::as_object_mut) else { return schema };
    let container_fields = container_fields(definitions);
    for (kind, definition) in definitions.iter_mut() {
        let Some(properties) = definition.get_mut("properties").and_then(Value::as_object_mut) else {
            continue;
        };
        for (_, new, old) in RENAMED.iter().filter(|(of, ..)| of == kind) {
            properties.remove(*new).and_then(|field| properties.insert((*old).to_owned(), field));
        }
        for (_, name, form, description) in OLD.iter().filter(|(of, ..)| of == kind) {
            properties.insert((*name).to_owned(), form.schema(description));
        }
        match kind.as_str() {
            "Step" | "StepTemplate" => properties.extend(container_fields.clone()),
            "PipelineRunSpec" => flatten_template(properties),
            _ => {}
        }
        if let Some(Value::Array(required)) = definition.get_mut("required") {
            for name in required {
                let old = RENAMED.iter().find(|(of, new, _)| of == kind && name == new);
                if let Some((.., old)) = old {
                    *name = Value::from(*old);
                }
            }
        }
    }
    definitions.remove("PipelineTaskRunTemplate");
    schema
}

/// `taskRunTemplate` does not exist yet; its fields stand beside the others.
fn flatten_template(properties: &mut Map<String, Value>) {
    properties.remove("taskRunTemplate");
    properties.insert(
        "serviceAccountName".to_owned(),
        Form::Text.schema("The service account; `default` when absent."),
    );
    properties.insert(
        "podTemplate".to_owned(),
        json!({ "$ref": "#/$defs/PodTemplate", "description": "Settings for the Pods." }),
    );
}

fn container_fields(definitions: &Map<String, Value>) -> Map<String, Value> {
    let Some(sidecar) = definitions.get("Sidecar").and_then(|sidecar| sidecar["properties"].as_object())
    else {
        return Map::new();
    };
    CONTAINER_FIELDS
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), sidecar.get(*name)?.clone())))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_old_names_take_the_place_of_the_new_ones() {
        let schema = pipeline_run();
        let properties = |kind: &str| schema["$defs"][kind]["properties"].as_object().unwrap().clone();
        assert!(properties("Step").contains_key("resources"));
        assert!(properties("Step").contains_key("livenessProbe"));
        assert!(!properties("Step").contains_key("computeResources"));
        assert!(properties("PipelineRunSpec").contains_key("podTemplate"));
        assert!(!properties("PipelineRunSpec").contains_key("taskRunTemplate"));
        assert!(properties("PipelineTaskRunSpec").contains_key("taskPodTemplate"));
        assert!(properties("PipelineRunStatus").contains_key("pipelineResults"));
    }
}
