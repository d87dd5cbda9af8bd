//! What clients ask before they ask for objects.

use serde_json::{Value, json};

use crate::world::World;

const AGGREGATED: &str =
    "accept: application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json";

#[tokio::test]
async fn health_and_version_answer_everywhere() {
    let world = World::new();
    for path in ["/livez", "/readyz", "/healthz", "/clusters/root/livez", "/readyz/ping"] {
        assert_eq!(world.line("GET", path, "", "").await, "200 ok", "{path}");
    }
    let (code, version) = world.call("GET", "/clusters/root/version", "").await;
    assert_eq!((code, &version["major"], &version["minor"]), (200, &json!("1"), &json!("34")));
    assert_eq!(version["gitVersion"], "v1.34.0+psvc");
}

#[tokio::test]
async fn discovery_is_told_both_ways_and_says_the_same() {
    let world = World::new();
    let response = world.raw("GET", "/clusters/root/apis", AGGREGATED, "").await;
    assert_eq!(
        response.headers()["content-type"],
        "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    );
    let tag = response.headers()["etag"].to_str().unwrap().to_owned();
    let known = format!("{AGGREGATED}\nif-none-match: {tag}");
    assert_eq!(world.raw("GET", "/clusters/root/apis", &known, "").await.status(), 304);
    let (_, all) = world.call_with("GET", "/clusters/root/apis", AGGREGATED, "").await;
    let tekton =
        all["items"].as_array().unwrap().iter().find(|g| g["metadata"]["name"] == "tekton.dev").unwrap();
    assert_eq!(tekton["versions"][0]["version"], "v1");
    let (_, list) = world.call("GET", "/clusters/root/apis/tekton.dev/v1", "").await;
    let plain: Vec<&Value> = list["resources"].as_array().unwrap().iter().map(|r| &r["name"]).collect();
    for resource in tekton["versions"][0]["resources"].as_array().unwrap() {
        assert!(plain.contains(&&resource["resource"]), "{resource}");
    }
    let (_, core) = world.call("GET", "/api/v1", "").await;
    let names: Vec<&str> = core["resources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|resource| resource["name"].as_str().unwrap())
        .collect();
    for name in ["configmaps", "pods", "pods/log", "pods/status", "namespaces/finalize", "events"] {
        assert!(names.contains(&name), "{name} is not among {names:?}");
    }
    assert_eq!(world.line("GET", "/apis/none.example", "", "").await, "404 404 page not found");
}

#[tokio::test]
async fn open_api_links_keep_the_workspace_and_are_immutable_by_hash() {
    let world = World::new();
    let (code, index) = world.call("GET", "/clusters/root/openapi/v3", "").await;
    assert_eq!(code, 200);
    let url = index["paths"]["apis/tekton.dev/v1"]["serverRelativeURL"].as_str().unwrap();
    assert!(url.starts_with("/clusters/root/openapi/v3/apis/tekton.dev/v1?hash="), "{url}");
    let document = world.raw("GET", url, "", "").await;
    assert_eq!(document.status(), 200);
    assert_eq!(document.headers()["cache-control"], "public, immutable");
    let stale = world.raw("GET", "/clusters/root/openapi/v3/apis/tekton.dev/v1?hash=OLD", "", "").await;
    assert_eq!((stale.status().as_u16(), stale.headers()["location"].to_str().unwrap()), (301, url));
}

#[tokio::test]
async fn kubectl_can_read_open_api_v2_and_finds_no_kind_that_is_not_served() {
    let world = World::new();
    for (accept, content_type) in [
        ("*/*", "application/json"),
        ("application/json,application/com.github.proto-openapi.spec.v2@v1.0+protobuf", "application/json"),
        (
            "application/com.github.proto-openapi.spec.v2@v1.0+protobuf",
            "application/com.github.proto-openapi.spec.v2.v1.0+protobuf",
        ),
    ] {
        let response = world.raw("GET", "/openapi/v2", &format!("accept: {accept}"), "").await;
        assert_eq!(
            (response.status().as_u16(), &response.headers()["content-type"]),
            (200, &content_type.parse().unwrap())
        );
    }
}
