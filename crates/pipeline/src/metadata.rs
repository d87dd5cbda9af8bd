//! Labels, annotations and owners that runs pass on to what they make.
//! Source: Tekton's `pipeline` package of label keys; `docs/labels.md` describes their meaning.

use std::collections::BTreeMap;

use api::tekton::v1::API_VERSION;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};

pub(crate) const PIPELINE: &str = "tekton.dev/pipeline";
pub(crate) const PIPELINE_RUN: &str = "tekton.dev/pipelineRun";
pub(crate) const PIPELINE_RUN_UID: &str = "tekton.dev/pipelineRunUID";
pub(crate) const PIPELINE_TASK: &str = "tekton.dev/pipelineTask";
pub(crate) const MEMBER_OF: &str = "tekton.dev/memberOf";
pub(crate) const TASK: &str = "tekton.dev/task";
pub(crate) const TASK_RUN: &str = "tekton.dev/taskRun";
pub(crate) const TASK_RUN_UID: &str = "tekton.dev/taskRunUID";
pub(crate) const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
pub(crate) const MANAGED_BY_VALUE: &str = "tekton-pipelines";
pub(crate) const RELEASE: &str = "pipeline.tekton.dev/release";
/// Stands for the commit of Tekton whose behaviour is followed, in the form that clients check.
pub(crate) const RELEASE_VALUE: &str = "8f1e0d2";
/// Marks the TaskRun of a task whose failure does not fail the Pipeline.
pub(crate) const ON_ERROR: &str = "pipeline.tekton.dev/pipeline-task-on-error";
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
const SIGNATURES: &str = "chains.tekton.dev/";
/// The value of `spec.managedBy` that means us, as its absence does.
const MANAGER: &str = "tekton.dev/pipeline";

/// Labels or annotations.
pub(crate) type Pairs = BTreeMap<String, String>;

/// The reference that makes a run the controller of what it creates.
pub(crate) fn controller_of(kind: &str, run: &ObjectMeta) -> OwnerReference {
    OwnerReference {
        api_version: API_VERSION.to_owned(),
        kind: kind.to_owned(),
        name: run.name.clone().unwrap_or_default(),
        uid: run.uid.clone().unwrap_or_default(),
        controller: Some(true),
        block_owner_deletion: Some(true),
    }
}

/// Whether the run with this metadata is the controller of the child.
pub(crate) fn controls(run: &ObjectMeta, child: &ObjectMeta) -> bool {
    let owners = child.owner_references.iter().flatten();
    let mut controllers = owners.filter(|owner| owner.controller == Some(true));
    controllers.next().is_some_and(|owner| Some(&owner.uid) == run.uid.as_ref())
}

/// Whether a run of this `spec.managedBy` is ours to decide about.
pub(crate) fn is_ours(managed_by: Option<&String>) -> bool {
    managed_by.is_none_or(|manager| manager.is_empty() || manager == MANAGER)
}

/// Annotations without those that belong to the annotated object alone.
pub(crate) fn inheritable(annotations: Option<&Pairs>) -> Pairs {
    let own = |key: &str| key == LAST_APPLIED || key == MANAGED_BY || key.starts_with(SIGNATURES);
    let pairs = annotations.into_iter().flatten().filter(|(key, _)| !own(key));
    pairs.map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// Adds pairs whose keys are not there yet.
pub(crate) fn add_missing<'a>(pairs: &mut Pairs, more: impl IntoIterator<Item = (&'a String, &'a String)>) {
    for (key, value) in more {
        pairs.entry(key.clone()).or_insert_with(|| value.clone());
    }
}

/// The pairs of `wanted` that are not in `present` with the same value.
pub(crate) fn changes(present: Option<&Pairs>, wanted: Pairs) -> Pairs {
    let same = |key: &String, value: &String| present.and_then(|present| present.get(key)) == Some(value);
    wanted.into_iter().filter(|(key, value)| !same(key, value)).collect()
}
