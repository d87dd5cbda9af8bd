//! Watches: the state of a collection, then its changes, as frames in a body that goes on.
//! The client pulls: nothing is queued for a slow one, and one that falls behind the log is told to list again.
//! Invariant: along one stream revisions never fall, and a bookmark never names a revision before an event.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};
use machinery::status::StatusError;
use serde_json::{Value, json};
use store::{Entry, Event, Watch};
use tokio::sync::watch;
use tokio::time::Instant;
use types::{GroupVersion, Revision};

use super::output;
use crate::body::Body;
use crate::catalog::Served;
use crate::encode::{self, Stored, TableShape};
use crate::errors;
use crate::filter::Filter;
use crate::negotiate::Projection;
use crate::query::{ListOptions, WatchStart};
use crate::respond::Refusal;
use crate::router::{Call, Place};
use crate::service::{Inner, stopped};

/// How often a quiet watch is told how far the log is. Source: kube-apiserver's watch cache.
const BOOKMARK_PERIOD: Duration = Duration::from_secs(60);
/// A watch without a time limit of its own lives this long, and up to twice as long, in seconds.
const TIMEOUT_SECONDS_MIN: u64 = 1800;
/// Events of the initial state that go into one part of the body.
const INITIAL_EVENTS_IN_PART: usize = 256;

/// GET with `watch`.
pub(crate) async fn watch(call: &Call<'_>, place: &Place<'_>) -> Result<Response<Body>, Refusal> {
    let wanted = output::negotiated(call)?;
    let options = ListOptions::of(&call.query, place.served.row().selectable_fields)?;
    let start = options.watch_start()?;
    let filter = Filter::of(&options, place.grant.target());
    let registry = &call.inner.registry;
    let (mut initial, mut announce, mut after) = (Vec::new(), None, registry.revision());
    match start {
        WatchStart::After(revision) => after = revision,
        WatchStart::Now => {}
        WatchStart::State { at_least, announce_end } => {
            if at_least > after {
                return Err(errors::too_large_version(at_least.0, after.0).into());
            }
            let page = registry.page(&place.grant, place.kind(), None, 0, None).await?;
            after = page.revision;
            announce = announce_end.then_some(page.revision);
            initial = page.entries;
            initial.retain(|entry| filter.matches(place.kind(), entry));
        }
    }
    let source = registry.watch(&place.grant, place.kind(), after).await?;
    let lifetime = options.timeout_seconds.filter(|seconds| *seconds > 0).unwrap_or_else(|| {
        TIMEOUT_SECONDS_MIN
            + u64::try_from((call.inner.random)() % u128::from(TIMEOUT_SECONDS_MIN)).unwrap_or(0)
    });
    let now = Instant::now();
    let feed = Feed {
        frames: Frames {
            inner: Arc::clone(call.inner),
            group_version: GroupVersion::new(place.served.row().group, place.served.version().name),
            plural: place.served.row().plural,
            projection: wanted.projection,
            shape: output::table_shape(call)?,
            headings: true,
        },
        filter,
        initial: initial.into_iter(),
        announce,
        source,
        bookmarks: options.bookmarks,
        next_bookmark: now + BOOKMARK_PERIOD,
        deadline: now + Duration::from_secs(lifetime),
        stopping: call.inner.stopping.subscribe(),
        ended: false,
    };
    let parts = futures_util::stream::unfold(feed, |mut feed| async move {
        let part = feed.next().await?;
        Some((Ok(part), feed))
    });
    let mut response = Response::new(Body::Stream(Box::pin(parts)));
    *response.status_mut() = StatusCode::OK;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
    Ok(response)
}

/// One watch under way.
struct Feed {
    frames: Frames,
    filter: Filter,
    initial: std::vec::IntoIter<Entry>,
    /// The revision that the end of the initial state is announced with, until it was.
    announce: Option<Revision>,
    source: Box<dyn Watch>,
    bookmarks: bool,
    next_bookmark: Instant,
    deadline: Instant,
    stopping: watch::Receiver<bool>,
    ended: bool,
}

impl Feed {
    /// The next part of the body; nothing at the end.
    async fn next(&mut self) -> Option<Bytes> {
        if self.ended {
            return None;
        }
        match self.advance().await {
            Ok(part) => part,
            Err(error) => {
                self.ended = true;
                Some(error_frame(&error))
            }
        }
    }

    async fn advance(&mut self) -> Result<Option<Bytes>, StatusError> {
        let mut out = Vec::new();
        for entry in self.initial.by_ref().take(INITIAL_EVENTS_IN_PART) {
            self.frames.event(&mut out, "ADDED", Stored::of(&entry))?;
        }
        if !out.is_empty() {
            return Ok(Some(out.into()));
        }
        if let Some(revision) = self.announce.take() {
            self.frames.bookmark(&mut out, revision, true);
            return Ok(Some(out.into()));
        }
        while out.is_empty() {
            match self.wait().await {
                Wake::Stop => return Ok(None),
                Wake::Bookmark => self.frames.bookmark(&mut out, self.source.progress(), false),
                Wake::Events(events) => {
                    for event in events.map_err(|error| errors::of_store(&error))? {
                        self.change(&mut out, &event)?;
                    }
                }
            }
        }
        Ok(Some(out.into()))
    }

    async fn wait(&mut self) -> Wake {
        let wake = if self.bookmarks { self.deadline.min(self.next_bookmark) } else { self.deadline };
        tokio::select! {
            biased;
            () = stopped(&mut self.stopping) => Wake::Stop,
            () = tokio::time::sleep_until(wake) => {
                // The last thing a watch says is how far it came.
                self.ended = wake >= self.deadline;
                self.next_bookmark = wake + BOOKMARK_PERIOD;
                if self.bookmarks { Wake::Bookmark } else { Wake::Stop }
            }
            events = self.source.next() => Wake::Events(events),
        }
    }

    /// One change as this watch sees it: what enters the selection is added, what leaves it is deleted.
    fn change(&mut self, out: &mut Vec<u8>, event: &Event) -> Result<(), StatusError> {
        let inner = Arc::clone(&self.frames.inner);
        let kind = self.frames.served(&inner)?.kind;
        let seen = |entry: &Option<Entry>| entry.as_ref().is_some_and(|e| self.filter.matches(kind, e));
        let (was, is) = (seen(&event.before), seen(&event.after));
        match (&event.before, &event.after) {
            (_, Some(after)) if is => {
                let word = if was { "MODIFIED" } else { "ADDED" };
                self.frames.event(out, word, Stored::at(after, event.revision))
            }
            (Some(before), _) if was => self.frames.event(out, "DELETED", Stored::at(before, event.revision)),
            _ => Ok(()),
        }
    }
}

/// What a watch woke up for.
enum Wake {
    Stop,
    Bookmark,
    Events(Result<Vec<Arc<Event>>, store::Error>),
}

/// How frames are written.
struct Frames {
    inner: Arc<Inner>,
    group_version: GroupVersion,
    plural: &'static str,
    projection: Projection,
    shape: TableShape,
    /// Whether the next table still needs its headings.
    headings: bool,
}

impl Frames {
    fn served<'a>(&self, inner: &'a Inner) -> Result<Served<'a>, StatusError> {
        inner
            .catalog
            .find(&self.group_version, self.plural)
            .ok_or_else(|| errors::internal("a watched resource is no longer served"))
    }

    fn event(&mut self, out: &mut Vec<u8>, word: &str, item: Stored<'_>) -> Result<(), StatusError> {
        out.extend_from_slice(br#"{"type":""#);
        out.extend_from_slice(word.as_bytes());
        out.extend_from_slice(br#"","object":"#);
        let inner = Arc::clone(&self.inner);
        let served = self.served(&inner)?;
        match self.projection {
            Projection::Object => encode::append_object(out, served, item)?,
            Projection::Metadata => encode::append_partial(out, item),
            Projection::Table => {
                self.shape.now = self.inner.now_seconds();
                let metadata = json!({"resourceVersion": item.revision.to_string()});
                let headings = std::mem::take(&mut self.headings);
                out.extend_from_slice(&encode::table(served, &self.shape, headings, metadata, &[item])?);
            }
        }
        out.extend_from_slice(b"}\n");
        Ok(())
    }

    fn bookmark(&mut self, out: &mut Vec<u8>, revision: Revision, end_of_state: bool) {
        let mut metadata = json!({"resourceVersion": revision.to_string()});
        if end_of_state {
            metadata["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        let inner = Arc::clone(&self.inner);
        let object = match (self.projection, self.served(&inner)) {
            (Projection::Object, Ok(served)) => json!({
                "kind": served.row().kind, "apiVersion": served.api_version(), "metadata": metadata,
            }),
            (Projection::Table, Ok(served)) => {
                let headings = std::mem::take(&mut self.headings);
                let definitions = headings.then(|| machinery::table::definitions(served.row().columns));
                machinery::table::table(definitions, Vec::new(), metadata)
            }
            _ => {
                json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata})
            }
        };
        push_frame(out, "BOOKMARK", &object);
    }
}

fn error_frame(error: &StatusError) -> Bytes {
    let mut out = Vec::new();
    push_frame(&mut out, "ERROR", &error.to_value());
    out.into()
}

fn push_frame(out: &mut Vec<u8>, word: &str, object: &Value) {
    out.extend_from_slice(format!("{{\"type\":\"{word}\",\"object\":{object}}}\n").as_bytes());
}
