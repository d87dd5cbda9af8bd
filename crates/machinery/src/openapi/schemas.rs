//! JSON schemas as schemars makes them, in the dialect of OpenAPI 3.0 that Kubernetes publishes.
//! Invariant: a definition has one name wherever it is used: its own if it is dotted, else that of the group.

use api::table::Resource;
use serde_json::{Map, Value, json};

use crate::schema::annotate;

const PREFIX: &str = "#/components/schemas/";
const OBJECT_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";

/// The name of a kind's schema: `io.k8s.api.core.v1.Pod`, `dev.tekton.v1.Task`.
pub(super) fn name(resource: &Resource, version: &str) -> String {
    if !resource.builtin {
        return qualified(resource.group, version, resource.kind);
    }
    let package = match resource.group.split('.').next() {
        None | Some("") => "core",
        Some(package) => package,
    };
    format!("io.k8s.api.{package}.{version}.{}", resource.kind)
}

/// Adds the schemas of a kind, of its list, and of all that they refer to.
pub(super) fn add(all: &mut Map<String, Value>, resource: &Resource, version: &str, mut annotated: Value) {
    let (group, kind) = (resource.group, resource.kind);
    let own_name = name(resource, version);
    annotate(&mut annotated);
    let rename = |name: &str| qualified(group, version, name);
    let definitions = annotated.as_object_mut().and_then(|fields| fields.remove("$defs"));
    for (definition, schema) in definitions.as_ref().and_then(Value::as_object).into_iter().flatten() {
        all.entry(rename(definition)).or_insert_with(|| convert(schema, &rename));
    }
    let mut root = convert(&annotated, &rename);
    root["x-kubernetes-group-version-kind"] = json!([{"group": group, "version": version, "kind": kind}]);
    complete(&mut root, all);
    let list = list(group, version, kind, &own_name);
    all.insert(format!("{own_name}List"), list);
    all.insert(own_name, root);
}

fn qualified(group: &str, version: &str, name: &str) -> String {
    if name.contains('.') {
        return name.to_owned();
    }
    let mut parts: Vec<&str> = group.split('.').filter(|part| !part.is_empty()).collect();
    parts.reverse();
    parts.extend([version, name]);
    parts.join(".")
}

/// Gives a root the fields that every object has, where its schema leaves them out.
fn complete(root: &mut Value, all: &mut Map<String, Value>) {
    let Some(fields) = root.as_object_mut() else { return };
    fields.entry("type").or_insert_with(|| "object".into());
    let properties = fields.entry("properties").or_insert_with(|| json!({}));
    let Some(properties) = properties.as_object_mut() else { return };
    let text = |what: &str| json!({"type": "string", "description": what});
    properties
        .entry("apiVersion")
        .or_insert_with(|| text("The version of the schema of this representation of an object."));
    properties.entry("kind").or_insert_with(|| text("The kind of resource that this object represents."));
    let bare = |metadata: &Value| {
        metadata.get("$ref").is_none()
            && metadata.get("allOf").is_none()
            && metadata.get("properties").is_none()
    };
    if properties.get("metadata").is_none_or(bare) {
        properties.insert("metadata".to_owned(), json!({"$ref": format!("{PREFIX}{OBJECT_META}")}));
        all.entry(OBJECT_META).or_insert_with(crate::schema::object_meta);
    }
}

fn list(group: &str, version: &str, kind: &str, item: &str) -> Value {
    json!({
        "type": "object",
        "description": format!("{kind}List is a list of {kind}."),
        "required": ["items"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "items": {"type": "array", "items": {"$ref": format!("{PREFIX}{item}")}},
            "metadata": {
                "type": "object",
                "properties": {
                    "continue": {"type": "string"},
                    "remainingItemCount": {"type": "integer", "format": "int64"},
                    "resourceVersion": {"type": "string"},
                },
            },
        },
        "x-kubernetes-group-version-kind": [{"group": group, "version": version, "kind": format!("{kind}List")}],
    })
}

fn convert(schema: &Value, rename: &dyn Fn(&str) -> String) -> Value {
    let Some(given) = schema.as_object() else {
        return json!({"x-kubernetes-preserve-unknown-fields": true});
    };
    let mut out = Map::new();
    for (key, value) in given {
        convert_keyword(&mut out, key, value, rename);
    }
    hide_null_in_choices(&mut out);
    // In OpenAPI 3.0 nothing may stand beside `$ref`.
    if out.len() > 1
        && let Some(reference) = out.remove("$ref")
    {
        out.insert("allOf".to_owned(), json!([{"$ref": reference}]));
    }
    if out.get("x-kubernetes-int-or-string") == Some(&Value::Bool(true)) && out.get("type").is_none() {
        let quantity = out.remove("format").is_some_and(|format| format == "quantity");
        let other = if quantity { "number" } else { "integer" };
        out.insert("oneOf".to_owned(), json!([{"type": other}, {"type": "string"}]));
        if !quantity {
            out.insert("format".to_owned(), "int-or-string".into());
        }
    }
    Value::Object(out)
}

fn convert_keyword(out: &mut Map<String, Value>, key: &str, value: &Value, rename: &dyn Fn(&str) -> String) {
    let each = |value: &Value| -> Value {
        value.as_array().into_iter().flatten().map(|schema| convert(schema, rename)).collect()
    };
    let converted = match key {
        "$schema" | "$defs" | "title" | "examples" | "$comment" | "deprecated" => return,
        "$ref" => {
            let name = value.as_str().and_then(|text| text.strip_prefix("#/$defs/")).unwrap_or_default();
            format!("{PREFIX}{}", rename(name)).into()
        }
        "const" => {
            out.insert("enum".to_owned(), json!([value]));
            return;
        }
        "type" if value.is_array() => {
            let names: Vec<&str> = value
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .filter(|n| *n != "null")
                .collect();
            if names.len() < value.as_array().map_or(0, Vec::len) {
                out.insert("nullable".to_owned(), true.into());
            }
            match names.as_slice() {
                [one] => Value::from(*one),
                _ => return,
            }
        }
        "exclusiveMinimum" | "exclusiveMaximum" if value.is_number() => {
            let bound = if key == "exclusiveMinimum" { "minimum" } else { "maximum" };
            out.insert(bound.to_owned(), value.clone());
            true.into()
        }
        "properties" => {
            let each = value.as_object().into_iter().flatten();
            Value::Object(each.map(|(key, schema)| (key.clone(), convert(schema, rename))).collect())
        }
        "additionalProperties" if value.is_boolean() => value.clone(),
        "items" | "additionalProperties" | "not" => convert(value, rename),
        "anyOf" | "oneOf" | "allOf" => each(value),
        _ => value.clone(),
    };
    out.insert(key.to_owned(), converted);
}

/// Turns `anyOf: [X, null]` into X that is nullable.
fn hide_null_in_choices(out: &mut Map<String, Value>) {
    for key in ["anyOf", "oneOf"] {
        let Some(choices) = out.get(key).and_then(Value::as_array) else { continue };
        let is_null = |schema: &Value| schema.get("type").and_then(Value::as_str) == Some("null");
        let rest: Vec<Value> = choices.iter().filter(|schema| !is_null(schema)).cloned().collect();
        if rest.len() == choices.len() {
            continue;
        }
        out.remove(key);
        out.insert("nullable".to_owned(), true.into());
        let key = if rest.len() == 1 { "allOf" } else { key };
        out.insert(key.to_owned(), rest.into());
        return;
    }
}

/// A schema in the dialect of OpenAPI 2: no choices, no `nullable`, references among definitions.
pub(super) fn to_v2(schema: Value) -> Value {
    match schema {
        Value::Object(mut fields) => {
            let int_or_string = fields.contains_key("x-kubernetes-int-or-string");
            if let Some(Value::Array(all)) = fields.remove("allOf")
                && let Some(Value::Object(only)) = all.into_iter().next()
            {
                fields.extend(only);
            }
            for keyword in ["anyOf", "oneOf", "not", "nullable"] {
                fields.remove(keyword);
            }
            if int_or_string {
                fields.insert("type".to_owned(), "string".into());
            }
            if let Some(name) =
                fields.get("$ref").and_then(Value::as_str).and_then(|text| text.strip_prefix(PREFIX))
            {
                let reference = format!("#/definitions/{name}");
                fields.insert("$ref".to_owned(), reference.into());
            }
            Value::Object(fields.into_iter().map(|(key, value)| (key, to_v2(value))).collect())
        }
        Value::Array(items) => items.into_iter().map(to_v2).collect(),
        other => other,
    }
}
