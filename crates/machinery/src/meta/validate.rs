//! Validates `metadata` of any object, on create and on update.
//! Field types are the schema's affair; here are the rules that hold whatever the kind.
//! Invariant: errors carry the field's path and Kubernetes' words.
//! Source: `k8s.io/apimachinery` `api/validation/objectmeta.go`.

use api::field::FieldError;
use serde_json::Value;

use super::{NameRule, fields, names};

/// The sum of the bytes of all keys and values of annotations: 256 KiB.
pub const ANNOTATIONS_BYTES_MAX: usize = 256 * (1 << 10);

/// All that is wrong with the metadata of a new object, whose name has been generated already.
#[must_use]
pub fn validate(object: &Value, rule: NameRule, namespaced: bool) -> Vec<FieldError> {
    let mut wrong = Vec::new();
    let (name, prefix) = (fields::name(object), fields::text(object, &["metadata", "generateName"]));
    if let Some(prefix) = prefix.filter(|text| !text.is_empty()) {
        let texts = rule.check(prefix, true);
        wrong.extend(texts.into_iter().map(|text| invalid("metadata.generateName", prefix, &text)));
    }
    if name.is_empty() {
        wrong.push(required("metadata.name", "name or generateName is required"));
    } else {
        wrong.extend(rule.check(name, false).iter().map(|text| invalid("metadata.name", name, text)));
    }
    let namespace = fields::namespace(object);
    match (namespaced, namespace.is_empty()) {
        (true, true) => wrong.push(required("metadata.namespace", "")),
        (true, false) => wrong.extend(
            names::dns1123_label(namespace).iter().map(|text| invalid("metadata.namespace", namespace, text)),
        ),
        (false, false) => wrong.push(FieldError {
            reason: "FieldValueForbidden",
            field: "metadata.namespace".to_owned(),
            message: "Forbidden: not allowed on this type".to_owned(),
        }),
        (false, true) => {}
    }
    labels(object, &mut wrong);
    annotations(object, &mut wrong);
    owners(object, &mut wrong);
    for (index, finalizer) in fields::finalizers(object).into_iter().enumerate() {
        let path = format!("metadata.finalizers[{index}]");
        wrong.extend(names::qualified_name(finalizer).iter().map(|text| invalid(&path, finalizer, text)));
    }
    wrong
}

/// All that is wrong with the metadata of an update, besides [`validate`]: fields that may not change.
#[must_use]
pub fn validate_update(new: &Value, old: &Value) -> Vec<FieldError> {
    const IMMUTABLE: [&str; 6] =
        ["name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"];
    let mut wrong = Vec::new();
    for key in IMMUTABLE {
        let (before, after) = (
            fields::get(old, &["metadata", key]),
            fields::get(new, &["metadata", key]).unwrap_or(&Value::Null),
        );
        if before.unwrap_or(&Value::Null) != after {
            wrong.push(FieldError {
                reason: "FieldValueInvalid",
                field: format!("metadata.{key}"),
                message: format!("Invalid value: {after}: field is immutable"),
            });
        }
    }
    if fields::text(old, &["metadata", "deletionTimestamp"]).is_some() {
        let before = fields::finalizers(old);
        let added: Vec<&str> = fields::finalizers(new).into_iter().filter(|f| !before.contains(f)).collect();
        if !added.is_empty() {
            wrong.push(FieldError {
                reason: "FieldValueForbidden",
                field: "metadata.finalizers".to_owned(),
                message: format!(
                    "Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers \
                     []string{{{}}}",
                    added.iter().map(|f| format!("{f:?}")).collect::<Vec<_>>().join(", ")
                ),
            });
        }
    }
    wrong
}

fn labels(object: &Value, wrong: &mut Vec<FieldError>) {
    for (key, value) in fields::labels(object) {
        wrong.extend(names::qualified_name(key).iter().map(|text| invalid("metadata.labels", key, text)));
        wrong.extend(names::label_value(value).iter().map(|text| invalid("metadata.labels", value, text)));
    }
}

fn annotations(object: &Value, wrong: &mut Vec<FieldError>) {
    let mut bytes = 0;
    for (key, value) in fields::annotations(object) {
        let texts = names::qualified_name(&key.to_lowercase());
        wrong.extend(texts.iter().map(|text| invalid("metadata.annotations", key, text)));
        bytes += key.len() + value.len();
    }
    if bytes > ANNOTATIONS_BYTES_MAX {
        wrong.push(FieldError {
            reason: "FieldValueTooLong",
            field: "metadata.annotations".to_owned(),
            message: format!("Too long: may not be more than {ANNOTATIONS_BYTES_MAX} bytes"),
        });
    }
}

fn owners(object: &Value, wrong: &mut Vec<FieldError>) {
    let owners = fields::owner_references(object);
    for (index, owner) in owners.iter().enumerate() {
        let parts = [
            ("apiVersion", &owner.api_version, "version must not be empty"),
            ("kind", &owner.kind, "must not be empty"),
            ("name", &owner.name, "must not be empty"),
            ("uid", &owner.uid, "must not be empty"),
        ];
        for (key, value, text) in parts {
            if value.is_empty() {
                wrong.push(invalid(&format!("metadata.ownerReferences[{index}].{key}"), "", text));
            }
        }
    }
    let controllers = owners.iter().filter(|owner| owner.controller).count();
    if controllers > 1 {
        wrong.push(FieldError {
            reason: "FieldValueInvalid",
            field: "metadata.ownerReferences".to_owned(),
            message: format!(
                "Invalid value: {}: Only one reference can have Controller set to true. Found {controllers} references \
                 with Controller set to true",
                fields::get(object, &["metadata", "ownerReferences"]).unwrap_or(&Value::Null)
            ),
        });
    }
}

fn invalid(field: &str, value: &str, text: &str) -> FieldError {
    FieldError {
        reason: "FieldValueInvalid",
        field: field.to_owned(),
        message: format!("Invalid value: {value:?}: {text}"),
    }
}

fn required(field: &str, text: &str) -> FieldError {
    let message =
        if text.is_empty() { "Required value".to_owned() } else { format!("Required value: {text}") };
    FieldError { reason: "FieldValueRequired", field: field.to_owned(), message }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn texts(errors: &[FieldError]) -> Vec<String> {
        errors.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_new_object_is_told_all_that_is_wrong_with_its_metadata() {
        let object = json!({"metadata": {"labels": {"a": "b c"}, "finalizers": ["bad/"],
            "ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "", "uid": "u"}]}});
        let wrong = texts(&validate(&object, NameRule::Subdomain, true));
        assert_eq!(wrong[0], "metadata.name: Required value: name or generateName is required");
        assert_eq!(wrong[1], "metadata.namespace: Required value");
        assert!(
            wrong[2].starts_with("metadata.labels: Invalid value: \"b c\": a valid label must be"),
            "{wrong:?}"
        );
        assert_eq!(wrong[3], "metadata.ownerReferences[0].name: Invalid value: \"\": must not be empty");
        assert_eq!(wrong[4], "metadata.finalizers[0]: Invalid value: \"bad/\": name part must be non-empty");
        let valid = json!({"metadata": {"name": "a", "annotations": {"Kubectl.kubernetes.io/x": "y"}}});
        assert!(validate(&valid, NameRule::Subdomain, false).is_empty());
    }

    #[test]
    fn annotations_have_a_limit_of_bytes() {
        let object =
            json!({"metadata": {"name": "a", "annotations": {"k": "x".repeat(ANNOTATIONS_BYTES_MAX)}}});
        assert_eq!(
            texts(&validate(&object, NameRule::Subdomain, false)),
            ["metadata.annotations: Too long: may not be more than 262144 bytes"]
        );
    }

    #[test]
    fn an_update_cannot_change_identity_or_add_finalizers_to_a_dying_object() {
        let old = json!({"metadata": {"name": "a", "uid": "1", "deletionTimestamp": "2026-01-01T00:00:00Z"}});
        let new = json!({"metadata": {"name": "a", "uid": "2", "deletionTimestamp": "2026-01-01T00:00:00Z",
            "finalizers": ["x.io/y"]}});
        assert_eq!(
            texts(&validate_update(&new, &old)),
            [
                "metadata.uid: Invalid value: \"2\": field is immutable",
                "metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found \
                 new finalizers []string{\"x.io/y\"}"
            ]
        );
    }
}
