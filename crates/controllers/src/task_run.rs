//! Brings a TaskRun to its end: observe the run and its Pod, let `pipeline` decide, carry the plan out.

use api::tekton::v1::{TaskRun, TaskRunStatus};
use client::{BoxFuture, Kind};
use k8s_openapi::api::core::v1::{Pod, Secret};
use pipeline::task_run::{Observed, decide, pod_name};
use pipeline::{Lookup, Need};

use crate::controller::{Controller, Cx, Requeue, Routed, Source};
use crate::error::Error;
use crate::key::Key;
use crate::run::{Place, ROUNDS_MAX, Run};
use crate::sighting::{Change, Seen};

pub(crate) fn controller(workers: usize) -> Controller {
    Controller {
        name: "task-run",
        sources: vec![
            Source { resource: TaskRun::RESOURCE, route: own },
            Source { resource: Pod::RESOURCE, route: child },
        ],
        reconcile: |cx, key| -> BoxFuture<'static, Result<Requeue, Error>> {
            Box::pin(async move { reconcile(&cx, &key).await })
        },
        workers,
        first: None,
    }
}

/// A run that has ended stays as it is.
fn own(change: Change, seen: &Seen) -> Vec<Routed> {
    if change == Change::Gone || seen.has_ended() { Vec::new() } else { vec![Routed::own(seen)] }
}

/// A Pod's creation is our own doing, and the turn that did it knows; that a node took it says nothing yet.
fn child(change: Change, seen: &Seen) -> Vec<Routed> {
    let silent = change == Change::Changed && !seen.is_reported() && !seen.is_deleting();
    if change == Change::Created || silent {
        return Vec::new();
    }
    seen.controller("tekton.dev", "TaskRun").map(Routed::from).into_iter().collect()
}

impl Run for TaskRun {
    type Status = TaskRunStatus;

    fn set_status(&mut self, status: Box<TaskRunStatus>) {
        self.status = Some(*status);
    }
}

async fn reconcile(cx: &Cx, key: &Key) -> Result<Requeue, Error> {
    let place = Place::new(cx, key);
    let Some(mut observed) = observe(&place).await? else { return Ok(Requeue::Never) };
    for _ in 0..ROUNDS_MAX {
        let mut plan = decide(&observed, cx.clock.now());
        if !plan.needs.is_empty() {
            look_up(&place, &mut observed, plan.needs).await?;
            continue;
        }
        match place.carry_out(&observed.run, std::mem::take(&mut plan.actions)).await? {
            Some(refusal) => observed.refused.push(refusal),
            None => return place.finish(observed.run, plan).await,
        }
    }
    Err(Error::NoDecision { key: key.to_string(), rounds: ROUNDS_MAX })
}

async fn observe(place: &Place<'_>) -> Result<Option<Observed>, Error> {
    let Some(run) = place.api::<TaskRun>().find(place.key.name()).await? else { return Ok(None) };
    if run.metadata.deletion_timestamp.is_some() {
        return Ok(None);
    }
    let mut observed = Observed { run, ..Observed::default() };
    if observed.run.status.as_ref().is_none_or(|status| status.completion_time.is_none()) {
        observed.pod = place.look_up(&pod_name(&observed.run)).await?;
    }
    Ok(Some(observed))
}

async fn look_up(place: &Place<'_>, observed: &mut Observed, needs: Vec<Need>) -> Result<(), Error> {
    for need in needs {
        match need {
            Need::Task(name) => observed.task = place.look_up(&name).await?,
            Need::Pod(name) => observed.pod = place.look_up(&name).await?,
            Need::ServiceAccount(name) => observed.service_account = place.look_up(&name).await?,
            Need::Secrets(names) => {
                for name in names {
                    let secret = without_data(place.look_up(&name).await?);
                    observed.secrets.insert(name, secret);
                }
            }
            // A TaskRun refers to no Pipeline; if it is asked for all the same, the rounds run out.
            Need::Pipeline(_) => {}
        }
    }
    Ok(())
}

/// What a decision may know of a Secret; the rest is not kept, so that no message or log can hold it.
fn without_data(secret: Lookup<Secret>) -> Lookup<Secret> {
    match secret {
        Lookup::Found(secret) => Lookup::Found(Secret { data: None, string_data: None, ..secret }),
        other => other,
    }
}
