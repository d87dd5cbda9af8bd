//! What the reconcilers of TaskRun and PipelineRun share: carrying out the plans of crate `pipeline`.
//! There is no rule of Tekton here; whatever needs one is a decision and lives there.
//! Invariant: actions first, in order; then the run's metadata; the status last, under the revision it was decided
//! from. A conflict ends the turn, and the next one decides again.

use std::time::Duration;

use client::{Api, Cluster, DeleteOptions, Error as ApiError, Kind, Patch, PatchOptions};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use pipeline::{Action, Lookup, Plan, Refusal};
use serde_json::json;

use api::tekton::v1::TaskRun;

use crate::controller::{Cx, Requeue};
use crate::error::Error;
use crate::key::Key;

/// How often one turn may look things up, or be refused something, before it must have decided.
pub(crate) const ROUNDS_MAX: usize = 16;

/// The namespace that a run lives in.
pub(crate) struct Place<'a> {
    pub(crate) cx: &'a Cx,
    pub(crate) key: &'a Key,
    pub(crate) cluster: Cluster,
}

/// A run of Tekton.
pub(crate) trait Run: Kind {
    /// The type of its status.
    type Status;
    /// Replaces the status.
    fn set_status(&mut self, status: Box<Self::Status>);
}

impl<'a> Place<'a> {
    pub(crate) fn new(cx: &'a Cx, key: &'a Key) -> Self {
        Self { cx, key, cluster: cx.client.cluster(key.cluster()) }
    }

    /// Objects of a kind in the run's namespace.
    pub(crate) fn api<K: Kind>(&self) -> Api<K> {
        self.cluster.namespaced(self.key.namespace())
    }

    /// Looks an object up.
    pub(crate) async fn look_up<K: Kind>(&self, name: &str) -> Result<Lookup<K>, Error> {
        Ok(self.api::<K>().find(name).await?.map_or(Lookup::Missing, Lookup::Found))
    }

    /// Carries out actions in order, up to the first that the server refuses for good.
    pub(crate) async fn carry_out<R: Run>(
        &self,
        run: &R,
        actions: Vec<Action>,
    ) -> Result<Option<Refusal>, Error> {
        for action in actions {
            let (kind, name) = (action.kind(), action.name().to_owned());
            match self.carry_out_one(run, action).await {
                Ok(None) => {}
                Ok(Some(refusal)) => return Ok(Some(refusal)),
                Err(Error::Api(error)) => match refusal(kind, name, &error) {
                    Some(refusal) => return Ok(Some(refusal)),
                    None => return Err(error.into()),
                },
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    async fn carry_out_one<R: Run>(&self, run: &R, action: Action) -> Result<Option<Refusal>, Error> {
        match action {
            Action::CreateVolumeClaim(claim) => {
                match self.api::<PersistentVolumeClaim>().create(&claim).await {
                    Ok(_) | Err(ApiError::AlreadyExists(_)) => Ok(None),
                    Err(error) => Err(error.into()),
                }
            }
            Action::CreateTaskRun(child) => self.create_child(run, &*child).await,
            Action::CreatePod(child) => self.create_child(run, &*child).await,
            Action::DeletePod { name, uid } => {
                self.api::<Pod>().delete_if_there(&name, &DeleteOptions::of_uid(uid)).await?;
                Ok(None)
            }
            Action::CancelTaskRun { name, status_message } => {
                let spec = json!({"status": "TaskRunCancelled", "statusMessage": status_message});
                let patch = Patch::Merge(json!({"spec": spec}));
                match self.api::<TaskRun>().patch(&name, &patch, &PatchOptions::default()).await {
                    // Gone, or complete and so immutable: there is nothing left to cancel.
                    Ok(_) | Err(ApiError::NotFound(_) | ApiError::Invalid(_)) => Ok(None),
                    Err(error) => Err(error.into()),
                }
            }
        }
    }

    /// Creates a child, or finds that an earlier turn did. An object of that name that is somebody else's is a
    /// refusal, unless it is going: then the name will be free.
    async fn create_child<R: Run, C: Kind>(&self, run: &R, child: &C) -> Result<Option<Refusal>, Error> {
        match self.api::<C>().create(child).await {
            Ok(_) => return Ok(None),
            Err(ApiError::AlreadyExists(_)) => {}
            Err(error) => return Err(error.into()),
        }
        let name = child.meta().name.clone().unwrap_or_default();
        let Some(known) = self.api::<C>().find(&name).await? else {
            return Err(Error::NameTaken { kind: C::KIND, name });
        };
        let ours = |owner: &k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference| {
            owner.controller == Some(true) && Some(&owner.uid) == run.meta().uid.as_ref()
        };
        if known.meta().owner_references.iter().flatten().any(ours) {
            return Ok(None);
        }
        if known.meta().deletion_timestamp.is_some() {
            return Err(Error::NameTaken { kind: C::KIND, name });
        }
        let message = format!("{} \"{name}\" exists and belongs to somebody else", C::RESOURCE.plural);
        Ok(Some(Refusal { kind: C::KIND.to_owned(), name, code: 409, message }))
    }

    /// Writes what the plan says about the run itself, and says when to come back.
    pub(crate) async fn finish<R: Run>(&self, mut run: R, plan: Plan<R::Status>) -> Result<Requeue, Error> {
        let runs = self.api::<R>();
        if !plan.metadata.is_empty() {
            let patch = Patch::Merge(json!({"metadata": {
                "resourceVersion": run.meta().resource_version,
                "labels": plan.metadata.labels,
                "annotations": plan.metadata.annotations,
            }}));
            run = runs.patch(self.key.name(), &patch, &PatchOptions::default()).await?;
        }
        if let Some(status) = plan.status {
            run.set_status(status);
            match runs.update_status(self.key.name(), &run).await {
                Ok(mut written) => std::mem::swap(run.meta_mut(), written.meta_mut()),
                Err(ApiError::NotFound(_)) => return Ok(Requeue::Never),
                Err(error) => return Err(error.into()),
            }
        }
        tracing::trace!(key = %self.key, why = plan.why, "decided");
        for event in &plan.events {
            self.cx.recorder.record(&*self.cx.clock, self.key.cluster(), &run, event);
        }
        Ok(match plan.requeue {
            pipeline::Requeue::Never => Requeue::Never,
            pipeline::Requeue::At(at) => {
                let after = self.cx.until(at).max(REQUEUE_MIN);
                let revision = run.meta().resource_version.as_deref().and_then(|text| text.parse().ok());
                revision.map_or(Requeue::After(after), |revision| Requeue::Known { revision, after })
            }
        })
    }
}

/// An instant that has passed means soon, not in a circle.
const REQUEUE_MIN: Duration = Duration::from_millis(10);

/// What the server refused for good; `None` for what another try may change.
fn refusal(kind: &'static str, name: String, error: &ApiError) -> Option<Refusal> {
    let status = error.status()?;
    let code = u16::try_from(status.code?).ok()?;
    if !(400..500).contains(&code) || matches!(code, 408 | 409 | 410 | 429) {
        return None;
    }
    Some(Refusal { kind: kind.to_owned(), name, code, message: status.message.clone().unwrap_or_default() })
}
