//! What is served: the table of resources, looked up by URL, with schemas compiled when they are first needed.
//! Invariant: a start compiles nothing; a schema is compiled once for each resource version and process.

use std::collections::HashMap;
use std::sync::OnceLock;

use api::table::{Resource, Version};
use machinery::apply::Versions;
use machinery::discovery::Subresource;
use machinery::meta;
use machinery::schema::{SchemaError, Structural};
use machinery::status::{Reason, StatusError};
use serde_json::Value;
use types::{GroupResource, GroupVersion};

/// The subresources that are served besides `status`.
pub(crate) const SUBRESOURCES: &[Subresource] = &[
    Subresource { group: "", plural: "pods", name: "log", kind: "Pod", kind_version: None, verbs: &["get"] },
    Subresource {
        group: "",
        plural: "pods",
        name: "binding",
        kind: "Binding",
        kind_version: None,
        verbs: &["create"],
    },
    Subresource {
        group: "",
        plural: "namespaces",
        name: "finalize",
        kind: "Namespace",
        kind_version: None,
        verbs: &["update"],
    },
];

/// All kinds.
pub(crate) struct Catalog {
    rows: Vec<&'static Resource>,
    kinds: Vec<Kind>,
    by_name: HashMap<(&'static str, &'static str), usize>,
}

impl Catalog {
    pub(crate) fn new(rows: Vec<&'static Resource>) -> Self {
        let kinds: Vec<Kind> = rows.iter().map(|row| Kind::new(row, &rows)).collect();
        let by_name = rows.iter().enumerate().map(|(index, row)| ((row.group, row.plural), index)).collect();
        Self { rows, kinds, by_name }
    }

    pub(crate) fn rows(&self) -> &[&'static Resource] {
        &self.rows
    }

    /// The kind of a resource, in whatever version.
    pub(crate) fn kind(&self, group: &str, plural: &str) -> Option<&Kind> {
        // The map is keyed by static text; a lookup by borrowed text of any lifetime is sound for it.
        self.by_name.get(&(group, plural)).map(|index| &self.kinds[*index])
    }

    /// The resource and version that a URL names.
    pub(crate) fn find(&self, group_version: &GroupVersion, plural: &str) -> Option<Served<'_>> {
        let kind = self.kind(&group_version.group, plural)?;
        let index = kind.row.versions.iter().position(|version| version.name == group_version.version)?;
        Some(Served { kind, index })
    }
}

/// One resource with what is computed from its row.
pub(crate) struct Kind {
    pub(crate) row: &'static Resource,
    /// The row whose storage it uses: its own, but for another view of the same objects.
    pub(crate) storage: &'static Resource,
    /// The first part of its keys.
    pub(crate) storage_key: String,
    pub(crate) resource: GroupResource,
    /// The `apiVersion` of stored objects.
    pub(crate) stored_as: String,
    api_versions: Vec<String>,
    schemas: Vec<OnceLock<Result<Structural, SchemaError>>>,
}

impl Kind {
    fn new(row: &'static Resource, rows: &[&'static Resource]) -> Self {
        let storage = row
            .stored_with
            .and_then(|(group, plural)| rows.iter().find(|r| r.group == group && r.plural == plural))
            .unwrap_or(&row);
        Self {
            row,
            storage,
            storage_key: format!("{}/{}", storage.group, storage.plural),
            resource: GroupResource { group: row.group.to_owned(), resource: row.plural.to_owned() },
            stored_as: GroupVersion::new(storage.group, storage.storage_version).to_string(),
            api_versions: row
                .versions
                .iter()
                .map(|version| GroupVersion::new(row.group, version.name).to_string())
                .collect(),
            schemas: row.versions.iter().map(|_| OnceLock::new()).collect(),
        }
    }

    /// Whether the row is this one.
    pub(crate) fn is(&self, group: &str, plural: &str) -> bool {
        self.row.group == group && self.row.plural == plural
    }

    fn compiled(&self, index: usize) -> Result<&Structural, StatusError> {
        let compile = || {
            let schema = Structural::compile(&(self.row.versions[index].schema)())?;
            // Tekton's webhook and controllers read with Go's `encoding/json`, so files with `mountpath` exist.
            let is_tekton = self.row.group.ends_with("tekton.dev");
            Ok(if is_tekton { schema.in_any_case() } else { schema })
        };
        self.schemas[index].get_or_init(compile).as_ref().map_err(|error| {
            StatusError::new(
                Reason::InternalError,
                format!("the schema of {} is broken: {error}", self.resource),
            )
        })
    }
}

impl Versions for Kind {
    fn schema(&self, api_version: &str) -> Option<&Structural> {
        let index = self.api_versions.iter().position(|version| version == api_version)?;
        self.compiled(index).ok()
    }

    fn convert(&self, object: &Value, api_version: &str) -> Option<Value> {
        let from = meta::api_version(object);
        if from == api_version {
            return Some(object.clone());
        }
        let position = |wanted: &str| self.api_versions.iter().position(|version| version == wanted);
        let stored = if from == self.stored_as {
            object.clone()
        } else {
            (self.row.versions[position(from)?].to_storage)(object.clone()).ok()?
        };
        if api_version == self.stored_as {
            return Some(stored);
        }
        (self.row.versions[position(api_version)?].from_storage)(stored).ok()
    }

    fn ignored(&self, subresource: &str) -> &[&str] {
        match subresource {
            "" if self.row.status_subresource => &["status"],
            "status" => &["metadata", "spec"],
            _ => &[],
        }
    }
}

/// A resource in the version that a request names.
#[derive(Clone, Copy)]
pub(crate) struct Served<'a> {
    pub(crate) kind: &'a Kind,
    index: usize,
}

impl<'a> Served<'a> {
    pub(crate) fn row(self) -> &'static Resource {
        self.kind.row
    }

    pub(crate) fn version(self) -> &'static Version {
        &self.kind.row.versions[self.index]
    }

    /// The `apiVersion` of the request's version.
    pub(crate) fn api_version(self) -> &'a str {
        &self.kind.api_versions[self.index]
    }

    pub(crate) fn schema(self) -> Result<&'a Structural, StatusError> {
        self.kind.compiled(self.index)
    }

    /// Whether objects are served as they are stored.
    pub(crate) fn is_stored_form(self) -> bool {
        self.kind.stored_as == self.kind.api_versions[self.index]
    }

    /// An object of the request's version as it is stored.
    pub(crate) fn stored_form(self, object: Value) -> Result<Value, StatusError> {
        if self.is_stored_form() {
            return Ok(object);
        }
        (self.version().to_storage)(object).map_err(|what| {
            StatusError::bad_request(format!(
                "could not convert {} to {}: {what}",
                self.kind.row.kind, self.kind.stored_as
            ))
        })
    }

    /// A stored object in the request's version.
    pub(crate) fn served_form(self, object: Value) -> Result<Value, StatusError> {
        if self.is_stored_form() {
            return Ok(object);
        }
        (self.version().from_storage)(object).map_err(|what| {
            let (kind, version) = (self.kind.row.kind, self.api_version());
            StatusError::new(Reason::InternalError, format!("could not convert {kind} to {version}: {what}"))
        })
    }
}
