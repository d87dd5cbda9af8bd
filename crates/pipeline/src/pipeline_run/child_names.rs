//! Under which names the children of a run are found, so that nobody has to list a namespace for them.

use std::collections::BTreeSet;

use api::tekton::v1::{Pipeline, PipelineRun};

use crate::names;

/// The names of all TaskRuns that the run has or may have: those of its status, and those that follow from its
/// tasks. `pipeline` is what `spec.pipelineRef` names, as soon as it is known.
#[must_use]
pub fn child_names(run: &PipelineRun, pipeline: Option<&Pipeline>) -> BTreeSet<String> {
    let name = run.metadata.name.as_deref().unwrap_or_default();
    let status = run.status.as_ref();
    let spec = status.and_then(|status| status.pipeline_spec.as_ref());
    let spec = spec.or(run.spec.pipeline_spec.as_ref()).or(pipeline.map(|pipeline| &pipeline.spec));
    let tasks = spec.into_iter().flat_map(|spec| spec.tasks.iter().chain(&spec.finally));
    let referenced = status.into_iter().flat_map(|status| &status.child_references);
    let referenced = referenced.filter(|child| child.kind.as_deref() == Some("TaskRun"));
    let referenced = referenced.filter_map(|child| child.name.clone());
    let named = tasks.filter_map(|task| task.name.as_deref());
    named.map(|task| names::task_run(name, task)).chain(referenced).collect()
}
