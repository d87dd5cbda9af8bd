//! Bodies in protobuf, as typed clients write them: create, update, delete; and where they are refused.

use serde_json::json;

use crate::world::World;

const HEADER: &str = "content-type: application/vnd.kubernetes.protobuf";
const MAPS: &str = "/clusters/root/api/v1/namespaces/default/configmaps";
const PODS: &str = "/clusters/root/api/v1/namespaces/default/pods";

/// A field of a message: short text, or a message of such fields.
fn field(number: u8, value: &str) -> String {
    let length = u8::try_from(value.len()).ok().filter(u8::is_ascii).expect("short");
    format!("{}{}{value}", char::from(number << 3 | 2), char::from(length))
}

fn body(api_version: &str, kind: &str, message: &str) -> String {
    let names = field(1, &(field(1, api_version) + &field(2, kind)));
    format!("k8s\0{names}{}", field(2, message))
}

fn map(name: &str, value: &str) -> String {
    let metadata = field(1, &field(1, name));
    body("v1", "ConfigMap", &format!("{metadata}{}", field(2, &(field(1, "k") + &field(2, value)))))
}

#[tokio::test]
async fn an_object_is_made_and_changed_as_if_it_were_written_in_json() {
    let world = World::new();
    let (code, made) = world.call_with("POST", MAPS, HEADER, &map("a", "1")).await;
    assert_eq!((code, &made["data"]), (201, &json!({"k": "1"})), "{made}");
    let path = format!("{MAPS}/a");
    let (code, changed) = world.call_with("PUT", &path, HEADER, &map("a", "2")).await;
    assert_eq!(
        (code, &changed["data"], &changed["metadata"]["uid"]),
        (200, &json!({"k": "2"}), &made["metadata"]["uid"])
    );
    let container = [field(1, "c"), field(2, "busybox"), field(3, "sh"), field(8, "")].concat();
    let pod = body("v1", "Pod", &(field(1, &field(1, "p")) + &field(2, &field(2, &container))));
    let (code, pod) = world.call_with("POST", PODS, HEADER, &pod).await;
    let container = &pod["spec"]["containers"][0];
    assert_eq!(
        (code, &container["command"], &container["image"]),
        (201, &json!(["sh"]), &json!("busybox")),
        "{pod}"
    );
}

#[tokio::test]
async fn options_of_a_deletion_hold_in_protobuf() {
    let world = World::new();
    world.call_with("POST", MAPS, HEADER, &map("a", "1")).await;
    let path = format!("{MAPS}/a");
    let options = |uid: &str| body("v1", "DeleteOptions", &field(2, &field(1, uid)));
    let line = world.line("DELETE", &path, HEADER, &options("other")).await;
    assert!(line.starts_with("409 Conflict"), "{line}");
    let dry = body("v1", "DeleteOptions", &field(5, "All"));
    assert_eq!(world.line("DELETE", MAPS, HEADER, &dry).await, "200 ConfigMapList");
    let (_, map) = world.call("GET", &path, "").await;
    let uid = map["metadata"]["uid"].as_str().expect("still there");
    assert_eq!(world.line("DELETE", &path, HEADER, &options(uid)).await, "200 Status");
}

#[tokio::test]
async fn what_has_no_protobuf_form_is_refused() {
    let world = World::new();
    let tasks = "/clusters/root/apis/tekton.dev/v1/namespaces/default/tasks";
    for (path, body, expected) in [
        (tasks, body("tekton.dev/v1", "Task", ""), "415 UnsupportedMediaType the body of the request was in"),
        (
            MAPS,
            "{}".to_owned(),
            "400 BadRequest the object provided is unrecognized: the body does not begin",
        ),
        (
            MAPS,
            body("v1", "Node", ""),
            "400 BadRequest the object provided is unrecognized: no kind \"Node\" is registered for version \"v1\"",
        ),
        (
            MAPS,
            body("v1", "Secret", ""),
            "400 BadRequest Secret in version \"v1\" cannot be handled as a ConfigMap",
        ),
        (
            MAPS,
            body("v1", "ConfigMap", "\n\x05"),
            "400 BadRequest the object provided is unrecognized: could not read the protobuf ConfigMap: it ends",
        ),
    ] {
        let line = world.line("POST", path, HEADER, &body).await;
        assert!(line.starts_with(expected), "{line}");
    }
}
