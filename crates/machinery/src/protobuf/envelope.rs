//! The envelope of a body: four bytes that announce it, then Kubernetes' `runtime.Unknown`, which names the kind of
//! the object and holds its message.
//! Invariant: what is decoded has the `apiVersion` and `kind` that the envelope names.

use serde_json::{Map, Value};

use super::message::{self, Fault, payload};
use super::wire::Reader;
use super::{scalar, tables};
use crate::decode::{DecodeError, Decoded};

/// What every body begins with. Source: Kubernetes' `protobuf.Serializer`.
const MAGIC: &[u8] = b"k8s\0";

/// `runtime.Unknown`.
#[derive(Default)]
struct Envelope<'a> {
    api_version: &'a str,
    kind: &'a str,
    raw: &'a [u8],
    content_encoding: &'a str,
    content_type: &'a str,
}

/// Decodes a body to the value that the same object has in JSON.
///
/// Fields that JSON would leave out because they are zero are left out, unknown fields are skipped.
///
/// # Errors
/// The body does not begin as Kubernetes' protobuf does, names a kind that is not served in this form, or is no
/// message of this kind.
pub fn decode(body: &[u8]) -> Result<Decoded, DecodeError> {
    let message = body.strip_prefix(MAGIC).ok_or_else(|| {
        refused("the body does not begin with the bytes of Kubernetes' protobuf form".to_owned())
    })?;
    let envelope = open(message).map_err(|fault| {
        refused(format!("could not read the envelope of the protobuf body: {}", fault.what))
    })?;
    if !envelope.content_encoding.is_empty() {
        let encoding = envelope.content_encoding;
        return Err(refused(format!("the protobuf body has an unknown content encoding: {encoding:?}")));
    }
    if !matches!(envelope.content_type, "" | "application/vnd.kubernetes.protobuf") {
        let content_type = envelope.content_type;
        return Err(refused(format!("the protobuf body holds an unknown content type: {content_type:?}")));
    }
    let (api_version, kind) = (envelope.api_version, envelope.kind);
    let shape = tables::message(api_version, kind).ok_or_else(|| {
        refused(format!("no kind {kind:?} is registered for version {api_version:?} in protobuf"))
    })?;
    let mut object = Map::new();
    message::read(shape, envelope.raw, &mut object).map_err(|fault| {
        let place = if fault.path.is_empty() { String::new() } else { format!("field {} of ", fault.path) };
        refused(format!("could not read {place}the protobuf {kind}: {}", fault.what))
    })?;
    object.insert("apiVersion".to_owned(), api_version.into());
    object.insert("kind".to_owned(), kind.into());
    Ok(Decoded { value: Value::Object(object), duplicates: Vec::new() })
}

fn open(bytes: &[u8]) -> Result<Envelope<'_>, Fault> {
    let mut envelope = Envelope::default();
    let mut reader = Reader::new(bytes);
    while let Some((number, wire)) = reader.field()? {
        match number {
            1 => {
                let mut reader = Reader::new(payload(wire)?);
                while let Some((number, wire)) = reader.field()? {
                    match number {
                        1 => envelope.api_version = scalar::text(payload(wire)?)?,
                        2 => envelope.kind = scalar::text(payload(wire)?)?,
                        _ => {}
                    }
                }
            }
            2 => envelope.raw = payload(wire)?,
            3 => envelope.content_encoding = scalar::text(payload(wire)?)?,
            4 => envelope.content_type = scalar::text(payload(wire)?)?,
            _ => {}
        }
    }
    Ok(envelope)
}

fn refused(message: String) -> DecodeError {
    DecodeError { message, line: None }
}
