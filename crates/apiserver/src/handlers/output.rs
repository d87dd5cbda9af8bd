//! Rendering of entries in the form that the client asked for.

use http::header::ACCEPT;
use http::{Response, StatusCode};
use machinery::status::{Reason, StatusError};
use machinery::table::IncludeObject;
use serde_json::json;
use store::Entry;
use types::Revision;

use crate::body::Body;
use crate::encode::{self, Stored, TableShape};
use crate::negotiate::{self, Negotiated, Projection};
use crate::respond::{self, Refusal};
use crate::router::{Call, Place};

/// What the client takes, or 406.
pub(super) fn negotiated(call: &Call<'_>) -> Result<Negotiated, StatusError> {
    negotiate::objects(call.header(ACCEPT)).ok_or_else(not_acceptable)
}

/// 406.
pub(super) fn not_acceptable() -> StatusError {
    StatusError::new(
        Reason::NotAcceptable,
        "only the following media types are accepted: application/json, application/yaml",
    )
}

/// How tables are made for this request.
pub(super) fn table_shape(call: &Call<'_>) -> Result<TableShape, StatusError> {
    let include = match call.query.get("includeObject") {
        None | Some("Metadata") => IncludeObject::Metadata,
        Some("None") => IncludeObject::None,
        Some("Object") => IncludeObject::Object,
        Some(other) => {
            return Err(StatusError::bad_request(format!(
                "unrecognized includeObject value: {other:?}: use None, Metadata or Object"
            )));
        }
    };
    Ok(TableShape { include, now: call.inner.now_seconds() })
}

/// One entry.
pub(super) fn entry(
    call: &Call<'_>,
    place: &Place<'_>,
    code: StatusCode,
    entry: &Entry,
) -> Result<Response<Body>, Refusal> {
    stored(call, place, code, Stored::of(entry))
}

/// One stored value.
pub(super) fn stored(
    call: &Call<'_>,
    place: &Place<'_>,
    code: StatusCode,
    item: Stored<'_>,
) -> Result<Response<Body>, Refusal> {
    let wanted = negotiated(call)?;
    let bytes = match wanted.projection {
        Projection::Object => encode::object(place.served, item)?,
        Projection::Metadata => {
            let mut out = Vec::with_capacity(512);
            encode::append_partial(&mut out, item);
            out
        }
        Projection::Table => {
            let metadata = json!({"resourceVersion": item.revision.to_string()});
            encode::table(place.served, &table_shape(call)?, true, metadata, &[item])?
        }
    };
    Ok(respond::encoded(code, bytes, wanted.encoding))
}

/// An object that was only tried: it has no revision.
pub(super) fn dry(
    call: &Call<'_>,
    place: &Place<'_>,
    code: StatusCode,
    value: &[u8],
    revision: Option<Revision>,
) -> Result<Response<Body>, Refusal> {
    let cluster = place.cluster().map_or("", |cluster| cluster.as_str());
    let item = Stored { value, revision: revision.unwrap_or_default(), cluster };
    if revision.is_some() {
        return stored(call, place, code, item);
    }
    let wanted = negotiated(call)?;
    let mut object = encode::served_value(place.served, item)?;
    machinery::meta::remove(&mut object, &["metadata", "resourceVersion"]);
    Ok(respond::encoded(code, object.to_string().into_bytes(), wanted.encoding))
}
