//! Records Events about objects, as `kubectl describe` shows them: best effort, and never in the way.
//! Repetitions are counted in one Event, whose name follows from the object and from what is said about it,
//! so that no memory of former events is needed.
//! Invariant: `record` never waits; when too many are under way, events are dropped.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use client::{Client, Error, Kind, Patch, PatchOptions};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Event, EventSource, ObjectReference};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tokio::sync::{mpsc, watch};

use crate::clock::Clock;

/// Events that may wait to be written.
const WAITING_MAX: usize = 1024;
/// The longest message that an Event may carry, in bytes, as Kubernetes' validation has it.
const MESSAGE_LENGTH_MAX: usize = 1024;
/// The name that Events carry as their source.
const COMPONENT: &str = "psvc";

/// Takes events to be written.
#[derive(Clone)]
pub(crate) struct Recorder {
    waiting: mpsc::Sender<Recorded>,
    dropped: Arc<AtomicU64>,
}

struct Recorded {
    cluster: String,
    event: Box<Event>,
}

/// Writes the events that a [`Recorder`] took.
pub(crate) struct Writer {
    taken: mpsc::Receiver<Recorded>,
    client: Client,
}

/// A recorder and its writer.
pub(crate) fn recorder(client: Client) -> (Recorder, Writer) {
    let (waiting, taken) = mpsc::channel(WAITING_MAX);
    (Recorder { waiting, dropped: Arc::default() }, Writer { taken, client })
}

impl Recorder {
    /// Records what is said about an object. The message is shortened if it is too long.
    pub(crate) fn record<K: Kind>(
        &self,
        clock: &dyn Clock,
        cluster: &str,
        about: &K,
        said: &pipeline::Event,
    ) {
        let event = event_of(clock.now(), about, said);
        let recorded = Recorded { cluster: cluster.to_owned(), event: Box::new(event) };
        if self.waiting.try_send(recorded).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Writer {
    /// Writes until `stopping` says true or the last recorder is gone.
    pub(crate) async fn run(mut self, mut stopping: watch::Receiver<bool>) {
        loop {
            let recorded = tokio::select! {
                biased;
                _ = stopping.wait_for(|stop| *stop) => return,
                recorded = self.taken.recv() => recorded,
            };
            let Some(recorded) = recorded else { return };
            // A namespace or an object that is gone by now is no loss.
            if let Err(error) = self.write(&recorded).await {
                tracing::debug!("could not record an event: {error}");
            }
        }
    }

    async fn write(&self, recorded: &Recorded) -> Result<(), Error> {
        let meta = &recorded.event.metadata;
        let (namespace, name) = (meta.namespace.as_deref(), meta.name.as_deref());
        let (namespace, name) = (namespace.unwrap_or("default"), name.unwrap_or_default());
        let events = self.client.cluster(&recorded.cluster).namespaced::<Event>(namespace);
        match events.create(&recorded.event).await {
            Err(Error::AlreadyExists(_)) => {}
            done => return done.map(drop),
        }
        let Some(known) = events.find(name).await? else { return Ok(()) };
        let repeated = json!({
            "metadata": {"resourceVersion": known.metadata.resource_version},
            "count": known.count.unwrap_or(1).saturating_add(1),
            "lastTimestamp": recorded.event.last_timestamp,
        });
        events.patch(name, &Patch::Merge(repeated), &PatchOptions::default()).await.map(drop)
    }
}

fn event_of<K: Kind>(now: Timestamp, about: &K, said: &pipeline::Event) -> Event {
    let meta = about.meta();
    let name = meta.name.clone().unwrap_or_default();
    let namespace = meta.namespace.clone().unwrap_or_else(|| "default".to_owned());
    let uid = meta.uid.clone().unwrap_or_default();
    let message = shortened(&said.message);
    let now = Time(Timestamp::from_second(now.as_second()).unwrap_or(now));
    Event {
        metadata: ObjectMeta {
            name: Some(event_name(&name, &[&uid, said.kind.as_str(), &said.reason, message])),
            namespace: Some(namespace.clone()),
            ..ObjectMeta::default()
        },
        involved_object: ObjectReference {
            api_version: Some(K::API_VERSION.to_owned()),
            kind: Some(K::KIND.to_owned()),
            name: Some(name),
            namespace: Some(namespace),
            uid: Some(uid),
            resource_version: meta.resource_version.clone(),
            field_path: None,
        },
        reason: Some(said.reason.clone()),
        message: Some(message.to_owned()),
        type_: Some(said.kind.as_str().to_owned()),
        source: Some(EventSource { component: Some(COMPONENT.to_owned()), host: None }),
        reporting_component: Some(COMPONENT.to_owned()),
        first_timestamp: Some(now.clone()),
        last_timestamp: Some(now),
        count: Some(1),
        ..Event::default()
    }
}

/// `<object>.<hash>`, as client-go's; the hash is of what is said, so that saying it again finds the same Event.
fn event_name(object: &str, said: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in said {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    let hash = hash.finalize();
    let hash = hash.iter().take(8).fold(0_u64, |sum, byte| (sum << 8) | u64::from(*byte));
    let object: String = object.chars().take(230).collect();
    format!("{object}.{hash:016x}")
}

fn shortened(message: &str) -> &str {
    let mut end = message.len().min(MESSAGE_LENGTH_MAX);
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    &message[..end]
}

#[cfg(test)]
mod tests {
    use api::tekton::v1::TaskRun;

    use super::*;

    fn said(message: &str) -> pipeline::Event {
        pipeline::Event {
            kind: pipeline::EventType::Normal,
            reason: "Started".to_owned(),
            message: message.to_owned(),
        }
    }

    #[test]
    fn saying_the_same_again_has_the_same_name_and_anything_else_another() {
        let mut run = TaskRun::default();
        run.metadata.name = Some("r".to_owned());
        run.metadata.uid = Some("u".to_owned());
        let (now, later) = (Timestamp::from_second(0).unwrap(), Timestamp::from_second(60).unwrap());
        let first = event_of(now, &run, &said("x")).metadata.name;
        assert_eq!(first, event_of(later, &run, &said("x")).metadata.name);
        assert_ne!(first, event_of(now, &run, &said("y")).metadata.name);
        run.metadata.uid = Some("other".to_owned());
        assert_ne!(first, event_of(now, &run, &said("x")).metadata.name);
    }

    #[test]
    fn a_long_message_is_cut_between_characters() {
        assert_eq!(shortened(&"ä".repeat(1000)).len(), 1024);
        assert_eq!(shortened(&format!("x{}", "ä".repeat(1000))).len(), 1023);
    }
}
