//! The core against everything that is really served: every schema of the table of resources.

use api::table::Resource;
use machinery::decode;
use machinery::discovery::Served;
use machinery::openapi;
use machinery::schema::Structural;
use serde_json::Value;

fn rows() -> Vec<&'static Resource> {
    api::resources().iter().collect()
}

fn schema(group: &str, plural: &str, version: &str) -> Structural {
    let row = rows().into_iter().find(|row| row.group == group && row.plural == plural).expect("served");
    let version = row.versions.iter().find(|served| served.name == version).expect("served");
    Structural::compile(&(version.schema)()).expect("compiles")
}

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

#[test]
fn every_schema_compiles_and_keeps_an_empty_object_as_it_is() {
    for row in rows() {
        for version in row.versions {
            let schema = Structural::compile(&(version.schema)())
                .unwrap_or_else(|error| panic!("{} {}: {error}", row.plural, version.name));
            let mut object =
                serde_json::json!({"apiVersion": "v", "kind": row.kind, "metadata": {"name": "a"}});
            let before = object.clone();
            assert!(schema.prune(&mut object).is_empty(), "{} {}", row.plural, version.name);
            assert_eq!(object, before);
        }
    }
}

#[test]
fn openapi_documents_are_whole() {
    let rows = rows();
    let served = Served { resources: &rows, subresources: &[] };
    for (group, version) in served.group_versions() {
        let document = openapi::document(&served, &group, &version).expect("served");
        let mut found = Vec::new();
        references(&document, &mut found);
        for reference in found {
            let name = reference.strip_prefix("#/components/schemas/").unwrap_or(&reference);
            assert!(document["components"]["schemas"][name].is_object(), "{group}/{version}: {reference}");
        }
        let text = document.to_string();
        for word in ["$defs", "\"null\"", "\"const\""] {
            assert!(!text.contains(word), "{group}/{version} says {word}");
        }
    }
}

#[test]
fn a_pipeline_run_of_every_feature_is_known_to_the_schema() {
    let text = "
apiVersion: tekton.dev/v1
kind: PipelineRun
metadata: {generateName: run-}
spec:
  params: [{name: a, value: x}, {name: b, value: [x, y]}, {name: c, value: {k: v}}]
  timeouts: {pipeline: 1h0m0s, tasks: 30m}
  taskRunTemplate: {serviceAccountName: sa, podTemplate: {securityContext: {runAsUser: 1}}}
  workspaces:
  - name: w
    volumeClaimTemplate:
      spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
  pipelineSpec:
    params: [{name: a, type: string, default: z}]
    results: [{name: r, value: $(tasks.t.results.r)}]
    workspaces: [{name: w, optional: true}]
    tasks:
    - name: t
      retries: 2
      timeout: 5m
      when: [{input: $(params.a), operator: in, values: [x]}]
      workspaces: [{name: w, workspace: w}]
      taskSpec:
        results: [{name: r}]
        stepTemplate: {env: [{name: E, value: v}]}
        steps:
        - name: s
          image: busybox
          onError: continue
          computeResources: {limits: {cpu: 1, memory: 64Mi}}
          volumeMounts: [{name: v, mountPath: /v}]
          script: echo hi
        volumes: [{name: v, emptyDir: {}}]
    - {name: u, taskRef: {name: other, kind: Task}, runAfter: [t]}
    finally: [{name: f, taskRef: {name: other}}]
";
    let mut document = decode::yaml_documents(text).expect("YAML").remove(0);
    let schema = schema("tekton.dev", "pipelineruns", "v1");
    assert_eq!(schema.prune(&mut document.value), Vec::<String>::new());
    schema.default(&mut document.value);
    let wrong: Vec<String> = schema.validate(&document.value).iter().map(ToString::to_string).collect();
    assert_eq!(wrong, Vec::<String>::new());
    assert_eq!(document.lines["spec.pipelineSpec.tasks[0].taskSpec.steps[0].image"], 28);
    let step = document.value.pointer_mut("/spec/pipelineSpec/tasks/0/taskSpec/steps/0").expect("step");
    step["imagee"] = "x".into();
    assert_eq!(schema.prune(&mut document.value), ["spec.pipelineSpec.tasks[0].taskSpec.steps[0].imagee"]);
}

#[test]
fn lists_of_kubernetes_own_kinds_merge_by_their_keys_at_the_root_too() {
    let accounts = schema("", "serviceaccounts", "v1");
    let mut object = serde_json::json!({"kind": "ServiceAccount", "secrets": [{"name": "a"}]});
    let patch = serde_json::json!({"secrets": [{"name": "b"}], "metadata": {"labels": {"x": "y"}}});
    machinery::patch::strategic_merge(&accounts, &mut object, &patch).expect("fits");
    let names: Vec<&str> = object["secrets"]
        .as_array()
        .expect("list")
        .iter()
        .filter_map(|secret| secret["name"].as_str())
        .collect();
    assert_eq!(names, ["b", "a"]);
}
