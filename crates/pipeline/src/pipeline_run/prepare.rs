//! The spec that a PipelineRun runs: found, checked against the run, and with the run's variables replaced.
//! Done once; afterwards `status.pipelineSpec` is the truth, whatever happens to the Pipeline.
//! Invariant: what stays in it are variables that only running tasks can give a value.
//! Source: Tekton's `reconciler/pipelinerun/pipelinerun.go`, `reconcile`.

use std::collections::{BTreeMap, BTreeSet};

use api::tekton::v1::{ParamSpec, PipelineRun, PipelineSpec, PipelineTask, Task, TaskSpec};

use super::{Observed, results, state::State};
use crate::conditions::Verdict;
use crate::graph::Graph;
use crate::metadata::{self, Pairs};
use crate::plan::{Lookup, MetadataPatch, Need};
use crate::reasons::pipeline_run as reason;
use crate::substitution::{
    Replacements, missing_keys, missing_params, out_of_bounds, replace_in_pipeline_task, resolve_params,
    result_refs, result_refs_of, undefined_reference, wrong_types,
};
use crate::{admission, names, substitution_errors, unsupported};

/// Why there is nothing to run.
pub(super) enum Stop {
    /// These must be looked up first.
    Need(Vec<Need>),
    /// The run fails.
    Fail(Verdict),
}

/// A Pipeline that was found.
pub(super) struct Definition {
    name: String,
    spec: PipelineSpec,
    /// What the run takes over from the Pipeline's metadata.
    pub(super) metadata: MetadataPatch,
}

/// The label that groups runs of one Pipeline, from the run alone.
pub(super) fn pipeline_label(run: &PipelineRun) -> Option<String> {
    let labelled = run.metadata.labels.as_ref().and_then(|labels| labels.get(metadata::PIPELINE));
    if let Some(label) = labelled {
        return Some(label.clone());
    }
    let referenced = run.spec.pipeline_ref.as_ref().and_then(|reference| reference.name.clone());
    if let Some(name) = referenced.filter(|name| !name.is_empty()) {
        return Some(name);
    }
    let generated = run.metadata.generate_name.as_deref().map(names::restrict_length);
    generated.filter(|name| !name.is_empty()).or_else(|| run.metadata.name.clone())
}

/// Finds the Pipeline that the run embeds or names.
pub(super) fn find(observed: &Observed) -> Result<Definition, Stop> {
    let run = &observed.run;
    let run_name = run.metadata.name.clone().unwrap_or_default();
    let run_key = key(run, &run_name);
    let fail = |message: String| {
        let text = format!("Error retrieving pipeline for pipelinerun {run_key}: {message}");
        Err(Stop::Fail(Verdict::failed(reason::COULD_NOT_GET_PIPELINE, text)))
    };
    let reference = run.spec.pipeline_ref.as_ref();
    if reference.is_some_and(|reference| reference.resolver.as_deref().is_some_and(|name| !name.is_empty())) {
        return fail(unsupported::named("remote resolution", "spec.pipelineRef.resolver"));
    }
    let referenced = reference.and_then(|reference| reference.name.clone()).filter(|name| !name.is_empty());
    if let Some(name) = referenced {
        return match &observed.pipeline {
            Lookup::NotLookedUp => Err(Stop::Need(vec![Need::Pipeline(name)])),
            Lookup::Missing => fail(format!(
                "error when getting Pipeline for PipelineRun {run_name}: pipelines.tekton.dev {name:?} not found"
            )),
            Lookup::Found(pipeline) => Ok(Definition {
                metadata: taken_over(
                    run,
                    pipeline.metadata.labels.as_ref(),
                    pipeline.metadata.annotations.as_ref(),
                    &name,
                ),
                name,
                spec: pipeline.spec.clone(),
            }),
        };
    }
    match &run.spec.pipeline_spec {
        Some(spec) => {
            Ok(Definition { name: run_name, spec: spec.clone(), metadata: MetadataPatch::default() })
        }
        None => fail(format!("pipelineRun {run_name} not providing PipelineRef or PipelineSpec")),
    }
}

fn key(run: &PipelineRun, name: &str) -> String {
    format!("{}/{name}", run.metadata.namespace.as_deref().unwrap_or_default())
}

fn taken_over(
    run: &PipelineRun,
    labels: Option<&Pairs>,
    annotations: Option<&Pairs>,
    pipeline: &str,
) -> MetadataPatch {
    let mut all_labels = run.metadata.labels.clone().unwrap_or_default();
    metadata::add_missing(&mut all_labels, labels.into_iter().flatten());
    all_labels.insert(metadata::PIPELINE.to_owned(), pipeline.to_owned());
    let mut all_annotations = run.metadata.annotations.clone().unwrap_or_default();
    metadata::add_missing(&mut all_annotations, &metadata::inheritable(annotations));
    MetadataPatch { labels: all_labels, annotations: all_annotations }
}

/// Checks the Pipeline against what the run gives, and replaces the variables that the run gives values for.
pub(super) fn checked(run: &PipelineRun, definition: &Definition) -> Result<PipelineSpec, Verdict> {
    let spec = &definition.spec;
    let run_key = key(run, run.metadata.name.as_deref().unwrap_or_default());
    let pipeline_key = key(run, &definition.name);
    if let Err(error) = graph(&spec.tasks) {
        let message = format!("PipelineRun {run_key}'s Pipeline DAG is invalid: {error}");
        return Err(Verdict::user_error(reason::INVALID_GRAPH, message));
    }
    let invalid = |message: String| {
        let text = format!("Pipeline {pipeline_key} can't be Run; it has an invalid spec: {message}");
        Err(Verdict::user_error(reason::VALIDATION_FAILED, text))
    };
    if let Some(feature) = unsupported::in_pipeline_spec(spec) {
        return invalid(feature);
    }
    if let Some(feature) = unsupported::in_bindings(&run.spec.workspaces) {
        return invalid(feature);
    }
    if let Some(errors) = admission::pipeline_spec_errors(spec) {
        return invalid(errors);
    }
    check_params(run, &spec.params, spec, &run_key, &pipeline_key)?;
    check_workspaces(run, spec, &run_key, &pipeline_key)?;
    let values = resolve_params(&spec.params, &run.spec.params);
    let values = values.and_then(|values| match undefined_reference(&spec.params, &values) {
        Some(message) => Err(message),
        None => Ok(values),
    });
    let values = values.map_err(|message| {
        let text = format!("Failed to apply parameters to Pipeline {pipeline_key}: {message}");
        Verdict::user_error(reason::VALIDATION_FAILED, text)
    })?;
    let spec = substituted(run, definition, &values);
    match admission::on_error_errors(&spec) {
        Some(errors) => invalid(errors),
        None => Ok(spec),
    }
}

/// The graph of the tasks.
pub(crate) fn graph(tasks: &[PipelineTask]) -> Result<Graph, crate::graph::InvalidGraph> {
    let references: Vec<Vec<_>> = tasks.iter().map(result_refs_of).collect();
    let nodes: Vec<(&str, BTreeSet<&str>)> = tasks
        .iter()
        .zip(&references)
        .map(|(task, references)| {
            let by_result = references.iter().map(|reference| reference.task.as_str());
            let parents = task.run_after.iter().map(String::as_str).chain(by_result);
            (task.name.as_deref().unwrap_or_default(), parents.collect())
        })
        .collect();
    Graph::build(&nodes)
}

fn check_params(
    run: &PipelineRun,
    specs: &[ParamSpec],
    spec: &PipelineSpec,
    run_key: &str,
    pipeline_key: &str,
) -> Result<(), Verdict> {
    let given = &run.spec.params;
    let missing = missing_params(specs, given);
    if !missing.is_empty() {
        let missing = substitution_errors::list(&missing);
        return Err(Verdict::user_error(
            reason::PARAMETER_MISSING,
            format!(
                "PipelineRun {run_key} is missing some parameters required by Pipeline {pipeline_key}: pipelineRun missing parameters: {missing}"
            ),
        ));
    }
    let wrong = wrong_types(specs, given, false);
    if !wrong.is_empty() {
        let wrong = substitution_errors::list(&wrong);
        return Err(Verdict::user_error(
            reason::PARAMETER_TYPE_MISMATCH,
            format!(
                "PipelineRun {run_key} parameters have mismatching types with Pipeline {pipeline_key}'s parameters: parameters have inconsistent types : {wrong}"
            ),
        ));
    }
    if let Some((name, value)) = not_allowed(specs, run) {
        return Err(Verdict::user_error(
            reason::INVALID_PARAM_VALUE,
            format!(
                "PipelineRun {run_key} parameters have invalid value: param `{name}` value: {value} is not in the enum list"
            ),
        ));
    }
    let keys = missing_keys(specs, given);
    if !keys.is_empty() {
        let keys = substitution_errors::map(&keys);
        return Err(Verdict::user_error(
            reason::OBJECT_PARAMETER_MISS_KEYS,
            format!(
                "PipelineRun {run_key} parameters is missing object keys required by Pipeline {pipeline_key}'s parameters: pipelineRun missing object keys for parameters: {keys}"
            ),
        ));
    }
    let beyond = out_of_bounds(indexing_texts(spec), specs, given);
    if !beyond.is_empty() {
        return Err(Verdict::user_error(
            reason::PARAM_ARRAY_INDEXING_INVALID,
            format!(
                "PipelineRun {run_key} failed validation: failed to validate Pipeline {pipeline_key}'s parameter which has an invalid index while referring to an array: non-existent param references:[{}]",
                beyond.join(" ")
            ),
        ));
    }
    Ok(())
}

fn not_allowed<'a>(specs: &'a [ParamSpec], run: &'a PipelineRun) -> Option<(&'a str, &'a str)> {
    run.spec.params.iter().find_map(|param| {
        let value = param.value.as_string().filter(|value| !value.is_empty())?;
        let spec = specs.iter().find(|spec| spec.name == param.name && !spec.allowed.is_empty())?;
        (!spec.allowed.contains(value)).then_some((param.name.as_str(), value.as_str()))
    })
}

/// Texts that may name elements of array params: params, paths and `when` of all tasks.
fn indexing_texts(spec: &PipelineSpec) -> Vec<&str> {
    let mut texts = Vec::new();
    for task in spec.tasks.iter().chain(&spec.finally) {
        texts.extend(task.params.iter().flat_map(|param| admission::texts_of(&param.value)));
        texts.extend(task.workspaces.iter().filter_map(|workspace| workspace.sub_path.as_deref()));
        for when in &task.when {
            texts.extend(when.input.as_deref().into_iter().chain(when.values.iter().map(String::as_str)));
        }
    }
    texts
}

fn check_workspaces(
    run: &PipelineRun,
    spec: &PipelineSpec,
    run_key: &str,
    pipeline_key: &str,
) -> Result<(), Verdict> {
    let bound: BTreeSet<&str> = run.spec.workspaces.iter().map(|binding| binding.name.as_str()).collect();
    let missing = spec
        .workspaces
        .iter()
        .find(|workspace| !workspace.optional && !bound.contains(workspace.name.as_str()));
    if let Some(missing) = missing {
        return Err(Verdict::user_error(
            reason::INVALID_WORKSPACE_BINDINGS,
            format!(
                "PipelineRun {run_key} doesn't bind Pipeline {pipeline_key}'s Workspaces correctly: pipeline requires workspace with name {:?} be provided by pipelinerun",
                missing.name
            ),
        ));
    }
    let names: BTreeSet<&str> =
        spec.tasks.iter().chain(&spec.finally).filter_map(|task| task.name.as_deref()).collect();
    let unknown = run.spec.task_run_specs.iter().filter_map(|own| own.pipeline_task_name.as_deref());
    match unknown.into_iter().find(|name| !names.contains(name)) {
        Some(name) => Err(Verdict::user_error(
            reason::INVALID_TASK_RUN_SPECS,
            format!(
                "PipelineRun {run_key} doesn't define taskRunSpecs correctly: pipelineRun's taskrunSpecs defined wrong taskName: {name:?}, does not exist in Pipeline"
            ),
        )),
        None => Ok(()),
    }
}

fn substituted(run: &PipelineRun, definition: &Definition, values: &Replacements) -> PipelineSpec {
    let mut spec = definition.spec.clone();
    let context = context(run, &definition.name);
    let mut bound = Replacements::default();
    for workspace in &spec.workspaces {
        bound.strings.insert(format!("workspaces.{}.bound", workspace.name), "false".to_owned());
    }
    for binding in &run.spec.workspaces {
        bound.strings.insert(format!("workspaces.{}.bound", binding.name), "true".to_owned());
    }
    for task in spec.tasks.iter_mut().chain(&mut spec.finally) {
        for pass in [values, &context, &bound] {
            replace_in_pipeline_task(task, pass);
        }
    }
    spec
}

/// `$(context.pipelineRun.*)` and `$(context.pipeline.name)`.
pub(super) fn context(run: &PipelineRun, pipeline: &str) -> Replacements {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    Replacements::of_strings([
        ("context.pipelineRun.name", text(&run.metadata.name)),
        ("context.pipelineRun.namespace", text(&run.metadata.namespace)),
        ("context.pipelineRun.uid", text(&run.metadata.uid)),
        ("context.pipeline.name", pipeline.to_owned()),
    ])
}

/// The spec of the Task that a task of the Pipeline runs: embedded, or looked up.
///
/// # Errors
/// That it must be looked up, or that the run fails because it does not exist.
pub(super) fn task_spec<'a>(
    observed: &'a Observed,
    task: &'a PipelineTask,
) -> Result<(&'a TaskSpec, Option<&'a Task>), Stop> {
    if let Some(embedded) = &task.task_spec {
        return Ok((&embedded.task_spec, None));
    }
    let name = task.task_ref.as_ref().and_then(|reference| reference.name.as_deref()).unwrap_or_default();
    match observed.tasks.get(name) {
        None | Some(Lookup::NotLookedUp) => Err(Stop::Need(vec![Need::Task(name.to_owned())])),
        Some(Lookup::Found(found)) => Ok((&found.spec, Some(found))),
        Some(Lookup::Missing) => {
            let run = &observed.run;
            let pipeline = run.spec.pipeline_ref.as_ref().and_then(|reference| reference.name.clone());
            let pipeline = pipeline.or_else(|| run.metadata.name.clone()).unwrap_or_default();
            Err(Stop::Fail(Verdict::failed(
                reason::COULD_NOT_GET_TASK,
                format!(
                    "Pipeline {} can't be Run; it contains Tasks that don't exist: Couldn't retrieve Task {name:?}: tasks.tekton.dev {name:?} not found",
                    key(run, &pipeline)
                ),
            )))
        }
    }
}

/// What must hold before the first task starts, once all Tasks are known.
pub(super) fn check_tasks(observed: &Observed, spec: &PipelineSpec, state: &State<'_>) -> Result<(), Stop> {
    let mut specs = BTreeMap::new();
    let mut needs = Vec::new();
    for task in &state.tasks {
        match task_spec(observed, task.task) {
            Ok((task_spec, _)) => {
                specs.insert(task.name(), task_spec);
            }
            Err(Stop::Need(need)) => needs.extend(need),
            Err(stop) => return Err(stop),
        }
    }
    if !needs.is_empty() {
        needs.sort();
        needs.dedup();
        return Err(Stop::Need(needs));
    }
    for task in &state.tasks {
        check_given(observed, task.task, specs[task.name()]).map_err(Stop::Fail)?;
    }
    check_result_references(observed, spec, state, &specs).map_err(Stop::Fail)?;
    check_optional_workspaces(spec, state, &specs).map_err(Stop::Fail)
}

/// Whether the params that a task gives fit its Task.
pub(super) fn check_given(observed: &Observed, task: &PipelineTask, spec: &TaskSpec) -> Result<(), Verdict> {
    let run_name = observed.run.metadata.name.as_deref().unwrap_or_default();
    let invalid = |message: String| {
        let text = format!("Validation failed for pipelinerun {run_name} with error {message}");
        Err(Verdict::user_error(reason::VALIDATION_FAILED, text))
    };
    let task_name =
        task.task_ref.as_ref().and_then(|reference| reference.name.as_deref()).unwrap_or_default();
    if let Some(message) = substitution_errors::of_task_params(&spec.params, &task.params) {
        return invalid(format!("invalid input params for task {task_name}: {message}"));
    }
    match unsupported::in_task_spec(spec) {
        Some(feature) => invalid(format!("invalid task {task_name}: {feature}")),
        None => Ok(()),
    }
}

fn check_result_references(
    observed: &Observed,
    spec: &PipelineSpec,
    state: &State<'_>,
    specs: &BTreeMap<&str, &TaskSpec>,
) -> Result<(), Verdict> {
    let wrong = |task: &str, result: &str| match specs.get(task) {
        None => Some(format!("referenced pipeline task {task:?} does not exist")),
        Some(spec) if spec.results.iter().any(|declared| declared.name == result) => None,
        Some(_) => Some(format!("{result:?} is not a named result returned by pipeline task {task:?}")),
    };
    for task in &state.tasks {
        let errors = result_refs_of(task.task).into_iter().filter_map(|one| wrong(&one.task, &one.result));
        if let Some(message) = errors.into_iter().next() {
            let text = format!("invalid result reference in pipeline task {:?}: {message}", task.name());
            return Err(Verdict::failed(reason::INVALID_TASK_RESULT_REFERENCE, text));
        }
    }
    let run_name = observed.run.metadata.name.as_deref().unwrap_or_default();
    for result in &spec.results {
        let references = result_refs(crate::substitution::param_expressions(&result.value));
        let mut errors = references.into_iter().filter_map(|one| wrong(&one.task, &one.result));
        if let Some(message) = errors.next() {
            return Err(Verdict::failed(
                reason::INVALID_PIPELINE_RESULT_REFERENCE,
                format!(
                    "Failed to resolve pipeline result reference for {run_name:?} with error invalid pipeline result {:?}: {message}",
                    result.name
                ),
            ));
        }
    }
    Ok(())
}

fn check_optional_workspaces(
    spec: &PipelineSpec,
    state: &State<'_>,
    specs: &BTreeMap<&str, &TaskSpec>,
) -> Result<(), Verdict> {
    let optional: BTreeSet<&str> =
        spec.workspaces.iter().filter(|one| one.optional).map(|one| one.name.as_str()).collect();
    for task in &state.tasks {
        let bound = task
            .task
            .workspaces
            .iter()
            .filter_map(|one| Some((one.name.as_str(), one.workspace.as_deref()?)));
        for (name, workspace) in bound.filter(|(_, workspace)| optional.contains(workspace)) {
            let required = specs[task.name()].workspaces.iter().any(|one| one.name == name && !one.optional);
            if required {
                return Err(Verdict::user_error(
                    reason::REQUIRED_WORKSPACE_MARKED_OPTIONAL,
                    format!(
                        "Optional workspace not supported by task: pipeline workspace {workspace:?} is marked optional but pipeline task {:?} requires it be provided",
                        task.name()
                    ),
                ));
            }
        }
    }
    Ok(())
}

/// A task that refers to an element beyond the end of an array result.
pub(super) fn check_indexes(run: &PipelineRun, state: &State<'_>) -> Result<(), Verdict> {
    let waiting = state.tasks.iter().filter(|task| task.run.is_none());
    match waiting.into_iter().find_map(|task| results::index_out_of_bounds(state, task)) {
        Some(message) => Err(Verdict::user_error(
            reason::VALIDATION_FAILED,
            format!(
                "PipelineRun {} can't be Run; couldn't resolve all references: {message}",
                key(run, run.metadata.name.as_deref().unwrap_or_default())
            ),
        )),
        None => Ok(()),
    }
}
