//! An API server as small as a node needs it: objects of a few kinds in memory, merge patches and watches.
//! It keeps the agreements that the real one has with nodes, and nothing else.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use client::{Body, BoxFuture, Request, Response, Transport, TransportError};
use serde_json::{Map, Value, json};
use tokio::sync::broadcast;

pub(crate) const CLUSTER: &str = "c1";
pub(crate) const NAMESPACE: &str = "default";

/// The server.
pub(crate) struct Api {
    state: Mutex<State>,
    events: broadcast::Sender<(String, String)>,
}

#[derive(Default)]
struct State {
    revision: u64,
    /// By plural and name.
    objects: BTreeMap<(String, String), Value>,
    writes: Vec<String>,
    /// All events so far: revision, plural, frame.
    history: Vec<(u64, String, String)>,
}

impl Api {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { state: Mutex::default(), events: broadcast::channel(4096).0 })
    }

    /// Creates or replaces an object.
    pub(crate) fn put(&self, plural: &str, name: &str, mut object: Value) {
        let uid = format!("00000000-0000-0000-{plural}-{name}").replace('_', "-");
        let meta = object_meta(&mut object);
        meta.insert("name".to_owned(), json!(name));
        meta.insert("namespace".to_owned(), json!(NAMESPACE));
        meta.entry("uid").or_insert(json!(uid));
        let annotations = meta.entry("annotations").or_insert(json!({}));
        annotations["kcp.io/cluster"] = json!(CLUSTER);
        self.change("ADDED", plural, name, |_| Some(object));
    }

    pub(crate) fn get(&self, plural: &str, name: &str) -> Option<Value> {
        self.state.lock().unwrap().objects.get(&(plural.to_owned(), name.to_owned())).cloned()
    }

    /// Deletes a Pod as a user does: it goes on existing until the node has stopped it.
    pub(crate) fn delete_pod(&self, name: &str, grace_seconds: u64) {
        self.change("MODIFIED", "pods", name, |pod| {
            let mut pod = pod?;
            let meta = object_meta(&mut pod);
            meta.insert("deletionTimestamp".to_owned(), json!("2026-01-01T00:00:00Z"));
            meta.insert("deletionGracePeriodSeconds".to_owned(), json!(grace_seconds));
            Some(pod)
        });
    }

    /// Removes an object at once.
    pub(crate) fn remove(&self, plural: &str, name: &str) {
        self.change("DELETED", plural, name, |_| None);
    }

    /// The writes so far, one line each.
    pub(crate) fn writes(&self) -> Vec<String> {
        self.state.lock().unwrap().writes.clone()
    }

    /// Waits until an object is as wanted (`None` when it does not exist).
    pub(crate) async fn wait(
        &self,
        plural: &str,
        name: &str,
        wanted: impl Fn(Option<&Value>) -> bool,
    ) -> Option<Value> {
        let mut events = self.events.subscribe();
        let deadline = std::time::Duration::from_secs(30);
        let waited = tokio::time::timeout(deadline, async {
            loop {
                let object = self.get(plural, name);
                if wanted(object.as_ref()) {
                    return object;
                }
                let _ = events.recv().await;
            }
        });
        match waited.await {
            Ok(object) => object,
            Err(_) => {
                let object = self.get(plural, name).unwrap_or_default();
                panic!(
                    "{plural}/{name} did not become as wanted; it is {object:#}\nwrites: {:#?}",
                    self.writes()
                )
            }
        }
    }

    fn change(
        &self,
        event: &str,
        plural: &str,
        name: &str,
        change: impl FnOnce(Option<Value>) -> Option<Value>,
    ) -> Option<Value> {
        let mut state = self.state.lock().unwrap();
        let key = (plural.to_owned(), name.to_owned());
        let old = state.objects.remove(&key);
        let new = change(old.clone());
        state.revision += 1;
        let revision = state.revision.to_string();
        let (event, mut shown) = match &new {
            Some(new) => (event, new.clone()),
            None => ("DELETED", old?),
        };
        object_meta(&mut shown).insert("resourceVersion".to_owned(), json!(revision));
        if new.is_some() {
            state.objects.insert(key, shown.clone());
        }
        let frame = format!("{}\n", json!({ "type": event, "object": shown }));
        let revision = state.revision;
        state.history.push((revision, plural.to_owned(), frame.clone()));
        let _ = self.events.send((plural.to_owned(), frame));
        new.map(|_| shown)
    }

    fn answer(&self, request: &Request) -> (u16, Body) {
        let path = request.uri().path().trim_start_matches("/clusters/").to_owned();
        let parts: Vec<&str> = path.split('/').collect();
        let query = request.uri().query().unwrap_or_default();
        match (request.method().as_str(), parts.as_slice()) {
            ("GET", ["*", "api", "v1", plural]) if query.contains("watch=1") => {
                (200, self.watch(plural, query))
            }
            ("GET", ["*", "api", "v1", plural]) => (200, whole(self.list(plural))),
            ("GET", [_, "api", "v1", "namespaces", _, plural, name]) => match self.get(plural, name) {
                Some(object) => (200, whole(object)),
                None => refusal(404, "NotFound"),
            },
            ("PATCH", [_, "api", "v1", "namespaces", _, plural, name, ..]) => {
                let patch: Value = serde_json::from_slice(request.body()).unwrap();
                self.patch(plural, name, &patch, parts.get(7).copied())
            }
            ("DELETE", [_, "api", "v1", "namespaces", _, plural, name]) => {
                self.state.lock().unwrap().writes.push(format!("delete {plural}/{name}"));
                self.change("DELETED", plural, name, |_| None);
                (200, whole(json!({ "kind": "Status", "status": "Success" })))
            }
            other => panic!("the node asked for {other:?}"),
        }
    }

    fn list(&self, plural: &str) -> Value {
        let state = self.state.lock().unwrap();
        let items: Vec<&Value> =
            state.objects.iter().filter(|((kind, _), _)| kind == plural).map(|(_, object)| object).collect();
        json!({ "metadata": { "resourceVersion": state.revision.to_string() }, "items": items })
    }

    fn watch(&self, plural: &str, query: &str) -> Body {
        let after = query.split('&').find_map(|part| part.strip_prefix("resourceVersion=")?.parse().ok());
        let after: u64 = after.unwrap_or(0);
        // Under the lock, so that nothing falls between what was and what comes.
        let state = self.state.lock().unwrap();
        let missed = state.history.iter().filter(|(revision, kind, _)| *revision > after && kind == plural);
        let missed: Vec<_> = missed.map(|(_, _, frame)| Ok(Bytes::from(frame.clone()))).collect();
        let (plural, events) = (plural.to_owned(), self.events.subscribe());
        let coming = futures_util::stream::unfold(events, move |mut events| {
            let plural = plural.clone();
            async move {
                loop {
                    match events.recv().await {
                        Ok((kind, frame)) if kind == plural => return Some((Ok(Bytes::from(frame)), events)),
                        Ok(_) => {}
                        Err(_) => return None,
                    }
                }
            }
        });
        Box::pin(futures_util::StreamExt::chain(futures_util::stream::iter(missed), coming))
    }

    fn patch(&self, plural: &str, name: &str, patch: &Value, subresource: Option<&str>) -> (u16, Body) {
        let Some(mut object) = self.get(plural, name) else { return refusal(404, "NotFound") };
        for precondition in ["uid", "resourceVersion"] {
            let wanted = &patch["metadata"][precondition];
            if !wanted.is_null() && *wanted != object["metadata"][precondition] {
                return refusal(409, "Conflict");
            }
        }
        let part = if subresource == Some("status") { "status" } else { "spec" };
        merge(&mut object[part], &patch[part]);
        let note = match part {
            "status" => format!("status {name} {}", object["status"]["phase"].as_str().unwrap_or_default()),
            _ => format!("claim {name}"),
        };
        self.state.lock().unwrap().writes.push(note);
        let changed = self.change("MODIFIED", plural, name, |_| Some(object));
        (200, whole(changed.unwrap_or_default()))
    }
}

impl Transport for Api {
    fn call(&self, request: Request) -> BoxFuture<'_, Result<Response, TransportError>> {
        let (code, body) = self.answer(&request);
        Box::pin(async move { Ok(http::Response::builder().status(code).body(body).unwrap()) })
    }
}

fn whole(value: Value) -> Body {
    Box::pin(futures_util::stream::iter([Ok(Bytes::from(value.to_string()))]))
}

fn refusal(code: u16, reason: &str) -> (u16, Body) {
    (code, whole(json!({ "kind": "Status", "status": "Failure", "reason": reason, "code": code })))
}

fn object_meta(object: &mut Value) -> &mut Map<String, Value> {
    let object = object.as_object_mut().unwrap();
    object.entry("metadata").or_insert(json!({})).as_object_mut().unwrap()
}

/// JSON merge patch.
fn merge(target: &mut Value, patch: &Value) {
    let Some(patch) = patch.as_object() else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    let target = target.as_object_mut().unwrap();
    for (key, value) in patch {
        if value.is_null() {
            target.remove(key);
        } else {
            merge(target.entry(key.clone()).or_insert(Value::Null), value);
        }
    }
}
