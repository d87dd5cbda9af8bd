//! Bodies that kubectl wrote, bodies that only other clients may write, and bodies that nobody should.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::encoder::{bytes, integer};
use crate::protobuf::decode;

fn written(base64: &str) -> Value {
    decode(&STANDARD.decode(base64).expect("base64")).expect("decodes").value
}

#[test]
fn bodies_of_kubectl_are_the_objects_they_are_in_json() {
    for (body, expected) in [
        (
            "azhzAAoPCgJ2MRIJTmFtZXNwYWNlEhwKFAoEZGVtbxIAGgAiACoAMgA4AEIAEgAaAgoAGgAiAA==",
            json!({
                "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "demo"}, "spec": {}, "status": {},
            }),
        ),
        (
            "azhzAAoPCgJ2MRIJQ29uZmlnTWFwEiYKFwoHY29sb3VycxIAGgAiACoAMgA4AEIAEgsKA3NreRIEYmx1ZRoAIgA=",
            json!({
                "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "colours"}, "data": {"sky": "blue"},
            }),
        ),
        (
            "azhzAAoMCgJ2MRIGU2VjcmV0Ei0KFAoEa2V5cxIAGgAiACoAMgA4AEIAEhMKCHBhc3N3b3JkEgdodW50ZXIyGgAaACIA",
            json!({
                "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys"},
                "data": {"password": "aHVudGVyMg=="},
            }),
        ),
        (
            "azhzAAoUCgJ2MRIOU2VydmljZUFjY291bnQSFwoVCgVyb2JvdBIAGgAiACoAMgA4AEIAGgAiAA==",
            json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "robot"}}),
        ),
    ] {
        assert_eq!(written(body), expected);
    }
}

/// A body whose object is `message`.
fn body(api_version: &str, kind: &str, message: &[u8]) -> Vec<u8> {
    enveloped(api_version, kind, |envelope| bytes(envelope, 2, message))
}

fn enveloped(api_version: &str, kind: &str, fill: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut names = Vec::new();
    bytes(&mut names, 1, api_version.as_bytes());
    bytes(&mut names, 2, kind.as_bytes());
    let mut envelope = Vec::new();
    bytes(&mut envelope, 1, &names);
    fill(&mut envelope);
    [b"k8s\0", envelope.as_slice()].concat()
}

/// A message of one field that is bytes.
fn one(number: u32, value: &[u8]) -> Vec<u8> {
    let mut message = Vec::new();
    bytes(&mut message, number, value);
    message
}

#[test]
fn what_comes_twice_is_merged_and_what_is_unknown_is_skipped() {
    // ConfigMap: metadata twice (name, then labels and another name), an unknown field of each wire type.
    let labels = [one(1, b"old"), one(11, &[one(1, b"a"), one(2, b"b")].concat())].concat();
    let unknown =
        [[0x98, 0x7d, 5].as_slice(), &[0x99, 0x7d, 0, 0, 0, 0, 0, 0, 0, 0], &[0x9d, 0x7d, 0, 0, 0, 0]];
    let message = [one(1, &labels), unknown.concat(), one(2_000, b"x"), one(1, &one(1, b"new"))].concat();
    let expected = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "new", "labels": {"a": "b"}},
    });
    assert_eq!(decode(&body("v1", "ConfigMap", &message)).map(|decoded| decoded.value), Ok(expected));
}

#[test]
fn map_entries_may_lack_a_key_or_a_value_and_numbers_may_be_packed() {
    let map = one(2, &one(1, b"only-key"));
    let expected = json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"only-key": ""}});
    assert_eq!(decode(&body("v1", "ConfigMap", &map)).map(|decoded| decoded.value), Ok(expected));
    // Pod.spec.securityContext.supplementalGroups.
    let pod = one(2, &one(14, &one(4, &[1, 0xac, 2])));
    let expected = json!({
        "apiVersion": "v1", "kind": "Pod", "spec": {"securityContext": {"supplementalGroups": [1, 300]}},
    });
    assert_eq!(decode(&body("v1", "Pod", &pod)).map(|decoded| decoded.value), Ok(expected));
}

#[test]
fn the_zero_time_is_absent_and_the_zero_of_a_pointer_is_not() {
    // metadata.creationTimestamp empty, deletionGracePeriodSeconds 0, generation 0.
    let mut metadata = one(8, b"");
    integer(&mut metadata, 10, 0);
    integer(&mut metadata, 7, 0);
    let expected = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"deletionGracePeriodSeconds": 0},
    });
    assert_eq!(decode(&body("v1", "Secret", &one(1, &metadata))).map(|decoded| decoded.value), Ok(expected));
}

#[test]
fn options_of_a_deletion_are_of_any_version() {
    let mut message = Vec::new();
    integer(&mut message, 1, 0);
    bytes(&mut message, 2, &one(1, b"u-1"));
    bytes(&mut message, 4, b"Background");
    for version in ["v1", "meta.k8s.io/v1", "coordination.k8s.io/v1"] {
        let expected = json!({
            "apiVersion": version, "kind": "DeleteOptions", "gracePeriodSeconds": 0,
            "preconditions": {"uid": "u-1"}, "propagationPolicy": "Background",
        });
        let decoded = decode(&body(version, "DeleteOptions", &message));
        assert_eq!(decoded.map(|decoded| decoded.value), Ok(expected));
    }
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let pod = |container: &[u8]| body("v1", "Pod", &one(2, &[one(2, b""), one(2, container)].concat()));
    let mut late = Vec::new();
    integer(&mut late, 1, i64::MAX);
    for (body, expected) in [
        (b"".to_vec(), "the body does not begin with the bytes of Kubernetes' protobuf form"),
        (
            b"{\"kind\":\"Pod\"}".to_vec(),
            "the body does not begin with the bytes of Kubernetes' protobuf form",
        ),
        (b"k8s\0".to_vec(), "no kind \"\" is registered for version \"\" in protobuf"),
        (
            b"k8s\0\x0a\x7f".to_vec(),
            "could not read the envelope of the protobuf body: it ends within a field",
        ),
        (body("v1", "Node", b""), "no kind \"Node\" is registered for version \"v1\" in protobuf"),
        (body("v1", "Pod", b"\x0a\x05"), "could not read the protobuf Pod: it ends within a field"),
        (body("v1", "Pod", b"\x0a"), "could not read the protobuf Pod: it ends within a number"),
        (body("v1", "Pod", &[0xff; 11]), "could not read the protobuf Pod: a number has more than 64 bits"),
        (body("v1", "Pod", b"\x02\x00"), "could not read the protobuf Pod: a field has an impossible number"),
        (
            body("v1", "Pod", b"\x0b"),
            "could not read the protobuf Pod: field number 1 has the unknown wire type 3",
        ),
        (
            body("v1", "Pod", b"\x08\x01"),
            "could not read field metadata of the protobuf Pod: it is written as a number",
        ),
        (
            pod(&one(1, b"\xff")),
            "could not read field spec.containers[1].name of the protobuf Pod: it is no UTF-8 text",
        ),
        (
            pod(&one(16, b"x")),
            "could not read field spec.containers[1].stdin of the protobuf Pod: it is not written as a number",
        ),
        (
            body("v1", "Pod", &one(1, &one(8, &late))),
            "could not read field metadata.creationTimestamp of the protobuf Pod: its time is out of range \
             (9223372036854775807 s, 0 ns)",
        ),
        (
            body("v1", "Pod", &one(1, &one(17, &one(7, &one(1, b"{"))))),
            "could not read field metadata.managedFields[0].fieldsV1 of the protobuf Pod: its JSON is wrong: \
             unexpected end of JSON input",
        ),
        (
            enveloped("v1", "Pod", |envelope| bytes(envelope, 3, b"gzip")),
            "the protobuf body has an unknown content encoding: \"gzip\"",
        ),
        (
            enveloped("v1", "Pod", |envelope| bytes(envelope, 4, b"application/json")),
            "the protobuf body holds an unknown content type: \"application/json\"",
        ),
    ] {
        assert_eq!(decode(&body).expect_err(expected).message, expected);
    }
}
