//! Server-side apply: who owns which field, and what happens when two want the same.
//! Patches without owners are [`crate::patch`].
//! Invariant: applying the same configuration twice changes nothing the second time, not even a time.
//! Start at [`apply`] for PATCH with an apply body, [`track_update`] for every other write.

use serde_json::Value;

use crate::schema::Structural;
use crate::status::Cause;

/// Who writes, as managed fields record it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Writer<'a> {
    /// The field manager; for updates without one, the part of the user agent before the first slash.
    pub manager: &'a str,
    /// The version in which the object was written, such as `tekton.dev/v1`.
    pub api_version: &'a str,
    /// The subresource written, such as `status`, or nothing.
    pub subresource: &'a str,
    /// The time, RFC 3339 in seconds, such as `2026-01-01T00:00:00Z`.
    pub time: &'a str,
}

/// The versions of a kind: managed fields of other versions are compared in their own version.
pub trait Versions {
    /// The schema of a version such as `tekton.dev/v1`, if it is served.
    fn schema(&self, api_version: &str) -> Option<&Structural>;
    /// The object in a version, if it can be converted.
    fn convert(&self, object: &Value, api_version: &str) -> Option<Value>;
}

/// A kind of one version.
#[derive(Clone, Copy, Debug)]
pub struct OneVersion<'a> {
    /// The version, such as `v1`.
    pub api_version: &'a str,
    /// Its schema.
    pub schema: &'a Structural,
}

impl Versions for OneVersion<'_> {
    fn schema(&self, api_version: &str) -> Option<&Structural> {
        (api_version == self.api_version).then_some(self.schema)
    }

    fn convert(&self, object: &Value, api_version: &str) -> Option<Value> {
        (api_version == self.api_version).then(|| object.clone())
    }
}

/// Why a configuration cannot be applied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// Others own fields with other values: answer 409 with the text and the causes.
    #[error("{message}")]
    Conflicts {
        /// `Apply failed with 1 conflict: ...`
        message: String,
        /// One for each manager and field, with reason `FieldManagerConflict`.
        causes: Vec<Cause>,
    },
    /// The configuration itself is wrong: answer 400 (422 for duplicate list entries is the schema's).
    #[error("{0}")]
    Invalid(String),
}

/// Applies a configuration to the live object (none: creates it) and returns the result with its managed
/// fields. If nothing changes, the result equals the live object.
///
/// # Errors
/// See [`ApplyError`].
pub fn apply(
    _versions: &dyn Versions,
    _live: Option<&Value>,
    _configuration: &Value,
    _writer: &Writer<'_>,
    _force: bool,
) -> Result<Value, ApplyError> {
    Err(ApplyError::Invalid("server-side apply is not implemented".to_owned()))
}

/// Writes the managed fields of a create, update or patch into `new`; never fails, as a write must not fail
/// for its bookkeeping.
pub fn track_update(_versions: &dyn Versions, _old: Option<&Value>, _new: &mut Value, _writer: &Writer<'_>) {}
