//! The schema of `metadata`, for schemas that leave it out, as those of custom resources do.
//! Source: `k8s.io/apimachinery` `meta/v1.ObjectMeta`.

use serde_json::{Value, json};

pub(crate) fn schema() -> Value {
    let text = || json!({"type": "string"});
    let flag = || json!({"type": "boolean"});
    let time = || json!({"type": "string", "format": "date-time", "nullable": true});
    let texts = || json!({"type": "object", "additionalProperties": {"type": "string"}});
    let number = || json!({"type": "integer", "format": "int64"});
    json!({
        "type": "object",
        "properties": {
            "name": text(), "generateName": text(), "namespace": text(), "selfLink": text(), "uid": text(),
            "resourceVersion": text(), "generation": number(), "creationTimestamp": time(),
            "deletionTimestamp": time(), "deletionGracePeriodSeconds": number(), "labels": texts(),
            "annotations": texts(),
            "finalizers": {
                "type": "array", "items": text(), "x-kubernetes-list-type": "set",
                "x-kubernetes-patch-strategy": "merge",
            },
            "ownerReferences": {
                "type": "array",
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["uid"],
                "x-kubernetes-patch-strategy": "merge",
                "x-kubernetes-patch-merge-key": "uid",
                "items": {
                    "type": "object",
                    "x-kubernetes-map-type": "atomic",
                    "required": ["apiVersion", "kind", "name", "uid"],
                    "properties": {
                        "apiVersion": text(), "kind": text(), "name": text(), "uid": text(),
                        "controller": flag(), "blockOwnerDeletion": flag(),
                    },
                },
            },
            "managedFields": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "manager": text(), "operation": text(), "apiVersion": text(), "time": time(),
                        "fieldsType": text(), "subresource": text(),
                        "fieldsV1": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
                    },
                },
            },
        },
    })
}
