//! Which entries a list, watch or collection delete means. Names are compared in the key, labels in the bytes of
//! `metadata.labels`; only other field selectors parse an object.

use std::borrow::Cow;
use std::collections::BTreeMap;

use machinery::selector::{FieldSelector, LabelSelector};
use policy::Target;
use serde_json::Value;
use store::Entry;

use crate::catalog::Kind;
use crate::query::ListOptions;
use crate::splice;

/// A filter of entries of one kind.
#[derive(Clone, Debug)]
pub(crate) struct Filter {
    /// The namespace, when the scope of the read is wider than it.
    namespace: Option<String>,
    /// The name, when the read is of one object: a range of keys that begin alike is wider than it.
    name: Option<String>,
    labels: LabelSelector,
    fields: FieldSelector,
    /// Whether the field selector is about the key alone.
    names_only: bool,
}

impl Filter {
    /// The filter of a request; `target` is what it was allowed on.
    pub(crate) fn of(options: &ListOptions, target: &Target) -> Self {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let names_only = options
            .fields
            .terms()
            .iter()
            .all(|term| matches!(term.field.as_str(), "metadata.name" | "metadata.namespace"));
        Self {
            namespace: some(&target.namespace),
            name: some(&target.name),
            labels: options.labels.clone(),
            fields: options.fields.clone(),
            names_only,
        }
    }

    /// Whether every entry of the collection matches.
    pub(crate) fn is_everything(&self) -> bool {
        self.name.is_none() && self.labels.is_everything() && self.fields.is_everything()
    }

    /// Whether an entry matches.
    pub(crate) fn matches(&self, kind: &Kind, entry: &Entry) -> bool {
        let Some([_, _, _, namespace, name]) = entry.key.parts() else { return false };
        if self.namespace.as_deref().is_some_and(|wanted| wanted != namespace)
            || self.name.as_deref().is_some_and(|wanted| wanted != name)
        {
            return false;
        }
        for term in self.fields.terms() {
            let value = match term.field.as_str() {
                "metadata.name" => name,
                "metadata.namespace" => namespace,
                _ => continue,
            };
            if (value == term.value) != term.equal {
                return false;
            }
        }
        self.labels_match(&entry.value) && self.fields_match(kind, &entry.value)
    }

    fn labels_match(&self, value: &[u8]) -> bool {
        if self.labels.is_everything() {
            return true;
        }
        let span = splice::member(value, 0, b"metadata")
            .and_then(|metadata| splice::member(value, metadata.start, b"labels"));
        let owned: BTreeMap<Cow<'_, str>, Cow<'_, str>> = span
            .and_then(|span| serde_json::from_slice(&value[span.start..span.end]).ok())
            .unwrap_or_default();
        let labels = owned.iter().map(|(key, value)| (key.as_ref(), value.as_ref())).collect();
        self.labels.matches(&labels)
    }

    fn fields_match(&self, kind: &Kind, value: &[u8]) -> bool {
        if self.names_only {
            return true;
        }
        let Ok(object) = serde_json::from_slice::<Value>(value) else { return false };
        if kind.row.stored_with.is_none() {
            return self.fields.matches(&object);
        }
        // Another view of stored objects has fields of its own.
        match kind.row.versions.first().map(|version| (version.from_storage)(object)) {
            Some(Ok(object)) => self.fields.matches(&object),
            _ => false,
        }
    }
}
