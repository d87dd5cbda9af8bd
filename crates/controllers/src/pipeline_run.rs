//! Brings a PipelineRun to its end: observe the run and its children, let `pipeline` decide, carry the plan out.
//! Children are read by their names, which follow from the run and its tasks: no list, and no index to keep.

use std::collections::BTreeSet;

use api::tekton::v1::{PipelineRun, PipelineRunStatus, TaskRun};
use client::{BoxFuture, Kind};
use futures_util::{StreamExt as _, TryStreamExt as _};
use pipeline::Need;
use pipeline::pipeline_run::{Observed, child_names, decide};

use crate::controller::{Controller, Cx, Requeue, Routed, Source};
use crate::error::Error;
use crate::key::Key;
use crate::run::{Place, ROUNDS_MAX, Run};
use crate::sighting::{Change, Seen};

/// Children that are read at a time.
const READS_AT_A_TIME: usize = 8;

pub(crate) fn controller(workers: usize) -> Controller {
    Controller {
        name: "pipeline-run",
        sources: vec![
            Source { resource: PipelineRun::RESOURCE, route: own },
            Source { resource: TaskRun::RESOURCE, route: child },
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

/// Of a child, only its end matters to the run, or its disappearance.
fn child(change: Change, seen: &Seen) -> Vec<Routed> {
    if change != Change::Gone && !seen.has_ended() {
        return Vec::new();
    }
    seen.controller("tekton.dev", "PipelineRun").map(Routed::from).into_iter().collect()
}

impl Run for PipelineRun {
    type Status = PipelineRunStatus;

    fn set_status(&mut self, status: Box<PipelineRunStatus>) {
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
    let Some(run) = place.api::<PipelineRun>().find(place.key.name()).await? else { return Ok(None) };
    let ended = run.status.as_ref().is_some_and(|status| status.completion_time.is_some());
    if ended || run.metadata.deletion_timestamp.is_some() {
        return Ok(None);
    }
    let mut observed = Observed { run, ..Observed::default() };
    read_children(place, &mut observed).await?;
    Ok(Some(observed))
}

async fn look_up(place: &Place<'_>, observed: &mut Observed, needs: Vec<Need>) -> Result<(), Error> {
    for need in needs {
        match need {
            Need::Pipeline(name) => {
                observed.pipeline = place.look_up(&name).await?;
                // Now more names of children are known.
                read_children(place, observed).await?;
            }
            Need::Task(name) => {
                let task = place.look_up(&name).await?;
                observed.tasks.insert(name, task);
            }
            // A PipelineRun refers to neither; if they are asked for all the same, the rounds run out.
            Need::Pod(_) | Need::ServiceAccount(_) | Need::Secrets(_) => {}
        }
    }
    Ok(())
}

/// Reads the children that are not read yet.
async fn read_children(place: &Place<'_>, observed: &mut Observed) -> Result<(), Error> {
    let mut names: BTreeSet<String> = child_names(&observed.run, observed.pipeline.found());
    for known in &observed.children {
        names.remove(known.metadata.name.as_deref().unwrap_or_default());
    }
    let children = place.api::<TaskRun>();
    let read = futures_util::stream::iter(names)
        .map(|name| {
            let children = children.clone();
            async move { children.find(&name).await }
        })
        .buffered(READS_AT_A_TIME)
        .try_filter_map(|child| async move { Ok(child) })
        .try_collect::<Vec<TaskRun>>()
        .await?;
    observed.children.extend(read);
    Ok(())
}
