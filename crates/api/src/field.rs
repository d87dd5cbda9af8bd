//! What is wrong with an object, by field: the two forms in which clients are told.

use std::fmt;

/// One wrong field of a built-in object, as `k8s.io/apimachinery`'s `field.Error`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// The reason of the cause: `FieldValueRequired`, `FieldValueInvalid`, `FieldValueForbidden`, ...
    pub reason: &'static str,
    /// The path, such as `spec.containers[0].image`.
    pub field: String,
    /// What is wrong and what to write, such as `Required value: must specify at least one container`.
    pub message: String,
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.message)
    }
}

/// Why an object is refused at admission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// The object is invalid: HTTP 422, reason `Invalid`, one cause for each field.
    Invalid(Vec<FieldError>),
    /// Refused in the words of a validating webhook: HTTP 400, reason `BadRequest`, this text.
    Webhook(String),
}
