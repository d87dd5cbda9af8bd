//! Lists: selectors, pages, revisions, forms.

use serde_json::json;
use store::Store as _;

use crate::world::World;

const MAPS: &str = "/clusters/root/api/v1/namespaces/default/configmaps";
const TABLE: &str = "accept: application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
const PARTIAL: &str = "accept: application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io";

async fn filled(count: usize) -> World {
    let world = World::new();
    for index in 0..count {
        let parity = if index % 2 == 0 { "even" } else { "odd" };
        let body = json!({"metadata": {"name": format!("m{index}"), "labels": {"parity": parity}}});
        world.made(MAPS, &body.to_string()).await;
    }
    world
}

async fn names(world: &World, query: &str) -> String {
    let (code, list) = world.call("GET", &format!("{MAPS}{query}"), "").await;
    assert_eq!(code, 200, "{list}");
    let items = list["items"].as_array().unwrap();
    let names: Vec<&str> = items.iter().map(|item| item["metadata"]["name"].as_str().unwrap()).collect();
    names.join(" ")
}

#[tokio::test]
async fn selectors_pick_by_label_and_by_name() {
    let world = filled(4).await;
    for (query, expected) in [
        ("", "m0 m1 m2 m3"),
        ("?labelSelector=parity%3Deven", "m0 m2"),
        ("?labelSelector=parity%20notin%20(even)", "m1 m3"),
        ("?labelSelector=!parity", ""),
        ("?fieldSelector=metadata.name%3Dm2", "m2"),
        ("?fieldSelector=metadata.name!%3Dm2,metadata.namespace%3Ddefault", "m0 m1 m3"),
        ("?fieldSelector=metadata.namespace%3Dother", ""),
        ("?fieldSelector=metadata.name%3D%00", ""),
        ("?fieldSelector=metadata.name%3Dm2&labelSelector=parity%3Dodd", ""),
        ("?fieldSelector=metadata.name%3Dm2&limit=1", "m2"),
    ] {
        assert_eq!(names(&world, query).await, expected, "{query}");
    }
    let line = world.line("GET", &format!("{MAPS}?fieldSelector=data.k%3D1"), "", "").await;
    assert!(line.starts_with("400 BadRequest"), "{line}");
}

#[tokio::test]
async fn pages_show_one_snapshot_and_together_everything() {
    let world = filled(5).await;
    let (_, first) = world.call("GET", &format!("{MAPS}?limit=2"), "").await;
    world.made(MAPS, r#"{"metadata":{"name":"m9"}}"#).await;
    let mut seen: Vec<String> = Vec::new();
    let mut page = first.clone();
    loop {
        assert_eq!(page["metadata"]["resourceVersion"], first["metadata"]["resourceVersion"]);
        seen.extend(
            page["items"]
                .as_array()
                .unwrap()
                .iter()
                .map(|i| i["metadata"]["name"].as_str().unwrap().to_owned()),
        );
        let Some(token) = page["metadata"]["continue"].as_str() else { break };
        page = world.call("GET", &format!("{MAPS}?limit=2&continue={token}"), "").await.1;
    }
    assert_eq!(seen.join(" "), "m0 m1 m2 m3 m4");
    // A selector is applied before a page is counted.
    let (_, page) = world.call("GET", &format!("{MAPS}?limit=2&labelSelector=parity%3Deven"), "").await;
    assert_eq!(page["items"].as_array().unwrap().len(), 2);
    let token = page["metadata"]["continue"].as_str().unwrap();
    let next = names(&world, &format!("?limit=2&labelSelector=parity%3Deven&continue={token}")).await;
    assert_eq!(next, "m4");
    assert!(world.line("GET", &format!("{MAPS}?continue=xyz"), "", "").await.starts_with("400 BadRequest"));
}

#[tokio::test]
async fn a_page_of_a_forgotten_snapshot_is_expired_and_can_be_gone_on_with() {
    let world = filled(4).await;
    let (_, first) = world.call("GET", &format!("{MAPS}?limit=2"), "").await;
    world.made(MAPS, r#"{"metadata":{"name":"m9"}}"#).await;
    world.store.compact(world.store.revision()).await.unwrap();
    let token = first["metadata"]["continue"].as_str().unwrap();
    let (code, expired) = world.call("GET", &format!("{MAPS}?limit=9&continue={token}"), "").await;
    assert_eq!((code, &expired["reason"]), (410, &json!("Expired")), "{expired}");
    let token = expired["metadata"]["continue"].as_str().unwrap();
    assert_eq!(names(&world, &format!("?limit=9&continue={token}")).await, "m2 m3 m9");
}

#[tokio::test]
async fn a_list_can_be_read_as_of_a_revision() {
    let world = filled(1).await;
    let (_, list) = world.call("GET", MAPS, "").await;
    let revision = list["metadata"]["resourceVersion"].as_str().unwrap();
    world.made(MAPS, r#"{"metadata":{"name":"m9"}}"#).await;
    assert_eq!(names(&world, &format!("?resourceVersion={revision}&resourceVersionMatch=Exact")).await, "m0");
    assert_eq!(names(&world, &format!("?resourceVersion={revision}")).await, "m0 m9");
    assert_eq!(names(&world, "?resourceVersion=0").await, "m0 m9");
    let line = world.line("GET", &format!("{MAPS}?resourceVersion=99999"), "", "").await;
    assert_eq!(line.split(':').next().unwrap(), "504 Timeout Timeout");
}

#[tokio::test]
async fn tables_and_metadata_are_made_by_the_server() {
    let world = filled(1).await;
    let (_, table) = world.call_with("GET", MAPS, TABLE, "").await;
    assert_eq!(table["kind"], "Table", "{table}");
    assert_eq!(table["columnDefinitions"][0]["name"], "Name");
    assert_eq!(table["rows"][0]["cells"][0], "m0");
    let object = &table["rows"][0]["object"];
    assert_eq!(
        (&object["kind"], &object["metadata"]["name"]),
        (&json!("PartialObjectMetadata"), &json!("m0"))
    );
    assert_eq!(object["metadata"]["annotations"]["kcp.io/cluster"], "root");
    let (_, list) = world.call_with("GET", MAPS, PARTIAL, "").await;
    assert_eq!(list["kind"], "PartialObjectMetadataList");
    assert_eq!(list["items"][0]["metadata"]["labels"]["parity"], "even");
    assert_eq!(list["items"][0]["metadata"]["annotations"]["kcp.io/cluster"], "root");
    let (_, empty) = world.call("GET", "/clusters/root/api/v1/namespaces/none/configmaps", "").await;
    assert_eq!((&empty["kind"], &empty["items"]), (&json!("ConfigMapList"), &json!([])));
    let line = world.line("GET", MAPS, "accept: application/cbor", "").await;
    assert!(line.starts_with("406 NotAcceptable"), "{line}");
}

#[tokio::test]
async fn a_collection_is_deleted_by_the_same_selectors() {
    let world = filled(4).await;
    let (code, deleted) = world.call("DELETE", &format!("{MAPS}?labelSelector=parity%3Dodd"), "").await;
    assert_eq!((code, deleted["items"].as_array().unwrap().len()), (200, 2));
    assert_eq!(names(&world, "").await, "m0 m2");
}

#[tokio::test]
async fn large_answers_are_compressed_for_clients_that_ask() {
    let world = World::new();
    let body = json!({"metadata": {"name": "big"}, "data": {"k": "x".repeat(200_000)}});
    world.made(MAPS, &body.to_string()).await;
    let path = format!("{MAPS}/big");
    let plain = world.raw("GET", &path, "", "").await;
    assert!(!plain.headers().contains_key("content-encoding"));
    let packed = world.raw("GET", &path, "accept-encoding: gzip", "").await;
    assert_eq!(packed.headers()["content-encoding"], "gzip");
    let small =
        world.raw("GET", &format!("{MAPS}?limit=0&labelSelector=a"), "accept-encoding: gzip", "").await;
    assert!(!small.headers().contains_key("content-encoding"));
}

#[tokio::test]
async fn one_storage_is_served_by_two_groups_of_events() {
    let world = World::new();
    let core = "/clusters/root/api/v1/namespaces/default/events";
    let new = "/clusters/root/apis/events.k8s.io/v1/namespaces/default/events";
    let body = json!({"metadata": {"name": "e"}, "reason": "Started", "message": "it began", "type": "Normal",
        "involvedObject": {"kind": "Pod", "name": "p", "namespace": "default"}});
    world.made(core, &body.to_string()).await;
    let (code, event) = world.call("GET", &format!("{new}/e"), "").await;
    assert_eq!(
        (code, &event["apiVersion"], &event["note"]),
        (200, &json!("events.k8s.io/v1"), &json!("it began"))
    );
    assert_eq!(event["regarding"]["name"], "p");
    let (code, list) = world.call("GET", &format!("{core}?fieldSelector=involvedObject.name%3Dp"), "").await;
    assert_eq!((code, list["items"].as_array().map(Vec::len)), (200, Some(1)), "{list}");
    let (code, list) = world.call("GET", &format!("{core}?fieldSelector=involvedObject.name%3Dq"), "").await;
    assert_eq!((code, list["items"].as_array().map(Vec::len)), (200, Some(0)), "{list}");
}
