//! The decision itself, as a list of questions in Tekton's order: ended, cancelled, pending, out of time, no Pod yet,
//! or a Pod to judge; and after any failure, whether there is another attempt.
//! Invariant: what is deleted was observed, and what is created has a name that follows from the run.
//! Source: Tekton's `reconciler/taskrun/taskrun.go`.

use api::tekton::v1::{Condition, ConditionStatus, TaskRun, TaskRunSpecStatus, TaskRunStatus, TaskSpec};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use types::GoDuration;

use super::observed::{Observed, pod_name};
use super::{Plan, credentials, pod, spec, status};
use crate::conditions::{self, Verdict, event_of_change};
use crate::metadata;
use crate::plan::{Action, Event, EventType, Lookup, MetadataPatch, Need, Requeue};
use crate::reasons::task_run as reason;
use crate::workspaces;

/// The time limit of runs that set none.
pub(crate) const DEFAULT_TIMEOUT: GoDuration = GoDuration::from_minutes(60);
/// What is said about a Pod of which nothing is known yet.
const POD_PENDING_MESSAGE: &str = "Pending";
/// How long to wait before asking again for a Pod's name that another object holds.
const NAME_RETRY: SignedDuration = SignedDuration::from_secs(1);
/// How long to wait before asking again for a Pod that the quota refused.
const QUOTA_RETRY: SignedDuration = SignedDuration::from_secs(60);

/// Decides what a TaskRun needs at the instant `now`.
#[must_use]
pub fn decide(observed: &Observed, now: Timestamp) -> Plan {
    let run = &observed.run;
    let conditions = run.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    if !metadata::is_ours(run.spec.managed_by.as_ref()) {
        return Plan::nothing("another controller manages the run");
    }
    if run.metadata.deletion_timestamp.is_some() {
        return Plan::nothing("the run is being deleted, and what it owns with it");
    }
    if conditions::is_done(conditions) {
        return Plan::nothing("the run has ended");
    }
    let pod = match &observed.pod {
        Lookup::NotLookedUp => return Plan::needing(vec![Need::Pod(pod_name(run))]),
        Lookup::Missing => None,
        Lookup::Found(pod) => Some(pod),
    };
    let mut decision = Decision::new(run, now);
    match decision.next(observed, pod) {
        Ok(()) => decision.into_plan(),
        Err(need) => Plan::needing(vec![need]),
    }
}

/// The run's time limit for one attempt; zero is none.
pub(super) fn timeout(run: &TaskRun) -> GoDuration {
    run.spec.timeout.unwrap_or(DEFAULT_TIMEOUT)
}

/// The instant as it is written in objects.
pub(crate) fn whole_seconds(instant: Timestamp) -> Timestamp {
    Timestamp::from_second(instant.as_second()).unwrap_or(instant)
}

struct Decision<'a> {
    run: &'a TaskRun,
    /// To compare with time limits.
    now: Timestamp,
    /// To write down.
    second: Timestamp,
    before: Option<Condition>,
    status: TaskRunStatus,
    metadata: MetadataPatch,
    actions: Vec<Action>,
    events: Vec<Event>,
    requeue: Requeue,
    why: &'static str,
}

impl<'a> Decision<'a> {
    fn new(run: &'a TaskRun, now: Timestamp) -> Self {
        let status = run.status.clone().unwrap_or_default();
        Self {
            run,
            now,
            second: whole_seconds(now),
            before: conditions::succeeded(&status.conditions).cloned(),
            status,
            metadata: MetadataPatch::default(),
            actions: Vec::new(),
            events: Vec::new(),
            requeue: Requeue::Never,
            why: "",
        }
    }

    fn next(&mut self, observed: &Observed, pod: Option<&Pod>) -> Result<(), Need> {
        let owned = pod.filter(|pod| metadata::controls(&self.run.metadata, &pod.metadata));
        let previous = self.before.clone();
        let is_pending = self.run.spec.status == Some(TaskRunSpecStatus::Pending);
        if self.status.start_time.is_none() && !is_pending {
            self.start();
        }
        if self.run.spec.status == Some(TaskRunSpecStatus::Cancelled) {
            let said = self.run.spec.status_message.as_deref().unwrap_or_default();
            let message = format!("TaskRun {:?} was cancelled. {said}", self.name());
            self.stop(owned, reason::CANCELLED, &with_previous(previous.as_ref(), message));
            self.why = "the run is cancelled";
            return Ok(());
        }
        if is_pending {
            self.conclude(&Verdict::ongoing(
                reason::PENDING,
                format!("TaskRun {:?} is pending", self.name()),
            ));
            self.why = "the run is held back";
            return Ok(());
        }
        if self.deadline().is_some_and(|deadline| self.now >= deadline) {
            let limit = timeout(self.run).to_string();
            let message = format!("TaskRun {:?} failed to finish within {limit:?}", self.name());
            self.stop(owned, reason::TIMED_OUT, &with_previous(previous.as_ref(), message));
            self.why = "the time limit has passed";
            return Ok(());
        }
        match (pod, owned) {
            (_, Some(pod)) => self.judge(observed, pod)?,
            (Some(_), None) => self.wait_for_name(),
            (None, None) => self.make_pod(observed)?,
        }
        Ok(())
    }

    fn name(&self) -> &'a str {
        self.run.metadata.name.as_deref().unwrap_or_default()
    }

    fn start(&mut self) {
        let created = self.run.metadata.creation_timestamp.as_ref().map(|created| created.0);
        self.status.start_time = Some(Time(created.map_or(self.second, |created| created.max(self.second))));
        self.set(&Verdict::ongoing(reason::STARTED, ""));
        self.events.extend(event_of_change(None, conditions::succeeded(&self.status.conditions)));
        self.before = conditions::succeeded(&self.status.conditions).cloned();
    }

    fn deadline(&self) -> Option<Timestamp> {
        let limit = timeout(self.run);
        let started = self.status.start_time.as_ref()?.0;
        let limit = SignedDuration::from_nanos(limit.nanoseconds());
        if limit.is_zero() { None } else { started.checked_add(limit).ok() }
    }

    fn set(&mut self, verdict: &Verdict) {
        conditions::set_succeeded(&mut self.status.conditions, verdict, self.second);
    }

    fn conclude(&mut self, verdict: &Verdict) {
        self.set(verdict);
        if verdict.status == ConditionStatus::False && self.status.completion_time.is_none() {
            self.status.completion_time = Some(Time(self.second));
        }
    }

    /// Fails the run, and ends its steps with their Pod.
    fn stop(&mut self, pod: Option<&Pod>, reason: &'static str, message: &str) {
        if let Some(pod) = pod {
            self.take_steps_over(pod);
            self.delete(pod);
        }
        self.conclude(&Verdict::failed(reason, message));
        self.status.completion_time = Some(Time(self.second));
        status::terminate_steps(&mut self.status, self.run, reason, self.second);
    }

    /// Only how steps stand, because the verdict is given already.
    fn take_steps_over(&mut self, pod: &Pod) {
        let mut seen = self.status.clone();
        let spec = self.status.task_spec.clone().unwrap_or_default();
        status::take_over(&mut seen, self.run, &spec, pod, self.second);
        self.status.steps = seen.steps;
        self.status.pod_name = seen.pod_name;
    }

    fn delete(&mut self, pod: &Pod) {
        if pod.metadata.deletion_timestamp.is_none() {
            self.actions.push(Action::DeletePod {
                name: pod.metadata.name.clone().unwrap_or_default(),
                uid: pod.metadata.uid.clone().unwrap_or_default(),
            });
        }
    }

    /// The attempt's Pod exists: its status is the run's.
    fn judge(&mut self, observed: &Observed, pod: &Pod) -> Result<(), Need> {
        if self.status.task_spec.is_none() {
            // The status was not written after the Pod was made. The Pod goes on, even if its Task is gone by now.
            match self.resolve(observed) {
                Ok(task_spec) => self.status.task_spec = Some(task_spec),
                Err(spec::Stop::Need(need)) => return Err(need),
                Err(spec::Stop::Fail(_)) => {}
            }
        }
        let spec = self.status.task_spec.clone().unwrap_or_default();
        let verdict = status::take_over(&mut self.status, self.run, &spec, pod, self.second);
        if !verdict.is_final()
            && let Some(failure) = status::start_failure(self.run, pod)
        {
            self.delete(pod);
            self.conclude(&failure);
            status::terminate_steps(&mut self.status, self.run, &failure.reason, self.second);
            self.why = "a step cannot start";
            return Ok(());
        }
        if verdict.reason == reason::EXCEEDED_NODE_RESOURCES
            && self.before.as_ref().and_then(|before| before.reason.as_deref())
                != Some(reason::EXCEEDED_NODE_RESOURCES)
        {
            self.events.push(Event {
                kind: EventType::Warning,
                reason: reason::EXCEEDED_NODE_RESOURCES.to_owned(),
                message: format!("Insufficient resources to schedule pod {:?}", self.status.pod_name),
            });
        }
        self.why = if verdict.is_final() { "the steps have ended" } else { "the steps are not all done" };
        self.conclude(&verdict);
        Ok(())
    }

    /// An object of an earlier run of the same name is still there.
    fn wait_for_name(&mut self) {
        self.set(&Verdict::ongoing(reason::POD_PENDING, "tried to create pod, but it already exists"));
        self.requeue = Requeue::At(self.now + NAME_RETRY);
        self.why = "the Pod's name is taken";
    }

    fn make_pod(&mut self, observed: &Observed) -> Result<(), Need> {
        if self.was_refused(observed) {
            return Ok(());
        }
        let task_spec = match self.resolve(observed) {
            Ok(task_spec) => task_spec,
            Err(spec::Stop::Need(need)) => return Err(need),
            Err(spec::Stop::Fail(verdict)) => {
                self.conclude(&verdict);
                self.why = "the run cannot be started as it is";
                return Ok(());
            }
        };
        if let Some(message) = credentials::problem(observed)? {
            self.pod_creation_failed(&message);
            return Ok(());
        }
        let params = spec::params(self.run, &task_spec.params).unwrap_or_default();
        let bindings = spec::bindings(self.run, &params);
        match pod::build(&self.with_metadata(), &task_spec, &bindings, &params) {
            Ok(pod) => self.plan_pod(pod),
            Err(message) => self.pod_creation_failed(&message),
        }
        self.status.task_spec = Some(task_spec);
        Ok(())
    }

    /// The spec to run: the one written down at the first attempt, or a new one.
    fn resolve(&mut self, observed: &Observed) -> Result<TaskSpec, spec::Stop> {
        if let Some(task_spec) = &self.status.task_spec {
            return Ok(task_spec.clone());
        }
        let definition = spec::find(observed)?;
        self.metadata = definition.metadata.clone();
        let release = (metadata::RELEASE.to_owned(), metadata::RELEASE_VALUE.to_owned());
        self.metadata.annotations.extend([release]);
        spec::check(self.run, &definition).map_err(spec::Stop::Fail)?;
        let params = spec::params(self.run, definition.params()).map_err(spec::Stop::Fail)?;
        let bindings = spec::bindings(self.run, &params);
        let task_spec = spec::substituted(self.run, &definition, &params, &bindings);
        if let Some(message) = crate::admission::unknown_variables(&task_spec) {
            self.status.task_spec = Some(task_spec);
            return Err(spec::Stop::Fail(self.pod_creation_failure(&message)));
        }
        Ok(task_spec)
    }

    /// The run as it will be after the metadata of this plan is written.
    fn with_metadata(&self) -> TaskRun {
        let mut run = TaskRun { status: Some(self.status.clone()), ..self.run.clone() };
        run.metadata.labels.get_or_insert_default().extend(self.metadata.labels.clone());
        run.metadata.annotations.get_or_insert_default().extend(self.metadata.annotations.clone());
        run
    }

    fn plan_pod(&mut self, pod: Pod) {
        let owner = metadata::controller_of("TaskRun", &self.run.metadata);
        let namespace = self.run.metadata.namespace.clone().unwrap_or_default();
        let claims =
            self.run.spec.workspaces.iter().filter_map(|one| workspaces::claim(one, &namespace, &owner));
        self.actions.extend(claims.map(|claim| Action::CreateVolumeClaim(Box::new(claim))));
        self.status.pod_name = pod.metadata.name.clone().unwrap_or_default();
        self.actions.push(Action::CreatePod(Box::new(pod)));
        self.set(&Verdict::ongoing(reason::POD_PENDING, POD_PENDING_MESSAGE));
        self.why = "the attempt needs a Pod";
    }

    fn pod_creation_failure(&self, message: &str) -> Verdict {
        let task = self.run.spec.task_ref.as_ref().and_then(|reference| reference.name.as_deref());
        let maybe = match task {
            Some(task) => {
                format!(
                    "missing or invalid Task {}/{task}",
                    self.run.metadata.namespace.as_deref().unwrap_or_default()
                )
            }
            None => "invalid TaskSpec".to_owned(),
        };
        let message = format!("failed to create task run pod {:?}: {message}. Maybe {maybe}", self.name());
        Verdict::failed(reason::POD_CREATION_FAILED, message)
    }

    fn pod_creation_failed(&mut self, message: &str) {
        let verdict = self.pod_creation_failure(message);
        self.conclude(&verdict);
        self.why = "the Pod cannot be made";
    }

    /// Whether the API server refused what the last plan wanted to create; the run then says so.
    fn was_refused(&mut self, observed: &Observed) -> bool {
        let Some(refusal) = observed.refused.first() else { return false };
        let said = refusal.message.as_str();
        if refusal.kind == "PersistentVolumeClaim" {
            let namespace = self.run.metadata.namespace.as_deref().unwrap_or_default();
            self.conclude(&Verdict::failed(
                reason::COULD_NOT_CREATE_PVC,
                format!(
                    "failed to create PVC for TaskRun {namespace}/{} workspaces correctly: PVC creation error for {}: {said}",
                    self.name(),
                    refusal.name
                ),
            ));
        } else if refusal.code == 403 && said.contains("exceeded quota") {
            self.status.start_time = None;
            let message = format!("TaskRun Pod exceeded available resources: {said}");
            self.set(&Verdict::ongoing(reason::EXCEEDED_RESOURCE_QUOTA, message));
            self.requeue = Requeue::At(self.now + QUOTA_RETRY);
        } else if refusal.code == 403 && said.contains("violates PodSecurity") {
            self.conclude(&Verdict::failed(reason::POD_ADMISSION_FAILED, said));
        } else {
            self.pod_creation_failed(said);
        }
        self.why = "the API server refused what the run needs";
        true
    }

    /// Puts the failed attempt aside and lets the next one begin, if there is one left.
    fn retry(&mut self) {
        let Some(condition) = conditions::succeeded(&self.status.conditions) else { return };
        let cancelled = self.run.spec.status == Some(TaskRunSpecStatus::Cancelled);
        let attempts = i64::try_from(self.status.retries_status.len()).unwrap_or(i64::MAX);
        if condition.status != ConditionStatus::False || cancelled || attempts >= self.run.spec.retries {
            return;
        }
        let message = condition.message.clone().unwrap_or_default();
        let attempt = TaskRunStatus { retries_status: Vec::new(), ..self.status.clone() };
        self.status.retries_status.push(attempt);
        self.status.start_time = None;
        self.status.completion_time = None;
        self.status.pod_name = String::new();
        self.status.results = Vec::new();
        self.set(&Verdict::ongoing(reason::TO_BE_RETRIED, message));
        self.requeue = Requeue::At(self.now);
    }

    fn into_plan(mut self) -> Plan {
        self.retry();
        let after = conditions::succeeded(&self.status.conditions);
        self.events.extend(event_of_change(self.before.as_ref(), after));
        if !conditions::is_done(&self.status.conditions)
            && let Some(deadline) = self.deadline()
        {
            self.requeue = self.requeue.earlier(Requeue::At(deadline));
        }
        let present = &self.run.metadata;
        let metadata = MetadataPatch {
            labels: metadata::changes(present.labels.as_ref(), self.metadata.labels),
            annotations: metadata::changes(present.annotations.as_ref(), self.metadata.annotations),
        };
        let changed = self.run.status.as_ref() != Some(&self.status);
        Plan {
            actions: self.actions,
            metadata,
            status: changed.then(|| Box::new(self.status)),
            events: self.events,
            requeue: self.requeue,
            ..Plan::nothing(self.why)
        }
    }
}

/// The message, and what the run said before if that explains more.
fn with_previous(previous: Option<&Condition>, message: String) -> String {
    let Some(previous) = previous else { return message };
    let (why, said) =
        (previous.reason.as_deref().unwrap_or_default(), previous.message.as_deref().unwrap_or_default());
    let says_nothing = matches!(why, reason::STARTED | reason::RUNNING | reason::PENDING);
    if said.is_empty() || says_nothing || (why == reason::POD_PENDING && said == POD_PENDING_MESSAGE) {
        return message;
    }
    format!("{message}\nPrevious status: [{why}] {said}")
}
