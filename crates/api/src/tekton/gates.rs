//! What Tekton can do and this service cannot yet: refused with one clear sentence, never ignored.
//! Invariant: [`GATES`] is the only list of such features; a feature is done when its row is gone.

use serde_json::Value;

use crate::apis::Errors;

/// Where a feature can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    /// The specification of a Task, wherever it is written.
    TaskSpec,
    /// A task of a Pipeline, also in `finally`.
    PipelineTask,
    /// The specification of a TaskRun.
    TaskRunSpec,
    /// The specification of a PipelineRun.
    PipelineRunSpec,
}

/// One feature that is refused.
struct Gate {
    scope: Scope,
    /// The field, from the scope on; `[]` stands for every item of a list.
    path: &'static str,
    /// Whether a value of the field asks for the feature.
    asks: fn(&Value) -> bool,
    /// The feature, as the subject of a sentence.
    feature: &'static str,
}

const fn gate(scope: Scope, path: &'static str, feature: &'static str) -> Gate {
    Gate { scope, path, asks: is_set, feature }
}

const fn gate_if(scope: Scope, path: &'static str, asks: fn(&Value) -> bool, feature: &'static str) -> Gate {
    Gate { scope, path, asks, feature }
}

const ARTIFACTS: &str = "use of artifacts";
const BLOCK_DEVICES: &str = "mounting of block devices";
const CEL: &str = "a CEL expression in when";
const CSI: &str = "a CSI volume as a workspace";
const CUSTOM_TASK: &str = "a custom task";
const NESTED_PIPELINE: &str = "a Pipeline as a task of a Pipeline";
const RESOLVER: &str = "remote resolution";
const SIDECAR: &str = "a sidecar";

/// Every feature that is refused.
const GATES: &[Gate] = &[
    gate(Scope::TaskSpec, "sidecars", SIDECAR),
    gate(Scope::TaskSpec, "steps[].ref", "a StepAction as a step"),
    gate(Scope::TaskSpec, "steps[].volumeDevices", BLOCK_DEVICES),
    gate(Scope::TaskSpec, "stepTemplate.volumeDevices", BLOCK_DEVICES),
    gate(Scope::TaskSpec, "steps[].when[].cel", CEL),
    gate_if(Scope::TaskSpec, "steps[].script", is_windows_script, "a script for Windows"),
    gate_if(Scope::TaskSpec, "steps[].script", mentions_artifacts, ARTIFACTS),
    gate_if(Scope::TaskSpec, "steps[].command[]", mentions_artifacts, ARTIFACTS),
    gate_if(Scope::TaskSpec, "steps[].args[]", mentions_artifacts, ARTIFACTS),
    gate_if(Scope::TaskSpec, "steps[].env[].value", mentions_artifacts, ARTIFACTS),
    gate(Scope::PipelineTask, "matrix", "a matrix"),
    gate(Scope::PipelineTask, "pipelineRef", NESTED_PIPELINE),
    gate(Scope::PipelineTask, "pipelineSpec", NESTED_PIPELINE),
    gate(Scope::PipelineTask, "when[].cel", CEL),
    gate(Scope::PipelineTask, "taskRef.resolver", RESOLVER),
    gate_if(Scope::PipelineTask, "taskRef.apiVersion", is_foreign_version, CUSTOM_TASK),
    gate_if(Scope::PipelineTask, "taskRef.kind", is_foreign_kind, CUSTOM_TASK),
    gate_if(Scope::PipelineTask, "taskSpec.apiVersion", is_foreign_version, CUSTOM_TASK),
    gate_if(Scope::PipelineTask, "taskSpec.kind", is_foreign_kind, CUSTOM_TASK),
    gate_if(Scope::PipelineTask, "params[].value", mentions_artifacts, ARTIFACTS),
    gate(Scope::TaskRunSpec, "taskRef.resolver", RESOLVER),
    gate(Scope::TaskRunSpec, "debug", "debugging with breakpoints"),
    gate(Scope::TaskRunSpec, "sidecarSpecs", SIDECAR),
    gate(Scope::TaskRunSpec, "workspaces[].csi", CSI),
    gate(Scope::PipelineRunSpec, "pipelineRef.resolver", RESOLVER),
    gate(Scope::PipelineRunSpec, "taskRunSpecs[].sidecarSpecs", SIDECAR),
    gate(Scope::PipelineRunSpec, "workspaces[].csi", CSI),
];

/// Errors for the features that the specification of a Task asks for; paths are relative to it.
#[must_use]
pub fn task_spec(spec: &Value) -> Errors {
    scope(Scope::TaskSpec, spec)
}

/// Errors for the features that the specification of a Pipeline asks for; paths are relative to it.
#[must_use]
pub fn pipeline_spec(spec: &Value) -> Errors {
    let mut errors = Errors::none();
    for list in ["tasks", "finally"] {
        for (index, task) in spec[list].as_array().into_iter().flatten().enumerate() {
            let found =
                scope(Scope::PipelineTask, task).also(task_spec(&task["taskSpec"]).via_field("taskSpec"));
            errors.add(found.via_field_index(list, index));
        }
    }
    errors
}

/// Errors for the features that the specification of a TaskRun asks for; paths are relative to it.
pub(super) fn task_run_spec(spec: &Value) -> Errors {
    scope(Scope::TaskRunSpec, spec).also(task_spec(&spec["taskSpec"]).via_field("taskSpec"))
}

/// Errors for the features that the specification of a PipelineRun asks for; paths are relative to it.
pub(super) fn pipeline_run_spec(spec: &Value) -> Errors {
    scope(Scope::PipelineRunSpec, spec).also(pipeline_spec(&spec["pipelineSpec"]).via_field("pipelineSpec"))
}

/// The error for a feature that is not there yet.
#[must_use]
pub fn not_supported(feature: &str, path: &str) -> Errors {
    Errors::generic(format!("{feature} is not supported yet by Pipeline Service"), &[path])
}

fn scope(scope: Scope, spec: &Value) -> Errors {
    let mut errors = Errors::none();
    if spec.is_null() {
        return errors;
    }
    for gate in GATES.iter().filter(|gate| gate.scope == scope) {
        visit(spec, gate.path, String::new(), &mut |path, value| {
            if (gate.asks)(value) {
                errors.add(not_supported(gate.feature, &path));
            }
        });
    }
    errors
}

/// Calls `found` with the path and value of every field that the pattern matches.
fn visit(value: &Value, pattern: &str, at: String, found: &mut impl FnMut(String, &Value)) {
    if pattern.is_empty() {
        return found(at, value);
    }
    let (segment, rest) = pattern.split_once('.').unwrap_or((pattern, ""));
    let dot = if at.is_empty() { "" } else { "." };
    let Some(name) = segment.strip_suffix("[]") else {
        if let Some(child) = value.get(segment) {
            visit(child, rest, format!("{at}{dot}{segment}"), found);
        }
        return;
    };
    for (index, item) in value[name].as_array().into_iter().flatten().enumerate() {
        visit(item, rest, format!("{at}{dot}{name}[{index}]"), found);
    }
}

fn is_set(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => true,
    }
}

fn is_windows_script(script: &Value) -> bool {
    script.as_str().is_some_and(|script| script.trim_start().starts_with("#!win"))
}

fn is_foreign_version(version: &Value) -> bool {
    version.as_str().is_some_and(|version| !version.is_empty() && !version.starts_with("tekton.dev/"))
}

fn is_foreign_kind(kind: &Value) -> bool {
    kind.as_str().is_some_and(|kind| !kind.is_empty() && kind != "Task")
}

/// Whether a text refers to artifacts of a step or task, or to the file that they are written to.
fn mentions_artifacts(text: &Value) -> bool {
    let Some(text) = text.as_str() else { return false };
    text.split("$(").skip(1).filter_map(|rest| rest.split_once(')')).any(|(reference, _)| {
        let parts = reference.split('.').collect::<Vec<_>>();
        matches!(parts.as_slice(), ["artifacts", "path"] | ["step", "artifacts", "path"])
            || matches!(parts.as_slice(), ["steps" | "tasks", _, "inputs" | "outputs", ..])
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_feature_that_is_not_there_yet_is_named_with_its_field() {
        let step =
            |field: &str, value: Value| json!({ "taskSpec": { "steps": [{ "image": "i", field: value }] } });
        let task = |field: &str, value: Value| json!({ "pipelineSpec": { "tasks": [{ "name": "a", field: value }] } });
        let cases = [
            (
                json!({ "taskSpec": { "sidecars": [{}] } }),
                "a sidecar is not supported yet by Pipeline Service: taskSpec.sidecars",
            ),
            (
                step("ref", json!({ "name": "x" })),
                "a StepAction as a step is not supported yet by Pipeline Service: taskSpec.steps[0].ref",
            ),
            (
                step("script", json!("cat $(steps.a.outputs.b)")),
                "use of artifacts is not supported yet by Pipeline Service: taskSpec.steps[0].script",
            ),
            (
                step("script", json!("#!win pwsh")),
                "a script for Windows is not supported yet by Pipeline Service: taskSpec.steps[0].script",
            ),
            (step("script", json!("echo $(steps.a.results.b) $(inputs.params.x)")), ""),
            (
                json!({ "debug": { "breakpoints": {} } }),
                "debugging with breakpoints is not supported yet by Pipeline Service: debug",
            ),
        ];
        for (spec, expected) in cases {
            assert_eq!(task_run_spec(&spec).to_string(), expected);
        }
        let cases = [
            (
                task("matrix", json!({ "params": [] })),
                "a matrix is not supported yet by Pipeline Service: pipelineSpec.tasks[0].matrix",
            ),
            (
                task("taskRef", json!({ "resolver": "git" })),
                "remote resolution is not supported yet by Pipeline Service: pipelineSpec.tasks[0].taskRef.resolver",
            ),
            (
                task("taskRef", json!({ "apiVersion": "example.dev/v1", "kind": "Example" })),
                "a custom task is not supported yet by Pipeline Service: \
                 pipelineSpec.tasks[0].taskRef.apiVersion, pipelineSpec.tasks[0].taskRef.kind",
            ),
            (task("taskRef", json!({ "apiVersion": "tekton.dev/v1", "kind": "Task", "name": "x" })), ""),
            (
                task("when", json!([{ "cel": "true" }])),
                "a CEL expression in when is not supported yet by Pipeline Service: pipelineSpec.tasks[0].when[0].cel",
            ),
        ];
        for (spec, expected) in cases {
            assert_eq!(pipeline_run_spec(&spec).to_string(), expected);
        }
    }
}
