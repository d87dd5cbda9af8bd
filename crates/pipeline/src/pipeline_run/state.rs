//! How each task of a PipelineRun stands, from its TaskRun alone.
//! Invariant: the tasks of the graph come first, then the final ones, both in the Pipeline's order.

use std::collections::BTreeMap;

use api::tekton::v1::{
    ConditionStatus, PipelineSpec, PipelineTask, PipelineTaskOnError, TaskRun, TaskRunResult,
};

use crate::conditions;
use crate::metadata;
use crate::reasons::task_run as reason;

/// What a TaskRun is told when its PipelineRun is cancelled.
pub(super) const CANCELLED_MESSAGE: &str =
    "TaskRun cancelled as the PipelineRun it belongs to has been cancelled.";
/// What a TaskRun is told when its PipelineRun is out of time.
pub(super) const TIMED_OUT_MESSAGE: &str =
    "TaskRun cancelled as the PipelineRun it belongs to has timed out.";

/// How far a task has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    NotStarted,
    Running,
    Succeeded,
    Failed,
}

/// One task and its TaskRun.
#[derive(Clone, Copy, Debug)]
pub(super) struct TaskState<'a> {
    pub(super) task: &'a PipelineTask,
    pub(super) run: Option<&'a TaskRun>,
    pub(super) is_final: bool,
}

/// All tasks.
#[derive(Debug)]
pub(super) struct State<'a> {
    pub(super) tasks: Vec<TaskState<'a>>,
    by_name: BTreeMap<&'a str, usize>,
}

impl<'a> TaskState<'a> {
    pub(super) fn name(&self) -> &'a str {
        self.task.name.as_deref().unwrap_or_default()
    }

    pub(super) fn progress(&self) -> Progress {
        let Some(run) = self.run else { return Progress::NotStarted };
        let conditions = run.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
        match conditions::succeeded(conditions).map(|condition| &condition.status) {
            Some(ConditionStatus::True) => Progress::Succeeded,
            Some(ConditionStatus::False) => Progress::Failed,
            _ => Progress::Running,
        }
    }

    pub(super) fn has_ended(&self) -> bool {
        matches!(self.progress(), Progress::Succeeded | Progress::Failed)
    }

    pub(super) fn reason(&self) -> &'a str {
        let status = self.run.and_then(|run| run.status.as_ref());
        let condition = status.and_then(|status| conditions::succeeded(&status.conditions));
        condition.and_then(|condition| condition.reason.as_deref()).unwrap_or_default()
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.progress() == Progress::Failed && self.reason() == reason::CANCELLED
    }

    pub(super) fn is_out_of_time(&self) -> bool {
        let told = self.run.and_then(|run| run.spec.status_message.as_deref());
        self.is_cancelled() && told == Some(TIMED_OUT_MESSAGE)
    }

    pub(super) fn may_fail(&self) -> bool {
        self.task.on_error == Some(PipelineTaskOnError::Continue)
    }

    /// The results of a task that has ended, well or badly.
    pub(super) fn results(&self) -> Option<&'a [TaskRunResult]> {
        let status = self.run.filter(|_| self.has_ended())?.status.as_ref()?;
        Some(&status.results)
    }
}

impl<'a> State<'a> {
    /// The tasks of a spec, with the TaskRuns that the run controls.
    pub(super) fn of(spec: &'a PipelineSpec, children: &BTreeMap<&str, &'a TaskRun>) -> Self {
        let all =
            spec.tasks.iter().map(|task| (task, false)).chain(spec.finally.iter().map(|task| (task, true)));
        let tasks: Vec<TaskState<'a>> = all
            .map(|(task, is_final)| {
                let run = task.name.as_deref().and_then(|name| children.get(name).copied());
                TaskState { task, run, is_final }
            })
            .collect();
        let by_name = tasks.iter().enumerate().map(|(index, task)| (task.name(), index)).collect();
        Self { tasks, by_name }
    }

    pub(super) fn named(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    pub(super) fn running(&self) -> impl Iterator<Item = &TaskState<'a>> {
        self.tasks.iter().filter(|task| task.progress() == Progress::Running)
    }

    pub(super) fn has_started(&self) -> bool {
        self.tasks.iter().any(|task| task.run.is_some())
    }
}

/// The TaskRuns that the run controls, by the task that they are for.
pub(super) fn children<'a>(
    run: &api::tekton::v1::PipelineRun,
    observed: &'a [TaskRun],
) -> BTreeMap<&'a str, &'a TaskRun> {
    let owned = observed.iter().filter(|child| metadata::controls(&run.metadata, &child.metadata));
    let named = owned.filter_map(|child| {
        let task = child.metadata.labels.as_ref()?.get(metadata::PIPELINE_TASK)?;
        Some((task.as_str(), child))
    });
    named.collect()
}
