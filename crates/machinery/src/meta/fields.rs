//! Reading and writing fields of an object that is a `Value`.
//! Paths are slices of keys, because label and annotation keys contain dots and slashes.
//! Invariant: readers return nothing for a field of the wrong type; writers make missing parents.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// An owner of an object, as `metadata.ownerReferences` lists them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnerReference {
    /// Group and version of the owner, such as `tekton.dev/v1`.
    pub api_version: String,
    /// The owner's kind.
    pub kind: String,
    /// The owner's name.
    pub name: String,
    /// The owner's uid.
    pub uid: String,
    /// Whether this owner is the managing controller.
    pub controller: bool,
    /// Whether a foreground deletion of the owner waits for this object.
    pub block_owner_deletion: bool,
}

/// The value at a path of keys.
#[must_use]
pub fn get<'a>(object: &'a Value, path: &[&str]) -> Option<&'a Value> {
    path.iter().try_fold(object, |at, key| at.get(key))
}

/// The string at a path of keys.
#[must_use]
pub fn text<'a>(object: &'a Value, path: &[&str]) -> Option<&'a str> {
    get(object, path)?.as_str()
}

/// The items of the list at a path of keys; none if there is no list.
#[must_use]
pub fn list<'a>(object: &'a Value, path: &[&str]) -> &'a [Value] {
    get(object, path).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Writes a value at a path of keys; parents that are missing, or no objects, become objects.
pub fn set(object: &mut Value, path: &[&str], value: Value) {
    let Some((last, parents)) = path.split_last() else {
        *object = value;
        return;
    };
    let mut at = object;
    for key in parents {
        at = as_object(at).entry((*key).to_owned()).or_insert(Value::Null);
    }
    as_object(at).insert((*last).to_owned(), value);
}

/// Removes the field at a path of keys and returns it; parents stay.
pub fn remove(object: &mut Value, path: &[&str]) -> Option<Value> {
    let (last, parents) = path.split_last()?;
    let mut at = object;
    for key in parents {
        at = at.get_mut(key)?;
    }
    at.as_object_mut()?.remove(*last)
}

/// `apiVersion`, or nothing.
#[must_use]
pub fn api_version(object: &Value) -> &str {
    text(object, &["apiVersion"]).unwrap_or_default()
}

/// `kind`, or nothing.
#[must_use]
pub fn kind(object: &Value) -> &str {
    text(object, &["kind"]).unwrap_or_default()
}

/// `metadata.name`, or nothing.
#[must_use]
pub fn name(object: &Value) -> &str {
    text(object, &["metadata", "name"]).unwrap_or_default()
}

/// `metadata.namespace`, or nothing.
#[must_use]
pub fn namespace(object: &Value) -> &str {
    text(object, &["metadata", "namespace"]).unwrap_or_default()
}

/// `metadata.uid`, or nothing.
#[must_use]
pub fn uid(object: &Value) -> &str {
    text(object, &["metadata", "uid"]).unwrap_or_default()
}

/// `metadata.resourceVersion`, or nothing.
#[must_use]
pub fn resource_version(object: &Value) -> &str {
    text(object, &["metadata", "resourceVersion"]).unwrap_or_default()
}

/// The labels.
#[must_use]
pub fn labels(object: &Value) -> BTreeMap<&str, &str> {
    string_map(object, "labels")
}

/// The annotations.
#[must_use]
pub fn annotations(object: &Value) -> BTreeMap<&str, &str> {
    string_map(object, "annotations")
}

/// One annotation.
#[must_use]
pub fn annotation<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    text(object, &["metadata", "annotations", key])
}

/// Writes one annotation.
pub fn set_annotation(object: &mut Value, key: &str, value: &str) {
    set(object, &["metadata", "annotations", key], Value::String(value.to_owned()));
}

/// Writes one label.
pub fn set_label(object: &mut Value, key: &str, value: &str) {
    set(object, &["metadata", "labels", key], Value::String(value.to_owned()));
}

/// The finalizers, in order.
#[must_use]
pub fn finalizers(object: &Value) -> Vec<&str> {
    list(object, &["metadata", "finalizers"]).iter().filter_map(Value::as_str).collect()
}

/// The owners, in order.
#[must_use]
pub fn owner_references(object: &Value) -> Vec<OwnerReference> {
    let string = |owner: &Value, key: &str| text(owner, &[key]).unwrap_or_default().to_owned();
    let flag = |owner: &Value, key: &str| owner.get(key).and_then(Value::as_bool).unwrap_or(false);
    list(object, &["metadata", "ownerReferences"])
        .iter()
        .map(|owner| OwnerReference {
            api_version: string(owner, "apiVersion"),
            kind: string(owner, "kind"),
            name: string(owner, "name"),
            uid: string(owner, "uid"),
            controller: flag(owner, "controller"),
            block_owner_deletion: flag(owner, "blockOwnerDeletion"),
        })
        .collect()
}

/// Whether anything outside `metadata`, `status`, `apiVersion` and `kind` differs: such a write makes a new
/// generation. With `status_counts`, for kinds that have no status subresource, `status` counts too.
#[must_use]
pub fn spec_changed(old: &Value, new: &Value, status_counts: bool) -> bool {
    let counts = |key: &str| match key {
        "metadata" | "apiVersion" | "kind" => false,
        "status" => status_counts,
        _ => true,
    };
    let part = |object: &Value| -> Map<String, Value> {
        object
            .as_object()
            .map(|fields| {
                fields.iter().filter(|(k, _)| counts(k)).map(|(k, v)| (k.clone(), v.clone())).collect()
            })
            .unwrap_or_default()
    };
    part(old) != part(new)
}

fn as_object(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    match value {
        Value::Object(fields) => fields,
        _ => unreachable!("made an object above"),
    }
}

fn string_map<'a>(object: &'a Value, field: &str) -> BTreeMap<&'a str, &'a str> {
    get(object, &["metadata", field])
        .and_then(Value::as_object)
        .map(|fields| fields.iter().filter_map(|(k, v)| Some((k.as_str(), v.as_str()?))).collect())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_written_field_is_read_back_and_makes_its_parents() {
        let mut object = json!({"kind": "Pod"});
        set_label(&mut object, "app.kubernetes.io/name", "x");
        assert_eq!(labels(&object).get("app.kubernetes.io/name"), Some(&"x"));
        assert_eq!(
            remove(&mut object, &["metadata", "labels", "app.kubernetes.io/name"]),
            Some(Value::String("x".to_owned()))
        );
        assert_eq!(object, json!({"kind": "Pod", "metadata": {"labels": {}}}));
    }

    #[test]
    fn fields_of_the_wrong_type_read_as_absent() {
        let object =
            json!({"metadata": {"name": 1, "labels": [], "finalizers": {"a": 1}, "ownerReferences": "x"}});
        assert_eq!((name(&object), labels(&object).len(), finalizers(&object).len()), ("", 0, 0));
        assert!(owner_references(&object).is_empty());
    }

    #[test]
    fn only_a_change_outside_metadata_and_status_makes_a_generation() {
        let old = json!({"metadata": {"name": "a"}, "spec": {"x": 1}, "status": {"y": 1}});
        let status = json!({"metadata": {"name": "b"}, "spec": {"x": 1}, "status": {"y": 2}});
        let spec = json!({"metadata": {"name": "a"}, "spec": {"x": 2}, "status": {"y": 1}});
        assert!(!spec_changed(&old, &status, false));
        assert!(spec_changed(&old, &status, true));
        assert!(spec_changed(&old, &spec, false));
    }
}
