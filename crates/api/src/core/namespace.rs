//! Namespace and ServiceAccount.

use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use serde_json::{Value, json};

use super::object::{default_text, default_value, name_errors, object_field, subdomain_name_errors};
use crate::columns::{AGE, computed, list, path};
use crate::field::Rejection;
use crate::names;
use crate::schema;
use crate::table::{Resource, Version, unchanged};

/// The finalizer in `spec.finalizers` that keeps a namespace until its objects are gone.
const FINALIZER: &str = "kubernetes";

pub(crate) const NAMESPACE: Resource = Resource {
    group: "",
    plural: "namespaces",
    singular: "namespace",
    kind: "Namespace",
    short_names: &["ns"],
    categories: &[],
    namespaced: false,
    versions: &[Version {
        name: "v1",
        schema: schema::of::<Namespace>,
        to_storage: unchanged,
        from_storage: unchanged,
        deprecation_warning: None,
    }],
    storage_version: "v1",
    stored_with: None,
    status_subresource: true,
    builtin: true,
    columns: &[path("Status", "string", ".status.phase", "`Active` or `Terminating`."), AGE],
    selectable_fields: &["status.phase"],
    default: default_namespace,
    validate: |new, _| Rejection::unless_empty(name_errors(new, names::dns_label_problem)),
};

pub(crate) const SERVICE_ACCOUNT: Resource = Resource {
    group: "",
    plural: "serviceaccounts",
    singular: "serviceaccount",
    kind: "ServiceAccount",
    short_names: &["sa"],
    categories: &[],
    namespaced: true,
    versions: &[Version {
        name: "v1",
        schema: schema::of::<ServiceAccount>,
        to_storage: unchanged,
        from_storage: unchanged,
        deprecation_warning: None,
    }],
    storage_version: "v1",
    stored_with: None,
    status_subresource: false,
    builtin: true,
    columns: &[
        computed(
            "Secrets",
            "string",
            |object| Value::from(list(object, "/secrets").len().to_string()),
            "The number of secrets that Pods of the account may use.",
        ),
        AGE,
    ],
    selectable_fields: &[],
    default: |_| {},
    validate: |new, _| Rejection::unless_empty(subdomain_name_errors(new)),
};

fn default_namespace(object: &mut Value) {
    let Some(namespace) = object.as_object_mut() else { return };
    let deleted =
        namespace.get("metadata").is_some_and(|metadata| metadata.get("deletionTimestamp").is_some());
    let name = namespace.get("metadata").and_then(|metadata| metadata.get("name")).cloned();
    if let (Some(name), Some(metadata)) = (name, object_field(namespace, "metadata"))
        && let Some(labels) = object_field(metadata, "labels")
    {
        labels.insert("kubernetes.io/metadata.name".to_owned(), name);
    }
    if let Some(status) = object_field(namespace, "status") {
        default_text(status, "phase", "Active");
    }
    if !deleted && let Some(spec) = object_field(namespace, "spec") {
        default_value(spec, "finalizers", json!([FINALIZER]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_namespace_is_active_has_its_finalizer_and_its_name_as_a_label() {
        let mut namespace = json!({ "metadata": { "name": "a" } });
        default_namespace(&mut namespace);
        assert_eq!(
            namespace,
            json!({
                "metadata": { "name": "a", "labels": { "kubernetes.io/metadata.name": "a" } },
                "spec": { "finalizers": ["kubernetes"] },
                "status": { "phase": "Active" },
            })
        );
    }

    #[test]
    fn a_namespace_that_is_being_deleted_does_not_get_its_finalizer_back() {
        let mut namespace =
            json!({ "metadata": { "name": "a", "deletionTimestamp": "2026-01-01T00:00:00Z" }, "spec": {} });
        default_namespace(&mut namespace);
        assert_eq!(namespace["spec"], json!({}));
    }
}
