//! Pieces of JSON schema that derive cannot express: the places that stay open on purpose.

use schemars::{Schema, SchemaGenerator, json_schema};

/// An object whose inside is not described, because its description would contain itself.
pub(crate) fn open_object(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true })
}

/// A list of objects whose inside is not described.
pub(crate) fn open_objects(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "items": { "type": "object", "x-kubernetes-preserve-unknown-fields": true },
    })
}
