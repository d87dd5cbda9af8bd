//! Patch: JSON, merge and strategic merge patches, and server-side apply.

use http::Response;
use http::header::CONTENT_TYPE;
use machinery::apply::{self, ApplyError};
use machinery::decode::Decoded;
use machinery::patch::{self, PatchError};
use machinery::status::{Details, Reason, StatusError};
use machinery::{decode, meta};
use serde_json::Value;

use super::change::{self, Current, Wanted};
use super::{create, input};
use crate::body::Body;
use crate::encode::{self, Stored};
use crate::negotiate::{self, BodyFormat, PatchFormat};
use crate::respond::Refusal;
use crate::router::{Call, Place};
use crate::strategy::{self, Part};

/// PATCH.
pub(crate) async fn patch(call: &Call<'_>, place: &Place<'_>, part: Part) -> Result<Response<Body>, Refusal> {
    let content_type = call.header(CONTENT_TYPE);
    let format = negotiate::patch(content_type)
        .filter(|format| *format != PatchFormat::Strategic || place.served.row().builtin)
        .ok_or_else(|| input::unsupported(content_type, accepted(place.served.row().builtin)))?;
    if format == PatchFormat::Apply {
        return apply_patch(call, place, part).await;
    }
    if call.query.has("force") {
        return Err(StatusError::new(
            Reason::Invalid,
            "PatchOptions.meta.k8s.io \"\" is invalid: force: Forbidden: may not be specified for non-apply patch",
        )
        .into());
    }
    let decoded = decode::json(&call.body).map_err(|error| StatusError::bad_request(error.message))?;
    change::change(call, place, part, &|current| {
        let mut object = encode::served_value(place.served, Stored::of(&current.entry))?;
        match format {
            PatchFormat::Json => patch::json_patch(&mut object, &decoded.value).map_err(of_patch)?,
            PatchFormat::Merge if decoded.value.is_object() => {
                patch::merge_patch(&mut object, &decoded.value)
            }
            PatchFormat::Merge => {
                return Err(StatusError::bad_request("a merge patch of an object must be an object").into());
            }
            _ => patch::strategic_merge(place.served.schema()?, &mut object, &decoded.value)
                .map_err(of_patch)?,
        }
        input::identify(place, &mut object)?;
        let mut decoded = Decoded { value: object, duplicates: decoded.duplicates.clone() };
        input::screen(call, place, &mut decoded)?;
        Ok(Wanted { object: decoded.value, managed: false })
    })
    .await
}

fn accepted(builtin: bool) -> &'static str {
    if builtin {
        "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml, \
         application/strategic-merge-patch+json"
    } else {
        "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml"
    }
}

fn of_patch(error: PatchError) -> StatusError {
    let reason = match &error {
        PatchError::Malformed(_) => Reason::BadRequest,
        PatchError::Unprocessable(_) => Reason::Invalid,
        PatchError::TooLarge(_) => Reason::RequestEntityTooLarge,
    };
    let text = match error {
        PatchError::Malformed(text) | PatchError::Unprocessable(text) | PatchError::TooLarge(text) => text,
    };
    StatusError::new(reason, text)
}

async fn apply_patch(call: &Call<'_>, place: &Place<'_>, part: Part) -> Result<Response<Body>, Refusal> {
    if call.query.get("fieldManager").is_none() {
        return Err(StatusError::bad_request(
            "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch",
        )
        .into());
    }
    let (configuration, preconditions) = configuration(call, place, part)?;
    let force = call.query.flag("force");
    let time = call.inner.now_seconds();
    let writer = input::writer(call, place, part.subresource(), &time)?;
    let apply = |live: Option<&Value>| -> Result<Value, Refusal> {
        let mut object = apply::apply(place.kind(), live, &configuration, &writer, force)
            .map_err(|error| of_apply(error, place))?;
        place.served.schema()?.default(&mut object);
        Ok(object)
    };
    if part == Part::Main && call.inner.registry.get(&place.grant, place.kind()).await?.is_none() {
        if preconditions.iter().any(|(field, _)| *field == "uid") {
            let text = "uid mismatch: the provided object specified a uid, and no object of this name exists";
            return Err(StatusError::conflict(&place.kind().resource, place.name(), text).into());
        }
        let mut object = apply(None)?;
        let managed = meta::remove(&mut object, &["metadata", "managedFields"]);
        return create::create_object(call, place, object, managed).await;
    }
    change::change(call, place, part, &|current: &Current| {
        let live = place.served.served_form(current.stored.clone())?;
        let mut object = apply(Some(&live))?;
        for (field, value) in &preconditions {
            meta::set(&mut object, &["metadata", field], value.clone());
        }
        Ok(Wanted { object, managed: true })
    })
    .await
}

/// Fields of metadata that a client names to say which object it means.
type Preconditions = Vec<(&'static str, Value)>;

/// The applied configuration: pruned, and cut to what this part of the object owns. Apart from it, the resource
/// version and the uid that it names: they are preconditions and nobody's fields.
fn configuration(call: &Call<'_>, place: &Place<'_>, part: Part) -> Result<(Value, Preconditions), Refusal> {
    let mut decoded = input::decode_body(BodyFormat::Yaml, &call.body)?;
    if meta::get(&decoded.value, &["metadata", "managedFields"]).is_some_and(|fields| !fields.is_null()) {
        return Err(StatusError::bad_request("metadata.managedFields must be nil").into());
    }
    input::identify(place, &mut decoded.value)?;
    input::prune(call, place, &mut decoded)?;
    let mut object = decoded.value;
    let preconditions = ["resourceVersion", "uid"]
        .into_iter()
        .filter_map(|field| Some((field, meta::remove(&mut object, &["metadata", field])?)))
        .filter(|(_, value)| !value.is_null())
        .collect();
    strategy::strip_additions(&mut object);
    match part {
        Part::Main if place.served.row().status_subresource => {
            meta::remove(&mut object, &["status"]);
        }
        Part::Status => {
            if let Some(fields) = object.as_object_mut() {
                fields.retain(|key, _| matches!(key.as_str(), "apiVersion" | "kind" | "metadata" | "status"));
            }
        }
        _ => {}
    }
    Ok((object, preconditions))
}

fn of_apply(error: ApplyError, place: &Place<'_>) -> StatusError {
    match error {
        ApplyError::Invalid(text) => StatusError::bad_request(text),
        ApplyError::Conflicts { message, causes } => {
            let resource = &place.kind().resource;
            StatusError::new(Reason::Conflict, message).about(Details {
                name: place.name().to_owned(),
                group: resource.group.clone(),
                kind: resource.resource.clone(),
                causes,
                ..Details::default()
            })
        }
    }
}
