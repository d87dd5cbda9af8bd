//! Errors as clients of the API read them: `Status` objects with reason, message, details and causes.
//! Only the documents; which HTTP answer carries them is `apiserver`'s.
//! Invariant: the reason, not the text, is what clients decide on, and it fixes the code unless said otherwise.
//! Source: `k8s.io/apimachinery` `api/errors/errors.go`.

use api::field::FieldError;
use serde_json::{Map, Value, json};
use types::GroupResource;

/// The text that a write with an old resource version is refused with; clients search for it.
pub const MODIFIED: &str =
    "the object has been modified; please apply your changes to the latest version and try again";

/// Why a request failed, as clients branch on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// 400.
    BadRequest,
    /// 401.
    Unauthorized,
    /// 403.
    Forbidden,
    /// 404.
    NotFound,
    /// 405.
    MethodNotAllowed,
    /// 406.
    NotAcceptable,
    /// 409: an object of this name exists.
    AlreadyExists,
    /// 409: the object has been modified, or a field is managed by another.
    Conflict,
    /// 410: the revision has been compacted; list again.
    Expired,
    /// 410.
    Gone,
    /// 413.
    RequestEntityTooLarge,
    /// 415.
    UnsupportedMediaType,
    /// 422.
    Invalid,
    /// 429.
    TooManyRequests,
    /// 500.
    InternalError,
    /// 500: the server could not do it in time; try again.
    ServerTimeout,
    /// 503.
    ServiceUnavailable,
    /// 504.
    Timeout,
}

impl Reason {
    /// The HTTP code.
    #[must_use]
    pub fn code(self) -> u16 {
        match self {
            Reason::BadRequest => 400,
            Reason::Unauthorized => 401,
            Reason::Forbidden => 403,
            Reason::NotFound => 404,
            Reason::MethodNotAllowed => 405,
            Reason::NotAcceptable => 406,
            Reason::AlreadyExists | Reason::Conflict => 409,
            Reason::Expired | Reason::Gone => 410,
            Reason::RequestEntityTooLarge => 413,
            Reason::UnsupportedMediaType => 415,
            Reason::Invalid => 422,
            Reason::TooManyRequests => 429,
            Reason::InternalError | Reason::ServerTimeout => 500,
            Reason::ServiceUnavailable => 503,
            Reason::Timeout => 504,
        }
    }

    /// The word in `status.reason`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::BadRequest => "BadRequest",
            Reason::Unauthorized => "Unauthorized",
            Reason::Forbidden => "Forbidden",
            Reason::NotFound => "NotFound",
            Reason::MethodNotAllowed => "MethodNotAllowed",
            Reason::NotAcceptable => "NotAcceptable",
            Reason::AlreadyExists => "AlreadyExists",
            Reason::Conflict => "Conflict",
            Reason::Expired => "Expired",
            Reason::Gone => "Gone",
            Reason::RequestEntityTooLarge => "RequestEntityTooLarge",
            Reason::UnsupportedMediaType => "UnsupportedMediaType",
            Reason::Invalid => "Invalid",
            Reason::TooManyRequests => "TooManyRequests",
            Reason::InternalError => "InternalError",
            Reason::ServerTimeout => "ServerTimeout",
            Reason::ServiceUnavailable => "ServiceUnavailable",
            Reason::Timeout => "Timeout",
        }
    }
}

/// One cause in the details of an error.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cause {
    /// The kind of cause, such as `FieldValueInvalid` or `FieldManagerConflict`.
    pub reason: String,
    /// What is wrong.
    pub message: String,
    /// The field it is about, or nothing.
    pub field: String,
}

/// What an error is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Details {
    /// The object's name.
    pub name: String,
    /// The group.
    pub group: String,
    /// The resource (or for `Invalid`, the kind).
    pub kind: String,
    /// The object's uid.
    pub uid: String,
    /// All causes.
    pub causes: Vec<Cause>,
    /// Seconds after which the client may try again.
    pub retry_after_seconds: Option<u32>,
}

/// An error for a client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct StatusError {
    /// The reason.
    pub reason: Reason,
    /// The HTTP code, which is the reason's unless the caller chose another.
    pub code: u16,
    /// The text for people.
    pub message: String,
    /// What it is about.
    pub details: Option<Box<Details>>,
}

impl StatusError {
    /// An error with a text and no details.
    #[must_use]
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, code: reason.code(), message: message.into(), details: None }
    }

    /// The same error about something.
    #[must_use]
    pub fn about(mut self, details: Details) -> Self {
        self.details = Some(Box::new(details));
        self
    }

    /// 400 with this text.
    #[must_use]
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(Reason::BadRequest, message)
    }

    /// 404 for an object.
    #[must_use]
    pub fn not_found(resource: &GroupResource, name: &str) -> Self {
        Self::new(Reason::NotFound, format!("{resource} {name:?} not found")).about(of(resource, name))
    }

    /// 409: an object of this name exists.
    #[must_use]
    pub fn already_exists(resource: &GroupResource, name: &str) -> Self {
        Self::new(Reason::AlreadyExists, format!("{resource} {name:?} already exists"))
            .about(of(resource, name))
    }

    /// 409 with the reason why, such as [`MODIFIED`].
    #[must_use]
    pub fn conflict(resource: &GroupResource, name: &str, why: &str) -> Self {
        Self::new(Reason::Conflict, format!("Operation cannot be fulfilled on {resource} {name:?}: {why}"))
            .about(of(resource, name))
    }

    /// 403 with the reason why.
    #[must_use]
    pub fn forbidden(resource: &GroupResource, name: &str, why: &str) -> Self {
        let message = if name.is_empty() {
            format!("{resource} is forbidden: {why}")
        } else {
            format!("{resource} {name:?} is forbidden: {why}")
        };
        Self::new(Reason::Forbidden, message).about(of(resource, name))
    }

    /// 422 with one cause for each field. `kind` is the object's kind, `group` its group.
    #[must_use]
    pub fn invalid(group: &str, kind: &str, name: &str, errors: &[FieldError]) -> Self {
        let list = match errors {
            [] => String::new(),
            [one] => format!(": {one}"),
            many => format!(": [{}]", many.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
        };
        let dotted = if group.is_empty() { kind.to_owned() } else { format!("{kind}.{group}") };
        let causes = errors
            .iter()
            .map(|error| Cause {
                reason: error.reason.to_owned(),
                message: error.message.clone(),
                field: error.field.clone(),
            })
            .collect();
        Self::new(Reason::Invalid, format!("{dotted} {name:?} is invalid{list}")).about(Details {
            name: name.to_owned(),
            group: group.to_owned(),
            kind: kind.to_owned(),
            causes,
            ..Details::default()
        })
    }

    /// The `Status` object.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let mut status = json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason.as_str(),
            "code": self.code,
        });
        if let Some(details) = &self.details {
            status["details"] = details.to_value();
        }
        status
    }
}

impl Details {
    fn to_value(&self) -> Value {
        let mut fields = Map::new();
        let mut put = |key: &str, value: &str| {
            if !value.is_empty() {
                fields.insert(key.to_owned(), Value::String(value.to_owned()));
            }
        };
        put("name", &self.name);
        put("group", &self.group);
        put("kind", &self.kind);
        put("uid", &self.uid);
        if !self.causes.is_empty() {
            fields.insert("causes".to_owned(), self.causes.iter().map(Cause::to_value).collect());
        }
        if let Some(seconds) = self.retry_after_seconds {
            fields.insert("retryAfterSeconds".to_owned(), seconds.into());
        }
        Value::Object(fields)
    }
}

impl Cause {
    fn to_value(&self) -> Value {
        let parts = [("reason", &self.reason), ("message", &self.message), ("field", &self.field)];
        let set = parts.into_iter().filter(|(_, value)| !value.is_empty());
        Value::Object(set.map(|(key, value)| (key.to_owned(), Value::String(value.clone()))).collect())
    }
}

/// The `Status` of a deletion that is complete.
#[must_use]
pub fn deleted(resource: &GroupResource, name: &str, uid: &str) -> Value {
    let details = Details { uid: uid.to_owned(), ..of(resource, name) };
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details.to_value()})
}

fn of(resource: &GroupResource, name: &str) -> Details {
    Details {
        name: name.to_owned(),
        group: resource.group.clone(),
        kind: resource.resource.clone(),
        ..Details::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task_runs() -> GroupResource {
        GroupResource { group: "tekton.dev".to_owned(), resource: "taskruns".to_owned() }
    }

    #[test]
    fn errors_read_as_kubernetes_writes_them() {
        let error = FieldError {
            reason: "FieldValueRequired",
            field: "spec.x".to_owned(),
            message: "Required value".to_owned(),
        };
        for (error, text) in [
            (StatusError::not_found(&task_runs(), "a"), "404 NotFound taskruns.tekton.dev \"a\" not found"),
            (
                StatusError::already_exists(&task_runs(), "a"),
                "409 AlreadyExists taskruns.tekton.dev \"a\" already exists",
            ),
            (
                StatusError::conflict(&task_runs(), "a", MODIFIED),
                "409 Conflict Operation cannot be fulfilled on taskruns.tekton.dev \"a\": the object has been modified; \
                 please apply your changes to the latest version and try again",
            ),
            (
                StatusError::invalid("tekton.dev", "TaskRun", "a", std::slice::from_ref(&error)),
                "422 Invalid TaskRun.tekton.dev \"a\" is invalid: spec.x: Required value",
            ),
            (
                StatusError::invalid("", "Pod", "a", &[error.clone(), error]),
                "422 Invalid Pod \"a\" is invalid: [spec.x: Required value, spec.x: Required value]",
            ),
        ] {
            assert_eq!(format!("{} {} {error}", error.code, error.reason.as_str()), text);
        }
    }

    #[test]
    fn a_status_names_what_it_is_about() {
        assert_eq!(
            StatusError::not_found(&task_runs(), "a").to_value()["details"],
            json!({"name": "a", "group": "tekton.dev", "kind": "taskruns"})
        );
        assert_eq!(
            deleted(&task_runs(), "a", "u"),
            json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success",
                "details": {"name": "a", "group": "tekton.dev", "kind": "taskruns", "uid": "u"}})
        );
    }
}
