//! Which tasks start, which are skipped and why, and whether the final tasks may begin.
//! One pass over the graph in its order; nothing is carried over between decisions.
//! Invariant: a task is started, skipped, waiting or invalid, and only one of them.
//! Source: Tekton's `pipelinerunresolution.go` (`skip`) and `pipelinerunstate.go`.

use std::collections::{BTreeMap, BTreeSet};

use api::tekton::v1::{PipelineRunSpecStatus, PipelineTask, WhenExpression, WhenOperator};

use super::limits::Limits;
use super::results::{self, Missing};
use super::state::{Progress, State, TaskState};
use crate::graph::Graph;
use crate::substitution::{Replacements, replace_value, replace_when};

/// Why a task is skipped, in the words of `status.skippedTasks[].reason`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Skip {
    When,
    Parent,
    Stopping,
    GracefullyCancelled,
    GracefullyStopped,
    MissingResults,
    PipelineTimeout,
    TasksTimeout,
    FinallyTimeout,
}

impl Skip {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::When => "When Expressions evaluated to false",
            Self::Parent => "Parent Tasks were skipped",
            Self::Stopping => "PipelineRun was stopping",
            Self::GracefullyCancelled => "PipelineRun was gracefully cancelled",
            Self::GracefullyStopped => "PipelineRun was gracefully stopped",
            Self::MissingResults => "Results were missing",
            Self::PipelineTimeout => "PipelineRun timeout has been reached",
            Self::TasksTimeout => "PipelineRun Tasks timeout has been reached",
            Self::FinallyTimeout => "PipelineRun Finally timeout has been reached",
        }
    }

    pub(super) fn is_timeout(self) -> bool {
        matches!(self, Self::PipelineTimeout | Self::TasksTimeout | Self::FinallyTimeout)
    }
}

/// What is to become of each task, by its index in the state.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    /// Tasks to start now, with all variables replaced.
    pub(super) ready: Vec<(usize, PipelineTask)>,
    /// Tasks that never start.
    pub(super) skipped: BTreeMap<usize, Skip>,
    /// Tasks that cannot start, which fails the run, and why.
    pub(super) invalid: BTreeMap<usize, String>,
    /// `when` expressions with variables replaced, of tasks that were started, skipped or are ready.
    pub(super) when: BTreeMap<usize, Vec<WhenExpression>>,
    /// Whether all tasks of the graph have ended or will never start.
    pub(super) graph_done: bool,
    /// Whether final tasks are to be considered now.
    pub(super) finally_begins: bool,
}

/// What the schedule depends on.
#[derive(Clone, Copy)]
pub(super) struct Input<'a> {
    pub(super) state: &'a State<'a>,
    pub(super) graph: &'a Graph,
    pub(super) asked: Option<&'a PipelineRunSpecStatus>,
    pub(super) limits: Limits,
}

/// A task that has not started.
struct Candidate<'a> {
    index: usize,
    /// With the values of results in it, as far as they are known.
    task: &'a PipelineTask,
    parents_done: bool,
    missing: Option<&'a Missing>,
}

impl Schedule {
    pub(super) fn of(input: Input<'_>) -> Self {
        let failed = |task: &TaskState<'_>| task.progress() == Progress::Failed && !task.may_fail();
        let stopping = input.state.tasks.iter().any(|task| !task.is_final && failed(task));
        let mut schedule = Self::of_graph(input, stopping, &BTreeMap::new());
        if !schedule.invalid.is_empty() {
            // A task that cannot start stops all others that have not started.
            let invalid = std::mem::take(&mut schedule.invalid);
            schedule = Self::of_graph(input, true, &invalid);
            schedule.invalid = invalid;
        }
        schedule.graph_done = input
            .state
            .tasks
            .iter()
            .enumerate()
            .all(|(index, task)| task.is_final || task.has_ended() || schedule.never_starts(index));
        if schedule.graph_done {
            schedule.add_finally(input);
        }
        schedule
    }

    fn never_starts(&self, index: usize) -> bool {
        self.skipped.contains_key(&index) || self.invalid.contains_key(&index)
    }

    fn of_graph(input: Input<'_>, stopping: bool, invalid: &BTreeMap<usize, String>) -> Self {
        let mut schedule = Self::default();
        let mut done = BTreeSet::new();
        for &index in input.graph.order() {
            let task = &input.state.tasks[index];
            if task.has_ended() || invalid.contains_key(&index) {
                done.insert(index);
                schedule.keep_when(input.state, index);
                continue;
            }
            if task.run.is_some() {
                schedule.keep_when(input.state, index);
                continue;
            }
            let parents = input.graph.parents(index);
            let parents_done = parents.iter().all(|parent| done.contains(parent));
            let references = results::of_references(input.state, task);
            let task_now = with_values(task.task, references.as_ref().ok());
            let missing = references.as_ref().err();
            let candidate = Candidate { index, task: &task_now, parents_done, missing };
            let skip = schedule.skip(input, stopping, &candidate);
            if let Some(skip) = skip {
                schedule.skipped.insert(index, skip);
                schedule.when.insert(index, task_now.when);
                done.insert(index);
            } else if parents_done {
                match references {
                    Ok(_) => schedule.ready.push((index, task_now)),
                    Err(missing) => {
                        schedule.invalid.insert(index, missing.message);
                        done.insert(index);
                    }
                }
            }
        }
        schedule.ready.sort_by_key(|(index, _)| *index);
        schedule
    }

    fn keep_when(&mut self, state: &State<'_>, index: usize) {
        let task = &state.tasks[index];
        if !task.task.when.is_empty() {
            let values = results::of_references(state, task).ok();
            self.when.insert(index, with_values(task.task, values.as_ref()).when);
        }
    }

    fn skip(&self, input: Input<'_>, stopping: bool, candidate: &Candidate<'_>) -> Option<Skip> {
        let Candidate { index, task, parents_done, missing } = *candidate;
        let mut parents = input.graph.parents(index).iter();
        let parent_skipped =
            parents.any(|parent| self.skipped.get(parent).is_some_and(|skip| *skip != Skip::When));
        let may_lack = |missing: &Missing| {
            let source = input.state.named(&missing.task);
            let by_when = source.and_then(|source| self.skipped.get(&source)) == Some(&Skip::When);
            by_when || (source.is_some() && input.state.tasks[index].may_fail())
        };
        match input.asked {
            _ if stopping => Some(Skip::Stopping),
            Some(PipelineRunSpecStatus::CancelledRunFinally) => Some(Skip::GracefullyCancelled),
            Some(PipelineRunSpecStatus::StoppedRunFinally) => Some(Skip::GracefullyStopped),
            _ if parents_done && !allows(&task.when) => Some(Skip::When),
            _ if parent_skipped => Some(Skip::Parent),
            _ if !parents_done => None,
            _ if missing.is_some_and(may_lack) => Some(Skip::MissingResults),
            _ if input.limits.pipeline_passed() => Some(Skip::PipelineTimeout),
            _ if input.limits.tasks_passed() => Some(Skip::TasksTimeout),
            _ => None,
        }
    }

    fn add_finally(&mut self, input: Input<'_>) {
        let outcome = self.outcomes(input.state);
        for (index, task) in input.state.tasks.iter().enumerate().filter(|(_, task)| task.is_final) {
            let values = results::of_references(input.state, task);
            let task_now = with_values(&with_values(task.task, Some(&outcome)), values.as_ref().ok());
            self.finally_begins |= values.is_ok() || task.run.is_some();
            if task.run.is_some() {
                self.when.insert(index, task_now.when);
                continue;
            }
            let skip = match values {
                Err(_) => Some(Skip::MissingResults),
                Ok(_) if !allows(&task_now.when) => Some(Skip::When),
                Ok(_) if input.limits.pipeline_passed() => Some(Skip::PipelineTimeout),
                Ok(_) if input.limits.finally_passed() => Some(Skip::FinallyTimeout),
                Ok(_) => None,
            };
            match skip {
                Some(skip) => {
                    self.skipped.insert(index, skip);
                    if skip == Skip::When {
                        self.when.insert(index, task_now.when);
                    }
                }
                None => self.ready.push((index, task_now)),
            }
        }
    }

    /// `$(tasks.<task>.status)`, `$(tasks.<task>.reason)` and `$(tasks.status)`.
    fn outcomes(&self, state: &State<'_>) -> Replacements {
        let mut values = Replacements::default();
        let graph = || state.tasks.iter().enumerate().filter(|(_, task)| !task.is_final);
        for (_, task) in graph() {
            let status = match task.progress() {
                Progress::Succeeded => "Succeeded",
                Progress::Failed => "Failed",
                Progress::NotStarted | Progress::Running => "None",
            };
            values.strings.insert(format!("tasks.{}.status", task.name()), status.to_owned());
            values.strings.insert(format!("tasks.{}.reason", task.name()), task.reason().to_owned());
        }
        let aggregate = if graph().any(|(_, task)| task.progress() == Progress::Failed) {
            "Failed"
        } else if graph().any(|(index, _)| self.skipped.contains_key(&index)) {
            "Completed"
        } else {
            "Succeeded"
        };
        values.strings.insert("tasks.status".to_owned(), aggregate.to_owned());
        values
    }
}

/// The task with values in its params, `when` expressions, names and paths; its embedded spec is left for its start.
fn with_values(task: &PipelineTask, values: Option<&Replacements>) -> PipelineTask {
    let mut task = task.clone();
    let Some(values) = values.filter(|values| !values.is_empty()) else { return task };
    let scope = values.scope();
    for param in &mut task.params {
        param.value = replace_value(&param.value, scope);
    }
    replace_when(&mut task.when, scope);
    let name = task.task_ref.as_mut().and_then(|reference| reference.name.as_mut());
    let paths = task.workspaces.iter_mut().filter_map(|workspace| workspace.sub_path.as_mut());
    for text in task.display_name.as_mut().into_iter().chain(name).chain(paths) {
        scope.replace_in(text);
    }
    task
}

/// Whether all expressions hold.
fn allows(when: &[WhenExpression]) -> bool {
    when.iter().all(|expression| {
        let input = expression.input.as_deref().unwrap_or_default();
        let is_in = expression.values.iter().any(|value| value == input);
        is_in == (expression.operator != Some(WhenOperator::NotIn))
    })
}
