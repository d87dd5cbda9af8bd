//! The status that a Pod gives to its TaskRun: how steps stand, what they left, and the verdict.
//! It reads Pods as any kubelet writes them, and the node's termination messages.
//! Invariant: a TaskRun is judged when all of its steps have ended, or when its Pod has.
//! Source: Tekton's `pkg/pod/status.go`.

use std::collections::BTreeMap;

use api::step_plan::RunResult;
use api::tekton::v1::{ParamType, ParamValue, StepState, TaskRun, TaskRunResult, TaskRunStatus, TaskSpec};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ContainerStateTerminated, ContainerStatus, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::results;
use crate::conditions::Verdict;
use crate::metadata;
use crate::names;
use crate::reasons::task_run as reason;

const RUNNING_MESSAGE: &str = "Not all Steps in the Task have finished executing";
const OOM_KILLED: &str = "OOMKilled";
const EVICTED: &str = "Evicted";

/// Takes over everything from the Pod but the condition, which is returned.
pub(super) fn take_over(
    status: &mut TaskRunStatus,
    run: &TaskRun,
    spec: &TaskSpec,
    pod: &Pod,
    now: Timestamp,
) -> Verdict {
    let verdict = if is_complete(pod) { completed(run, pod) } else { incomplete(pod) };
    status.pod_name = pod.metadata.name.clone().unwrap_or_default();
    if verdict.is_final() {
        status.completion_time = Some(Time(now));
        status.results.clear();
    }
    let mut steps = Vec::new();
    for container in step_statuses(pod) {
        steps.push(step_state(status, spec, &container, verdict.is_final()));
    }
    if !steps.is_empty() {
        status.steps = steps;
    }
    if !verdict.is_final() {
        return verdict;
    }
    results::keep_last(&mut status.results);
    match results::wrong(&mut status.results, &spec.results) {
        Some(message) => Verdict::user_error(reason::VALIDATION_FAILED, message),
        None => verdict,
    }
}

/// The statuses of the steps' containers, in the order of the steps.
pub(super) fn step_statuses(pod: &Pod) -> Vec<ContainerStatus> {
    let statuses =
        pod.status.as_ref().and_then(|status| status.container_statuses.as_deref()).unwrap_or_default();
    let by_name: BTreeMap<&str, &ContainerStatus> =
        statuses.iter().map(|status| (status.name.as_str(), status)).collect();
    let containers = pod.spec.as_ref().map(|spec| spec.containers.as_slice()).unwrap_or_default();
    let names =
        containers.iter().map(|container| container.name.as_str()).filter(|name| name.starts_with("step-"));
    names.filter_map(|name| by_name.get(name).map(|status| (*status).clone())).collect()
}

fn phase(pod: &Pod) -> &str {
    pod.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or("Pending")
}

fn terminated(status: &ContainerStatus) -> Option<&ContainerStateTerminated> {
    status.state.as_ref()?.terminated.as_ref()
}

fn is_oom_killed(status: &ContainerStatus) -> bool {
    terminated(status).is_some_and(|end| end.reason.as_deref() == Some(OOM_KILLED))
}

fn is_complete(pod: &Pod) -> bool {
    let steps = step_statuses(pod);
    let all_ended = !steps.is_empty()
        && matches!(phase(pod), "Running" | "Succeeded")
        && steps.iter().all(|step| terminated(step).is_some())
        && steps.len() == pod.spec.as_ref().map_or(0, |spec| spec.containers.len());
    all_ended || matches!(phase(pod), "Succeeded" | "Failed") || steps.iter().any(is_oom_killed)
}

fn completed(run: &TaskRun, pod: &Pod) -> Verdict {
    let steps = step_statuses(pod);
    let failed = |step: &ContainerStatus| {
        terminated(step).is_some_and(|end| end.exit_code != 0) || is_oom_killed(step)
    };
    if phase(pod) != "Failed" && !steps.iter().any(failed) {
        return Verdict::succeeded(reason::SUCCEEDED, "All Steps have completed executing");
    }
    let message = failure_message(pod, &steps);
    let annotations = run.metadata.annotations.as_ref();
    if annotations.is_some_and(|pairs| pairs.get(metadata::ON_ERROR).is_some_and(|value| value == "continue"))
    {
        return Verdict::failed(reason::FAILURE_IGNORED, message);
    }
    Verdict::failed(failure_reason(pod, &steps), message)
}

fn is_evicted(pod: &Pod) -> bool {
    pod.status.as_ref().is_some_and(|status| status.reason.as_deref() == Some(EVICTED))
}

/// The container that explains a failure: one that ran out of memory before one that failed otherwise.
fn culprit(steps: &[ContainerStatus]) -> Option<&ContainerStatus> {
    let failed = |step: &&ContainerStatus| terminated(step).is_some_and(|end| end.exit_code != 0);
    steps.iter().find(|step| is_oom_killed(step)).or_else(|| steps.iter().find(failed))
}

fn failure_reason(pod: &Pod, steps: &[ContainerStatus]) -> &'static str {
    match culprit(steps) {
        _ if is_evicted(pod) => reason::POD_EVICTED,
        Some(step) if is_oom_killed(step) => reason::STEP_OOM,
        Some(_) => reason::STEP_FAILED,
        None => reason::FAILED,
    }
}

fn failure_message(pod: &Pod, steps: &[ContainerStatus]) -> String {
    let of_pod =
        pod.status.as_ref().and_then(|status| status.message.clone()).filter(|message| !message.is_empty());
    if is_evicted(pod) {
        return of_pod.unwrap_or_default();
    }
    let of_container = culprit(steps).and_then(container_failure);
    of_container.or(of_pod).unwrap_or_else(|| {
        let oom = steps.iter().any(is_oom_killed);
        if oom { OOM_KILLED.to_owned() } else { "build failed for unspecified reasons.".to_owned() }
    })
}

fn container_failure(status: &ContainerStatus) -> Option<String> {
    let end = terminated(status)?;
    let name = &status.name;
    if results::internal(&results::parse(end.message.as_deref()), "Reason") == Some("TimeoutExceeded") {
        return Some(format!("{name:?} exited because the step exceeded the specified timeout limit"));
    }
    if end.exit_code == 0 {
        return None;
    }
    let reason = end.reason.as_ref().filter(|reason| !reason.is_empty());
    let reason = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
    Some(format!("{name:?} exited with code {}{reason}", end.exit_code))
}

fn incomplete(pod: &Pod) -> Verdict {
    if phase(pod) != "Pending" {
        return Verdict::ongoing(reason::RUNNING, RUNNING_MESSAGE);
    }
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default();
    let unschedulable = conditions.iter().any(|condition| {
        condition.reason.as_deref() == Some("Unschedulable")
            && condition.message.as_deref().is_some_and(|message| message.contains("Insufficient"))
    });
    if unschedulable {
        return Verdict::ongoing(reason::EXCEEDED_NODE_RESOURCES, "TaskRun Pod exceeded available resources");
    }
    let steps = step_statuses(pod);
    let waiting = |step: &ContainerStatus| step.state.as_ref().and_then(|state| state.waiting.clone());
    let is_about_sub_path =
        |message: Option<String>| message.is_some_and(|text| text.contains(SUB_PATH_ERROR));
    let mut waits = steps.iter().filter_map(waiting);
    if waits.any(|wait| is_about_sub_path(wait.message)) {
        return Verdict::ongoing(reason::POD_PENDING, "Waiting for subPath directory creation to complete");
    }
    let pulls =
        steps.iter().filter_map(waiting).any(|wait| wait.reason.is_some_and(|why| is_image_error(&why)));
    let reason = if pulls { reason::PULL_IMAGE_FAILED } else { reason::POD_PENDING };
    Verdict::ongoing(reason, waiting_message(pod, &steps))
}

/// A start that fails for this reason may still succeed.
const SUB_PATH_ERROR: &str = "failed to create subPath directory";

fn is_image_error(reason: &str) -> bool {
    const IMAGE_ERRORS: [&str; 6] = [
        "ImagePullBackOff",
        "ImageInspectError",
        "ErrImagePull",
        "ErrImageNeverPull",
        "RegistryUnavailable",
        "InvalidImageName",
    ];
    IMAGE_ERRORS.contains(&reason)
}

fn waiting_message(pod: &Pod, steps: &[ContainerStatus]) -> String {
    for step in steps {
        let waiting = step.state.as_ref().and_then(|state| state.waiting.as_ref());
        if let Some(message) =
            waiting.and_then(|wait| wait.message.as_ref()).filter(|message| !message.is_empty())
        {
            return format!("build step {:?} is pending with reason {message:?}", step.name);
        }
    }
    let Some(status) = &pod.status else { return "Pending".to_owned() };
    if let Some(condition) = status.conditions.iter().flatten().find(|condition| condition.status != "True") {
        return format!(
            "pod status {:?}:{:?}; message: {:?}",
            condition.type_,
            condition.status,
            condition.message.as_deref().unwrap_or_default()
        );
    }
    status.message.clone().filter(|message| !message.is_empty()).unwrap_or_else(|| "Pending".to_owned())
}

/// A step that cannot start, with the reason and message that the run fails with.
pub(super) fn start_failure(run: &TaskRun, pod: &Pod) -> Option<Verdict> {
    let run_name = run.metadata.name.as_deref().unwrap_or_default();
    let images: BTreeMap<&str, &str> = pod
        .spec
        .as_ref()
        .map(|spec| &spec.containers)
        .into_iter()
        .flatten()
        .map(|container| (container.name.as_str(), container.image.as_deref().unwrap_or_default()))
        .collect();
    step_statuses(pod).iter().find_map(|step| {
        let waiting = step.state.as_ref()?.waiting.as_ref()?;
        let (why, what) = (waiting.reason.as_deref()?, waiting.message.as_deref().unwrap_or_default());
        let name = step.name.strip_prefix("step-").unwrap_or(&step.name);
        let image = if step.image_id.is_empty() {
            images.get(step.name.as_str()).copied().unwrap_or_default()
        } else {
            &step.image_id
        };
        let subject = format!("the step {name:?} in TaskRun {run_name:?}");
        let said = format!("The pod errored with the message: \"{what}.\"");
        match why {
            "ImagePullBackOff" | "InvalidImageName" => Some(Verdict::failed(
                reason::IMAGE_PULL_FAILED,
                format!("{subject} failed to pull the image {image:?}. {said}"),
            )),
            "CreateContainerConfigError" if what.contains(SUB_PATH_ERROR) => None,
            "CreateContainerConfigError" => Some(Verdict::failed(
                reason::CREATE_CONTAINER_CONFIG_ERROR,
                format!("{subject} failed to start. {said}"),
            )),
            "CreateContainerError" => Some(Verdict::failed(
                reason::POD_CREATION_FAILED,
                format!("{subject} failed to start. {said}"),
            )),
            _ => None,
        }
    })
}

/// One step; what it left goes to the run's results if the run has ended.
fn step_state(
    status: &mut TaskRunStatus,
    spec: &TaskSpec,
    container: &ContainerStatus,
    ended: bool,
) -> StepState {
    let mut state = container.state.clone().unwrap_or_default();
    let mut step_results = Vec::new();
    let mut termination_reason = None;
    if let Some(end) = &mut state.terminated {
        let left = results::parse(end.message.as_deref());
        if let Some(left) = &left {
            termination_reason = Some(apply_internal(end, left));
            let declared = step_results_of(spec, &container.name);
            if ended {
                step_results = results::of_kind(left, RunResult::STEP, &declared);
                let task_kinds: BTreeMap<&str, Option<&ParamType>> =
                    spec.results.iter().map(|result| (result.name.as_str(), result.kind.as_ref())).collect();
                status.results.extend(results::of_kind(left, RunResult::TASK, &task_kinds));
                status.results.extend(fetched_by_task(spec, &container.name, &step_results));
            }
        }
    }
    StepState {
        waiting: state.waiting,
        running: state.running,
        terminated: state.terminated,
        name: Some(container.name.strip_prefix("step-").unwrap_or(&container.name).to_owned()),
        container: Some(container.name.clone()),
        image_id: Some(container.image_id.clone()).filter(|id| !id.is_empty()),
        results: step_results,
        termination_reason: termination_reason.filter(|reason| !reason.is_empty()),
        ..StepState::default()
    }
}

/// Takes the executor's own entries out of the message and applies them; returns why the step ended.
fn apply_internal(end: &mut ContainerStateTerminated, left: &[RunResult]) -> String {
    let left = Some(left.to_vec());
    let exit_code = results::internal(&left, "ExitCode").and_then(|code| code.parse::<i32>().ok());
    if let Some(started_at) =
        results::internal(&left, "StartedAt").and_then(|time| time.parse::<Timestamp>().ok())
    {
        end.started_at = Some(Time(super::whole_seconds(started_at)));
    }
    if let Some(exit_code) = exit_code {
        end.exit_code = exit_code;
    }
    let reason = match (results::internal(&left, "Reason"), exit_code) {
        (Some(reason), _) => reason.to_owned(),
        (None, Some(_)) => "Continued".to_owned(),
        (None, None) => end.reason.clone().unwrap_or_default(),
    };
    let visible: Vec<&RunResult> =
        left.iter().flatten().filter(|result| result.kind != RunResult::INTERNAL).collect();
    end.message = if visible.is_empty() { None } else { serde_json::to_string(&visible).ok() };
    reason
}

fn step_results_of<'a>(spec: &'a TaskSpec, container: &str) -> BTreeMap<&'a str, Option<&'a ParamType>> {
    let steps = spec.steps.iter().enumerate().filter(|(index, step)| {
        let name = names::step_container(step.name.as_deref().unwrap_or_default(), *index);
        names::restrict_length(&name) == container
    });
    steps
        .flat_map(|(_, step)| &step.results)
        .map(|result| (result.name.as_str(), result.kind.as_ref()))
        .collect()
}

/// Results of the Task whose value is a result of this step.
fn fetched_by_task(spec: &TaskSpec, container: &str, step_results: &[TaskRunResult]) -> Vec<TaskRunResult> {
    let mut fetched = Vec::new();
    for result in &spec.results {
        let Some(ParamValue::String(value)) = &result.value else { continue };
        let Some((step, name)) = crate::substitution::step_result(value) else { continue };
        let source = step_results.iter().find(|one| one.name == name && format!("step-{step}") == container);
        fetched.extend(source.map(|source| TaskRunResult { name: result.name.clone(), ..source.clone() }));
    }
    fetched
}

/// Ends all steps that have not ended, because their Pod is about to be.
pub(super) fn terminate_steps(status: &mut TaskRunStatus, run: &TaskRun, reason: &str, now: Timestamp) {
    let pod = status.pod_name.clone();
    for step in &mut status.steps {
        let started_at = match (&step.running, &step.waiting) {
            (Some(running), _) => running.started_at.clone(),
            (None, Some(_)) => run.metadata.creation_timestamp.clone(),
            (None, None) => continue,
        };
        let name = step.name.as_deref().unwrap_or_default();
        step.terminated = Some(ContainerStateTerminated {
            exit_code: 1,
            started_at,
            finished_at: Some(Time(now)),
            reason: Some(reason.to_owned()),
            message: Some(format!("Step {name} terminated as pod {pod} is terminated")),
            ..ContainerStateTerminated::default()
        });
        step.termination_reason = Some(reason.to_owned());
        step.running = None;
        step.waiting = None;
    }
}
