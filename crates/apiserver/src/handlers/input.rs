//! Bodies of writes: decoded, checked against the URL, pruned and defaulted, with what was wrong reported as the
//! client asked for.

use http::header::{CONTENT_TYPE, USER_AGENT};
use machinery::apply::Writer;
use machinery::decode::{self, Decoded};
use machinery::status::{Reason, StatusError};
use machinery::{meta, protobuf};
use serde_json::Value;

use crate::negotiate::{self, BodyFormat};
use crate::query::FieldValidation;
use crate::router::{Call, Place};
use crate::strategy;

/// The longest name of a field manager. Source: Kubernetes' `FieldManagerMaxLength`.
const FIELD_MANAGER_CHARS_MAX: usize = 128;

/// The object in the body of a POST or PUT, in the request's version.
pub(super) fn object(call: &Call<'_>, place: &Place<'_>) -> Result<Value, StatusError> {
    let content_type = call.header(CONTENT_TYPE);
    // Custom kinds have no protobuf form.
    let builtin = place.served.row().builtin;
    let format = negotiate::body(content_type)
        .filter(|format| *format != BodyFormat::Protobuf || builtin)
        .ok_or_else(|| unsupported(content_type, accepted(builtin)))?;
    let mut decoded = decode_body(format, &call.body)?;
    identify(place, &mut decoded.value)?;
    screen(call, place, &mut decoded)?;
    Ok(decoded.value)
}

/// The formats in which objects are read.
pub(super) fn accepted(builtin: bool) -> &'static str {
    if builtin {
        "application/json, application/yaml, application/vnd.kubernetes.protobuf"
    } else {
        "application/json, application/yaml"
    }
}

/// 415, which names what would be read.
pub(super) fn unsupported(content_type: Option<&str>, accepted: &str) -> StatusError {
    let sent = content_type.unwrap_or("none");
    let text = format!(
        "the body of the request was in an unknown format ({sent}) - accepted media types include: {accepted}"
    );
    StatusError::new(Reason::UnsupportedMediaType, text)
}

/// Decodes a body; what is no object is a 400.
pub(super) fn decode_body(format: BodyFormat, body: &[u8]) -> Result<Decoded, StatusError> {
    let decoded = match format {
        BodyFormat::Json => decode::json(body),
        BodyFormat::Yaml => decode::yaml(body),
        BodyFormat::Protobuf => protobuf::decode(body),
    };
    let decoded = decoded.map_err(|error| {
        StatusError::bad_request(format!("the object provided is unrecognized: {}", error.message))
    })?;
    if !decoded.value.is_object() {
        return Err(StatusError::bad_request("the object provided is unrecognized: it is no JSON object"));
    }
    Ok(decoded)
}

/// Checks the kind, version, name and namespace of a body against the URL, and fills in what was left out.
pub(super) fn identify(place: &Place<'_>, object: &mut Value) -> Result<(), StatusError> {
    let served = place.served;
    let kind = served.row().kind;
    let (said_kind, said_version) = (meta::kind(object).to_owned(), meta::api_version(object).to_owned());
    if !said_version.is_empty() && said_version != served.api_version() {
        return Err(StatusError::bad_request(format!(
            "the API version in the data ({said_version}) does not match the expected API version ({})",
            served.api_version()
        )));
    }
    if !said_kind.is_empty() && said_kind != kind {
        return Err(StatusError::bad_request(format!(
            "{said_kind} in version {:?} cannot be handled as a {kind}: the kind of the object must be {kind}",
            served.version().name
        )));
    }
    meta::set(object, &["apiVersion"], served.api_version().into());
    meta::set(object, &["kind"], kind.into());
    match object.get("metadata") {
        None | Some(Value::Null) => meta::set(object, &["metadata"], Value::Object(serde_json::Map::new())),
        Some(Value::Object(_)) => {}
        Some(_) => {
            return Err(StatusError::bad_request(format!(
                "{kind} in version {:?} cannot be handled as a {kind}: metadata is no object",
                served.version().name
            )));
        }
    }
    let (name, namespace) = (meta::name(object), meta::namespace(object));
    if !namespace.is_empty() && namespace != place.namespace() {
        return Err(StatusError::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    if !place.name().is_empty() && name != place.name() {
        if !name.is_empty() {
            return Err(StatusError::bad_request(format!(
                "the name of the object ({name}) does not match the name on the URL ({})",
                place.name()
            )));
        }
        meta::set(object, &["metadata", "name"], place.name().into());
    }
    if !place.namespace().is_empty() {
        meta::set(object, &["metadata", "namespace"], place.namespace().into());
    }
    Ok(())
}

/// Removes unknown fields, reports them and duplicates as the client asked, and fills in defaults.
pub(super) fn screen(call: &Call<'_>, place: &Place<'_>, decoded: &mut Decoded) -> Result<(), StatusError> {
    prune(call, place, decoded)?;
    if strategy::unique_owners(&mut decoded.value) {
        call.warn(".metadata.ownerReferences contains duplicate entries; API server dedups owner references in 1.20+");
    }
    place.served.schema()?.default(&mut decoded.value);
    Ok(())
}

/// Removes unknown fields and reports them and duplicates as the client asked.
pub(super) fn prune(call: &Call<'_>, place: &Place<'_>, decoded: &mut Decoded) -> Result<(), StatusError> {
    let validation = FieldValidation::of(&call.query)?;
    let unknown = place.served.schema()?.prune(&mut decoded.value);
    let duplicates = decoded.duplicates.iter().map(|path| format!("duplicate field {path:?}"));
    let mut wrong: Vec<String> = unknown.iter().map(|path| format!("unknown field {path:?}")).collect();
    wrong.extend(duplicates);
    match validation {
        FieldValidation::Ignore => Ok(()),
        FieldValidation::Warn => {
            wrong.into_iter().for_each(|text| call.warn(text));
            Ok(())
        }
        FieldValidation::Strict if wrong.is_empty() => Ok(()),
        FieldValidation::Strict => {
            let (kind, version) = (place.served.row().kind, place.served.version().name);
            Err(StatusError::bad_request(format!(
                "{kind} in version {version:?} cannot be handled as a {kind}: strict decoding error: {}",
                wrong.join(", ")
            )))
        }
    }
}

/// Who writes, as managed fields record it. `time` is now.
pub(super) fn writer<'a>(
    call: &'a Call<'_>,
    place: &'a Place<'_>,
    subresource: &'a str,
    time: &'a str,
) -> Result<Writer<'a>, StatusError> {
    let manager = match call.query.get("fieldManager") {
        Some(manager) => manager,
        None => call.header(USER_AGENT).and_then(|agent| agent.split('/').next()).unwrap_or("unknown"),
    };
    if manager.chars().count() > FIELD_MANAGER_CHARS_MAX || manager.contains(char::is_control) {
        return Err(StatusError::new(
            Reason::Invalid,
            format!(
                "fieldManager: Invalid value: {manager:?}: must be printable and at most {FIELD_MANAGER_CHARS_MAX} characters"
            ),
        ));
    }
    Ok(Writer { manager, api_version: place.served.api_version(), subresource, time })
}
