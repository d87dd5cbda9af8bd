//! Errors of the layers below in the words of the API.

use machinery::status::{Cause, Details, Reason, StatusError};
use policy::Denied;
use types::GroupResource;

use crate::catalog::Kind;

/// What the store could not do.
pub(crate) fn of_store(error: &store::Error) -> StatusError {
    match error {
        store::Error::Compacted { asked, oldest } => {
            StatusError::new(Reason::Expired, format!("too old resource version: {asked} ({oldest})"))
        }
        store::Error::Future { asked, newest } => too_large_version(asked.0, newest.0),
        store::Error::Closed => StatusError::new(Reason::ServiceUnavailable, "the server is shutting down")
            .about(Details { retry_after_seconds: Some(1), ..Details::default() }),
        store::Error::Durability { source, .. } => {
            tracing::error!(error = %error, cause = %source, "the store takes no more writes");
            StatusError::new(Reason::InternalError, format!("Internal error occurred: {}", stopped(source)))
        }
        other => {
            tracing::error!(error = %other, "the store failed");
            StatusError::new(Reason::InternalError, "Internal error occurred: the store could not do it")
        }
    }
}

/// What a store says that could not make a write durable.
pub(crate) fn stopped(cause: &std::io::Error) -> String {
    format!("the store takes no more writes: {cause}; the service must be restarted")
}

/// A resource version that has not happened yet.
pub(crate) fn too_large_version(asked: u64, newest: u64) -> StatusError {
    let message = format!("Too large resource version: {asked}, current: {newest}");
    let cause = Cause {
        reason: "ResourceVersionTooLarge".to_owned(),
        message: "Too large resource version".to_owned(),
        field: String::new(),
    };
    StatusError::new(Reason::Timeout, format!("Timeout: {message}")).about(Details {
        causes: vec![cause],
        retry_after_seconds: Some(1),
        ..Details::default()
    })
}

/// A decision of `policy` against the request.
pub(crate) fn of_denial(denied: &Denied, resource: &GroupResource, name: &str) -> StatusError {
    StatusError::new(Reason::Forbidden, denied.to_string()).about(Details {
        name: name.to_owned(),
        group: resource.group.clone(),
        kind: resource.resource.clone(),
        ..Details::default()
    })
}

/// Something that cannot happen, did.
pub(crate) fn internal(what: &str) -> StatusError {
    tracing::error!(what, "internal error");
    StatusError::new(Reason::InternalError, format!("Internal error occurred: {what}"))
}

/// What admission refused.
pub(crate) fn of_rejection(kind: &Kind, name: &str, rejection: api::field::Rejection) -> StatusError {
    match rejection {
        api::field::Rejection::Invalid(fields) => invalid(kind, name, &fields),
        api::field::Rejection::Webhook(text) => StatusError::bad_request(text),
    }
}

/// Fields that are wrong.
pub(crate) fn invalid(kind: &Kind, name: &str, fields: &[api::field::FieldError]) -> StatusError {
    StatusError::invalid(kind.row.group, kind.row.kind, name, fields)
}
