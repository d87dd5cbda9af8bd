//! JSON schemas of kinds, made from their types, in the form of structural schemas with `$defs`.
//! Left out on purpose: defaults (they are applied by the rows' `default`), `null` (an absent field is absent) and
//! the types' own titles.
//! Invariant: the keys of lists and the patch strategies are those that Kubernetes publishes; see [`PATCH_RULES`].

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

/// The schema of a kind, with the definitions that it refers to under `$defs`.
#[must_use]
pub fn of<T: JsonSchema>() -> Value {
    let mut schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>().to_value();
    if let Some(root) = schema.as_object_mut() {
        root.remove("$schema");
        if let Some(Value::Object(definitions)) = root.get_mut("$defs") {
            for (name, definition) in definitions {
                tidy(definition);
                add_patch_rules(name, definition);
            }
        }
    }
    tidy(&mut schema);
    add_patch_rules(&T::schema_name(), &mut schema);
    schema
}

/// Removes `null`, defaults and titles, here and below.
fn tidy(schema: &mut Value) {
    let Some(node) = schema.as_object_mut() else { return };
    node.remove("default");
    node.remove("title");
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

/// How one list of a built-in type is merged.
struct PatchRule {
    /// The type, without its package: `PodSpec`.
    kind: &'static str,
    /// The property that is a list.
    property: &'static str,
    /// The patch strategy, such as `merge` or `merge,retainKeys`; empty for none.
    strategy: &'static str,
    /// The merge key of strategic merge patch.
    merge_key: &'static str,
    /// The keys of the list for server-side apply; empty for a list that is replaced as a whole.
    map_keys: &'static [&'static str],
}

const fn keyed(
    kind: &'static str,
    property: &'static str,
    key: &'static str,
    keys: &'static [&'static str],
) -> PatchRule {
    PatchRule { kind, property, strategy: "merge", merge_key: key, map_keys: keys }
}

/// The lists of the served built-in types that are not replaced as a whole.
///
/// Source: the published OpenAPI document of Kubernetes 1.34.
const PATCH_RULES: &[PatchRule] = &[
    keyed("ObjectMeta", "ownerReferences", "uid", &["uid"]),
    PatchRule { kind: "ObjectMeta", property: "finalizers", strategy: "merge", merge_key: "", map_keys: &[] },
    keyed("PodSpec", "containers", "name", &["name"]),
    keyed("PodSpec", "initContainers", "name", &["name"]),
    keyed("PodSpec", "ephemeralContainers", "name", &["name"]),
    keyed("PodSpec", "imagePullSecrets", "name", &["name"]),
    keyed("PodSpec", "hostAliases", "ip", &["ip"]),
    keyed("PodSpec", "schedulingGates", "name", &["name"]),
    keyed("PodSpec", "topologySpreadConstraints", "topologyKey", &["topologyKey", "whenUnsatisfiable"]),
    PatchRule {
        kind: "PodSpec",
        property: "volumes",
        strategy: "merge,retainKeys",
        merge_key: "name",
        map_keys: &["name"],
    },
    PatchRule {
        kind: "PodSpec",
        property: "resourceClaims",
        strategy: "merge,retainKeys",
        merge_key: "name",
        map_keys: &["name"],
    },
    keyed("Container", "env", "name", &["name"]),
    keyed("Container", "ports", "containerPort", &["containerPort", "protocol"]),
    keyed("Container", "volumeMounts", "mountPath", &["mountPath"]),
    keyed("Container", "volumeDevices", "devicePath", &["devicePath"]),
    keyed("EphemeralContainer", "env", "name", &["name"]),
    keyed("EphemeralContainer", "ports", "containerPort", &["containerPort", "protocol"]),
    keyed("EphemeralContainer", "volumeMounts", "mountPath", &["mountPath"]),
    keyed("EphemeralContainer", "volumeDevices", "devicePath", &["devicePath"]),
    PatchRule {
        kind: "ResourceRequirements",
        property: "claims",
        strategy: "",
        merge_key: "",
        map_keys: &["name"],
    },
    keyed("PodStatus", "conditions", "type", &["type"]),
    keyed("PodStatus", "podIPs", "ip", &["ip"]),
    keyed("NamespaceStatus", "conditions", "type", &["type"]),
    keyed("PersistentVolumeClaimStatus", "conditions", "type", &["type"]),
    keyed("ServiceAccount", "secrets", "name", &["name"]),
];

/// Built-in structs that one writer owns as a whole.
const ATOMIC_STRUCTS: &[&str] = &[
    "ConfigMapKeySelector",
    "LabelSelector",
    "LocalObjectReference",
    "NodeSelector",
    "NodeSelectorTerm",
    "ObjectFieldSelector",
    "ObjectReference",
    "OwnerReference",
    "ResourceFieldSelector",
    "SecretKeySelector",
    "SecretReference",
    "TypedLocalObjectReference",
];

/// Adds what strategic merge patch and server-side apply need to know about a built-in type.
fn add_patch_rules(name: &str, schema: &mut Value) {
    let Some(kind) = name.strip_prefix("io.k8s.").and_then(|rest| rest.rsplit('.').next()) else { return };
    if ATOMIC_STRUCTS.contains(&kind) {
        schema["x-kubernetes-map-type"] = json!("atomic");
    }
    let Some(Value::Object(properties)) = schema.get_mut("properties") else { return };
    for (property, list) in properties {
        if list.get("type") != Some(&json!("array")) {
            continue;
        }
        match PATCH_RULES.iter().find(|rule| rule.kind == kind && rule.property == property) {
            Some(rule) => add_rule(rule, list),
            None => list["x-kubernetes-list-type"] = json!("atomic"),
        }
    }
}

fn add_rule(rule: &PatchRule, list: &mut Value) {
    if !rule.strategy.is_empty() {
        list["x-kubernetes-patch-strategy"] = json!(rule.strategy);
    }
    if !rule.merge_key.is_empty() {
        list["x-kubernetes-patch-merge-key"] = json!(rule.merge_key);
    }
    if rule.map_keys.is_empty() {
        list["x-kubernetes-list-type"] = json!("set");
    } else {
        list["x-kubernetes-list-type"] = json!("map");
        list["x-kubernetes-list-map-keys"] = json!(rule.map_keys);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::core::v1::Pod;

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
    fn containers_of_a_pod_are_merged_by_name() {
        let schema = of::<Pod>();
        let containers = &schema["$defs"]["io.k8s.api.core.v1.PodSpec"]["properties"]["containers"];
        assert_eq!(containers["x-kubernetes-patch-merge-key"], "name");
        assert_eq!(containers["x-kubernetes-list-map-keys"], json!(["name"]));
    }
}
