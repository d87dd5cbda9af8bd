//! One watch: the frames of a streamed answer, decoded one by one.
//! It neither resumes nor retries; `watcher` does.
//! Invariant: `next` may be dropped while it waits without losing a frame.

use std::marker::PhantomData;

use bytes::{Buf as _, BytesMut};
use futures_util::StreamExt as _;
use http::StatusCode;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Status};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::error::Error;
use crate::resource::Readable;
use crate::transport::Body;

/// What happened to an object.
#[derive(Clone, Debug, PartialEq)]
pub enum WatchEvent<K> {
    /// It was created, or existed when the watch began, or entered the selection.
    Added(K),
    /// It was changed.
    Modified(K),
    /// It was removed, or left the selection; this is its last state.
    Deleted(K),
    /// Nothing happened up to this revision.
    Bookmark(Bookmark),
}

/// How far a watch has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bookmark {
    /// A watch may be resumed after this revision.
    pub resource_version: String,
    /// Whether everything that existed when the watch began has been sent.
    pub initial_events_end: bool,
}

#[derive(Deserialize)]
struct Frame<'a> {
    #[serde(rename = "type")]
    kind: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    object: &'a RawValue,
}

#[derive(Deserialize)]
struct MetadataOnly {
    metadata: ObjectMeta,
}

/// The events of one watch, until the server ends it.
pub struct WatchStream<K> {
    body: Body,
    buffer: BytesMut,
    /// How much of the buffer is known to hold no line end.
    scanned: usize,
    what: String,
    ended: bool,
    kind: PhantomData<fn() -> K>,
}

impl<K: Readable> WatchStream<K> {
    pub(crate) fn new(body: Body, what: String) -> Self {
        Self { body, buffer: BytesMut::new(), scanned: 0, what, ended: false, kind: PhantomData }
    }

    /// The next event; `None` when the watch has ended, which every watch does.
    ///
    /// # Errors
    /// The server's last word, such as [`Error::Expired`], or a broken connection. The watch is over then.
    pub async fn next(&mut self) -> Option<Result<WatchEvent<K>, Error>> {
        loop {
            if self.ended {
                return None;
            }
            if let Some(end) = self.line_end() {
                let line = self.buffer.split_to(end);
                self.buffer.advance(1);
                self.scanned = 0;
                if line.iter().all(u8::is_ascii_whitespace) {
                    continue;
                }
                let event = self.decode(&line);
                self.ended = event.is_err();
                return Some(event);
            }
            match self.body.next().await {
                Some(Ok(part)) => self.buffer.extend_from_slice(&part),
                Some(Err(source)) => {
                    self.ended = true;
                    return Some(Err(Error::Transport { what: self.what.clone(), source }));
                }
                None => self.ended = true,
            }
        }
    }

    fn line_end(&mut self) -> Option<usize> {
        let found = self.buffer[self.scanned..].iter().position(|byte| *byte == b'\n');
        let end = found.map(|at| at + self.scanned);
        self.scanned = self.buffer.len();
        end
    }

    fn decode(&self, line: &[u8]) -> Result<WatchEvent<K>, Error> {
        let failed = |source| Error::Decode { what: self.what.clone(), source };
        let frame: Frame<'_> = serde_json::from_slice(line).map_err(failed)?;
        let object = frame.object.get();
        let decoded = || serde_json::from_str::<K>(object).map_err(failed);
        match frame.kind.as_ref() {
            "ADDED" => Ok(WatchEvent::Added(decoded()?)),
            "MODIFIED" => Ok(WatchEvent::Modified(decoded()?)),
            "DELETED" => Ok(WatchEvent::Deleted(decoded()?)),
            "BOOKMARK" => {
                let meta = serde_json::from_str::<MetadataOnly>(object).map_err(failed)?.metadata;
                let ended = meta.annotations.as_ref().and_then(|all| all.get("k8s.io/initial-events-end"));
                Ok(WatchEvent::Bookmark(Bookmark {
                    initial_events_end: ended.is_some_and(|value| value == "true"),
                    resource_version: meta.resource_version.unwrap_or_default(),
                }))
            }
            _ => {
                let status: Status = serde_json::from_str(object).map_err(failed)?;
                let code = status.code.and_then(|code| u16::try_from(code).ok());
                let code = code.and_then(|code| StatusCode::from_u16(code).ok());
                let code = code.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                Err(Error::refused(self.what.clone(), code, status))
            }
        }
    }
}
