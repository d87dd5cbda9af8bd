//! Logs of Pods: as they are, cut, followed, and after the Pod is gone.

use archive::{LogKey, LogWriter};
use futures_util::StreamExt;
use serde_json::json;

use crate::world::World;

const PODS: &str = "/clusters/root/api/v1/namespaces/default/pods";
const MERGE: &str = "content-type: application/merge-patch+json";

async fn pod(world: &World, containers: &[&str]) -> String {
    let containers: Vec<_> = containers.iter().map(|name| json!({"name": name, "image": "i"})).collect();
    let made = world
        .made(PODS, &json!({"metadata": {"name": "p"}, "spec": {"containers": containers}}).to_string())
        .await;
    made["metadata"]["uid"].as_str().unwrap().to_owned()
}

fn writer(world: &World, uid: &str, container: &str) -> LogWriter {
    let key = LogKey {
        cluster: types::ClusterId::root(),
        namespace: "default".to_owned(),
        pod: "p".to_owned(),
        pod_uid: uid.to_owned(),
        container: container.to_owned(),
    };
    let path = world.logs.path(&key).unwrap();
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    LogWriter::create(&path).unwrap()
}

fn at(second: i64) -> jiff::Timestamp {
    jiff::Timestamp::from_second(1_767_225_600 - 100 + second).unwrap()
}

async fn finish(world: &World) {
    let (code, body) = world
        .call_with("PATCH", &format!("{PODS}/p/status"), MERGE, r#"{"status":{"phase":"Succeeded"}}"#)
        .await;
    assert_eq!(code, 200, "{body}");
}

#[tokio::test]
async fn a_log_is_cut_as_asked_and_outlives_its_pod() {
    let world = World::new();
    let uid = pod(&world, &["c"]).await;
    let mut log = writer(&world, &uid, "c");
    for (second, line) in [(0, "one\n"), (50, "two\n"), (90, "three\n")] {
        log.write(archive::record::Stream::Stdout, line.as_bytes(), at(second)).unwrap();
    }
    log.end(at(91)).unwrap();
    finish(&world).await;
    let path = format!("{PODS}/p/log");
    for (query, expected) in [
        ("", "200 one\ntwo\nthree"),
        ("?container=c", "200 one\ntwo\nthree"),
        ("?follow=true", "200 one\ntwo\nthree"),
        ("?tailLines=1", "200 three"),
        ("?sinceSeconds=60", "200 two\nthree"),
        ("?sinceTime=2025-12-31T23:59:45Z", "200 three"),
        ("?limitBytes=5", "200 one\nt"),
        ("?tailLines=1&timestamps=true", "200 2025-12-31T23:59:50Z three"),
        ("?container=d", "400 BadRequest container d is not valid for pod p"),
        ("?tailLines=-1", "422 Invalid"),
        ("?sinceSeconds=1&sinceTime=2026-01-01T00:00:00Z", "422 Invalid"),
        ("?previous=true", "400 BadRequest previous terminated container \"c\" in pod \"p\" not found"),
    ] {
        let line = world.line("GET", &format!("{path}{query}"), "", "").await;
        let line = line.replace(".000000000Z", "Z");
        assert!(line.starts_with(expected), "{query}: {line}");
    }
    world.call("DELETE", &format!("{PODS}/p"), "").await;
    assert_eq!(world.line("GET", &path, "", "").await, "200 one\ntwo\nthree");
    assert!(
        world
            .line("GET", &format!("{PODS}/q/log"), "", "")
            .await
            .starts_with("404 NotFound pods \"q\" not found")
    );
}

#[tokio::test]
async fn a_followed_log_waits_for_its_container_and_ends_with_it() {
    let world = World::new();
    let uid = pod(&world, &["c", "never"]).await;
    let path = format!("{PODS}/p/log");
    assert!(world.line("GET", &path, "", "").await.contains("choose one of: [c never]"));
    let waiting = world.line("GET", &format!("{path}?container=c"), "", "").await;
    assert_eq!(waiting, "400 BadRequest container \"c\" in pod \"p\" is waiting to start: ContainerCreating");
    let open = async |container: &str| {
        let path = format!("{path}?follow=true&container={container}");
        client::Body::from(world.raw("GET", &path, "", "").await.into_body())
    };
    let (mut followed, mut never) = (open("c").await, open("never").await);
    let mut log = writer(&world, &uid, "c");
    log.write(archive::record::Stream::Stdout, b"hello\n", at(0)).unwrap();
    assert_eq!(followed.next().await.unwrap().unwrap(), "hello\n");
    log.end(at(1)).unwrap();
    assert!(followed.next().await.is_none());
    finish(&world).await;
    assert!(never.next().await.is_none());
}
