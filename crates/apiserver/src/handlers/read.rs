//! Get and list.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::{Response, StatusCode};
use machinery::status::{Reason, StatusError};
use serde::{Deserialize, Serialize};
use store::Entry;
use types::Revision;

use super::output;
use crate::body::Body;
use crate::encode::{self, ListMetadata, Stored};
use crate::errors;
use crate::filter::Filter;
use crate::negotiate::Projection;
use crate::query::{ListOptions, VersionMatch};
use crate::registry::Registry;
use crate::respond::{self, Refusal};
use crate::router::{Call, Place};

/// How many entries one look into the store reads when a selector picks among them.
const SCAN_ENTRIES: usize = 1000;

/// GET of one object.
pub(crate) async fn get(call: &Call<'_>, place: &Place<'_>) -> Result<Response<Body>, Refusal> {
    if let Some(text) = call.query.get("resourceVersion")
        && let Ok(revision) = Revision::parse(text)
        && revision > call.inner.registry.revision()
    {
        return Err(errors::too_large_version(revision.0, call.inner.registry.revision().0).into());
    }
    let entry = call.inner.registry.get(&place.grant, place.kind()).await?;
    let entry = entry.ok_or_else(|| StatusError::not_found(&place.kind().resource, place.name()))?;
    output::entry(call, place, StatusCode::OK, &entry)
}

/// GET of a collection.
pub(crate) async fn list(call: &Call<'_>, place: &Place<'_>) -> Result<Response<Body>, Refusal> {
    let wanted = output::negotiated(call)?;
    let options = ListOptions::of(&call.query, place.served.row().selectable_fields)?;
    let page = page(call, place, &options).await?;
    let metadata = ListMetadata { revision: page.revision, continue_token: page.next };
    let items: Vec<Stored<'_>> = page.entries.iter().map(Stored::of).collect();
    let bytes = match wanted.projection {
        Projection::Object => encode::object_list(place.served, &metadata, &items)?,
        Projection::Metadata => encode::partial_list(&metadata, &items),
        Projection::Table => {
            encode::table(place.served, &output::table_shape(call)?, true, metadata.to_value(), &items)?
        }
    };
    Ok(respond::encoded(StatusCode::OK, bytes, wanted.encoding))
}

/// One page of a list.
pub(super) struct Page {
    pub(super) entries: Vec<Entry>,
    pub(super) revision: Revision,
    pub(super) next: Option<String>,
}

/// Where the next page starts; clients treat it as opaque.
#[derive(Serialize, Deserialize)]
struct ContinueToken {
    v: String,
    /// The revision of the first page; -1 after it was compacted: the rest is read at the newest.
    rv: i64,
    /// The key to start at, after the prefix of the collection.
    start: String,
}

/// Reads a page by the request's options.
pub(super) async fn page(call: &Call<'_>, place: &Place<'_>, options: &ListOptions) -> Result<Page, Refusal> {
    let registry = &call.inner.registry;
    let filter = Filter::of(options, place.grant.target());
    let prefix = Registry::prefix(&place.grant, place.kind())?;
    let (mut start, mut at) = match &options.continue_token {
        Some(token) => {
            options.list_version()?;
            let token = decode_token(token)?;
            let mut key = prefix.as_bytes().to_vec();
            key.extend_from_slice(token.start.as_bytes());
            (Some(Bytes::from(key)), u64::try_from(token.rv).ok().map(Revision))
        }
        None => (None, snapshot(call, options)?),
    };
    // In all workspaces at once, a namespace picks among the keys of the range.
    let everything = filter.is_everything() && (place.cluster().is_some() || place.namespace().is_empty());
    let mut entries: Vec<Entry> = Vec::new();
    loop {
        let room = if options.limit == 0 { 0 } else { options.limit - entries.len() };
        let limit = if everything || options.limit == 0 { room } else { SCAN_ENTRIES };
        let read = registry.page(&place.grant, place.kind(), start.clone(), limit, at).await;
        let read = match read {
            Err(error) if error.reason == Reason::Expired && options.continue_token.is_some() => {
                return Err(expired_token(start.as_deref(), prefix.as_bytes().len()));
            }
            other => other?,
        };
        at = Some(read.revision);
        let mut rest = read.entries.into_iter();
        for entry in rest.by_ref() {
            let after = successor(&entry);
            if everything || filter.matches(place.kind(), &entry) {
                entries.push(entry);
            }
            start = Some(after);
            if options.limit > 0 && entries.len() == options.limit {
                break;
            }
        }
        let more = read.more || rest.next().is_some();
        let full = options.limit > 0 && entries.len() == options.limit;
        if !more || full || options.limit == 0 {
            let next = (more && full)
                .then(|| encode_token(read.revision.0, start.as_deref(), prefix.as_bytes().len()))
                .flatten();
            return Ok(Page { entries, revision: read.revision, next });
        }
    }
}

fn snapshot(call: &Call<'_>, options: &ListOptions) -> Result<Option<Revision>, StatusError> {
    let newest = call.inner.registry.revision();
    match options.list_version()? {
        VersionMatch::Newest => Ok(None),
        VersionMatch::NotOlderThan(revision) if revision > newest => {
            Err(errors::too_large_version(revision.0, newest.0))
        }
        VersionMatch::NotOlderThan(_) => Ok(None),
        VersionMatch::Exact(revision) => Ok(Some(revision)),
    }
}

/// The first key after an entry's.
fn successor(entry: &Entry) -> Bytes {
    let mut key = entry.key.as_bytes().to_vec();
    key.push(0);
    key.into()
}

fn encode_token(revision: u64, start: Option<&[u8]>, prefix_len: usize) -> Option<String> {
    let start = std::str::from_utf8(start?.get(prefix_len..)?).ok()?.to_owned();
    let rv = i64::try_from(revision).unwrap_or(-1);
    let token = ContinueToken { v: "meta.k8s.io/v1".to_owned(), rv, start };
    Some(URL_SAFE_NO_PAD.encode(serde_json::to_vec(&token).ok()?))
}

fn decode_token(text: &str) -> Result<ContinueToken, StatusError> {
    let bytes = URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok();
    let token: Option<ContinueToken> = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    token
        .filter(|token| token.v == "meta.k8s.io/v1" && !token.start.is_empty())
        .ok_or_else(|| StatusError::bad_request("continue key is not valid: it was not given by this server"))
}

/// 410 with a token that goes on at the newest revision.
fn expired_token(start: Option<&[u8]>, prefix_len: usize) -> Refusal {
    let text = "The provided continue parameter is too old to display a consistent list result. You can start a new \
                list without the continue parameter, or use the continue token in this response to retrieve the \
                remainder of the results.";
    let error = StatusError::new(Reason::Expired, text);
    match encode_token(u64::MAX, start, prefix_len) {
        Some(token) => Refusal::Resumable(Box::new(error), token),
        None => error.into(),
    }
}
