//! One entry.

use machinery::meta;
use machinery::status::StatusError;
use serde_json::Value;
use store::Entry;
use types::Revision;

use crate::catalog::Served;
use crate::errors;
use crate::splice::{self, CLUSTER_ANNOTATION};

/// A stored value with what is computed from its place: the revision and the cluster.
#[derive(Clone, Copy)]
pub(crate) struct Stored<'a> {
    pub(crate) value: &'a [u8],
    pub(crate) revision: Revision,
    pub(crate) cluster: &'a str,
}

impl<'a> Stored<'a> {
    pub(crate) fn of(entry: &'a Entry) -> Self {
        Self::at(entry, entry.modified)
    }

    /// The entry as it was when something happened to it at `revision`.
    pub(crate) fn at(entry: &'a Entry, revision: Revision) -> Self {
        let cluster = entry.key.parts().map_or("", |parts| parts[2]);
        Self { value: &entry.value, revision, cluster }
    }
}

/// The object in the stored version, parsed, without the additions.
pub(crate) fn parse(value: &[u8]) -> Result<Value, StatusError> {
    serde_json::from_slice(value)
        .map_err(|error| errors::internal(&format!("a stored object is no JSON: {error}")))
}

/// The object in the request's version, parsed, with the additions.
pub(crate) fn served_value(served: Served<'_>, stored: Stored<'_>) -> Result<Value, StatusError> {
    let mut object = served.served_form(parse(stored.value)?)?;
    meta::set(&mut object, &["metadata", "resourceVersion"], Value::String(stored.revision.to_string()));
    meta::set_annotation(&mut object, CLUSTER_ANNOTATION, stored.cluster);
    Ok(object)
}

/// Appends the object in the request's version.
pub(crate) fn append_object(
    out: &mut Vec<u8>,
    served: Served<'_>,
    stored: Stored<'_>,
) -> Result<(), StatusError> {
    if served.is_stored_form() {
        splice::append(out, stored.value, stored.revision, stored.cluster);
        return Ok(());
    }
    let object = served_value(served, stored)?;
    serde_json::to_writer(out, &object).map_err(|error| errors::internal(&error.to_string()))
}

/// The object in the request's version.
pub(crate) fn object(served: Served<'_>, stored: Stored<'_>) -> Result<Vec<u8>, StatusError> {
    let mut out = Vec::with_capacity(stored.value.len() + 128);
    append_object(&mut out, served, stored)?;
    Ok(out)
}

/// Appends the object's metadata as `PartialObjectMetadata`.
pub(crate) fn append_partial(out: &mut Vec<u8>, stored: Stored<'_>) {
    let whole = splice::object(stored.value, stored.revision, stored.cluster);
    out.extend_from_slice(br#"{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1","metadata":"#);
    match splice::member(&whole, 0, b"metadata") {
        Some(span) => out.extend_from_slice(&whole[span.start..span.end]),
        None => out.extend_from_slice(b"{}"),
    }
    out.push(b'}');
}
