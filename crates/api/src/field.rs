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

impl FieldError {
    /// A field that must be there; `detail` may be empty.
    #[must_use]
    pub fn required(field: impl Into<String>, detail: &str) -> Self {
        let message =
            if detail.is_empty() { "Required value".to_owned() } else { format!("Required value: {detail}") };
        Self { reason: "FieldValueRequired", field: field.into(), message }
    }

    /// A value that is wrong; text values are quoted, others printed as they are.
    #[must_use]
    pub fn invalid(field: impl Into<String>, value: impl fmt::Debug, detail: impl fmt::Display) -> Self {
        let message = format!("Invalid value: {value:?}: {detail}");
        Self { reason: "FieldValueInvalid", field: field.into(), message }
    }

    /// A value that occurs twice where it may occur once.
    #[must_use]
    pub fn duplicate(field: impl Into<String>, value: impl fmt::Debug) -> Self {
        Self {
            reason: "FieldValueDuplicate",
            field: field.into(),
            message: format!("Duplicate value: {value:?}"),
        }
    }

    /// A word that is none of the known ones.
    #[must_use]
    pub fn not_supported(field: impl Into<String>, value: &str, known: &[&str]) -> Self {
        let known = known.iter().map(|word| format!("{word:?}")).collect::<Vec<_>>().join(", ");
        let message = format!("Unsupported value: {value:?}: supported values: {known}");
        Self { reason: "FieldValueNotSupported", field: field.into(), message }
    }

    /// A field that may not be set, or not in this way.
    #[must_use]
    pub fn forbidden(field: impl Into<String>, detail: impl fmt::Display) -> Self {
        Self { reason: "FieldValueForbidden", field: field.into(), message: format!("Forbidden: {detail}") }
    }

    /// A reference to something that is not there.
    #[must_use]
    pub fn not_found(field: impl Into<String>, value: impl fmt::Debug) -> Self {
        Self { reason: "FieldValueNotFound", field: field.into(), message: format!("Not found: {value:?}") }
    }
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

impl Rejection {
    /// Accepts an object without errors.
    ///
    /// # Errors
    /// [`Rejection::Invalid`] if there is any error.
    pub fn unless_empty(errors: Vec<FieldError>) -> Result<(), Self> {
        if errors.is_empty() { Ok(()) } else { Err(Self::Invalid(errors)) }
    }
}
