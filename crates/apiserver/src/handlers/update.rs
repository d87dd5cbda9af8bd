//! Update: PUT of a whole object, or of its status.

use http::Response;
use machinery::meta;
use machinery::status::StatusError;

use super::change::{self, Wanted};
use super::input;
use crate::body::Body;
use crate::errors;
use crate::respond::Refusal;
use crate::router::{Call, Place};
use crate::strategy::Part;

/// PUT.
pub(crate) async fn update(
    call: &Call<'_>,
    place: &Place<'_>,
    part: Part,
) -> Result<Response<Body>, Refusal> {
    let object = input::object(call, place)?;
    let missing = matches!(meta::resource_version(&object), "" | "0");
    if missing && !place.served.row().builtin {
        // Found first, so that an absent object is 404 and not 422.
        let there = call.inner.registry.get(&place.grant, place.kind()).await?;
        there.ok_or_else(|| StatusError::not_found(&place.kind().resource, place.name()))?;
        let wrong = api::field::FieldError {
            reason: "FieldValueInvalid",
            field: "metadata.resourceVersion".to_owned(),
            message: "Invalid value: 0: must be specified for an update".to_owned(),
        };
        return Err(errors::invalid(place.kind(), place.name(), &[wrong]).into());
    }
    change::change(call, place, part, &|_| Ok(Wanted { object: object.clone(), managed: false })).await
}
