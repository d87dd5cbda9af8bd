//! Writes of objects: what is set, what is refused, what a conflict is.

use expect_test::expect;
use serde_json::{Value, json};

use crate::world::World;

const MAPS: &str = "/clusters/root/api/v1/namespaces/default/configmaps";

fn map(name: &str, more: Value) -> String {
    let mut object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}});
    for (key, value) in more.as_object().unwrap() {
        if key == "metadata" {
            for (key, value) in value.as_object().unwrap() {
                object["metadata"][key] = value.clone();
            }
        } else {
            object[key] = value.clone();
        }
    }
    object.to_string()
}

#[tokio::test]
async fn a_new_object_has_what_the_server_sets_and_nothing_that_it_owns_from_the_client() {
    let world = World::new();
    let body = map(
        "a",
        json!({"data": {"k": "v"}, "metadata": {"uid": "mine", "generation": 7, "selfLink": "x",
            "deletionTimestamp": "2020-01-01T00:00:00Z", "annotations": {"kcp.io/cluster": "other"}}}),
    );
    let mut made = world.made(MAPS, &body).await;
    assert!(made["metadata"]["managedFields"].is_null() || made["metadata"]["managedFields"].is_array());
    made["metadata"].as_object_mut().unwrap().remove("managedFields");
    assert_ne!(made["metadata"]["uid"], "mine");
    made["metadata"]["uid"] = "U".into();
    expect![[r#"{"apiVersion":"v1","data":{"k":"v"},"kind":"ConfigMap","metadata":{"annotations":{"kcp.io/cluster":"root"},"creationTimestamp":"2026-01-01T00:00:00Z","name":"a","namespace":"default","resourceVersion":"6","uid":"U"}}"#]].assert_eq(&made.to_string());
    let (_, got) = world.call("GET", &format!("{MAPS}/a"), "").await;
    assert_eq!(got["metadata"]["resourceVersion"], "6");
    assert_eq!(got["metadata"]["annotations"], json!({"kcp.io/cluster": "root"}));
}

#[tokio::test]
async fn creates_that_cannot_be_are_refused_in_the_words_of_kubernetes() {
    let world = World::new();
    world.made(MAPS, &map("taken", json!({}))).await;
    let strict = format!("{MAPS}?fieldValidation=Strict");
    for (path, body, expected) in [
        (MAPS, map("taken", json!({})), r#"409 AlreadyExists configmaps "taken" already exists"#),
        (
            "/clusters/root/api/v1/namespaces/nowhere/configmaps",
            map("a", json!({})),
            r#"404 NotFound namespaces "nowhere" not found"#,
        ),
        (
            MAPS,
            map("a", json!({"metadata": {"namespace": "other"}})),
            "400 BadRequest the namespace of the provided object does not match the namespace sent on the request",
        ),
        (
            MAPS,
            map("a", json!({"metadata": {"resourceVersion": "1"}})),
            "400 BadRequest resourceVersion should not be set on objects to be created",
        ),
        (
            MAPS,
            map("a", json!({"apiVersion": "v2"})),
            "400 BadRequest the API version in the data (v2) does not match the expected API version (v1)",
        ),
        (MAPS, map("a", json!({"metadata": {"name": "A_b"}})), "422 Invalid ConfigMap \"A_b\" is invalid: "),
        (MAPS, map("a", json!({"metadata": {"name": ""}})), "422 Invalid ConfigMap \"\" is invalid: "),
        (MAPS, map("a", json!({"metadata": {"name": "a\u{0}b"}})), "422 Invalid ConfigMap"),
        (
            "/clusters/root/api/v1/namespaces",
            r#"{"metadata":{"name":"a\u0000b"}}"#.to_owned(),
            "422 Invalid Namespace",
        ),
        (MAPS, map("a", json!({"data": {"k": 1}})), "422 Invalid ConfigMap \"a\" is invalid: data.k"),
        (MAPS, "{".to_owned(), "400 BadRequest"),
        (MAPS, "[]".to_owned(), "400 BadRequest"),
        (MAPS, String::new(), "400 BadRequest"),
        (MAPS, map("a", json!({"bogus": 1})), "201 ConfigMap | 299 - \"unknown field \\\"bogus\\\"\""),
        (
            strict.as_str(),
            map("b", json!({"bogus": 1})),
            "400 BadRequest ConfigMap in version \"v1\" cannot be handled as a ConfigMap: strict decoding error: \
             unknown field \"bogus\"",
        ),
    ] {
        let line = world.line("POST", path, "", &body).await;
        assert!(line.starts_with(expected), "{body}\n{line}");
    }
    let protobuf = "content-type: application/vnd.kubernetes.protobuf";
    let line = world.line("POST", MAPS, protobuf, "k8s").await;
    assert!(
        line.starts_with("400 BadRequest the object provided is unrecognized: the body does not begin"),
        "{line}"
    );
    let line = world.line("POST", MAPS, "content-type: application/cbor", "x").await;
    assert!(line.starts_with("415 UnsupportedMediaType"), "{line}");
    let huge = format!("{{\"x\":\"{}\"}}", "x".repeat(apiserver::REQUEST_BYTES_MAX));
    let line = world.line("POST", MAPS, "", &huge).await;
    assert_eq!(line, "413 RequestEntityTooLarge Request entity too large: limit is 3145728");
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let line = world.line("POST", MAPS, "", &format!("{{\"data\":{deep}}}")).await;
    assert!(line.starts_with("400 BadRequest"), "{line}");
}

#[tokio::test]
async fn generated_names_are_tried_until_one_is_free() {
    let world = World::new();
    let body = json!({"metadata": {"generateName": "run-"}}).to_string();
    let first = world.made(MAPS, &body).await;
    let second = world.made(MAPS, &body).await;
    for made in [&first, &second] {
        let name = made["metadata"]["name"].as_str().unwrap();
        assert!(name.starts_with("run-") && name.len() == 9, "{name}");
    }
}

#[tokio::test]
async fn an_update_needs_the_version_that_it_was_made_from() {
    let world = World::new();
    let mut made = world.made(MAPS, &map("a", json!({"data": {"k": "1"}}))).await;
    let path = format!("{MAPS}/a");
    let stale = made.to_string();
    made["data"]["k"] = "2".into();
    let (code, updated) = world.call("PUT", &path, &made.to_string()).await;
    assert_eq!((code, &updated["data"]["k"]), (200, &json!("2")));
    assert_ne!(updated["metadata"]["resourceVersion"], made["metadata"]["resourceVersion"]);
    assert_eq!(
        world.line("PUT", &path, "", &stale).await,
        "409 Conflict Operation cannot be fulfilled on configmaps \"a\": the object has been modified; please apply \
         your changes to the latest version and try again"
    );
    // Without a version, built-in kinds are updated whatever they are.
    assert_eq!(world.line("PUT", &path, "", &map("a", json!({"data": {"k": "3"}}))).await, "200 ConfigMap");
    assert_eq!(
        world.line("PUT", &format!("{MAPS}/b"), "", &map("b", json!({}))).await,
        "404 NotFound configmaps \"b\" not found"
    );
    let other_name = map("c", json!({}));
    assert!(
        world
            .line("PUT", &path, "", &other_name)
            .await
            .starts_with("400 BadRequest the name of the object (c)")
    );
}

#[tokio::test]
async fn a_write_that_changes_nothing_makes_no_revision() {
    let world = World::new();
    let made = world.made(MAPS, &map("a", json!({"data": {"k": "1"}}))).await;
    let path = format!("{MAPS}/a");
    let (_, put) = world.call("PUT", &path, &made.to_string()).await;
    assert_eq!(put["metadata"]["resourceVersion"], made["metadata"]["resourceVersion"]);
    let merge = "content-type: application/merge-patch+json";
    let (_, patched) = world.call_with("PATCH", &path, merge, r#"{"data":{"k":"1"}}"#).await;
    assert_eq!(patched["metadata"]["resourceVersion"], made["metadata"]["resourceVersion"]);
}

#[tokio::test]
async fn patches_of_every_kind_change_what_they_say() {
    let world = World::new();
    world.made(MAPS, &map("a", json!({"data": {"k": "1", "l": "2"}}))).await;
    let path = format!("{MAPS}/a");
    for (content_type, body, expected) in [
        ("application/merge-patch+json", r#"{"data":{"k":"3","l":null}}"#, json!({"k": "3"})),
        (
            "application/json-patch+json",
            r#"[{"op":"add","path":"/data/m","value":"4"}]"#,
            json!({"k": "3", "m": "4"}),
        ),
        ("application/strategic-merge-patch+json", r#"{"data":{"m":null}}"#, json!({"k": "3"})),
    ] {
        let (code, got) =
            world.call_with("PATCH", &path, &format!("content-type: {content_type}"), body).await;
        assert_eq!((code, &got["data"]), (200, &expected), "{content_type}: {got}");
    }
    for (content_type, body, expected) in [
        ("application/json-patch+json", r#"[{"op":"test","path":"/data/k","value":"x"}]"#, "422 Invalid"),
        ("application/json-patch+json", "{}", "400 BadRequest"),
        ("application/merge-patch+json", "[]", "400 BadRequest"),
        ("application/merge-patch+json", r#"{"metadata":{"resourceVersion":"1"}}"#, "409 Conflict"),
        ("application/merge-patch+json", r#"{"metadata":{"name":"b"}}"#, "400 BadRequest"),
        ("application/json", "{}", "415 UnsupportedMediaType"),
    ] {
        let line = world.line("PATCH", &path, &format!("content-type: {content_type}"), body).await;
        assert!(line.starts_with(expected), "{content_type} {body}: {line}");
    }
    let strategic = "content-type: application/strategic-merge-patch+json";
    let tasks = "/clusters/root/apis/tekton.dev/v1/namespaces/default/tasks/x";
    assert!(world.line("PATCH", tasks, strategic, "{}").await.starts_with("415 UnsupportedMediaType"));
}

#[tokio::test]
async fn an_object_goes_when_its_last_finalizer_does() {
    let world = World::new();
    world.made(MAPS, &map("a", json!({"metadata": {"finalizers": ["example.com/hold"]}}))).await;
    let path = format!("{MAPS}/a");
    let (code, held) = world.call("DELETE", &path, "").await;
    assert_eq!((code, &held["metadata"]["deletionTimestamp"]), (200, &json!("2026-01-01T00:00:00Z")));
    assert_eq!(held["metadata"]["deletionGracePeriodSeconds"], 0);
    let (_, again) = world.call("DELETE", &path, "").await;
    assert_eq!(again["metadata"]["resourceVersion"], held["metadata"]["resourceVersion"]);
    let merge = "content-type: application/merge-patch+json";
    let more = r#"{"metadata":{"finalizers":["example.com/hold","example.com/more"]}}"#;
    assert!(world.line("PATCH", &path, merge, more).await.starts_with("422 Invalid"));
    let (code, last) = world.call_with("PATCH", &path, merge, r#"{"metadata":{"finalizers":null}}"#).await;
    assert_eq!((code, &last["metadata"]["name"]), (200, &json!("a")));
    assert_eq!(world.line("GET", &path, "", "").await, "404 NotFound configmaps \"a\" not found");
}

#[tokio::test]
async fn a_deletion_answers_with_the_uid_and_keeps_to_its_preconditions() {
    let world = World::new();
    let made = world.made(MAPS, &map("a", json!({}))).await;
    let path = format!("{MAPS}/a");
    let wrong = r#"{"preconditions":{"uid":"other"}}"#;
    assert!(world.line("DELETE", &path, "", wrong).await.starts_with("409 Conflict"));
    let (code, tried) = world.call("DELETE", &format!("{path}?dryRun=All"), "").await;
    assert_eq!((code, &tried["status"]), (200, &json!("Success")));
    let (code, gone) = world.call("DELETE", &path, r#"{"kind":"DeleteOptions","apiVersion":"v1"}"#).await;
    assert_eq!(
        (code, &gone["status"], &gone["details"]["uid"]),
        (200, &json!("Success"), &made["metadata"]["uid"])
    );
    assert_eq!(world.line("DELETE", &path, "", "").await, "404 NotFound configmaps \"a\" not found");
}

#[tokio::test]
async fn propagation_policies_become_finalizers_for_the_garbage_collector() {
    let world = World::new();
    for (policy, finalizer) in [("Orphan", "orphan"), ("Foreground", "foregroundDeletion")] {
        world.made(MAPS, &map(&finalizer.to_lowercase(), json!({}))).await;
        let path = format!("{MAPS}/{}?propagationPolicy={policy}", finalizer.to_lowercase());
        let (_, held) = world.call("DELETE", &path, "").await;
        assert_eq!(held["metadata"]["finalizers"], json!([finalizer]), "{held}");
    }
}

#[tokio::test]
async fn a_dry_run_writes_nothing() {
    let world = World::new();
    let before = world.line("GET", MAPS, "", "").await;
    let (code, tried) = world.call("POST", &format!("{MAPS}?dryRun=All"), &map("a", json!({}))).await;
    assert_eq!((code, &tried["metadata"]["resourceVersion"]), (201, &Value::Null));
    assert_eq!(
        world.line("GET", &format!("{MAPS}/a"), "", "").await,
        "404 NotFound configmaps \"a\" not found"
    );
    assert_eq!(world.line("GET", MAPS, "", "").await, before);
    assert!(
        world.line("POST", &format!("{MAPS}?dryRun=Some"), "", &map("a", json!({}))).await.starts_with("422")
    );
}

#[tokio::test]
async fn status_and_the_rest_are_written_apart() {
    let world = World::new();
    let runs = "/clusters/root/apis/tekton.dev/v1/namespaces/default/taskruns";
    let body = json!({"metadata": {"name": "r"}, "spec": {"taskSpec": {"steps": [{"image": "x", "name": "s"}]}},
        "status": {"podName": "p"}});
    let made = world.made(runs, &body.to_string()).await;
    assert_eq!(made["metadata"]["generation"], 1);
    assert!(made["status"].get("podName").is_none(), "{made}");
    let path = format!("{runs}/r");
    let merge = "content-type: application/merge-patch+json";
    let both =
        r#"{"metadata":{"labels":{"a":"b"}},"spec":{"status":"TaskRunCancelled"},"status":{"podName":"p"}}"#;
    let (code, status) = world.call_with("PATCH", &format!("{path}/status"), merge, both).await;
    assert_eq!((code, &status["status"]["podName"]), (200, &json!("p")), "{status}");
    assert_eq!(status["metadata"]["generation"], 1);
    assert!(status["spec"].get("status").is_none());
    let (code, spec) = world.call_with("PATCH", &path, merge, both).await;
    assert_eq!((code, &spec["metadata"]["generation"]), (200, &json!(2)), "{spec}");
    assert_eq!(spec["status"]["podName"], "p");
    // Custom resources are updated only from a known version.
    let mut bare = spec.clone();
    bare["metadata"].as_object_mut().unwrap().remove("resourceVersion");
    assert!(world.line("PUT", &path, "", &bare.to_string()).await.starts_with("422 Invalid"));
}

#[tokio::test]
async fn a_pod_that_a_node_has_goes_in_two_steps() {
    let world = World::new();
    let pods = "/clusters/root/api/v1/namespaces/default/pods";
    let pod = |name: &str| {
        json!({"metadata": {"name": name}, "spec": {"containers": [{"name": "c", "image": "i"}]}}).to_string()
    };
    let made = world.made(pods, &pod("unbound")).await;
    assert_eq!(made["status"]["phase"], "Pending", "{made}");
    assert_eq!(world.line("DELETE", &format!("{pods}/unbound"), "", "").await, "200 Status");
    world.made(pods, &pod("bound")).await;
    let path = format!("{pods}/bound");
    let binding = r#"{"apiVersion":"v1","kind":"Binding","target":{"kind":"Node","name":"n"}}"#;
    assert_eq!(world.line("POST", &format!("{path}/binding"), "", binding).await, "201 Status");
    assert!(world.line("POST", &format!("{path}/binding"), "", binding).await.starts_with("409 Conflict"));
    let (code, held) = world.call("DELETE", &path, "").await;
    assert_eq!((code, &held["metadata"]["deletionGracePeriodSeconds"]), (200, &json!(30)), "{held}");
    assert_eq!(held["metadata"]["deletionTimestamp"], "2026-01-01T00:00:30Z");
    assert_eq!(world.line("DELETE", &path, "", r#"{"gracePeriodSeconds":0}"#).await, "200 Status");
    assert!(world.line("GET", &path, "", "").await.starts_with("404"));
}

#[tokio::test]
async fn a_kind_is_written_and_read_in_every_version() {
    let world = World::new();
    let beta = "/clusters/root/apis/tekton.dev/v1beta1/namespaces/default/tasks";
    let current = beta.replace("v1beta1", "v1");
    let body = json!({"apiVersion": "tekton.dev/v1beta1", "kind": "Task", "metadata": {"name": "t"},
        "spec": {"steps": [{"name": "s", "image": "i", "resources": {"requests": {"cpu": "1"}}}]}});
    let made = world.made(beta, &body.to_string()).await;
    assert_eq!(made["apiVersion"], "tekton.dev/v1beta1", "{made}");
    let (_, stored) = world.call("GET", &format!("{current}/t"), "").await;
    assert_eq!(
        (&stored["apiVersion"], &stored["spec"]["steps"][0]["name"]),
        (&json!("tekton.dev/v1"), &json!("s"))
    );
    assert_eq!(stored["spec"]["steps"][0]["computeResources"], json!({"requests": {"cpu": "1"}}));
    let merge = "content-type: application/merge-patch+json";
    let patch = r#"{"spec":{"description":"d"}}"#;
    let (code, patched) = world.call_with("PATCH", &format!("{beta}/t"), merge, patch).await;
    assert_eq!((code, &patched["metadata"]["generation"]), (200, &json!(2)), "{patched}");
    assert_eq!(patched["spec"]["steps"][0]["resources"], json!({"requests": {"cpu": "1"}}));
    let (_, list) = world.call("GET", beta, "").await;
    assert_eq!(
        (&list["kind"], &list["items"][0]["apiVersion"]),
        (&json!("TaskList"), &json!("tekton.dev/v1beta1"))
    );
}

#[tokio::test]
async fn applying_the_same_twice_changes_nothing_and_a_conflict_names_its_owner() {
    let world = World::new();
    let path = format!("{MAPS}/a");
    let apply = "content-type: application/apply-patch+yaml";
    let body = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {k: '1'}\n";
    let (code, made) = world.call_with("PATCH", &format!("{path}?fieldManager=one"), apply, body).await;
    assert_eq!(code, 201, "{made}");
    assert_eq!(made["metadata"]["managedFields"][0]["manager"], "one");
    let (code, again) = world.call_with("PATCH", &format!("{path}?fieldManager=one"), apply, body).await;
    assert_eq!((code, &again["metadata"]["resourceVersion"]), (200, &made["metadata"]["resourceVersion"]));
    let other = body.replace("'1'", "'2'");
    let (code, conflict) = world.call_with("PATCH", &format!("{path}?fieldManager=two"), apply, &other).await;
    assert_eq!((code, &conflict["reason"]), (409, &json!("Conflict")), "{conflict}");
    assert_eq!(conflict["details"]["causes"][0]["reason"], "FieldManagerConflict");
    let forced = format!("{path}?fieldManager=two&force=true");
    let (code, got) = world.call_with("PATCH", &forced, apply, &other).await;
    assert_eq!((code, &got["data"]["k"]), (200, &json!("2")));
    assert!(world.line("PATCH", &path, apply, body).await.starts_with("400 BadRequest"));
    let old = body.replace("metadata: {name: a}", "metadata: {name: a, resourceVersion: '1'}");
    assert!(world.line("PATCH", &forced, apply, &old).await.starts_with("409 Conflict"));
}

#[tokio::test]
async fn an_owner_is_listed_once() {
    let world = World::new();
    let owner = json!({"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "u"});
    let body = map("a", json!({"metadata": {"ownerReferences": [owner, owner]}}));
    let line = world.line("POST", MAPS, "", &body).await;
    assert!(
        line.starts_with("201 ConfigMap | 299 - \".metadata.ownerReferences contains duplicate"),
        "{line}"
    );
    let (_, got) = world.call("GET", &format!("{MAPS}/a"), "").await;
    assert_eq!(got["metadata"]["ownerReferences"], json!([owner]));
}
