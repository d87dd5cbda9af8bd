//! The Pod of an attempt: one plain container for each step, and the step plan as an annotation.
//! What makes containers run one after the other, and where scripts and results are, is for the node alone.
//! Invariant: equal run and spec give an equal Pod, so creating it twice is creating it once.
//! Source: Tekton's `pkg/pod`, without its entrypoint, init containers and internal volumes.

use std::collections::BTreeSet;

use api::step_plan::{ANNOTATION, OnError, PlannedResult, PlannedStep, PlannedWhen, StepPlan};
use api::tekton::v1::{
    ParamType, PodTemplate, Step, StepOnError, TaskRun, TaskSpec, WhenOperator, WorkspaceBinding,
};
use k8s_openapi::api::core::v1::{Container, EnvVar, Pod, PodSpec, Volume};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use types::GoDuration;

use super::{observed::pod_name, steps};
use crate::metadata::{self, Pairs};
use crate::substitution::{Passes, Replacements, replace_in_leaves, replace_in_task_spec};
use crate::{names, workspaces};

/// What a script without a first line of its own begins with.
const SCRIPT_PREAMBLE: &str = "#!/bin/sh\nset -e\n";
/// The longest deadline that a Pod may have, for runs without a time limit.
const DEADLINE_SECONDS_MAX: i64 = i32::MAX as i64;

/// Builds the Pod for a spec whose variables are replaced, except those that differ between attempts.
///
/// # Errors
/// What is wrong, in Tekton's words.
pub(super) fn build(
    run: &TaskRun,
    spec: &TaskSpec,
    bindings: &[WorkspaceBinding],
    params: &Replacements,
) -> Result<Pod, String> {
    let mut spec = spec.clone();
    let attempt = Replacements::of_strings([
        (
            "context.task.retry-count",
            run.status.as_ref().map_or(0, |status| status.retries_status.len()).to_string(),
        ),
        ("credentials.path", "/tekton/creds".to_owned()),
    ]);
    replace_in_task_spec(&mut spec, &Passes { last: vec![attempt.scope()], ..Passes::default() });
    workspaces::mount(&mut spec, bindings);
    let mut all_steps = steps::with_template(&spec.steps, spec.step_template.as_ref());
    steps::share_resources(&mut all_steps, &run.spec.step_specs, run.spec.compute_resources.as_ref());
    let mut template = run.spec.pod_template.clone().unwrap_or_default();
    replace_in_leaves(&mut template, params.scope());

    let plan = step_plan(&spec, &all_steps);
    let containers =
        all_steps.iter().enumerate().map(|(index, step)| container(step, index, &template.env)).collect();
    let volumes: Vec<Volume> =
        spec.volumes.into_iter().chain(std::mem::take(&mut template.volumes)).collect();
    check_volume_names(&volumes)?;
    Ok(Pod {
        metadata: object_meta(run, &plan),
        spec: Some(pod_spec(run, template, containers, volumes)),
        status: None,
    })
}

fn object_meta(run: &TaskRun, plan: &StepPlan) -> ObjectMeta {
    let mut annotations = metadata::inheritable(run.metadata.annotations.as_ref());
    annotations.insert(metadata::RELEASE.to_owned(), metadata::RELEASE_VALUE.to_owned());
    // A plan is strings, numbers and lists; its JSON form always exists.
    annotations.insert(ANNOTATION.to_owned(), serde_json::to_string(plan).unwrap_or_default());
    let mut labels: Pairs = run.metadata.labels.clone().unwrap_or_default();
    labels.insert(metadata::TASK_RUN.to_owned(), run.metadata.name.clone().unwrap_or_default());
    labels.insert(metadata::TASK_RUN_UID.to_owned(), run.metadata.uid.clone().unwrap_or_default());
    labels.insert(metadata::MANAGED_BY.to_owned(), metadata::MANAGED_BY_VALUE.to_owned());
    ObjectMeta {
        name: Some(pod_name(run)),
        namespace: run.metadata.namespace.clone(),
        labels: Some(labels),
        annotations: Some(annotations),
        owner_references: Some(vec![metadata::controller_of("TaskRun", &run.metadata)]),
        ..ObjectMeta::default()
    }
}

fn pod_spec(
    run: &TaskRun,
    template: PodTemplate,
    containers: Vec<Container>,
    volumes: Vec<Volume>,
) -> PodSpec {
    PodSpec {
        restart_policy: Some("Never".to_owned()),
        containers,
        volumes: some(volumes),
        service_account_name: run.spec.service_account_name.clone().filter(|name| !name.is_empty()),
        active_deadline_seconds: Some(deadline_seconds(super::timeout(run))),
        automount_service_account_token: Some(template.automount_service_account_token.unwrap_or(false)),
        node_selector: (!template.node_selector.is_empty()).then_some(template.node_selector),
        tolerations: some(template.tolerations),
        affinity: template.affinity,
        security_context: template.security_context,
        runtime_class_name: template.runtime_class_name,
        scheduler_name: template.scheduler_name,
        host_network: template.host_network.then_some(true),
        host_users: template.host_users,
        dns_policy: template.dns_policy,
        dns_config: template.dns_config,
        enable_service_links: template.enable_service_links,
        priority_class_name: template.priority_class_name,
        image_pull_secrets: some(template.image_pull_secrets),
        host_aliases: some(template.host_aliases),
        topology_spread_constraints: some(template.topology_spread_constraints),
        ..PodSpec::default()
    }
}

fn some<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}

/// One and a half times the time limit: a backstop, in case nobody decides any more.
fn deadline_seconds(timeout: GoDuration) -> i64 {
    let seconds = timeout.nanoseconds() / 1_000_000_000;
    if timeout.is_zero() {
        DEADLINE_SECONDS_MAX
    } else {
        (seconds.saturating_mul(3) / 2).clamp(1, DEADLINE_SECONDS_MAX)
    }
}

fn container(step: &Step, index: usize, template_env: &[EnvVar]) -> Container {
    let name = names::step_container(step.name.as_deref().unwrap_or_default(), index);
    Container {
        name: names::restrict_length(&name),
        image: step.image.clone(),
        image_pull_policy: step.image_pull_policy.clone(),
        command: some(step.command.clone()),
        args: some(step.args.clone()),
        working_dir: step.working_dir.clone(),
        env: some(step.env.iter().chain(template_env).cloned().collect()),
        env_from: some(step.env_from.clone()),
        resources: step.compute_resources.clone(),
        volume_mounts: some(step.volume_mounts.clone()),
        volume_devices: some(step.volume_devices.clone()),
        security_context: step.security_context.clone(),
        ..Container::default()
    }
}

fn check_volume_names(volumes: &[Volume]) -> Result<(), String> {
    let mut names = BTreeSet::new();
    match volumes.iter().enumerate().find(|(_, volume)| !names.insert(&volume.name)) {
        Some((index, volume)) => {
            Err(format!("multiple volumes with same name {:?}: [{index}].name", volume.name))
        }
        None => Ok(()),
    }
}

fn step_plan(spec: &TaskSpec, steps: &[Step]) -> StepPlan {
    let results = spec.results.iter().map(|result| planned_result(&result.name, result.kind.as_ref()));
    StepPlan { results: results.collect(), steps: steps.iter().enumerate().map(planned_step).collect() }
}

fn planned_result(name: &str, kind: Option<&ParamType>) -> PlannedResult {
    PlannedResult { name: name.to_owned(), kind: kind.unwrap_or(&ParamType::String).to_string() }
}

fn planned_step((index, step): (usize, &Step)) -> PlannedStep {
    let name = step.name.as_deref().unwrap_or_default();
    let path =
        |config: Option<&api::tekton::v1::StepOutputConfig>| config.and_then(|config| config.path.clone());
    PlannedStep {
        name: names::step(name, index),
        container: names::restrict_length(&names::step_container(name, index)),
        script: step.script.as_deref().filter(|script| !script.is_empty()).map(with_first_line),
        timeout: step.timeout.filter(|timeout| !timeout.is_zero()),
        on_error: match step.on_error {
            Some(StepOnError::Continue) => OnError::Continue,
            _ => OnError::StopAndFail,
        },
        when: step.when.iter().map(planned_when).collect(),
        results: step
            .results
            .iter()
            .map(|result| planned_result(&result.name, result.kind.as_ref()))
            .collect(),
        stdout_path: path(step.stdout_config.as_ref()),
        stderr_path: path(step.stderr_config.as_ref()),
    }
}

fn with_first_line(script: &str) -> String {
    let trimmed = script.trim_start();
    if trimmed.starts_with("#!") { trimmed.to_owned() } else { format!("{SCRIPT_PREAMBLE}{script}") }
}

fn planned_when(when: &api::tekton::v1::WhenExpression) -> PlannedWhen {
    PlannedWhen {
        input: when.input.clone().unwrap_or_default(),
        operator: when.operator.clone().unwrap_or(WhenOperator::In).to_string(),
        values: when.values.clone(),
    }
}
