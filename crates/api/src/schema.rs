//! JSON schemas of kinds, made from their types, in the form of structural schemas with `$defs`.
//! Left out on purpose: defaults (they are applied by the rows' `default`) and `null` (an absent field is absent).
//! How lists of Kubernetes' own types are merged is `machinery`'s table; the title tells it which type the root is.
//! Invariant: no schema contains itself.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

/// The schema of a kind, with the definitions that it refers to under `$defs`.
#[must_use]
pub fn of<T: JsonSchema>() -> Value {
    let mut schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>().to_value();
    if let Some(root) = schema.as_object_mut() {
        root.remove("$schema");
        if let Some(Value::Object(definitions)) = root.get_mut("$defs") {
            for (name, definition) in definitions {
                tidy(definition);
                relax(name, definition);
            }
        }
    }
    tidy(&mut schema);
    relax(&T::schema_name(), &mut schema);
    schema
}

/// Removes `null` and defaults, here and below.
fn tidy(schema: &mut Value) {
    let Some(node) = schema.as_object_mut() else { return };
    node.remove("default");
    unwrap_nullable(node);
    for key in ["properties", "$defs", "patternProperties"] {
        if let Some(Value::Object(children)) = node.get_mut(key) {
            children.values_mut().for_each(tidy);
        }
    }
    for key in ["items", "additionalProperties", "not"] {
        if let Some(child) = node.get_mut(key) {
            tidy(child);
        }
    }
    for key in ["anyOf", "oneOf", "allOf"] {
        if let Some(Value::Array(children)) = node.get_mut(key) {
            children.iter_mut().for_each(tidy);
        }
    }
}

/// `anyOf: [X, null]` becomes `X`, and `type: [T, null]` becomes `type: T`.
fn unwrap_nullable(node: &mut Map<String, Value>) {
    if let Some(Value::Array(types)) = node.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            node.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(choices)) = node.get_mut("anyOf") {
        choices.retain(|choice| choice.get("type") != Some(&Value::from("null")));
        if let [Value::Object(only)] = choices.as_slice() {
            let only = only.clone();
            node.remove("anyOf");
            for (key, value) in only {
                node.entry(key).or_insert(value);
            }
        }
    }
}

/// Types that name another object; Kubernetes accepts an empty name there and reports it where it matters.
const REFERENCES: &[&str] = &[
    "ConfigMapEnvSource",
    "ConfigMapKeySelector",
    "ConfigMapProjection",
    "ConfigMapVolumeSource",
    "LocalObjectReference",
    "SecretEnvSource",
    "SecretKeySelector",
    "SecretProjection",
];

/// Takes fields out of `required` that the Rust types cannot do without, but Kubernetes can.
fn relax(name: &str, schema: &mut Value) {
    let Some(kind) = name.strip_prefix("io.k8s.").and_then(|rest| rest.rsplit('.').next()) else { return };
    let Some(definition) = schema.as_object_mut() else { return };
    let Some(Value::Array(required)) = definition.get_mut("required") else { return };
    required.retain(|field| field != "metadata" && !(field == "name" && REFERENCES.contains(&kind)));
    if required.is_empty() {
        definition.remove("required");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Every schema of the table, with the name it is served under.
    fn schemas() -> impl Iterator<Item = (String, Value)> {
        crate::resources().iter().flat_map(|resource| {
            resource.versions.iter().map(|version| {
                (format!("{}/{} {}", resource.group, version.name, resource.kind), (version.schema)())
            })
        })
    }

    fn visit(value: &Value, check: &mut impl FnMut(&Map<String, Value>)) {
        match value {
            Value::Object(fields) => {
                check(fields);
                fields.values().for_each(|child| visit(child, check));
            }
            Value::Array(items) => items.iter().for_each(|child| visit(child, check)),
            _ => {}
        }
    }

    #[test]
    fn every_reference_in_a_schema_is_defined_and_no_field_may_be_null() {
        for (name, schema) in schemas() {
            visit(&schema, &mut |node| {
                if let Some(target) = node.get("$ref").and_then(Value::as_str) {
                    let definition =
                        target.strip_prefix("#/$defs/").unwrap_or_else(|| panic!("{name}: {target}"));
                    assert!(schema["$defs"].get(definition).is_some(), "{name}: {target} is not defined");
                }
                assert!(
                    !matches!(node.get("type"), Some(Value::Array(_))),
                    "{name}: {node:?} has several types"
                );
                assert_ne!(node.get("type"), Some(&json!("null")), "{name}: {node:?}");
            });
        }
    }

    #[test]
    fn no_schema_contains_itself() {
        fn walk(schema: &Value, node: &Value, path: &mut Vec<String>, name: &str) {
            if let Some(target) = node.get("$ref").and_then(Value::as_str) {
                let target = target.trim_start_matches("#/$defs/").to_owned();
                assert!(!path.contains(&target), "{name}: {path:?} leads back to {target}");
                path.push(target.clone());
                walk(schema, &schema["$defs"][&target], path, name);
                path.pop();
            }
            let children = match node {
                Value::Object(fields) => fields
                    .iter()
                    .filter(|(key, _)| *key != "$defs")
                    .map(|(_, child)| child)
                    .collect::<Vec<_>>(),
                Value::Array(items) => items.iter().collect(),
                _ => Vec::new(),
            };
            for child in children {
                walk(schema, child, path, name);
            }
        }
        for (name, schema) in schemas() {
            walk(&schema, &schema, &mut Vec::new(), &name);
        }
    }

    #[test]
    fn a_template_of_a_claim_needs_no_metadata_and_a_reference_no_name() {
        let schema = of::<crate::tekton::v1::TaskRun>();
        let required =
            |name: &str| schema["$defs"][format!("io.k8s.api.core.v1.{name}")].get("required").cloned();
        assert_eq!(required("PersistentVolumeClaim"), None);
        assert_eq!(required("LocalObjectReference"), None);
        assert_eq!(required("SecretKeySelector"), Some(json!(["key"])));
        assert_eq!(required("VolumeMount"), Some(json!(["mountPath", "name"])));
    }
}
