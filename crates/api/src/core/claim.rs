//! PersistentVolumeClaim: a request for a directory that outlives Pods.

use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use serde_json::Value;

use super::object::{default_text, object_field, quantity_problem, subdomain_name_errors};
use crate::columns::{AGE, computed, list, path, wide};
use crate::field::{FieldError, Rejection};
use crate::schema;
use crate::table::{Resource, Version, unchanged};

pub(crate) const PERSISTENT_VOLUME_CLAIM: Resource = Resource {
    group: "",
    plural: "persistentvolumeclaims",
    singular: "persistentvolumeclaim",
    kind: "PersistentVolumeClaim",
    short_names: &["pvc"],
    categories: &[],
    namespaced: true,
    versions: &[Version {
        name: "v1",
        schema: schema::of::<PersistentVolumeClaim>,
        to_storage: unchanged,
        from_storage: unchanged,
        deprecation_warning: None,
    }],
    storage_version: "v1",
    stored_with: None,
    status_subresource: true,
    builtin: true,
    columns: &[
        computed("Status", "string", status, "`Pending`, `Bound`, `Lost` or `Terminating`."),
        path("Volume", "string", ".spec.volumeName", "The volume that serves the claim."),
        path("Capacity", "string", ".status.capacity.storage", "The size of the volume."),
        computed("Access Modes", "string", access_modes, "How the volume may be mounted."),
        path("StorageClass", "string", ".spec.storageClassName", "The kind of storage."),
        AGE,
        wide(path("VolumeMode", "string", ".spec.volumeMode", "`Filesystem` or `Block`.")),
    ],
    selectable_fields: &[],
    default,
    validate,
};

/// Access modes with their short forms in tables.
const ACCESS_MODES: &[(&str, &str)] = &[
    ("ReadWriteOnce", "RWO"),
    ("ReadOnlyMany", "ROX"),
    ("ReadWriteMany", "RWX"),
    ("ReadWriteOncePod", "RWOP"),
];

fn status(claim: &Value) -> Value {
    if claim["metadata"].get("deletionTimestamp").is_some() {
        return Value::from("Terminating");
    }
    claim["status"]["phase"].clone()
}

fn access_modes(claim: &Value) -> Value {
    let short = |mode: &Value| ACCESS_MODES.iter().find(|(name, _)| mode == name).map(|(_, short)| *short);
    Value::from(list(claim, "/status/accessModes").iter().filter_map(short).collect::<Vec<_>>().join(","))
}

fn default(object: &mut Value) {
    let Some(claim) = object.as_object_mut() else { return };
    if let Some(spec) = object_field(claim, "spec") {
        default_text(spec, "volumeMode", "Filesystem");
    }
    if let Some(status) = object_field(claim, "status") {
        default_text(status, "phase", "Pending");
    }
}

fn validate(new: &Value, old: Option<&Value>) -> Result<(), Rejection> {
    let mut errors = subdomain_name_errors(new);
    match old {
        None => errors.extend(spec_errors(&new["spec"])),
        Some(old) => errors.extend(update_errors(&new["spec"], &old["spec"])),
    }
    Rejection::unless_empty(errors)
}

fn spec_errors(spec: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let modes = list(spec, "/accessModes");
    if modes.is_empty() {
        errors.push(FieldError::required("spec.accessModes", "at least 1 access mode is required"));
    }
    let known = ACCESS_MODES.iter().map(|(name, _)| *name).collect::<Vec<_>>();
    for (index, mode) in modes.iter().enumerate() {
        let mode = mode.as_str().unwrap_or_default();
        if !known.contains(&mode) {
            errors.push(FieldError::not_supported(format!("spec.accessModes[{index}]"), mode, &known));
        }
    }
    let field = "spec.resources[storage]";
    match &spec["resources"]["requests"]["storage"] {
        Value::Null => errors.push(FieldError::required(field, "")),
        size => {
            let size = size.as_str().map_or_else(|| size.to_string(), ToOwned::to_owned);
            if let Some(problem) = quantity_problem(&size) {
                errors.push(FieldError::invalid(field, size, problem));
            } else if size.starts_with('-')
                || size.trim_matches(|c: char| !c.is_ascii_digit()).bytes().all(|b| b == b'0')
            {
                errors.push(FieldError::invalid(field, size, "must be greater than zero"));
            }
        }
    }
    errors
}

/// Only the request may change, and what is empty before the claim is bound may be set once.
fn update_errors(new: &Value, old: &Value) -> Vec<FieldError> {
    let mut expected = new.clone();
    if let (Some(expected), Some(old)) = (expected.as_object_mut(), old.as_object()) {
        for field in ["resources", "volumeAttributesClassName"] {
            match old.get(field) {
                Some(value) => expected.insert(field.to_owned(), value.clone()),
                None => expected.remove(field),
            };
        }
        for field in ["volumeName", "storageClassName"] {
            if old.get(field).and_then(Value::as_str).unwrap_or_default().is_empty() {
                expected.remove(field);
                expected.extend(old.get(field).map(|value| (field.to_owned(), value.clone())));
            }
        }
    }
    if expected == *old {
        return Vec::new();
    }
    vec![FieldError::forbidden(
        "spec",
        "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims",
    )]
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn errors_of(result: Result<(), Rejection>) -> Vec<String> {
        match result {
            Err(Rejection::Invalid(errors)) => errors.iter().map(ToString::to_string).collect(),
            _ => Vec::new(),
        }
    }

    #[test]
    fn a_claim_needs_an_access_mode_and_a_size() {
        let claim = |spec: Value| json!({ "metadata": { "name": "c" }, "spec": spec });
        let sized = json!({ "requests": { "storage": "1Gi" } });
        let cases = [
            (json!({ "accessModes": ["ReadWriteOnce"], "resources": sized }), vec![]),
            (
                json!({}),
                vec![
                    "spec.accessModes: Required value: at least 1 access mode is required",
                    "spec.resources[storage]: Required value",
                ],
            ),
            (
                json!({ "accessModes": ["RWO"], "resources": sized }),
                vec![
                    "spec.accessModes[0]: Unsupported value: \"RWO\": supported values: \"ReadWriteOnce\", \
                     \"ReadOnlyMany\", \"ReadWriteMany\", \"ReadWriteOncePod\"",
                ],
            ),
        ];
        for (spec, expected) in cases {
            assert_eq!(errors_of(validate(&claim(spec), None)), expected);
        }
    }

    #[test]
    fn only_the_size_and_an_empty_volume_name_may_change() {
        let claim = |volume: &str, mode: &str, size: &str| {
            json!({
                "metadata": { "name": "c" },
                "spec": { "volumeName": volume, "accessModes": [mode], "resources": { "requests": { "storage": size } } },
            })
        };
        let old = claim("", "ReadWriteOnce", "1Gi");
        assert!(errors_of(validate(&claim("pvc-1", "ReadWriteOnce", "2Gi"), Some(&old))).is_empty());
        assert_eq!(errors_of(validate(&claim("", "ReadWriteMany", "1Gi"), Some(&old))).len(), 1);
        let bound = claim("pvc-1", "ReadWriteOnce", "1Gi");
        assert_eq!(errors_of(validate(&claim("pvc-2", "ReadWriteOnce", "1Gi"), Some(&bound))).len(), 1);
    }
}
