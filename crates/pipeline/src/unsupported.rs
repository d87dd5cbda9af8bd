//! Features of Tekton that are not there yet, where a run would meet them: the list is `api::tekton::gates`'.
//! Objects are refused by it at admission; a run checks again what it finds, because definitions may be older than the
//! list, and fails with the feature's name. None is ignored.

use api::apis::Errors;
use api::tekton::gates;
use api::tekton::v1::{PipelineSpec, TaskRef, TaskRun, TaskSpec, WorkspaceBinding};

/// Unsupported features of a Task's spec.
pub(crate) fn in_task_spec(spec: &TaskSpec) -> Option<String> {
    printed(&gates::task_spec(&serde_json::to_value(spec).unwrap_or_default()))
}

/// Unsupported features of a Pipeline's spec.
pub(crate) fn in_pipeline_spec(spec: &PipelineSpec) -> Option<String> {
    printed(&gates::pipeline_spec(&serde_json::to_value(spec).unwrap_or_default()))
}

fn printed(errors: &Errors) -> Option<String> {
    (!errors.is_empty()).then(|| errors.to_string())
}

/// The first unsupported feature of a TaskRun, beyond its Task.
pub(crate) fn in_task_run(run: &TaskRun) -> Option<String> {
    let breakpoints = run.spec.debug.as_ref().and_then(|debug| debug.breakpoints.as_ref());
    if breakpoints.is_some_and(|points| points.on_failure.is_some() || !points.before_steps.is_empty()) {
        return Some(named("debugging with breakpoints", "spec.debug"));
    }
    in_bindings(&run.spec.workspaces).or_else(|| in_task_ref(run.spec.task_ref.as_ref()))
}

/// The first unsupported feature of bindings of workspaces.
pub(crate) fn in_bindings(bindings: &[WorkspaceBinding]) -> Option<String> {
    let index = bindings.iter().position(|binding| binding.csi.is_some())?;
    Some(named("a CSI volume as a workspace", &format!("spec.workspaces[{index}].csi")))
}

fn in_task_ref(reference: Option<&TaskRef>) -> Option<String> {
    let reference = reference?;
    if reference.resolver.as_deref().is_some_and(|resolver| !resolver.is_empty()) {
        return Some(named("remote resolution", "spec.taskRef.resolver"));
    }
    let kind = reference.kind.as_deref().unwrap_or_default();
    let is_task = kind.is_empty() || kind.eq_ignore_ascii_case("Task");
    (!is_task).then(|| named("a kind of Task other than Task", "spec.taskRef.kind"))
}

/// The sentence about an unsupported feature.
pub(crate) fn named(feature: &str, field: &str) -> String {
    gates::not_supported(feature, field).to_string()
}
