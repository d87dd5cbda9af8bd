//! What must be known of a TaskRun to decide about it.

use std::collections::BTreeMap;

use api::tekton::v1::{Task, TaskRun};
use k8s_openapi::api::core::v1::{Pod, Secret, ServiceAccount};

use crate::names;
use crate::plan::{Lookup, Refusal};

/// A snapshot of a TaskRun and of what it refers to and owns.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observed {
    /// The run itself, in the storage version, with its status.
    pub run: TaskRun,
    /// The Task that `spec.taskRef.name` names; needed only until `status.taskSpec` is set.
    pub task: Lookup<Task>,
    /// The Pod of the current attempt, named [`pod_name`]; always needed for a run that has not ended.
    pub pod: Lookup<Pod>,
    /// The ServiceAccount that `spec.serviceAccountName` names, or `default`; needed only to make a Pod.
    pub service_account: Lookup<ServiceAccount>,
    /// The Secrets that the ServiceAccount lists, by name and without data; needed only to make a Pod.
    pub secrets: BTreeMap<String, Lookup<Secret>>,
    /// What the API server refused when the last plan for this run was carried out.
    pub refused: Vec<Refusal>,
}

/// The name of the Pod of the run's current attempt.
#[must_use]
pub fn pod_name(run: &TaskRun) -> String {
    let retries = run.status.as_ref().map_or(0, |status| status.retries_status.len());
    names::pod(run.metadata.name.as_deref().unwrap_or_default(), retries)
}
