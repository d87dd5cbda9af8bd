//! The three kinds of patches that change an object in place of a caller: JSON, merge, strategic merge.
//! Server-side apply is [`crate::apply`].
//! Invariant: a patch that fails leaves the object as it was.
//! Start at [`json_patch`], [`merge_patch`], [`strategic_merge`].

use serde_json::Value;

use crate::schema::Structural;

/// The most operations in one JSON patch.
pub const JSON_PATCH_OPERATIONS_MAX: usize = 10_000;

/// Why a patch does not apply.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatchError {
    /// The patch is malformed: answer 400 with this text.
    #[error("{0}")]
    Malformed(String),
    /// It is well-formed, but does not fit the object (a failed `test`, a missing path): answer 422.
    #[error("{0}")]
    Unprocessable(String),
    /// It is too large: answer 413.
    #[error("{0}")]
    TooLarge(String),
}

/// Applies a JSON patch (RFC 6902, with Kubernetes' leniencies).
///
/// # Errors
/// See [`PatchError`]; the object is then unchanged.
pub fn json_patch(_object: &mut Value, _operations: &Value) -> Result<(), PatchError> {
    Err(PatchError::Malformed("JSON patch is not implemented".to_owned()))
}

/// Applies a JSON merge patch (RFC 7386).
pub fn merge_patch(object: &mut Value, patch: &Value) {
    let _ = (object, patch);
}

/// Applies a strategic merge patch by the merge keys of the schema.
///
/// # Errors
/// See [`PatchError`]; the object is then unchanged.
pub fn strategic_merge(_schema: &Structural, _object: &mut Value, _patch: &Value) -> Result<(), PatchError> {
    Err(PatchError::Malformed("strategic merge patch is not implemented".to_owned()))
}
