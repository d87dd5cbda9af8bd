//! `pods/log`: the log of one container, as it is or followed, also after the Pod is gone.

use std::pin::Pin;
use std::sync::Arc;

use archive::{LogKey, LogStream, ReadOptions};
use bytes::Bytes;
use client::TransportError;
use futures_util::{Stream, StreamExt};
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};
use machinery::meta;
use machinery::status::{Reason, StatusError};
use serde_json::Value;
use store::{Entry, Watch};
use types::ClusterId;

use crate::body::Body;
use crate::errors;
use crate::query::Query;
use crate::respond::{self, Refusal};
use crate::router::{Call, Place};
use crate::service::stopped;

/// GET of `log`.
pub(crate) async fn logs(call: &Call<'_>, place: &Place<'_>) -> Result<Response<Body>, Refusal> {
    let options = options(&call.query, (call.inner.clock)())?;
    let cluster = place.cluster().ok_or_else(|| errors::internal("a log without a workspace"))?;
    let entry = call.inner.registry.get(&place.grant, place.kind()).await?;
    let pod: Option<Value> = entry.as_ref().and_then(|entry| serde_json::from_slice(&entry.value).ok());
    let key = match &pod {
        Some(pod) => key_of_pod(call, place, cluster, pod)?,
        None => key_of_archive(call, place, cluster)?,
    };
    if call.query.flag("previous") {
        return Err(StatusError::bad_request(format!(
            "previous terminated container {:?} in pod {:?} not found",
            key.container, key.pod
        ))
        .into());
    }
    let running = pod.as_ref().is_some_and(|pod| !is_finished(pod));
    let options = ReadOptions { follow: options.follow && running, ..options };
    let stream = match call.inner.logs.read(&key, options.clone()) {
        Ok(stream) => stream,
        Err(archive::Error::Missing { .. }) => return nothing_yet(pod.as_ref(), &key),
        Err(archive::Error::Name { .. }) => {
            return Err(StatusError::bad_request("that is no name of a container").into());
        }
        Err(error) => return Err(errors::internal(&error.to_string()).into()),
    };
    let parts: Pin<Box<dyn Stream<Item = Result<Bytes, TransportError>> + Send>> = match entry {
        Some(entry) if options.follow => {
            // The Pod's own changes end the log of a container that never started.
            let source = call.inner.registry.watch(&place.grant, place.kind(), entry.modified).await?;
            let logs = Arc::clone(&call.inner.logs);
            let stopping = call.inner.stopping.subscribe();
            Box::pin(futures_util::stream::unfold(
                Follow { stream, source: Some(source), logs, key, stopping },
                |mut follow| async move { Some((follow.next().await?, follow)) },
            ))
        }
        _ => Box::pin(stream.map(|part| part.map_err(broken))),
    };
    let mut response = Response::new(Body::Stream(parts));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    Ok(response)
}

fn broken(error: archive::Error) -> TransportError {
    TransportError { what: "read a log".to_owned(), source: Some(Box::new(error)) }
}

/// A log that is followed while its Pod lives.
struct Follow {
    stream: LogStream,
    /// Changes of the Pod, until it is finished.
    source: Option<Box<dyn Watch>>,
    logs: Arc<archive::LogStore>,
    key: LogKey,
    stopping: tokio::sync::watch::Receiver<bool>,
}

impl Follow {
    async fn next(&mut self) -> Option<Result<Bytes, TransportError>> {
        loop {
            let Some(source) = &mut self.source else {
                tokio::select! {
                    biased;
                    () = stopped(&mut self.stopping) => return None,
                    part = self.stream.next() => return Some(part?.map_err(broken)),
                }
            };
            tokio::select! {
                biased;
                () = stopped(&mut self.stopping) => return None,
                part = self.stream.next() => return Some(part?.map_err(broken)),
                events = source.next() => {
                    let finished = match events {
                        Ok(events) => events.iter().any(|event| event.after.as_ref().is_none_or(entry_is_finished)),
                        Err(_) => true,
                    };
                    if finished {
                        self.source = None;
                        // What was written ends by itself; what was never begun will not be.
                        if matches!(self.logs.read(&self.key, ReadOptions::default()), Err(archive::Error::Missing { .. })) {
                            return None;
                        }
                    }
                }
            }
        }
    }
}

fn entry_is_finished(entry: &Entry) -> bool {
    serde_json::from_slice::<Value>(&entry.value).is_ok_and(|pod| is_finished(&pod))
}

fn is_finished(pod: &Value) -> bool {
    matches!(meta::text(pod, &["status", "phase"]), Some("Succeeded" | "Failed"))
}

/// The answer when a container has written nothing: it waits, or it never will.
fn nothing_yet(pod: Option<&Value>, key: &LogKey) -> Result<Response<Body>, Refusal> {
    let Some(pod) = pod else { return Ok(respond::plain(StatusCode::OK, "")) };
    let state = meta::list(pod, &["status", "containerStatuses"])
        .iter()
        .find(|status| meta::text(status, &["name"]) == Some(&key.container));
    let started = state.is_some_and(|status| {
        meta::get(status, &["state", "running"]).is_some()
            || meta::get(status, &["state", "terminated"]).is_some()
    });
    if started || is_finished(pod) {
        return Ok(respond::plain(StatusCode::OK, ""));
    }
    let reason = state
        .and_then(|status| meta::text(status, &["state", "waiting", "reason"]))
        .unwrap_or("ContainerCreating");
    let text = format!("container {:?} in pod {:?} is waiting to start: {reason}", key.container, key.pod);
    Err(StatusError::bad_request(text).into())
}

fn key_of_pod(
    call: &Call<'_>,
    place: &Place<'_>,
    cluster: &ClusterId,
    pod: &Value,
) -> Result<LogKey, StatusError> {
    let names: Vec<&str> = ["initContainers", "containers"]
        .iter()
        .flat_map(|list| meta::list(pod, &["spec", list]))
        .filter_map(|container| meta::text(container, &["name"]))
        .collect();
    let container = choose(call.query.get("container"), &names, place.name())?;
    Ok(LogKey {
        cluster: cluster.clone(),
        namespace: place.namespace().to_owned(),
        pod: place.name().to_owned(),
        pod_uid: meta::uid(pod).to_owned(),
        container,
    })
}

fn key_of_archive(call: &Call<'_>, place: &Place<'_>, cluster: &ClusterId) -> Result<LogKey, StatusError> {
    let (namespace, pod) = (place.namespace(), place.name());
    let absent = || StatusError::not_found(&place.kind().resource, pod);
    let failed = |error: archive::Error| match error {
        archive::Error::Missing { .. } | archive::Error::Name { .. } => absent(),
        other => errors::internal(&other.to_string()),
    };
    let names = call.inner.logs.containers(cluster, namespace, pod).map_err(failed)?;
    if names.is_empty() {
        return Err(absent());
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let container = choose(call.query.get("container"), &names, pod)?;
    call.inner.logs.find(cluster, namespace, pod, &container).map_err(failed)?.ok_or_else(absent)
}

fn choose(wanted: Option<&str>, names: &[&str], pod: &str) -> Result<String, StatusError> {
    match (wanted, names) {
        (Some(wanted), _) if names.contains(&wanted) => Ok(wanted.to_owned()),
        (Some(wanted), _) => {
            Err(StatusError::bad_request(format!("container {wanted} is not valid for pod {pod}")))
        }
        (None, [only]) => Ok((*only).to_owned()),
        (None, _) => Err(StatusError::bad_request(format!(
            "a container name must be specified for pod {pod}, choose one of: [{}]",
            names.join(" ")
        ))),
    }
}

fn options(query: &Query, now: jiff::Timestamp) -> Result<ReadOptions, StatusError> {
    let invalid =
        |what: &str| StatusError::new(Reason::Invalid, format!("PodLogOptions \"\" is invalid: {what}"));
    let count = |name: &str, least: i64| -> Result<Option<u64>, StatusError> {
        match query.integer(name)? {
            Some(number) if number < least => Err(invalid(&format!(
                "{name}: Invalid value: {number}: must be greater than or equal to {least}"
            ))),
            other => Ok(other.and_then(|number| u64::try_from(number).ok())),
        }
    };
    let seconds = count("sinceSeconds", 1)?;
    let since = match (query.get("sinceTime"), seconds) {
        (Some(_), Some(_)) => {
            return Err(invalid("at most one of `sinceTime` or `sinceSeconds` may be specified"));
        }
        (Some(text), None) => Some(text.parse().map_err(|_| {
            StatusError::bad_request(format!("sinceTime: Invalid value: {text:?}: must be RFC 3339"))
        })?),
        (None, Some(seconds)) => {
            let ago = jiff::SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX));
            now.checked_sub(ago).ok()
        }
        (None, None) => None,
    };
    Ok(ReadOptions {
        follow: query.flag("follow"),
        tail_lines: count("tailLines", 0)?,
        since,
        timestamps: query.flag("timestamps"),
        limit_bytes: count("limitBytes", 1)?,
    })
}
