//! The TaskRun of a task, and the claims that a PipelineRun makes for all of them.
//! Invariant: equal run and task give an equal TaskRun.
//! Source: Tekton's `createTaskRun` and `getTaskrunWorkspaces`.

use std::collections::BTreeMap;

use api::tekton::v1::{
    API_VERSION, PipelineRun, PipelineTask, PipelineTaskRunSpec, PodTemplate, Task, TaskRun, TaskRunSpec,
    TaskSpec, WorkspaceBinding,
};
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::Value;

use super::limits::Limits;
use super::prepare;
use crate::metadata::{self, Pairs};
use crate::substitution::{
    Passes, Replacements, replace_in_leaves, replace_in_task_spec, replace_value, replacements_of_params,
    used_workspaces,
};
use crate::{names, workspaces};

/// What all TaskRuns of a run have in common.
pub(super) struct Parent<'a> {
    /// The run, with the labels and annotations that this plan gives it.
    pub(super) run: &'a PipelineRun,
    pub(super) limits: Limits,
    /// The values of results of all tasks that have ended.
    pub(super) results: Replacements,
}

/// A task that starts now.
pub(super) struct Start<'a> {
    pub(super) task: &'a PipelineTask,
    pub(super) is_final: bool,
    pub(super) spec: &'a TaskSpec,
    /// The Task that it names, if it names one.
    pub(super) referenced: Option<&'a Task>,
}

/// The claims of the run's templates.
pub(super) fn claims(run: &PipelineRun) -> Vec<PersistentVolumeClaim> {
    let owner = metadata::controller_of("PipelineRun", &run.metadata);
    let namespace = run.metadata.namespace.as_deref().unwrap_or_default();
    run.spec.workspaces.iter().filter_map(|binding| workspaces::claim(binding, namespace, &owner)).collect()
}

/// The TaskRun of a task.
///
/// # Errors
/// That a workspace which the task needs is not bound.
pub(super) fn task_run(parent: &Parent<'_>, start: &Start<'_>) -> Result<TaskRun, String> {
    let (run, task) = (parent.run, start.task);
    let name = task.name.as_deref().unwrap_or_default();
    let own = run.spec.task_run_specs.iter().find(|own| own.pipeline_task_name.as_deref() == Some(name));
    let template = run.spec.task_run_template.clone().unwrap_or_default();
    let own_account =
        own.and_then(|own| own.service_account_name.clone()).filter(|account| !account.is_empty());
    let retries = Replacements::of_strings([("context.pipelineTask.retries", task.retries.to_string())]);
    let mut params = task.params.clone();
    for param in &mut params {
        param.value = replace_value(&param.value, retries.scope());
    }
    let mut task_ref = task.task_ref.clone();
    if let Some(reference) = &mut task_ref {
        reference.kind.get_or_insert_with(|| "Task".to_owned());
    }
    let spec = TaskRunSpec {
        retries: task.retries,
        params,
        service_account_name: own_account.or(template.service_account_name),
        pod_template: merged_template(
            own.and_then(|own| own.pod_template.as_ref()),
            template.pod_template.as_ref(),
        ),
        step_specs: own.map(|own| own.step_specs.clone()).unwrap_or_default(),
        sidecar_specs: own.map(|own| own.sidecar_specs.clone()).unwrap_or_default(),
        compute_resources: own.and_then(|own| own.compute_resources.clone()),
        timeout: own
            .and_then(|own| own.timeout)
            .or(task.timeout)
            .or_else(|| parent.limits.for_child(start.is_final)),
        workspaces: bindings(parent, start)?,
        task_spec: if task_ref.is_some() { None } else { Some(propagated(start.spec, &parent.results)) },
        task_ref,
        ..TaskRunSpec::default()
    };
    Ok(TaskRun {
        api_version: API_VERSION.to_owned(),
        kind: "TaskRun".to_owned(),
        metadata: object_meta(run, start, own),
        spec,
        status: None,
    })
}

fn object_meta(run: &PipelineRun, start: &Start<'_>, own: Option<&PipelineTaskRunSpec>) -> ObjectMeta {
    let task = start.task;
    let name = task.name.clone().unwrap_or_default();
    let run_name = run.metadata.name.clone().unwrap_or_default();
    let given = own.and_then(|own| own.metadata.as_ref());
    let embedded = task.task_spec.as_ref().and_then(|embedded| embedded.metadata.as_ref());
    let empty = Pairs::new();
    let of_task = start.referenced.map(|task| &task.metadata);

    let mut from_run = run.metadata.labels.clone().unwrap_or_default();
    from_run.extend([
        (metadata::PIPELINE_RUN.to_owned(), run_name.clone()),
        (metadata::PIPELINE_RUN_UID.to_owned(), run.metadata.uid.clone().unwrap_or_default()),
        (metadata::PIPELINE_TASK.to_owned(), name.clone()),
        (metadata::MEMBER_OF.to_owned(), if start.is_final { "finally" } else { "tasks" }.to_owned()),
    ]);
    let mut labels = given.map(|given| given.labels.clone()).unwrap_or_default();
    metadata::add_missing(&mut labels, &from_run);
    metadata::add_missing(&mut labels, embedded.map_or(&empty, |embedded| &embedded.labels));
    metadata::add_missing(&mut labels, of_task.and_then(|task| task.labels.as_ref()).unwrap_or(&empty));
    if let Some(reference) = task.task_ref.as_ref().and_then(|reference| reference.name.clone()) {
        labels.insert(metadata::TASK.to_owned(), reference);
    }
    labels.entry(metadata::MANAGED_BY.to_owned()).or_insert_with(|| metadata::MANAGED_BY_VALUE.to_owned());

    let mut annotations = given.map(|given| given.annotations.clone()).unwrap_or_default();
    metadata::add_missing(&mut annotations, &metadata::inheritable(run.metadata.annotations.as_ref()));
    metadata::add_missing(&mut annotations, embedded.map_or(&empty, |embedded| &embedded.annotations));
    metadata::add_missing(
        &mut annotations,
        &metadata::inheritable(of_task.and_then(|task| task.annotations.as_ref())),
    );
    annotations.insert(metadata::RELEASE.to_owned(), metadata::RELEASE_VALUE.to_owned());
    if task.on_error == Some(api::tekton::v1::PipelineTaskOnError::Continue) {
        annotations.insert(metadata::ON_ERROR.to_owned(), "continue".to_owned());
    }
    ObjectMeta {
        name: Some(names::task_run(&run_name, &name)),
        namespace: run.metadata.namespace.clone(),
        labels: Some(labels),
        annotations: Some(annotations),
        owner_references: Some(vec![metadata::controller_of("PipelineRun", &run.metadata)]),
        ..ObjectMeta::default()
    }
}

/// The task's own template over the one of the run: field by field, lists of variables and volumes by name.
fn merged_template(own: Option<&PodTemplate>, default: Option<&PodTemplate>) -> Option<PodTemplate> {
    let (Some(own), Some(default)) = (own, default) else {
        return own.or(default).cloned();
    };
    let (Ok(Value::Object(own_fields)), Ok(Value::Object(mut fields))) =
        (serde_json::to_value(own), serde_json::to_value(default))
    else {
        return Some(own.clone());
    };
    for (key, value) in own_fields {
        let merged = match (key.as_str(), fields.remove(&key), value) {
            ("env" | "volumes", Some(Value::Array(base)), Value::Array(mut over)) => {
                let known: Vec<Option<Value>> = over.iter().map(|item| item.get("name").cloned()).collect();
                over.extend(base.into_iter().filter(|item| !known.contains(&item.get("name").cloned())));
                Value::Array(over)
            }
            (_, _, value) => value,
        };
        fields.insert(key, merged);
    }
    serde_json::from_value(Value::Object(fields)).ok()
}

/// The embedded spec with results of earlier tasks in it.
fn propagated(spec: &TaskSpec, results: &Replacements) -> TaskSpec {
    let mut spec = spec.clone();
    if !results.is_empty() {
        replace_in_task_spec(&mut spec, &Passes { first: vec![results.scope()], ..Passes::default() });
    }
    spec
}

/// What the workspaces of the TaskRun are bound to.
fn bindings(parent: &Parent<'_>, start: &Start<'_>) -> Result<Vec<WorkspaceBinding>, String> {
    let run = parent.run;
    let task = start.task;
    let by_name: BTreeMap<&str, &WorkspaceBinding> =
        run.spec.workspaces.iter().map(|binding| (binding.name.as_str(), binding)).collect();
    let mut wanted: Vec<(String, String, Option<String>)> = task
        .workspaces
        .iter()
        .map(|one| {
            let source =
                one.workspace.clone().filter(|name| !name.is_empty()).unwrap_or_else(|| one.name.clone());
            (one.name.clone(), source, one.sub_path.clone())
        })
        .collect();
    if task.task_spec.is_some() {
        // An embedded spec may use what the run binds without saying so.
        let used = used_workspaces(start.spec);
        let used = used.into_iter().filter(|name| !task.workspaces.iter().any(|one| one.name == *name));
        wanted.extend(used.map(|name| (name.clone(), name, None)));
    }
    let params = replacements_of_params(&run.spec.params);
    let pipeline =
        run.spec.pipeline_ref.as_ref().and_then(|reference| reference.name.clone()).unwrap_or_default();
    let context = prepare::context(run, &pipeline);
    let owner = metadata::controller_of("PipelineRun", &run.metadata);
    let mut bound = Vec::new();
    for (name, source, sub_path) in wanted {
        let Some(binding) = by_name.get(source.as_str()) else {
            if is_optional(start.spec, &name) {
                continue;
            }
            return Err(format!(
                "expected workspace {source:?} to be provided by pipelinerun for pipeline task {:?}",
                task.name.as_deref().unwrap_or_default()
            ));
        };
        let mut binding = workspaces::with_claim(binding, &owner);
        for values in [&params, &parent.results] {
            replace_in_leaves(&mut binding, values.scope());
        }
        binding.sub_path = joined(binding.sub_path.as_deref(), sub_path.as_deref());
        if let Some(path) = &mut binding.sub_path {
            context.scope().replace_in(path);
        }
        binding.name = name;
        bound.push(binding);
    }
    Ok(bound)
}

fn is_optional(spec: &TaskSpec, workspace: &str) -> bool {
    spec.workspaces.iter().any(|declared| declared.name == workspace && declared.optional)
}

fn joined(outer: Option<&str>, inner: Option<&str>) -> Option<String> {
    let part = |path: Option<&str>| path.filter(|path| !path.is_empty()).map(str::to_owned);
    match (part(outer), part(inner)) {
        (Some(outer), Some(inner)) => {
            Some(format!("{}/{}", outer.trim_end_matches('/'), inner.trim_start_matches('/')))
        }
        (outer, inner) => outer.or(inner),
    }
}
