//! OpenAPI documents: what kubectl decides on (server-side validation, patches) and explains from.
//! Built from the table of resources; callers keep the bytes and their hash.
//! Invariant: every schema of a kind names its group, version and kind; every PATCH names the four parameters that
//! kubectl looks for.
//! Start at [`document`] and [`index`].

mod paths;
mod schemas;

use serde_json::{Map, Value, json};

use crate::discovery::Served;

/// The path of a group and version in the index and in URLs: `api/v1`, `apis/tekton.dev/v1`.
#[must_use]
pub fn path(group: &str, version: &str) -> String {
    if group.is_empty() { format!("api/{version}") } else { format!("apis/{group}/{version}") }
}

/// The OpenAPI v3 document of a group and version, or nothing if it is not served.
#[must_use]
pub fn document(served: &Served<'_>, group: &str, version: &str) -> Option<Value> {
    let (mut paths, mut schemas) = (Map::new(), Map::new());
    for (resource, served_version) in served.of_version(group, version) {
        let kind = paths::Kind { resource, version, name: schemas::name(resource, version) };
        schemas::add(&mut schemas, resource, version, (served_version.schema)());
        paths::add(&mut paths, &kind, &served.subresources_of(resource));
    }
    if paths.is_empty() {
        return None;
    }
    Some(json!({
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": "unversioned"},
        "paths": paths,
        "components": {"schemas": schemas},
    }))
}

/// The index `/openapi/v3`: `documents` are pairs of [`path`] and hash of the document; `prefix` is the part of
/// the URL before `/openapi`, such as `/clusters/root`.
#[must_use]
pub fn index(prefix: &str, documents: &[(String, String)]) -> Value {
    let entry = |(path, hash): &(String, String)| {
        let url = format!("{prefix}/openapi/v3/{path}?hash={hash}");
        (path.clone(), json!({"serverRelativeURL": url}))
    };
    json!({"paths": documents.iter().map(entry).collect::<Map<_, _>>()})
}

/// A reduced OpenAPI v2 document of everything served: definitions and operations, with less said about each.
#[must_use]
pub fn v2(served: &Served<'_>) -> Value {
    let (mut paths, mut definitions) = (Map::new(), Map::new());
    for (group, version) in served.group_versions() {
        let Some(document) = document(served, &group, &version) else { continue };
        let part =
            |pointer: &str| document.pointer(pointer).and_then(Value::as_object).cloned().unwrap_or_default();
        paths.extend(part("/paths").into_iter().map(|(path, item)| (path, paths::to_v2(item))));
        let schemas = part("/components/schemas").into_iter();
        definitions.extend(schemas.map(|(name, schema)| (name, schemas::to_v2(schema))));
    }
    json!({
        "swagger": "2.0",
        "info": {"title": "Kubernetes", "version": "unversioned"},
        "paths": paths,
        "definitions": definitions,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::discovery::tests::with_served;

    #[test]
    fn kubectl_finds_what_it_decides_on() {
        with_served(|served| {
            let document = document(served, "", "v1").unwrap();
            let patch = &document["paths"]["/api/v1/namespaces/{namespace}/pods/{name}"]["patch"];
            let pod = json!({"group": "", "version": "v1", "kind": "Pod"});
            assert_eq!(patch["x-kubernetes-group-version-kind"], pod);
            assert_eq!(patch["x-kubernetes-action"], "patch");
            let names: Vec<&str> =
                patch["parameters"].as_array().unwrap().iter().filter_map(|p| p["name"].as_str()).collect();
            assert_eq!(names, ["dryRun", "fieldManager", "fieldValidation", "force"]);
            assert!(patch["requestBody"]["content"]["application/strategic-merge-patch+json"].is_object());
            let schemas = &document["components"]["schemas"];
            assert_eq!(schemas["io.k8s.api.core.v1.Pod"]["x-kubernetes-group-version-kind"], json!([pod]));
            let containers = &schemas["io.k8s.api.core.v1.PodSpec"]["properties"]["containers"];
            assert_eq!(containers["x-kubernetes-patch-merge-key"], "name");
            assert_eq!(containers["x-kubernetes-list-type"], "map");
            assert_eq!(containers["items"]["$ref"], "#/components/schemas/io.k8s.api.core.v1.Container");
            let spec = &schemas["io.k8s.api.core.v1.Pod"]["properties"]["spec"];
            assert_eq!(spec["allOf"], json!([{"$ref": "#/components/schemas/io.k8s.api.core.v1.PodSpec"}]));
            assert!(spec["description"].is_string());
        });
    }

    #[test]
    fn custom_kinds_are_named_after_their_group_and_keep_no_json_schema_of_2020() {
        with_served(|served| {
            let document = document(served, "tekton.dev", "v1").unwrap();
            let text = document.to_string();
            for word in ["$defs", "\"null\"", "strategic-merge-patch"] {
                assert!(!text.contains(word), "{word}");
            }
            let spec = &document["components"]["schemas"]["dev.tekton.v1.TaskSpec"]["properties"];
            assert_eq!(spec["retries"], json!({"type": "integer", "nullable": true, "format": "int32"}));
            assert_eq!(
                spec["next"],
                json!({"allOf": [{"$ref": "#/components/schemas/dev.tekton.v1.TaskSpec"}], "nullable": true})
            );
            assert_eq!(spec["any"], json!({"x-kubernetes-preserve-unknown-fields": true}));
            assert!(document["paths"]["/apis/tekton.dev/v1/tasks"]["get"].is_object());
            assert!(
                document["paths"]
                    .get("/apis/tekton.dev/v1/namespaces/{namespace}/tasks/{name}/status")
                    .is_none()
            );
        });
    }

    #[test]
    fn no_reference_points_nowhere() {
        fn references(value: &Value, found: &mut Vec<String>) {
            match value {
                Value::Object(fields) => {
                    found.extend(fields.get("$ref").and_then(Value::as_str).map(str::to_owned));
                    fields.values().for_each(|value| references(value, found));
                }
                Value::Array(items) => items.iter().for_each(|item| references(item, found)),
                _ => {}
            }
        }
        with_served(|served| {
            for (group, version) in served.group_versions() {
                let document = document(served, &group, &version).unwrap();
                let mut found = Vec::new();
                references(&document, &mut found);
                for reference in found {
                    let name = reference.strip_prefix("#/components/schemas/").unwrap_or_default();
                    assert!(document["components"]["schemas"][name].is_object(), "{reference}");
                }
            }
            let v2 = v2(served);
            let mut found = Vec::new();
            references(&v2, &mut found);
            for reference in found {
                let name = reference.strip_prefix("#/definitions/").unwrap_or_default();
                assert!(v2["definitions"][name].is_object(), "{reference}");
            }
        });
    }

    #[test]
    fn the_index_carries_the_prefix_of_the_workspace() {
        let index = index("/clusters/root:a", &[("apis/tekton.dev/v1".to_owned(), "H".to_owned())]);
        assert_eq!(
            index["paths"]["apis/tekton.dev/v1"]["serverRelativeURL"],
            "/clusters/root:a/openapi/v3/apis/tekton.dev/v1?hash=H"
        );
    }
}
