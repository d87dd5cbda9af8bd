//! The table of served resources: one row each, and nothing else is needed to serve a kind.
//! `apiserver` reads it for routing, discovery, OpenAPI, tables and admission.

use serde_json::Value;

use crate::field::Rejection;

/// One resource that is served.
pub struct Resource {
    /// The group; empty for the core group.
    pub group: &'static str,
    /// The plural name in URLs, such as `taskruns`.
    pub plural: &'static str,
    /// The singular name, such as `taskrun`.
    pub singular: &'static str,
    /// The kind, such as `TaskRun`.
    pub kind: &'static str,
    /// Short names, such as `tr`.
    pub short_names: &'static [&'static str],
    /// Categories, such as `all` or `tekton`.
    pub categories: &'static [&'static str],
    /// Whether objects live in namespaces.
    pub namespaced: bool,
    /// Served versions, the preferred one first.
    pub versions: &'static [Version],
    /// The version in which objects are stored; one of `versions`.
    pub storage_version: &'static str,
    /// The row (group, plural) whose storage this one shares, if it has none of its own: `events` of
    /// `events.k8s.io` is another view of the core `events`. Then `storage_version` is the other row's, and
    /// `to_storage` and `from_storage` convert to and from the other row's stored form, `apiVersion` included.
    pub stored_with: Option<(&'static str, &'static str)>,
    /// Whether the `status` subresource exists (and the main endpoint then ignores `status`).
    pub status_subresource: bool,
    /// Whether this is a built-in type of Kubernetes (strategic merge patch, protobuf) or acts as a custom
    /// resource (neither).
    pub builtin: bool,
    /// Columns of tables after `Name`; `Age` is among them where wanted.
    pub columns: &'static [Column],
    /// JSON paths that field selectors may name, beyond `metadata.name` and `metadata.namespace`.
    pub selectable_fields: &'static [&'static str],
    /// Fills in what the user left out, after schema defaults. The object is in the storage version.
    pub default: fn(&mut Value),
    /// Validates a new object (`old` is `None`) or an update, in the storage version, after defaulting.
    pub validate: fn(new: &Value, old: Option<&Value>) -> Result<(), Rejection>,
}

/// One served version of a resource.
pub struct Version {
    /// The name, such as `v1`.
    pub name: &'static str,
    /// The JSON schema of the whole object, with `$defs`; made anew at each call, so callers keep it.
    pub schema: fn() -> Value,
    /// Converts an object of this version to the storage version.
    pub to_storage: fn(Value) -> Result<Value, String>,
    /// Converts an object of the storage version to this one.
    pub from_storage: fn(Value) -> Result<Value, String>,
    /// The warning that every request for a deprecated version is answered with.
    pub deprecation_warning: Option<&'static str>,
}

/// One column of a table.
pub struct Column {
    /// The heading.
    pub name: &'static str,
    /// The OpenAPI type: `string`, `integer`, `date`, ...
    pub kind: &'static str,
    /// Zero is always shown; more only with `-o wide`.
    pub priority: i32,
    /// What the column shows, for clients.
    pub description: &'static str,
    /// Where its cells come from.
    pub cell: Cell,
}

/// Where the cells of a column come from.
pub enum Cell {
    /// A JSON path in the form of custom resource definitions, such as `.status.startTime`.
    Path(&'static str),
    /// A function of the whole object in the storage version.
    Compute(fn(&Value) -> Value),
}

/// The conversion of a version that is stored as it is.
///
/// # Errors
/// Never.
pub fn unchanged(object: Value) -> Result<Value, String> {
    Ok(object)
}
