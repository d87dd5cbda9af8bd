//! Removes Events an hour after they were last seen, as Kubernetes does, in one sweep over all clusters.
//! A sweep keeps no list between turns: what it costs is reading the events that exist.

use std::time::Duration;

use client::{BoxFuture, CLUSTER_ANNOTATION, DeleteOptions, ListOptions};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Event;

use crate::controller::{Controller, Cx, Requeue};
use crate::error::Error;
use crate::key::Key;

/// How long an Event is kept after it was last seen. Source: kube-apiserver's `--event-ttl`.
const TTL: Duration = Duration::from_secs(60 * 60);
/// How often is looked.
const EVERY: Duration = Duration::from_secs(5 * 60);
/// Events in one page.
const PAGE: usize = 500;

pub(crate) fn controller() -> Controller {
    Controller {
        name: "event-expiry",
        sources: Vec::new(),
        reconcile: |cx, _| -> BoxFuture<'static, Result<Requeue, Error>> {
            Box::pin(async move { sweep(&cx).await })
        },
        workers: 1,
        first: Some(Key::new("", "", "all")),
    }
}

async fn sweep(cx: &Cx) -> Result<Requeue, Error> {
    let events = cx.client.all_clusters().all::<Event>();
    let mut options = ListOptions { limit: PAGE, ..ListOptions::default() };
    loop {
        let page = events.list(&options).await?;
        for event in &page.items {
            if is_expired(event, cx.clock.now()) {
                remove(cx, event).await?;
            }
        }
        options.continue_token = page.continue_token;
        if options.continue_token.is_none() {
            return Ok(Requeue::After(EVERY));
        }
    }
}

fn is_expired(event: &Event, now: Timestamp) -> bool {
    let seen = event.last_timestamp.as_ref().map(|time| time.0);
    let seen = seen.or(event.event_time.as_ref().map(|time| time.0));
    let seen = seen.or(event.metadata.creation_timestamp.as_ref().map(|time| time.0));
    seen.is_some_and(|seen| Duration::try_from(now.duration_since(seen)).is_ok_and(|age| age > TTL))
}

async fn remove(cx: &Cx, event: &Event) -> Result<(), Error> {
    let meta = &event.metadata;
    let cluster = meta.annotations.as_ref().and_then(|all| all.get(CLUSTER_ANNOTATION));
    let (Some(cluster), Some(namespace), Some(name), Some(uid)) =
        (cluster, &meta.namespace, &meta.name, &meta.uid)
    else {
        return Ok(());
    };
    let events = cx.client.cluster(cluster).namespaced::<Event>(namespace);
    events.delete_if_there(name, &DeleteOptions::of_uid(uid)).await?;
    Ok(())
}
