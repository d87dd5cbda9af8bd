//! The decision itself: ended, cancelled, pending, not prepared yet, or under way; then time limits, the next tasks,
//! and the status that all of it amounts to.
//! A run that is cancelled or out of time ends only when all of its TaskRuns have, so that its end is the end.
//! Invariant: what is cancelled was observed, and what is created has a name that follows from the run.
//! Source: Tekton's `reconciler/pipelinerun/pipelinerun.go`.

use std::collections::BTreeMap;

use api::tekton::v1::{
    API_VERSION, ChildStatusReference, Condition, PipelineRun, PipelineRunSpecStatus, PipelineRunStatus,
    PipelineSpec, SkippedTask, TaskRun, TaskRunSpecStatus,
};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::children::{self, Parent, Start};
use super::limits::Limits;
use super::prepare::{self, Stop};
use super::schedule::{Input, Schedule};
use super::state::{CANCELLED_MESSAGE, Progress, State, TIMED_OUT_MESSAGE, TaskState};
use super::{Observed, Plan, results, state, verdict};
use crate::conditions::{self, Verdict, event_of_change};
use crate::graph::Graph;
use crate::metadata;
use crate::plan::{Action, Event, EventType, MetadataPatch, Need, Refusal, Requeue};
use crate::reasons::pipeline_run as reason;
use crate::substitution::replacements_of_params;
use crate::task_run::whole_seconds;

/// How long to wait before asking again for what a quota or a rule refused.
const REFUSAL_RETRY: SignedDuration = SignedDuration::from_secs(10);

/// Decides what a PipelineRun needs at the instant `now`.
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
    let mut decision = Decision::new(observed, now);
    match decision.next() {
        Ok(()) => decision.into_plan(),
        Err(needs) => Plan::needing(needs),
    }
}

struct Decision<'a> {
    observed: &'a Observed,
    run: &'a PipelineRun,
    now: Timestamp,
    second: Timestamp,
    children: BTreeMap<&'a str, &'a TaskRun>,
    before: Option<Condition>,
    status: PipelineRunStatus,
    metadata: MetadataPatch,
    actions: Vec<Action>,
    events: Vec<Event>,
    requeue: Requeue,
    why: &'static str,
}

impl<'a> Decision<'a> {
    fn new(observed: &'a Observed, now: Timestamp) -> Self {
        let run = &observed.run;
        let status = run.status.clone().unwrap_or_default();
        Self {
            observed,
            run,
            now,
            second: whole_seconds(now),
            children: state::children(run, &observed.children),
            before: conditions::succeeded(&status.conditions).cloned(),
            status,
            metadata: MetadataPatch::default(),
            actions: Vec::new(),
            events: Vec::new(),
            requeue: Requeue::Never,
            why: "",
        }
    }

    fn next(&mut self) -> Result<(), Vec<Need>> {
        let asked = self.run.spec.status.as_ref();
        if self.status.start_time.is_none() && asked != Some(&PipelineRunSpecStatus::Pending) {
            self.start();
        }
        if let Some(label) = prepare::pipeline_label(self.run) {
            self.metadata.labels.insert(metadata::PIPELINE.to_owned(), label);
        }
        if asked == Some(&PipelineRunSpecStatus::Pending) {
            self.conclude(&Verdict::ongoing(
                reason::PENDING,
                format!("PipelineRun {:?} is pending", self.name()),
            ));
            self.why = "the run is held back";
            return Ok(());
        }
        if self.was_refused() {
            return Ok(());
        }
        if asked == Some(&PipelineRunSpecStatus::Cancelled) {
            self.cancel();
            return Ok(());
        }
        let stop = match self.spec() {
            Ok((spec, graph)) => self.go_on(&spec, &graph).err(),
            Err(stop) => Some(stop),
        };
        match stop {
            None => Ok(()),
            Some(Stop::Need(needs)) => Err(needs),
            Some(Stop::Fail(verdict)) => {
                self.actions.clear();
                self.conclude(&verdict);
                self.why = "the run cannot go on as it is";
                Ok(())
            }
        }
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

    fn set(&mut self, verdict: &Verdict) {
        conditions::set_succeeded(&mut self.status.conditions, verdict, self.second);
    }

    fn conclude(&mut self, verdict: &Verdict) {
        self.set(verdict);
        if verdict.is_final() {
            self.status.completion_time = Some(Time(self.second));
        }
    }

    /// Asks the TaskRuns of these tasks to end, unless they were asked already.
    fn cancel_children<'b>(&mut self, tasks: impl IntoIterator<Item = &'b TaskRun>, message: &str) {
        let open = tasks.into_iter().filter(|child| child.spec.status != Some(TaskRunSpecStatus::Cancelled));
        self.actions.extend(open.map(|child| Action::CancelTaskRun {
            name: child.metadata.name.clone().unwrap_or_default(),
            status_message: message.to_owned(),
        }));
    }

    fn cancel(&mut self) {
        let running: Vec<&TaskRun> =
            self.children.values().copied().filter(|child| !has_ended(child)).collect();
        let waiting = running.len();
        self.cancel_children(running, CANCELLED_MESSAGE);
        self.refer_to_orphans();
        let message = format!("PipelineRun {:?} was cancelled", self.name());
        if waiting == 0 {
            self.conclude(&Verdict::failed(reason::CANCELLED, message));
        } else {
            self.set(&Verdict::ongoing(reason::STOPPING, message));
        }
        self.why = "the run is cancelled";
    }

    fn could_not_cancel(&mut self, refusal: &Refusal) {
        let (name, child, said) = (self.name(), &refusal.name, &refusal.message);
        self.set(&Verdict::ongoing(
            reason::COULD_NOT_CANCEL,
            format!(
                "PipelineRun {name:?} was cancelled but had errors trying to cancel TaskRuns and/or Runs: failed to patch TaskRun `{child}` with cancellation: {said}"
            ),
        ));
        self.requeue = Requeue::At(self.now + REFUSAL_RETRY);
        self.why = "the API server refused to end a TaskRun";
    }

    /// TaskRuns that were created by a plan whose status was never written.
    fn refer_to_orphans(&mut self) {
        for (task, child) in &self.children {
            let references = &mut self.status.child_references;
            if !references.iter().any(|reference| reference.name == child.metadata.name) {
                references.push(ChildStatusReference {
                    api_version: Some(API_VERSION.to_owned()),
                    kind: Some("TaskRun".to_owned()),
                    name: child.metadata.name.clone(),
                    pipeline_task_name: Some((*task).to_owned()),
                    ..ChildStatusReference::default()
                });
            }
        }
    }

    /// Whether the API server refused what the last plan wanted to create; the run then says so.
    fn was_refused(&mut self) -> bool {
        let Some(refusal) = self.observed.refused.first() else { return false };
        let child = self.children.values().find(|child| child.metadata.name.as_ref() == Some(&refusal.name));
        match child.filter(|_| refusal.kind == "TaskRun") {
            // It ended before it could be asked to.
            Some(child) if has_ended(child) => return false,
            Some(_) => {
                self.could_not_cancel(refusal);
                return true;
            }
            None => {}
        }
        let namespace = self.run.metadata.namespace.as_deref().unwrap_or_default();
        if refusal.kind == "PersistentVolumeClaim" {
            let message = format!(
                "Failed to create PVC for PipelineRun {namespace}/{} correctly: PVC creation error for {}: {}",
                self.name(),
                refusal.name,
                refusal.message
            );
            self.conclude(&Verdict::failed(reason::COULD_NOT_CREATE_PVC, message));
        } else {
            self.events.push(Event {
                kind: EventType::Warning,
                reason: "TaskRunsCreationFailed".to_owned(),
                message: format!("Failed to create TaskRuns [{:?}]: {}", refusal.name, refusal.message),
            });
            if matches!(refusal.code, 400 | 422) {
                self.conclude(&Verdict::failed(reason::CREATE_RUN_FAILED, refusal.message.clone()));
            } else {
                self.requeue = Requeue::At(self.now + REFUSAL_RETRY);
            }
        }
        self.why = "the API server refused what the run needs";
        true
    }

    /// The spec to run: the one written down when the run began, or a new one.
    fn spec(&mut self) -> Result<(PipelineSpec, Graph), Stop> {
        let spec = match &self.status.pipeline_spec {
            Some(spec) => spec.clone(),
            None => {
                let definition = prepare::find(self.observed)?;
                self.metadata.labels.extend(definition.metadata.labels.clone());
                self.metadata.annotations.extend(definition.metadata.annotations.clone());
                prepare::checked(self.run, &definition).map_err(Stop::Fail)?
            }
        };
        let graph = prepare::graph(&spec.tasks)
            .map_err(|error| Stop::Fail(Verdict::user_error(reason::INVALID_GRAPH, error.to_string())))?;
        self.status.pipeline_spec = Some(spec.clone());
        Ok((spec, graph))
    }

    fn go_on(&mut self, spec: &PipelineSpec, graph: &Graph) -> Result<(), Stop> {
        let state = State::of(spec, &self.children);
        let mut limits = Limits::of(self.run, &self.status, self.now);
        if !state.has_started() {
            prepare::check_tasks(self.observed, spec, &state)?;
            let claims = children::claims(self.run);
            self.actions.extend(claims.into_iter().map(|claim| Action::CreateVolumeClaim(Box::new(claim))));
        }
        prepare::check_indexes(self.run, &state).map_err(Stop::Fail)?;
        let asked = self.run.spec.status.as_ref();
        let mut schedule = Schedule::of(Input { state: &state, graph, asked, limits });
        if schedule.finally_begins && self.status.finally_start_time.is_none() {
            self.status.finally_start_time = Some(Time(self.second));
            limits = limits.with_finally_started(self.second);
        }
        self.end_what_must_end(&state, &limits);
        self.announce_invalid(&state, &schedule);
        if limits.pipeline_passed() {
            schedule.ready.clear();
        }
        self.start_tasks(&state, &schedule, limits)?;
        let verdict = self.verdict(&state, &schedule, &limits);
        self.write_down(spec, &state, &schedule, &verdict);
        self.requeue = self.requeue.earlier(limits.next());
        self.why = if verdict.is_final() { "all tasks have ended" } else { "tasks are left to run" };
        Ok(())
    }

    /// Ends running tasks whose time is over or whose run was asked to end.
    fn end_what_must_end(&mut self, state: &State<'_>, limits: &Limits) {
        let asked = self.run.spec.status.as_ref();
        let in_finally = self.status.finally_start_time.is_some();
        let is_over = |task: &TaskState<'_>| {
            limits.pipeline_passed()
                || (!task.is_final && !in_finally && limits.tasks_passed())
                || (task.is_final && limits.finally_passed())
        };
        let late: Vec<&TaskRun> =
            state.running().filter(|task| is_over(task)).filter_map(|task| task.run).collect();
        self.cancel_children(late, TIMED_OUT_MESSAGE);
        if asked == Some(&PipelineRunSpecStatus::CancelledRunFinally) {
            let unwanted =
                state.running().filter(|task| !task.is_final && !is_over(task)).filter_map(|task| task.run);
            self.cancel_children(unwanted.collect::<Vec<_>>(), CANCELLED_MESSAGE);
        }
    }

    fn announce_invalid(&mut self, state: &State<'_>, schedule: &Schedule) {
        for (index, message) in &schedule.invalid {
            self.events.push(Event {
                kind: EventType::Warning,
                reason: "ResultValidationFailed".to_owned(),
                message: format!("Task {:?} failed result validation: {message}", state.tasks[*index].name()),
            });
        }
    }

    fn start_tasks(&mut self, state: &State<'_>, schedule: &Schedule, limits: Limits) -> Result<(), Stop> {
        if schedule.ready.is_empty() {
            return Ok(());
        }
        let run = self.with_metadata();
        let parent = Parent { run: &run, limits, results: results::of_all(state) };
        let mut needs = Vec::new();
        for (index, task) in &schedule.ready {
            let (spec, referenced) = match prepare::task_spec(self.observed, task) {
                Ok(found) => found,
                Err(Stop::Need(need)) => {
                    needs.extend(need);
                    continue;
                }
                Err(stop) => return Err(stop),
            };
            prepare::check_given(self.observed, task, spec).map_err(Stop::Fail)?;
            let start = Start { task, is_final: state.tasks[*index].is_final, spec, referenced };
            let child = children::task_run(&parent, &start)
                .map_err(|message| Stop::Fail(Verdict::failed(reason::CREATE_RUN_FAILED, message)))?;
            self.actions.push(Action::CreateTaskRun(Box::new(child)));
        }
        if needs.is_empty() { Ok(()) } else { Err(Stop::Need(needs)) }
    }

    /// The run as it will be after the metadata of this plan is written.
    fn with_metadata(&self) -> PipelineRun {
        let mut run = PipelineRun { status: None, ..self.run.clone() };
        run.metadata.labels.get_or_insert_default().extend(self.metadata.labels.clone());
        run.metadata.annotations.get_or_insert_default().extend(self.metadata.annotations.clone());
        run
    }

    fn verdict(&self, state: &State<'_>, schedule: &Schedule, limits: &Limits) -> Verdict {
        if !limits.pipeline_passed() {
            return verdict::of(self.run, state, schedule, limits);
        }
        if state.running().next().is_some() {
            return Verdict::ongoing(reason::STOPPING, verdict::Count::of(state, schedule).ongoing_message());
        }
        let limit = limits.pipeline.to_string();
        let message = format!("PipelineRun {:?} failed to finish within {limit:?}", self.name());
        Verdict::failed(reason::TIMED_OUT, message)
    }

    fn write_down(&mut self, spec: &PipelineSpec, state: &State<'_>, schedule: &Schedule, verdict: &Verdict) {
        self.status.child_references = self.child_references(state, schedule);
        self.status.skipped_tasks = skipped_tasks(state, schedule);
        let created = state.tasks.iter().filter_map(|task| task.run?.metadata.creation_timestamp.as_ref());
        if let (Some(first), Some(started)) = (created.map(|time| time.0).min(), &mut self.status.start_time)
        {
            started.0 = started.0.min(first);
        }
        self.conclude(verdict);
        if verdict.is_final() {
            match results::of_pipeline(spec, state) {
                Ok(written) => self.status.results = written,
                Err((written, message)) => {
                    self.status.results = written;
                    let text = format!(
                        "Failed to get PipelineResult from TaskRun Results for PipelineRun {}: {message}",
                        self.name()
                    );
                    self.conclude(&Verdict::failed(reason::COULD_NOT_GET_RESULT, text));
                }
            }
        }
    }

    /// References to the TaskRuns that exist and those that this plan creates, in the Pipeline's order.
    fn child_references(&self, state: &State<'_>, schedule: &Schedule) -> Vec<ChildStatusReference> {
        let created: BTreeMap<&str, &TaskRun> = self
            .actions
            .iter()
            .filter_map(|action| match action {
                Action::CreateTaskRun(child) => {
                    Some((child.metadata.labels.as_ref()?.get(metadata::PIPELINE_TASK)?.as_str(), &**child))
                }
                _ => None,
            })
            .collect();
        let ready: BTreeMap<usize, _> = schedule.ready.iter().map(|(index, task)| (*index, task)).collect();
        let tasks = state.tasks.iter().enumerate();
        let references = tasks.filter_map(|(index, task)| {
            let child = task.run.or_else(|| created.get(task.name()).copied())?;
            let when = ready.get(&index).map(|task| task.when.clone());
            let when = when.or_else(|| schedule.when.get(&index).cloned()).unwrap_or_default();
            let params = replacements_of_params(&child.spec.params);
            let display_name = task.task.display_name.as_ref().map(|name| params.scope().replace(name));
            Some(ChildStatusReference {
                api_version: Some(API_VERSION.to_owned()),
                kind: Some("TaskRun".to_owned()),
                name: child.metadata.name.clone(),
                display_name,
                pipeline_task_name: Some(task.name().to_owned()),
                when_expressions: when,
            })
        });
        references.collect()
    }

    fn into_plan(mut self) -> Plan {
        let after = conditions::succeeded(&self.status.conditions);
        self.events.extend(event_of_change(self.before.as_ref(), after));
        if conditions::is_done(&self.status.conditions) {
            self.requeue = Requeue::Never;
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

fn has_ended(child: &TaskRun) -> bool {
    child.status.as_ref().is_some_and(|status| conditions::is_done(&status.conditions))
}

fn skipped_tasks(state: &State<'_>, schedule: &Schedule) -> Vec<SkippedTask> {
    let skipped =
        schedule.skipped.iter().filter(|(index, _)| state.tasks[**index].progress() == Progress::NotStarted);
    let tasks = skipped.map(|(index, skip)| SkippedTask {
        name: state.tasks[*index].name().to_owned(),
        reason: skip.as_str().to_owned(),
        when_expressions: schedule.when.get(index).cloned().unwrap_or_default(),
    });
    tasks.collect()
}
