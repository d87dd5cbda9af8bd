//! What schemas do to objects, on a small custom kind and on Kubernetes' own Pod.

use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::Structural;

fn compile(schema: Value) -> Structural {
    Structural::compile(&schema).expect("test schema compiles")
}

pub(crate) fn pods() -> Structural {
    static PODS: LazyLock<Structural> =
        LazyLock::new(|| compile(schemars::schema_for!(k8s_openapi::api::core::v1::Pod).to_value()));
    PODS.clone()
}

fn tasks() -> Structural {
    compile(json!({
        "type": "object",
        "$defs": {
            "Step": {
                "type": "object",
                "required": ["name"],
                "properties": {
                    "name": {"type": "string", "pattern": "^[a-z]+$"},
                    "retries": {"type": ["integer", "null"], "format": "int32", "minimum": 0, "default": 1},
                    "onError": {"oneOf": [{"const": "stop", "type": "string"}, {"const": "go", "type": "string"}]},
                    "value": {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]},
                    "inner": {"anyOf": [{"$ref": "#/$defs/Step"}, {"type": "null"}]},
                },
            },
        },
        "properties": {
            "metadata": {"type": "object"},
            "spec": {
                "type": "object",
                "properties": {
                    "steps": {
                        "type": "array", "items": {"$ref": "#/$defs/Step"}, "maxItems": 3,
                        "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
                    },
                    "port": {"x-kubernetes-int-or-string": true},
                    "labels": {"type": "object", "additionalProperties": {"type": "string"}},
                    "open": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
                    "any": true,
                },
            },
        },
    }))
}

fn wrong(schema: &Structural, object: &Value) -> Vec<String> {
    schema.validate(object).iter().map(ToString::to_string).collect()
}

#[test]
fn unknown_fields_are_removed_and_named_by_path() {
    let mut object = json!({
        "apiVersion": "v1", "kind": "T", "extra": 1,
        "metadata": {"name": "a", "labels": {"x": "y"}, "nmae": "b"},
        "spec": {
            "steps": [{"name": "a", "x": 1, "inner": {"name": "b", "y": 2}}],
            "open": {"z": {"q": 1}}, "labels": {"k": "v"}, "any": {"w": [{"v": 1}]},
        },
    });
    let unknown = tasks().prune(&mut object);
    assert_eq!(unknown, ["extra", "metadata.nmae", "spec.steps[0].inner.y", "spec.steps[0].x"]);
    assert_eq!(object["spec"]["open"], json!({"z": {"q": 1}}));
    assert_eq!(object["spec"]["any"], json!({"w": [{"v": 1}]}));
    assert!(tasks().prune(&mut object).is_empty());
}

#[test]
fn where_any_case_will_do_fields_get_the_case_of_the_schema_and_the_right_spelling_wins() {
    let object = json!({
        "metadata": {"Name": "a"},
        "Spec": {
            "steps": [{"Name": "a", "INNER": {"nAme": "b", "y": 2}}, {"name": "b", "NAME": "c"}],
            "Labels": {"K": "v"}, "open": {"Steps": 1},
        },
    });
    let (mut strict, mut any) = (object.clone(), object);
    assert_eq!(tasks().prune(&mut strict), ["Spec", "metadata.Name"]);
    assert_eq!(
        tasks().in_any_case().prune(&mut any),
        ["metadata.Name", "spec.steps[0].inner.y", "spec.steps[1].NAME"]
    );
    assert_eq!(
        any,
        json!({"metadata": {}, "spec": {
            "steps": [{"name": "a", "inner": {"name": "b"}}, {"name": "b"}],
            "labels": {"K": "v"}, "open": {"Steps": 1},
        }})
    );
}

#[test]
fn defaults_fill_absent_fields_and_nulls_are_dropped_unless_admitted() {
    let mut object = json!({"metadata": {"creationTimestamp": null, "name": null}, "spec": {"labels": null,
        "steps": [{"name": "a"}, {"name": "b", "retries": null, "inner": {"name": "c"}}]}});
    tasks().default(&mut object);
    assert_eq!(
        object,
        json!({"metadata": {"creationTimestamp": null}, "spec": {"steps": [
            {"name": "a", "retries": 1}, {"name": "b", "retries": null, "inner": {"name": "c", "retries": 1}}]}})
    );
}

#[test]
fn what_is_wrong_is_worded_as_in_kubernetes() {
    for (spec, text) in [
        (
            json!({"steps": "x"}),
            "spec.steps: Invalid value: \"string\": spec.steps in body must be of type array: \"string\"",
        ),
        (json!({"steps": [{}]}), "spec.steps[0].name: Required value"),
        (
            json!({"steps": [{"name": "A"}]}),
            "spec.steps[0].name: Invalid value: \"A\": spec.steps[0].name in body should match '^[a-z]+$'",
        ),
        (
            json!({"steps": [{"name": "a", "retries": -1}]}),
            "spec.steps[0].retries: Invalid value: -1: spec.steps[0].retries in body should be greater than or equal to 0",
        ),
        (
            json!({"steps": [{"name": "a", "retries": 1.5}]}),
            "spec.steps[0].retries: Invalid value: \"number\": spec.steps[0].retries in body must be of type integer: \
             \"number\"",
        ),
        (
            json!({"steps": [{"name": "a", "onError": "x"}]}),
            "spec.steps[0].onError: Unsupported value: \"x\": supported values: \"stop\", \"go\"",
        ),
        (
            json!({"steps": [{"name": "a", "value": [1]}]}),
            "spec.steps[0].value[0]: Invalid value: \"integer\": spec.steps[0].value[0] in body must be of type string: \
             \"integer\"",
        ),
        (
            json!({"steps": [{"name": "a"}, {"name": "b"}, {"name": "a"}]}),
            "spec.steps[2]: Duplicate value: {\"name\":\"a\"}",
        ),
        (
            json!({"steps": [{"name": "a"}, {"name": "b"}, {"name": "c"}, {"name": "d"}]}),
            "spec.steps: Too many: 4: must have at most 3 items",
        ),
        (
            json!({"port": true}),
            "spec.port: Invalid value: \"boolean\": spec.port in body must be of type integer,string: \"boolean\"",
        ),
        (
            json!({"labels": {"a": 1}}),
            "spec.labels.a: Invalid value: \"integer\": spec.labels.a in body must be of type string: \"integer\"",
        ),
    ] {
        assert_eq!(wrong(&tasks(), &json!({"spec": spec})), [text]);
    }
    let fine = json!({"spec": {"port": "http", "steps": [{"name": "a", "value": ["x"], "retries": null}]}});
    assert!(wrong(&tasks(), &fine).is_empty());
}

#[test]
fn a_pod_is_known_down_to_its_leaves() {
    let schema = pods();
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "creationTimestamp": null},
        "spec": {
            "containers": [{
                "name": "c", "image": "i", "imagee": "j", "ports": [{"containerPort": 80}],
                "resources": {"limits": {"cpu": 0.5, "memory": "1Gi"}},
                "readinessProbe": {"httpGet": {"port": "web", "path": "/"}},
            }],
            "volumes": [{"name": "v", "emptyDir": {}}, {"name": "w", "emptyDirr": {}}],
        },
    });
    assert_eq!(schema.prune(&mut pod), ["spec.containers[0].imagee", "spec.volumes[1].emptyDirr"]);
    schema.default(&mut pod);
    assert_eq!(pod["spec"]["containers"][0]["ports"][0]["protocol"], "TCP");
    assert_eq!(pod["spec"]["containers"][0]["resources"]["limits"]["cpu"], "0.5");
    assert_eq!(wrong(&schema, &pod), Vec::<String>::new());
    pod["spec"]["containers"][0]["resources"]["limits"]["memory"] = json!("lots");
    pod["spec"]["activeDeadlineSeconds"] = json!("10");
    assert_eq!(
        wrong(&schema, &pod),
        [
            "spec.activeDeadlineSeconds: Invalid value: \"string\": spec.activeDeadlineSeconds in body must be of type \
             integer: \"string\"",
            "spec.containers[0].resources.limits.memory: Invalid value: \"lots\": quantities must match the regular \
             expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
        ]
    );
}

#[test]
fn the_schema_of_a_custom_resource_definition_is_read_as_it_is_written() {
    let schema = compile(json!({
        "type": "object",
        "properties": {
            "metadata": {"type": "object", "properties": {"name": {"type": "string", "maxLength": 3}}},
            "spec": {
                "type": "object",
                "properties": {
                    "size": {"type": "integer", "nullable": true, "default": 3, "exclusiveMinimum": true, "minimum": 0},
                    "template": {"type": "object", "x-kubernetes-embedded-resource": true,
                        "x-kubernetes-preserve-unknown-fields": true},
                    "mode": {"type": "string", "enum": ["a", "b"]},
                    "empty": {"type": "object"},
                    "choice": {"type": "object", "properties": {"x": {"type": "string"}, "y": {"type": "string"}},
                        "oneOf": [{"required": ["x"]}, {"required": ["y"]}]},
                },
            },
        },
    }));
    let mut object = json!({
        "metadata": {"name": "long", "uid": "u"},
        "spec": {"size": 0, "mode": "c", "empty": {"gone": 1}, "choice": {"x": "1", "y": "2"},
            "template": {"kind": "K", "metadata": {"labels": {"a": "b"}, "gone": 1}, "kept": 1}},
    });
    assert_eq!(schema.prune(&mut object), ["spec.empty.gone", "spec.template.metadata.gone"]);
    assert_eq!(object["spec"]["template"]["kept"], 1);
    assert_eq!(
        wrong(&schema, &object),
        [
            "metadata.name: Too long: may not be more than 3 bytes",
            "spec.choice: Invalid value: \"\": spec.choice in body must validate one and only one schema (oneOf)",
            "spec.mode: Unsupported value: \"c\": supported values: \"a\", \"b\"",
            "spec.size: Invalid value: 0: spec.size in body should be greater than 0",
        ]
    );
}

#[test]
fn a_reference_to_nothing_does_not_compile() {
    let error = Structural::compile(&json!({"properties": {"spec": {"$ref": "#/$defs/No"}}})).unwrap_err();
    assert_eq!(error.to_string(), ".spec: could not find the definition that \"#/$defs/No\" refers to");
}

fn any_json() -> impl Strategy<Value = Value> {
    let keys = "(spec|steps|name|retries|inner|value|labels|open|metadata|x)";
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3i64..3).prop_map(Value::from),
        "[a-c]{0,2}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(keys, inner, 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn pruning_and_defaulting_twice_is_doing_it_once(mut object in any_json()) {
        let schema = tasks();
        schema.prune(&mut object);
        let once = object.clone();
        prop_assert!(schema.prune(&mut object).is_empty());
        prop_assert_eq!(&object, &once);
        schema.default(&mut object);
        let once = object.clone();
        schema.default(&mut object);
        prop_assert_eq!(&object, &once);
        let _ = schema.validate(&object);
    }
}
