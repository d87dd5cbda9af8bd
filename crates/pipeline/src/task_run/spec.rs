//! The spec that a TaskRun runs: found, checked against the run, and with its variables replaced.
//! Done once; afterwards `status.taskSpec` is the truth, whatever happens to the Task.
//! Invariant: only `$(context.task.retry-count)` stays in it, because it differs between attempts.
//! Source: Tekton's `reconciler/taskrun`: `prepare` and `applyParamsContextsResultsAndWorkspaces`.

use std::collections::BTreeSet;

use api::tekton::v1::{ParamSpec, TaskRun, TaskSpec, WorkspaceBinding, WorkspaceDeclaration};
use serde_json::Value;

use super::{Observed, steps};
use crate::conditions::Verdict;
use crate::metadata::{self, Pairs};
use crate::plan::{Lookup, MetadataPatch, Need};
use crate::reasons::task_run as reason;
use crate::substitution::{
    Passes, Replacements, Scope, out_of_bounds, replace_in_leaves, replace_in_task_spec, resolve_params,
};
use crate::{names, substitution_errors, unsupported, workspaces};

/// Why there is no spec to run.
pub(super) enum Stop {
    /// Something must be looked up first.
    Need(Need),
    /// The run fails.
    Fail(Verdict),
}

/// A definition that was found.
pub(super) struct Definition {
    /// What `$(context.task.name)` stands for.
    name: String,
    spec: TaskSpec,
    /// What the run takes over from the definition's metadata.
    pub(super) metadata: MetadataPatch,
}

impl Definition {
    /// The params that it declares.
    pub(super) fn params(&self) -> &[ParamSpec] {
        &self.spec.params
    }
}

/// Finds the definition that the run embeds or names.
pub(super) fn find(observed: &Observed) -> Result<Definition, Stop> {
    let run = &observed.run;
    let run_name = run.metadata.name.clone().unwrap_or_default();
    if let Some(feature) = unsupported::in_task_run(run) {
        let reason = if run.spec.task_ref.as_ref().is_some_and(|reference| reference.resolver.is_some()) {
            reason::RESOLUTION_FAILED
        } else {
            reason::VALIDATION_FAILED
        };
        return Err(Stop::Fail(Verdict::user_error(reason, feature)));
    }
    let referenced = run.spec.task_ref.as_ref().and_then(|reference| reference.name.clone());
    if let Some(name) = referenced.filter(|name| !name.is_empty()) {
        return match &observed.task {
            Lookup::NotLookedUp => Err(Stop::Need(Need::Task(name))),
            Lookup::Missing => Err(Stop::Fail(Verdict::failed(
                reason::RESOLUTION_FAILED,
                format!(
                    "error when listing tasks for taskRun {run_name}: tasks.tekton.dev {name:?} not found"
                ),
            ))),
            Lookup::Found(task) => Ok(Definition {
                metadata: taken_over(
                    run,
                    task.metadata.labels.as_ref(),
                    task.metadata.annotations.as_ref(),
                    &name,
                ),
                name,
                spec: task.spec.clone(),
            }),
        };
    }
    match &run.spec.task_spec {
        Some(spec) => {
            Ok(Definition { name: run_name, spec: spec.clone(), metadata: MetadataPatch::default() })
        }
        None => Err(Stop::Fail(Verdict::failed(
            reason::RESOLUTION_FAILED,
            format!("taskRun {run_name} not providing TaskRef or TaskSpec"),
        ))),
    }
}

/// Labels and annotations of the Task, under those of the run, and the Task's name.
fn taken_over(
    run: &TaskRun,
    labels: Option<&Pairs>,
    annotations: Option<&Pairs>,
    task: &str,
) -> MetadataPatch {
    let mut all_labels = run.metadata.labels.clone().unwrap_or_default();
    metadata::add_missing(&mut all_labels, labels.into_iter().flatten());
    all_labels.insert(metadata::TASK.to_owned(), task.to_owned());
    let mut all_annotations = run.metadata.annotations.clone().unwrap_or_default();
    metadata::add_missing(&mut all_annotations, &metadata::inheritable(annotations));
    MetadataPatch { labels: all_labels, annotations: all_annotations }
}

/// Checks the definition against what the run gives.
pub(super) fn check(run: &TaskRun, definition: &Definition) -> Result<(), Verdict> {
    let spec = &definition.spec;
    let invalid = |message: String| Err(Verdict::user_error(reason::VALIDATION_FAILED, message));
    if let Some(feature) = unsupported::in_task_spec(spec) {
        return invalid(feature);
    }
    if let Some(message) = steps::request_above_limit(&spec.steps, spec.step_template.as_ref()) {
        return invalid(message);
    }
    if let Some(message) = substitution_errors::of_task_params(&spec.params, &run.spec.params) {
        return invalid(format!("invalid input params for task {}: {message}", definition_name(run)));
    }
    if let Some((name, value)) = not_allowed(&spec.params, run) {
        let message = format!("param `{name}` value: {value} is not in the enum list");
        return Err(Verdict::user_error(reason::INVALID_PARAM_VALUE, message));
    }
    let json = serde_json::to_value(spec).unwrap_or_default();
    let beyond = out_of_bounds(texts(&json), &spec.params, &run.spec.params);
    if !beyond.is_empty() {
        return invalid(format!("non-existent param references:[{}]", beyond.join(" ")));
    }
    if let Some(message) = wrong_bindings(run, spec) {
        return invalid(message);
    }
    let step_names: BTreeSet<&str> = spec.steps.iter().filter_map(|step| step.name.as_deref()).collect();
    if let Some(unknown) = run.spec.step_specs.iter().find(|own| !step_names.contains(own.name.as_str())) {
        return invalid(format!("invalid StepOverride: No Step named {}", unknown.name));
    }
    match run.spec.sidecar_specs.first() {
        Some(unknown) => invalid(format!("invalid SidecarOverride: No Sidecar named {}", unknown.name)),
        None => Ok(()),
    }
}

/// The Task's own name, which is empty for an embedded spec.
fn definition_name(run: &TaskRun) -> &str {
    let referenced = run.spec.task_ref.as_ref().and_then(|reference| reference.name.as_deref());
    referenced.unwrap_or_else(|| run.metadata.name.as_deref().unwrap_or_default())
}

fn not_allowed<'a>(specs: &'a [ParamSpec], run: &'a TaskRun) -> Option<(&'a str, &'a str)> {
    run.spec.params.iter().find_map(|param| {
        let value = param.value.as_string().filter(|value| !value.is_empty())?;
        let spec = specs.iter().find(|spec| spec.name == param.name && !spec.allowed.is_empty())?;
        (!spec.allowed.contains(value)).then_some((param.name.as_str(), value.as_str()))
    })
}

fn wrong_bindings(run: &TaskRun, spec: &TaskSpec) -> Option<String> {
    let bound: BTreeSet<&str> = run.spec.workspaces.iter().map(|binding| binding.name.as_str()).collect();
    let declared: BTreeSet<&str> = spec.workspaces.iter().map(|workspace| workspace.name.as_str()).collect();
    let missing = spec
        .workspaces
        .iter()
        .find(|workspace| !workspace.optional && !bound.contains(workspace.name.as_str()));
    if let Some(missing) = missing {
        return Some(format!("declared workspace {:?} is required but has not been bound", missing.name));
    }
    // An embedded spec may use what the run binds without declaring it.
    let unknown = bound.iter().find(|name| run.spec.task_spec.is_none() && !declared.contains(*name))?;
    Some(format!("workspace binding {unknown:?} does not match any declared workspace"))
}

fn texts(json: &Value) -> Vec<&str> {
    match json {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::Object(fields) => fields.values().flat_map(texts).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
    }
}

/// The values of the run's params.
pub(super) fn params(run: &TaskRun, specs: &[ParamSpec]) -> Result<Replacements, Verdict> {
    resolve_params(specs, &run.spec.params)
        .map_err(|message| Verdict::user_error(reason::VALIDATION_FAILED, message))
}

/// The run's bindings, with claims in place of templates and with params replaced.
pub(super) fn bindings(run: &TaskRun, params: &Replacements) -> Vec<WorkspaceBinding> {
    let owner = metadata::controller_of("TaskRun", &run.metadata);
    let mut bindings: Vec<_> =
        run.spec.workspaces.iter().map(|binding| workspaces::with_claim(binding, &owner)).collect();
    for binding in &mut bindings {
        replace_in_leaves(binding, params.scope());
    }
    bindings
}

/// The definition's spec with all variables replaced that do not change between attempts.
pub(super) fn substituted(
    run: &TaskRun,
    definition: &Definition,
    params: &Replacements,
    bindings: &[WorkspaceBinding],
) -> TaskSpec {
    let mut spec = definition.spec.clone();
    let context = context(run, &definition.name);
    let first = vec![params.scope(), context.scope()];
    for binding in bindings {
        if !spec.workspaces.iter().any(|workspace| workspace.name == binding.name) {
            spec.workspaces
                .push(WorkspaceDeclaration { name: binding.name.clone(), ..WorkspaceDeclaration::default() });
        }
    }
    let declared = replaced_paths(&spec.workspaces, &first);
    let mut fixed = paths(&spec);
    fixed.strings.extend(workspace_variables(&declared, bindings).strings);
    let own = (0..spec.steps.len()).map(|index| own_variables(&spec, index)).collect();
    let last = vec![fixed.scope()];
    replace_in_task_spec(&mut spec, &Passes { first, own, last });
    spec
}

fn context(run: &TaskRun, task: &str) -> Replacements {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    Replacements::of_strings([
        ("context.taskRun.name", text(&run.metadata.name)),
        ("context.taskRun.namespace", text(&run.metadata.namespace)),
        ("context.taskRun.uid", text(&run.metadata.uid)),
        ("context.task.name", task.to_owned()),
    ])
}

fn replaced_paths(declared: &[WorkspaceDeclaration], scopes: &[Scope<'_>]) -> Vec<WorkspaceDeclaration> {
    let mut declared = declared.to_vec();
    for path in declared.iter_mut().filter_map(|workspace| workspace.mount_path.as_mut()) {
        scopes.iter().for_each(|scope| scope.replace_in(path));
    }
    declared
}

/// Paths of results and exit codes.
fn paths(spec: &TaskSpec) -> Replacements {
    let mut paths = Replacements::default();
    for result in &spec.results {
        for key in notations("results", &result.name) {
            paths.strings.insert(format!("{key}.path"), format!("/tekton/results/{}", result.name));
        }
    }
    for (index, step) in spec.steps.iter().enumerate() {
        let name = names::step(step.name.as_deref().unwrap_or_default(), index);
        paths
            .strings
            .insert(format!("steps.step-{name}.exitCode.path"), format!("/tekton/steps/{name}/exitCode"));
    }
    paths
}

fn notations(prefix: &str, name: &str) -> [String; 3] {
    [format!("{prefix}.{name}"), format!("{prefix}[\"{name}\"]"), format!("{prefix}['{name}']")]
}

fn workspace_variables(declared: &[WorkspaceDeclaration], bindings: &[WorkspaceBinding]) -> Replacements {
    let volumes = workspaces::volumes(bindings);
    let mut variables = Replacements::default();
    for workspace in declared {
        let name = &workspace.name;
        let binding = bindings.iter().find(|binding| binding.name == *name);
        let claim = binding.and_then(|binding| binding.persistent_volume_claim.as_ref());
        let unbound = workspace.optional && binding.is_none();
        let path = if unbound { String::new() } else { workspaces::mount_path(workspace) };
        for (key, value) in [
            ("bound", (!unbound).to_string()),
            ("path", path),
            ("volume", volumes.get(name.as_str()).map(|volume| volume.name.clone()).unwrap_or_default()),
            ("claim", claim.map(|claim| claim.claim_name.clone()).unwrap_or_default()),
        ] {
            variables.strings.insert(format!("workspaces.{name}.{key}"), value);
        }
    }
    variables
}

/// What a step's variables stand for in that step alone: its results, and workspaces that it mounts elsewhere.
fn own_variables(spec: &TaskSpec, index: usize) -> Replacements {
    let step = &spec.steps[index];
    let name = names::step(step.name.as_deref().unwrap_or_default(), index);
    let mut own = Replacements::default();
    for result in &step.results {
        for key in notations("step.results", &result.name) {
            own.strings
                .insert(format!("{key}.path"), format!("/tekton/steps/{name}/results/{}", result.name));
        }
    }
    for usage in &step.workspaces {
        if let Some(path) = usage.mount_path.as_ref().filter(|path| !path.is_empty()) {
            own.strings.insert(format!("workspaces.{}.path", usage.name), path.clone());
        }
    }
    own
}
