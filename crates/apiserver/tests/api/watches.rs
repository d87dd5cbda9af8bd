//! Watches: where they start, what they say, how they end.

use serde_json::json;
use store::Store as _;

use crate::world::{Lines, World};

const MAPS: &str = "/clusters/root/api/v1/namespaces/default/configmaps";

async fn put_label(world: &World, name: &str, value: Option<&str>) {
    let patch = json!({"metadata": {"labels": {"a": value}}}).to_string();
    let merge = "content-type: application/merge-patch+json";
    let (code, body) = world.call_with("PATCH", &format!("{MAPS}/{name}"), merge, &patch).await;
    assert_eq!(code, 200, "{body}");
}

async fn make(world: &World, name: &str) {
    world.made(MAPS, &json!({"metadata": {"name": name}}).to_string()).await;
}

async fn open(world: &World, query: &str) -> Lines {
    Lines::of(world.raw("GET", &format!("{MAPS}?watch=true&{query}"), "", "").await)
}

#[tokio::test]
async fn without_a_version_the_state_comes_first_and_changes_follow() {
    let world = World::new();
    make(&world, "a").await;
    let mut watch = open(&world, "").await;
    assert_eq!(watch.line().await, "ADDED a");
    make(&world, "b").await;
    assert_eq!(watch.line().await, "ADDED b");
    put_label(&world, "a", Some("1")).await;
    assert_eq!(watch.line().await, "MODIFIED a");
    world.call("DELETE", &format!("{MAPS}/a"), "").await;
    let gone = watch.next().await.unwrap();
    assert_eq!((&gone["type"], &gone["object"]["metadata"]["name"]), (&json!("DELETED"), &json!("a")));
    assert_eq!(gone["object"]["metadata"]["resourceVersion"], world.store.revision().to_string());
    assert_eq!(gone["object"]["metadata"]["annotations"]["kcp.io/cluster"], "root");
}

#[tokio::test]
async fn a_watch_goes_on_from_a_list_without_gap_or_repeat() {
    let world = World::new();
    make(&world, "a").await;
    let (_, list) = world.call("GET", MAPS, "").await;
    make(&world, "b").await;
    let version = list["metadata"]["resourceVersion"].as_str().unwrap();
    let mut watch = open(&world, &format!("resourceVersion={version}")).await;
    assert_eq!(watch.line().await, "ADDED b");
}

#[tokio::test]
async fn an_object_that_leaves_the_selection_is_deleted_and_one_that_enters_is_added() {
    let world = World::new();
    make(&world, "a").await;
    let mut watch = open(&world, "labelSelector=a%3D1").await;
    put_label(&world, "a", Some("1")).await;
    assert_eq!(watch.line().await, "ADDED a");
    put_label(&world, "a", Some("2")).await;
    let left = watch.next().await.unwrap();
    assert_eq!((&left["type"], &left["object"]["metadata"]["labels"]["a"]), (&json!("DELETED"), &json!("1")));
    assert_eq!(left["object"]["metadata"]["resourceVersion"], world.store.revision().to_string());
    put_label(&world, "a", None).await;
    put_label(&world, "a", Some("1")).await;
    assert_eq!(watch.line().await, "ADDED a");
}

#[tokio::test]
async fn a_watch_by_name_sees_one_object() {
    let world = World::new();
    let mut watch = open(&world, "fieldSelector=metadata.name%3Db").await;
    for name in ["a", "bb", "b"] {
        make(&world, name).await;
    }
    assert_eq!(watch.line().await, "ADDED b");
    let path = "/clusters/root/api/v1/watch/namespaces/default/configmaps/b";
    let mut old_way = Lines::of(world.raw("GET", path, "", "").await);
    assert_eq!(old_way.line().await, "ADDED b");
}

#[tokio::test]
async fn the_end_of_the_initial_state_is_announced_to_who_asks() {
    let world = World::new();
    make(&world, "a").await;
    let query = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";
    let mut watch = open(&world, query).await;
    assert_eq!(watch.line().await, "ADDED a");
    let end = watch.next().await.unwrap();
    assert_eq!(end["type"], "BOOKMARK");
    assert_eq!(end["object"]["kind"], "ConfigMap");
    assert_eq!(end["object"]["metadata"]["annotations"], json!({"k8s.io/initial-events-end": "true"}));
    assert_eq!(end["object"]["metadata"]["resourceVersion"], world.store.revision().to_string());
    make(&world, "b").await;
    assert_eq!(watch.line().await, "ADDED b");
    let line = world.line("GET", &format!("{MAPS}?watch=true&sendInitialEvents=true"), "", "").await;
    assert!(line.starts_with("422 Invalid"), "{line}");
}

#[tokio::test(start_paused = true)]
async fn a_quiet_watch_is_told_how_far_the_log_is_each_minute_and_at_its_end() {
    let world = World::new();
    make(&world, "a").await;
    let version = world.store.revision().to_string();
    let mut watch =
        open(&world, &format!("resourceVersion={version}&allowWatchBookmarks=true&timeoutSeconds=90")).await;
    world.made("/clusters/root/api/v1/namespaces", r#"{"metadata":{"name":"elsewhere"}}"#).await;
    for _ in 0..2 {
        let bookmark = watch.next().await.unwrap();
        assert_eq!(bookmark["type"], "BOOKMARK");
        assert_eq!(
            bookmark["object"]["metadata"],
            json!({"resourceVersion": world.store.revision().to_string()})
        );
    }
    assert_eq!(watch.line().await, "end");
}

#[tokio::test(start_paused = true)]
async fn a_watch_ends_when_its_time_is_over_and_when_the_server_stops() {
    let world = World::new();
    let mut timed = open(&world, "timeoutSeconds=5").await;
    let mut stopped = open(&world, "timeoutSeconds=50").await;
    assert_eq!(timed.line().await, "end");
    world.service.stop();
    assert_eq!(stopped.line().await, "end");
}

#[tokio::test]
async fn a_watch_from_a_forgotten_or_future_version_is_told_so() {
    let world = World::new();
    make(&world, "a").await;
    make(&world, "b").await;
    world.store.compact(world.store.revision()).await.unwrap();
    let line = world.line("GET", &format!("{MAPS}?watch=true&resourceVersion=3"), "", "").await;
    assert!(line.starts_with("410 Expired too old resource version: 3"), "{line}");
    let line = world.line("GET", &format!("{MAPS}?watch=true&resourceVersion=999"), "", "").await;
    assert!(line.starts_with("504 Timeout"), "{line}");
}

#[tokio::test]
async fn tables_and_metadata_are_watched_too_with_headings_once() {
    let world = World::new();
    make(&world, "a").await;
    make(&world, "b").await;
    let accept = "accept: application/json;as=Table;v=v1;g=meta.k8s.io";
    let mut watch = Lines::of(world.raw("GET", &format!("{MAPS}?watch=true"), accept, "").await);
    let first = watch.next().await.unwrap();
    assert_eq!(first["object"]["kind"], "Table", "{first}");
    assert!(first["object"]["columnDefinitions"].is_array());
    let second = watch.next().await.unwrap();
    assert!(second["object"]["columnDefinitions"].as_array().is_none_or(Vec::is_empty), "{second}");
    assert_eq!(second["object"]["rows"][0]["cells"][0], "b");
    let accept = "accept: application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io";
    let mut watch = Lines::of(world.raw("GET", &format!("{MAPS}?watch=true"), accept, "").await);
    let first = watch.next().await.unwrap();
    assert_eq!(
        (&first["object"]["kind"], &first["object"]["metadata"]["name"]),
        (&json!("PartialObjectMetadata"), &json!("a"))
    );
}

#[tokio::test]
async fn a_watcher_that_falls_behind_what_the_log_remembers_is_told_to_list_again() {
    let world = World::with_history(8);
    make(&world, "a").await;
    let mut watch = open(&world, "").await;
    assert_eq!(watch.line().await, "ADDED a");
    for index in 0..32 {
        make(&world, &format!("b{index}")).await;
    }
    let error = watch.next().await.unwrap();
    assert_eq!((&error["type"], &error["object"]["reason"]), (&json!("ERROR"), &json!("Expired")), "{error}");
    assert_eq!(watch.line().await, "end");
}
