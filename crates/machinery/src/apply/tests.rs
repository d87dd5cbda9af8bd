//! Server-side apply as its users see it: objects and managers before and after, as text.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::fields::Step;
use super::*;
use crate::schema::tests::pods;

fn config_maps() -> Structural {
    let schema = schemars::schema_for!(k8s_openapi::api::core::v1::ConfigMap).to_value();
    Structural::compile(&schema).expect("compiles")
}

fn writer<'a>(manager: &'a str, time: &'a str) -> Writer<'a> {
    Writer { manager, api_version: "v1", subresource: "", time }
}

const T1: &str = "2026-01-01T00:00:01Z";
const T2: &str = "2026-01-01T00:00:02Z";
const T3: &str = "2026-01-01T00:00:03Z";

struct World {
    schema: Structural,
    object: Option<Value>,
}

impl World {
    fn new(schema: Structural) -> Self {
        Self { schema, object: None }
    }

    fn versions(&self) -> OneVersion<'_> {
        OneVersion { api_version: "v1", schema: &self.schema }
    }

    fn apply(
        &mut self,
        manager: &str,
        time: &str,
        configuration: Value,
        force: bool,
    ) -> Result<(), ApplyError> {
        let mut configuration = configuration;
        configuration["apiVersion"] = "v1".into();
        let writer = writer(manager, time);
        let result = apply(&self.versions(), self.object.as_ref(), &configuration, &writer, force)?;
        self.object = Some(result);
        Ok(())
    }

    fn update(&mut self, manager: &str, time: &str, change: impl FnOnce(&mut Value)) {
        let mut new = self.object.clone().unwrap_or_else(|| json!({"apiVersion": "v1"}));
        change(&mut new);
        track_update(&self.versions(), self.object.as_ref(), &mut new, &writer(manager, time));
        self.object = Some(new);
    }

    /// Managers and what they own, one line each.
    fn owners(&self) -> Vec<String> {
        let entry = |entry: &Value| {
            let text = |key: &str| entry[key].as_str().unwrap_or_default().to_owned();
            let fields = Fields::from_value(&entry["fieldsV1"]).unwrap_or_default();
            let paths: Vec<String> = fields.paths().iter().map(|path| fields::display(path)).collect();
            let second = text("time").chars().rev().nth(1).unwrap_or('-');
            format!("{} {} @{second}: {}", text("manager"), text("operation"), paths.join(" "))
        };
        meta::list(self.object.as_ref().unwrap(), &["metadata", "managedFields"]).iter().map(entry).collect()
    }

    fn data(&self) -> Value {
        self.object.as_ref().unwrap()["data"].clone()
    }
}

fn data(data: Value) -> Value {
    json!({"kind": "ConfigMap", "metadata": {"name": "a"}, "data": data})
}

#[test]
fn what_is_no_longer_applied_goes_if_nobody_else_owns_it() {
    let mut world = World::new(config_maps());
    world.apply("one", T1, data(json!({"a": "1", "b": "1", "c": "1"})), false).unwrap();
    assert_eq!(world.owners(), ["one Apply @1: .data.a .data.b .data.c"]);
    world.apply("two", T2, data(json!({"b": "1"})), false).unwrap();
    world.apply("one", T3, data(json!({"c": "2"})), false).unwrap();
    assert_eq!(world.data(), json!({"b": "1", "c": "2"}));
    assert_eq!(world.owners(), ["two Apply @2: .data.b", "one Apply @3: .data.c"]);
}

#[test]
fn another_managers_field_is_a_conflict_and_force_takes_it() {
    let mut world = World::new(config_maps());
    world.update("kubectl-create", T1, |new| *new = data(json!({"key": "1", "other": "1"})));
    assert_eq!(world.owners(), ["kubectl-create Update @1: .data .data.key .data.other"]);
    let error = world.apply("kubectl", T2, data(json!({"key": "2"})), false).unwrap_err();
    let ApplyError::Conflicts { message, causes } = error else { panic!("{error}") };
    assert_eq!(message, "Apply failed with 1 conflict: conflict with \"kubectl-create\" using v1: .data.key");
    assert_eq!(causes[0].field, ".data.key");
    assert_eq!(causes[0].message, "conflict with \"kubectl-create\" using v1");
    let error = world.apply("kubectl", T2, data(json!({"key": "2", "other": "2"})), false).unwrap_err();
    assert_eq!(
        error.to_string(),
        "Apply failed with 2 conflicts: conflicts with \"kubectl-create\" using v1:\n- .data.key\n- .data.other"
    );
    world.apply("kubectl", T2, data(json!({"key": "2"})), true).unwrap();
    assert_eq!(world.data(), json!({"key": "2", "other": "1"}));
    assert_eq!(
        world.owners(),
        ["kubectl Apply @2: .data.key", "kubectl-create Update @1: .data .data.other"]
    );
}

#[test]
fn the_same_value_is_shared_and_no_conflict() {
    let mut world = World::new(config_maps());
    world.apply("one", T1, data(json!({"a": "1"})), false).unwrap();
    world.apply("two", T2, data(json!({"a": "1"})), false).unwrap();
    assert_eq!(world.owners(), ["one Apply @1: .data.a", "two Apply @2: .data.a"]);
    world.apply("one", T3, data(json!({})), false).unwrap();
    assert_eq!(world.data(), json!({"a": "1"}));
}

#[test]
fn an_update_takes_what_it_changes_and_a_no_op_keeps_its_time() {
    let mut world = World::new(config_maps());
    world.apply("one", T1, data(json!({"a": "1", "b": "1"})), false).unwrap();
    world.update("two", T2, |new| new["data"] = json!({"a": "2"}));
    assert_eq!(world.owners(), ["two Update @2: .data.a"]);
    let before = world.object.clone();
    world.update("two", T3, |_| {});
    assert_eq!(world.object, before);
    world.update("two", T3, |new| new["data"]["c"] = "3".into());
    assert_eq!(world.owners(), ["two Update @3: .data.a .data.c"]);
}

#[test]
fn applying_twice_changes_nothing_not_even_the_time() {
    let mut world = World::new(config_maps());
    world.apply("one", T1, data(json!({"a": "1"})), false).unwrap();
    let before = world.object.clone();
    world.apply("one", T2, data(json!({"a": "1"})), false).unwrap();
    assert_eq!(world.object, before);
}

#[test]
fn an_object_from_before_has_its_fields_owned_by_nobody_in_particular() {
    let mut world = World::new(config_maps());
    world.object =
        Some(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"a": "1"}}));
    let error = world.apply("one", T1, data(json!({"a": "2"})), false).unwrap_err();
    assert!(error.to_string().contains("\"before-first-apply\" using v1: .data.a"), "{error}");
    world.apply("one", T1, data(json!({"a": "1", "b": "2"})), false).unwrap();
    assert_eq!(
        world.owners(),
        ["one Apply @1: .data.a .data.b", "before-first-apply Update @1: .data .data.a"]
    );
}

#[test]
fn managed_fields_are_cleared_on_request_and_kept_otherwise() {
    let mut world = World::new(config_maps());
    world.apply("one", T1, data(json!({"a": "1"})), false).unwrap();
    world.update("two", T2, |new| {
        meta::remove(new, &["metadata", "managedFields"]);
    });
    assert_eq!(world.owners(), ["one Apply @1: .data.a"]);
    world.update("two", T2, |new| new["metadata"]["managedFields"] = json!([{}]));
    assert!(world.owners().is_empty());
    world.update("two", T2, |new| new["data"]["x"] = "1".into());
    assert!(world.owners().is_empty());
}

fn pod(spec: Value) -> Value {
    json!({"kind": "Pod", "metadata": {"name": "a"}, "spec": spec})
}

#[test]
fn lists_merge_by_their_keys_and_items_leave_with_their_owner() {
    let mut world = World::new(pods());
    let one = json!({"containers": [{"name": "a", "image": "1", "ports": [{"containerPort": 80}]}],
        "tolerations": [{"key": "x"}]});
    world.apply("one", T1, pod(one), false).unwrap();
    assert_eq!(
        world.owners(),
        ["one Apply @1: .spec.tolerations .spec.containers[name=\"a\"] .spec.containers[name=\"a\"].image \
          .spec.containers[name=\"a\"].name .spec.containers[name=\"a\"].ports[containerPort=80,protocol=\"TCP\"] \
          .spec.containers[name=\"a\"].ports[containerPort=80,protocol=\"TCP\"].containerPort"]
    );
    let two = json!({"containers": [{"name": "b", "image": "2"}, {"name": "a", "env": [{"name": "E", "value": "v"}]}]});
    world.apply("two", T2, pod(two), false).unwrap();
    let names = |world: &World| -> Vec<String> {
        let containers = &world.object.as_ref().unwrap()["spec"]["containers"];
        containers.as_array().unwrap().iter().map(|c| c["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&world), ["b", "a"]);
    world.apply("one", T3, pod(json!({"containers": [{"name": "c", "image": "3"}]})), false).unwrap();
    let spec = &world.object.as_ref().unwrap()["spec"];
    assert_eq!(spec.get("tolerations"), None);
    // The container that two still has keeps two's part and loses one's.
    let a = &spec["containers"].as_array().unwrap().iter().find(|c| c["name"] == "a").cloned().unwrap();
    assert_eq!(a, &json!({"name": "a", "env": [{"name": "E", "value": "v"}]}));
    let error = world
        .apply("one", T3, pod(json!({"containers": [{"name": "c"}, {"name": "c"}]})), false)
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "failed to create typed patch object: .spec.containers: duplicate entries for key [name=\"c\"]"
    );
}

#[test]
fn merged_lists_follow_the_configuration_and_keep_the_rest_between() {
    let schema = pods();
    let view = View { schema: &schema };
    let list = |names: &str| -> Value {
        pod(json!({"containers": names.chars().map(|c| json!({"name": c.to_string()})).collect::<Vec<_>>()}))
    };
    for (live, applied, merged) in [
        ("abc", "ca", "bca"),
        ("abcd", "ca", "bcda"),
        ("a", "b", "ab"),
        ("xy", "nx", "nxy"),
        ("abc", "", "abc"),
        ("", "ba", "ba"),
        ("abc", "cba", "cba"),
        ("axb", "bna", "xbna"),
    ] {
        let result = view.merge(&list(live), &list(applied)).unwrap();
        let names: String = result["spec"]["containers"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|c| c["name"].as_str())
            .collect();
        assert_eq!(names, merged, "{live} {applied}");
    }
}

#[test]
fn the_status_endpoint_owns_status_and_the_main_endpoint_the_rest() {
    struct Split(Structural);
    impl Versions for Split {
        fn schema(&self, _: &str) -> Option<&Structural> {
            Some(&self.0)
        }
        fn convert(&self, object: &Value, _: &str) -> Option<Value> {
            Some(object.clone())
        }
        fn ignored(&self, subresource: &str) -> &[&str] {
            if subresource == "status" { &["metadata", "spec"] } else { &["status"] }
        }
    }
    let versions = Split(pods());
    let mut configuration = pod(json!({"nodeName": "n"}));
    configuration["apiVersion"] = "v1".into();
    configuration["status"] = json!({"phase": "Running"});
    let main = apply(&versions, None, &configuration, &writer("one", T1), false).unwrap();
    assert_eq!(main["metadata"]["managedFields"][0]["fieldsV1"], json!({"f:spec": {"f:nodeName": {}}}));
    let mut object = main.clone();
    object["status"] = json!({"phase": "Failed"});
    let status = Writer { subresource: "status", ..writer("node", T2) };
    track_update(&versions, Some(&main), &mut object, &status);
    let entry = &object["metadata"]["managedFields"][1];
    assert_eq!(entry["subresource"], "status");
    assert_eq!(entry["fieldsV1"], json!({"f:status": {"f:phase": {}}}));
    let mut configuration = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}});
    configuration["status"] = json!({"phase": "Pending"});
    let other = Writer { manager: "other", ..status };
    let error = apply(&versions, Some(&object), &configuration, &other, false).unwrap_err();
    assert_eq!(
        error.to_string(),
        "Apply failed with 1 conflict: conflict with \"node\" with subresource \"status\" using v1: .status.phase"
    );
}

#[test]
fn kubectl_can_go_back_to_client_side_apply() {
    let mut world = World::new(config_maps());
    world.update("kubectl-client-side-apply", T1, |new| {
        *new = data(json!({"a": "1"}));
        meta::set_annotation(new, LAST_APPLIED, "old");
    });
    world.apply("other", T2, data(json!({"b": "1"})), false).unwrap();
    assert_eq!(meta::annotation(world.object.as_ref().unwrap(), LAST_APPLIED), Some("old"));
    world.apply("kubectl", T2, data(json!({"c": "1"})), false).unwrap();
    let kept = meta::annotation(world.object.as_ref().unwrap(), LAST_APPLIED).unwrap();
    assert_eq!(
        kept,
        "{\"apiVersion\":\"v1\",\"data\":{\"c\":\"1\"},\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"a\"}}\n"
    );
}

/// Two versions of a kind: what `v1` calls `data`, `v2` calls `values`.
struct Renamed {
    v1: Structural,
    v2: Structural,
}

impl Renamed {
    fn new() -> Self {
        let schema = |field: &str| {
            let texts = json!({"type": "object", "additionalProperties": {"type": "string"}});
            Structural::compile(&json!({"type": "object", "properties": {field: texts}})).expect("compiles")
        };
        Self { v1: schema("data"), v2: schema("values") }
    }
}

impl Versions for Renamed {
    fn schema(&self, api_version: &str) -> Option<&Structural> {
        match api_version {
            "v1" => Some(&self.v1),
            "v2" => Some(&self.v2),
            _ => None,
        }
    }

    fn convert(&self, object: &Value, api_version: &str) -> Option<Value> {
        let (from, to) = match api_version {
            "v1" => ("values", "data"),
            "v2" => ("data", "values"),
            _ => return None,
        };
        let mut object = object.clone();
        if let Some(texts) = meta::remove(&mut object, &[from]) {
            meta::set(&mut object, &[to], texts);
        }
        meta::set(&mut object, &["apiVersion"], api_version.into());
        Some(object)
    }
}

#[test]
fn managers_of_different_versions_own_the_same_fields() {
    let versions = Renamed::new();
    let configuration = |version: &str, field: &str, texts: Value| json!({"apiVersion": version, "kind": "K", "metadata": {"name": "a"}, field: texts});
    let one = writer("one", T1);
    let old = configuration("v1", "data", json!({"x": "1", "y": "1"}));
    let live = apply(&versions, None, &old, &one, false).unwrap();
    let live = versions.convert(&live, "v2").unwrap();
    let two = Writer { api_version: "v2", ..writer("two", T2) };
    let error = apply(&versions, Some(&live), &configuration("v2", "values", json!({"x": "2"})), &two, false);
    assert_eq!(
        error.unwrap_err().to_string(),
        "Apply failed with 1 conflict: conflict with \"one\": .data.x"
    );
    let live = apply(&versions, Some(&live), &configuration("v2", "values", json!({"z": "1"})), &two, false)
        .unwrap();
    let newer = Writer { api_version: "v2", ..one };
    let live =
        apply(&versions, Some(&live), &configuration("v2", "values", json!({"y": "1"})), &newer, false)
            .unwrap();
    assert_eq!(live["values"], json!({"y": "1", "z": "1"}));
    let entries = meta::list(&live, &["metadata", "managedFields"]);
    assert_eq!(entries.len(), 2);
    assert!(entries.iter().all(|entry| entry["apiVersion"] == "v2"));
}

#[test]
fn wrong_configurations_are_refused() {
    let mut world = World::new(config_maps());
    let error = world.apply("", T1, data(json!({})), false).unwrap_err().to_string();
    assert!(error.contains("fieldManager: Required value"), "{error}");
    let managed = json!({"kind": "ConfigMap", "metadata": {"name": "a", "managedFields": []}});
    let error = world.apply("one", T1, managed, false).unwrap_err().to_string();
    assert_eq!(error, "metadata.managedFields must be nil");
    let writer = Writer { api_version: "v2", ..writer("one", T1) };
    let error = apply(&world.versions(), None, &json!({"apiVersion": "v1"}), &writer, false).unwrap_err();
    assert_eq!(
        error.to_string(),
        "Incorrect version specified in apply patch. Specified patch version: v1, expected: v2"
    );
}

#[test]
fn many_updaters_become_few() {
    let mut world = World::new(config_maps());
    world.update("u00", T1, |new| *new = data(json!({"k00": "1"})));
    for n in 1..15 {
        world.update(&format!("u{n:02}"), T2, |new| new["data"][format!("k{n:02}")] = "1".into());
    }
    let owners = world.owners();
    assert_eq!(owners.len(), 10, "{owners:#?}");
    assert!(
        owners.iter().any(|line| line.starts_with("ancient-changes Update") && line.contains(".data.k00"))
    );
}

fn configurations() -> impl Strategy<Value = Value> {
    let containers =
        prop::collection::btree_map("[abc]", prop::option::of("[12]"), 0..3).prop_map(|containers| {
            let container = |(name, image): (String, Option<String>)| match image {
                Some(image) => json!({"name": name, "image": image}),
                None => json!({"name": name}),
            };
            Value::from(containers.into_iter().map(container).collect::<Vec<_>>())
        });
    let labels = prop::collection::btree_map("[xyz]", "[12]", 0..3);
    (containers, labels).prop_map(|(containers, labels)| {
        json!({"kind": "Pod", "metadata": {"name": "a", "labels": labels}, "spec": {"containers": containers}})
    })
}

proptest! {
    #[test]
    fn applying_is_idempotent_and_what_was_applied_is_there(
        steps in prop::collection::vec((0..3usize, configurations()), 1..6),
    ) {
        let mut world = World::new(pods());
        for (who, configuration) in steps {
            let manager = ["one", "two", "three"][who];
            world.apply(manager, T1, configuration.clone(), true).unwrap();
            let once = world.object.clone();
            world.apply(manager, T2, configuration.clone(), false).unwrap();
            prop_assert_eq!(&world.object, &once);
            let view = View { schema: &world.schema };
            let there = view.fields_of(world.object.as_ref().unwrap());
            let wanted = view.fields_of(&configuration);
            let missing = wanted.difference(&there);
            // An empty map or list that has items of others is no leaf.
            let empties = |path: &Vec<Step>| {
                [".metadata.labels", ".spec.containers"].contains(&fields::display(path).as_str())
            };
            prop_assert!(missing.paths().iter().all(empties), "{:?}", missing.paths());
        }
    }
}
