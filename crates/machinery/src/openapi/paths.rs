//! The operations of a kind: collection, object and subresources, with the parameters that clients look for.
//! Invariant: a path exists here if, and only if, discovery names its resource.

use api::table::Resource;
use serde_json::{Map, Value, json};

use crate::discovery::Subresource;

/// A kind whose operations are described.
pub(super) struct Kind<'a> {
    pub(super) resource: &'a Resource,
    pub(super) version: &'a str,
    /// The name of its schema.
    pub(super) name: String,
}

/// Adds the paths of a kind.
pub(super) fn add(paths: &mut Map<String, Value>, kind: &Kind<'_>, subresources: &[Subresource]) {
    let base = format!("/{}", super::path(kind.resource.group, kind.version));
    let plural = kind.resource.plural;
    let (collection, mut parameters) = if kind.resource.namespaced {
        let everywhere = json!({"get": kind.operation("list", Some("List"))});
        paths.insert(format!("{base}/{plural}"), everywhere);
        (format!("{base}/namespaces/{{namespace}}/{plural}"), vec![in_path("namespace")])
    } else {
        (format!("{base}/{plural}"), Vec::new())
    };
    let mut item = json!({
        "get": kind.operation("list", Some("List")),
        "post": kind.operation("post", Some("")),
        "delete": kind.operation("deletecollection", None),
    });
    put_parameters(&mut item, &parameters);
    paths.insert(collection.clone(), item);
    parameters.push(in_path("name"));
    let mut item = json!({
        "get": kind.operation("get", Some("")),
        "put": kind.operation("put", Some("")),
        "patch": kind.operation("patch", Some("")),
        "delete": kind.operation("delete", None),
    });
    put_parameters(&mut item, &parameters);
    paths.insert(format!("{collection}/{{name}}"), item);
    for sub in subresources {
        paths.insert(format!("{collection}/{{name}}/{}", sub.name), subresource(kind, sub, &parameters));
    }
}

fn subresource(kind: &Kind<'_>, sub: &Subresource, parameters: &[Value]) -> Value {
    let own = sub.kind == kind.resource.kind && sub.kind_version.is_none();
    let mut item = json!({});
    for verb in sub.verbs {
        let (method, action) = match *verb {
            "get" => ("get", "get"),
            "update" => ("put", "put"),
            "patch" => ("patch", "patch"),
            "create" => ("post", "post"),
            "delete" => ("delete", "delete"),
            _ => continue,
        };
        let body = (own && sub.name == "status").then_some("");
        let mut operation = kind.operation(action, body);
        let (group, version) = sub.kind_version.unwrap_or((kind.resource.group, kind.version));
        operation["x-kubernetes-group-version-kind"] =
            json!({"group": group, "version": version, "kind": sub.kind});
        item[method] = operation;
    }
    put_parameters(&mut item, parameters);
    item
}

impl Kind<'_> {
    /// One operation. `schema` is what follows the kind's name in that of the body: nothing, or `List`.
    fn operation(&self, action: &str, schema: Option<&str>) -> Value {
        let mut operation = json!({
            "x-kubernetes-action": action,
            "x-kubernetes-group-version-kind":
                {"group": self.resource.group, "version": self.version, "kind": self.resource.kind},
        });
        let content = schema.map(|suffix| {
            let reference = format!("#/components/schemas/{}{suffix}", self.name);
            json!({"application/json": {"schema": {"$ref": reference}}})
        });
        let mut answer = json!({"description": "OK"});
        if let Some(content) = &content {
            answer["content"] = content.clone();
        }
        operation["responses"] = json!({"200": answer});
        let parameters = match action {
            "post" | "put" => queries(&["dryRun", "fieldManager", "fieldValidation"]),
            "patch" => queries(&["dryRun", "fieldManager", "fieldValidation", "force"]),
            "delete" => queries(&["dryRun", "gracePeriodSeconds", "orphanDependents", "propagationPolicy"]),
            "list" | "deletecollection" => queries(&[
                "allowWatchBookmarks",
                "continue",
                "fieldSelector",
                "labelSelector",
                "limit",
                "resourceVersion",
                "resourceVersionMatch",
                "sendInitialEvents",
                "timeoutSeconds",
                "watch",
            ]),
            _ => Value::Null,
        };
        if !parameters.is_null() {
            operation["parameters"] = parameters;
        }
        match action {
            "post" | "put" => operation["requestBody"] = json!({"required": true, "content": content}),
            "patch" => operation["requestBody"] = json!({"required": true, "content": self.patches()}),
            _ => {}
        }
        operation
    }

    fn patches(&self) -> Value {
        let mut types = vec!["json-patch+json", "merge-patch+json", "apply-patch+yaml"];
        if self.resource.builtin {
            types.push("strategic-merge-patch+json");
        }
        let body = json!({"schema": {"type": "object"}});
        Value::Object(types.into_iter().map(|kind| (format!("application/{kind}"), body.clone())).collect())
    }
}

fn put_parameters(item: &mut Value, parameters: &[Value]) {
    if !parameters.is_empty() {
        item["parameters"] = parameters.to_vec().into();
    }
}

fn in_path(name: &str) -> Value {
    json!({
        "name": name, "in": "path", "required": true, "description": format!("{name} of the object"),
        "schema": {"type": "string", "uniqueItems": true},
    })
}

fn queries(names: &[&str]) -> Value {
    let query = |name: &&str| {
        let kind = match *name {
            "force" | "allowWatchBookmarks" | "sendInitialEvents" | "watch" | "orphanDependents" => "boolean",
            "limit" | "timeoutSeconds" | "gracePeriodSeconds" => "integer",
            _ => "string",
        };
        json!({"name": name, "in": "query", "description": describe(name),
            "schema": {"type": kind, "uniqueItems": true}})
    };
    names.iter().map(query).collect()
}

fn describe(name: &str) -> &'static str {
    match name {
        "dryRun" => "All: go through all stages of the request, but keep nothing.",
        "fieldManager" => "The name of the actor that makes the change, as managed fields record it.",
        "fieldValidation" => {
            "What to do about unknown and duplicate fields: Ignore, Warn (the default) or Strict."
        }
        "force" => "Take fields of an apply patch over from other managers.",
        "labelSelector" => "Only objects with labels that match.",
        "fieldSelector" => "Only objects with fields that match.",
        "limit" => "The most objects in one answer; the rest follows with continue.",
        "continue" => "The token of the previous answer, to get what follows.",
        "resourceVersion" => "The revision to read at, or to watch from.",
        "resourceVersionMatch" => "How resourceVersion is meant: NotOlderThan or Exact.",
        "sendInitialEvents" => "Begin a watch with the objects that exist.",
        "allowWatchBookmarks" => "Send bookmarks in a watch.",
        "timeoutSeconds" => "How long a watch lasts.",
        "watch" => "Stream changes instead of answering with a list.",
        "gracePeriodSeconds" => "Seconds before the object is deleted; zero deletes at once.",
        "propagationPolicy" => "What happens to dependents: Orphan, Background or Foreground.",
        "orphanDependents" => "Deprecated: use propagationPolicy.",
        _ => "",
    }
}

/// A path item in the dialect of OpenAPI 2.
pub(super) fn to_v2(item: Value) -> Value {
    let parameter = |parameter: Value| {
        let Value::Object(mut fields) = parameter else { return parameter };
        if let Some(Value::Object(schema)) = fields.remove("schema") {
            fields.extend(schema);
        }
        Value::Object(fields)
    };
    let parameters = |value: Value| -> Value {
        match value {
            Value::Array(items) => items.into_iter().map(parameter).collect(),
            other => other,
        }
    };
    let Value::Object(operations) = item else { return item };
    let convert = |(key, value): (String, Value)| {
        if key == "parameters" {
            return (key, parameters(value));
        }
        let Value::Object(mut operation) = value else { return (key, value) };
        let given = operation.remove("parameters").map(parameters).unwrap_or_else(|| json!([]));
        let mut given = given.as_array().cloned().unwrap_or_default();
        if let Some(body) = operation.remove("requestBody") {
            let schema = body.pointer("/content/application~1json/schema").cloned();
            let schema = super::schemas::to_v2(schema.unwrap_or_else(|| json!({"type": "object"})));
            given.push(json!({"name": "body", "in": "body", "required": true, "schema": schema}));
        }
        let schema =
            operation.get("responses").and_then(|r| r.pointer("/200/content/application~1json/schema"));
        let mut answer = json!({"description": "OK"});
        if let Some(schema) = schema {
            answer["schema"] = super::schemas::to_v2(schema.clone());
        }
        operation.insert("responses".to_owned(), json!({"200": answer}));
        operation.insert("parameters".to_owned(), given.into());
        (key, Value::Object(operation))
    };
    Value::Object(operations.into_iter().map(convert).collect())
}
