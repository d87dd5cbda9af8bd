//! Features of Tekton that are not there yet. A run that uses one fails with its name; none is ignored.
//! Invariant: a feature is listed here until the code that carries it out exists.

use api::tekton::v1::{PipelineTask, TaskRef, TaskRun, TaskSpec, WorkspaceBinding};

/// The first unsupported feature of a Task's spec, with the field that asks for it.
pub(crate) fn in_task_spec(spec: &TaskSpec) -> Option<String> {
    if !spec.sidecars.is_empty() {
        return Some(named("sidecars", "sidecars"));
    }
    for (index, step) in spec.steps.iter().enumerate() {
        let field = |name: &str| format!("steps[{index}].{name}");
        if step.reference.is_some() {
            return Some(named("StepActions", &field("ref")));
        }
        if step.when.iter().any(|when| when.cel.is_some()) {
            return Some(named("CEL in when expressions", &field("when")));
        }
        if step.script.as_deref().is_some_and(|script| script.trim_start().starts_with("#!win")) {
            return Some(named("Windows scripts", &field("script")));
        }
        let texts = step.script.iter().chain(&step.command).chain(&step.args);
        if texts
            .chain(step.env.iter().filter_map(|variable| variable.value.as_ref()))
            .any(|text| names_artifacts(text))
        {
            return Some(named("artifacts", &format!("steps[{index}]")));
        }
    }
    None
}

fn names_artifacts(text: &str) -> bool {
    let step_artifacts = || {
        text.split("$(steps.").skip(1).any(|rest| {
            let inside = rest.split(')').next().unwrap_or_default();
            inside.split('.').nth(1).is_some_and(|part| matches!(part, "inputs" | "outputs"))
        })
    };
    text.contains("$(step.artifacts.path)") || text.contains("$(artifacts.path)") || step_artifacts()
}

/// The first unsupported feature of a TaskRun, beyond its Task.
pub(crate) fn in_task_run(run: &TaskRun) -> Option<String> {
    let breakpoints = run.spec.debug.as_ref().and_then(|debug| debug.breakpoints.as_ref());
    if breakpoints.is_some_and(|points| points.on_failure.is_some() || !points.before_steps.is_empty()) {
        return Some(named("debugging", "spec.debug"));
    }
    in_bindings(&run.spec.workspaces).or_else(|| in_task_ref(run.spec.task_ref.as_ref(), "spec.taskRef"))
}

/// The first unsupported feature of bindings of workspaces.
pub(crate) fn in_bindings(bindings: &[WorkspaceBinding]) -> Option<String> {
    let csi = bindings.iter().find(|binding| binding.csi.is_some())?;
    Some(named("CSI volumes as workspaces", &format!("spec.workspaces[{}].csi", csi.name)))
}

/// The first unsupported feature of a reference to a Task.
pub(crate) fn in_task_ref(reference: Option<&TaskRef>, field: &str) -> Option<String> {
    let reference = reference?;
    if reference.resolver.as_deref().is_some_and(|resolver| !resolver.is_empty()) {
        return Some(named("remote resolution", &format!("{field}.resolver")));
    }
    let kind = reference.kind.as_deref().unwrap_or_default();
    let group = reference.api_version.as_deref().unwrap_or_default().split('/').next().unwrap_or_default();
    match (group, kind) {
        ("" | "tekton.dev", "" | "Task") => None,
        ("" | "tekton.dev", "ClusterTask") => Some(named("ClusterTasks", &format!("{field}.kind"))),
        _ => Some(named("custom tasks", &format!("{field}.apiVersion"))),
    }
}

/// The first unsupported feature of a task of a Pipeline.
pub(crate) fn in_pipeline_task(task: &PipelineTask) -> Option<String> {
    let name = task.name.as_deref().unwrap_or_default();
    let field = |field: &str| format!("tasks[{name}].{field}");
    if task.matrix.as_ref().is_some_and(|matrix| !matrix.params.is_empty() || !matrix.include.is_empty()) {
        return Some(named("matrix", &field("matrix")));
    }
    if task.pipeline_ref.is_some() || task.pipeline_spec.is_some() {
        return Some(named("pipelines in pipelines", &field("pipelineRef")));
    }
    if task.when.iter().any(|when| when.cel.is_some()) {
        return Some(named("CEL in when expressions", &field("when")));
    }
    if let Some(embedded) = &task.task_spec {
        if embedded.api_version.as_deref().is_some_and(|version| !version.is_empty()) {
            return Some(named("custom tasks", &field("taskSpec.apiVersion")));
        }
        return in_task_spec(&embedded.task_spec);
    }
    in_task_ref(task.task_ref.as_ref(), &field("taskRef"))
}

/// The sentence about an unsupported feature.
pub(crate) fn named(feature: &str, field: &str) -> String {
    format!("{feature}: not supported yet ({field})")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_not_there_yet_is_named() {
        for (task, named) in [
            (json!({ "name": "t", "taskRef": { "name": "x", "kind": "Task" } }), None),
            (
                json!({ "name": "t", "taskRef": { "name": "x", "kind": "Task", "apiVersion": "tekton.dev/v1" } }),
                None,
            ),
            (
                json!({ "name": "t", "matrix": { "params": [{ "name": "a", "value": ["1"] }] } }),
                Some("matrix: not supported yet (tasks[t].matrix)"),
            ),
            (
                json!({ "name": "t", "taskRef": { "resolver": "git" } }),
                Some("remote resolution: not supported yet (tasks[t].taskRef.resolver)"),
            ),
            (
                json!({ "name": "t", "taskRef": { "apiVersion": "x.dev/v1", "kind": "Y" } }),
                Some("custom tasks: not supported yet (tasks[t].taskRef.apiVersion)"),
            ),
            (
                json!({ "name": "t", "pipelineRef": { "name": "p" } }),
                Some("pipelines in pipelines: not supported yet (tasks[t].pipelineRef)"),
            ),
            (
                json!({ "name": "t", "taskSpec": { "steps": [{ "image": "i", "script": "echo $(steps.a.outputs.x)" }] } }),
                Some("artifacts: not supported yet (steps[0])"),
            ),
            (
                json!({ "name": "t", "taskSpec": { "steps": [{ "image": "i", "script": "echo $(steps.a.results.x)" }] } }),
                None,
            ),
            (
                json!({ "name": "t", "taskSpec": { "steps": [{ "ref": { "name": "a" } }] } }),
                Some("StepActions: not supported yet (steps[0].ref)"),
            ),
        ] {
            let text = in_pipeline_task(&serde_json::from_value(task.clone()).unwrap());
            assert_eq!(text.as_deref(), named, "{task}");
        }
    }
}
