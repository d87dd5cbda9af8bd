//! What must be known of a PipelineRun to decide about it.

use std::collections::BTreeMap;

use api::tekton::v1::{Pipeline, PipelineRun, Task, TaskRun};

use crate::plan::{Lookup, Refusal};

/// A snapshot of a PipelineRun and of what it refers to and owns.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observed {
    /// The run itself, in the storage version, with its status.
    pub run: PipelineRun,
    /// The Pipeline that `spec.pipelineRef.name` names; needed only until `status.pipelineSpec` is set.
    pub pipeline: Lookup<Pipeline>,
    /// The Tasks that its tasks name, by name; one that is not here counts as [`Lookup::NotLookedUp`].
    pub tasks: BTreeMap<String, Lookup<Task>>,
    /// All TaskRuns in the namespace whose label `tekton.dev/pipelineRun` is the run's name; others than those that the
    /// run controls are passed over.
    pub children: Vec<TaskRun>,
    /// What the API server refused when the last plan for this run was carried out.
    pub refused: Vec<Refusal>,
}
