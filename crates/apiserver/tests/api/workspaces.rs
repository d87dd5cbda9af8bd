//! Workspaces: made in one step, found by path and by id, apart from each other.

use serde_json::json;

use crate::world::{Lines, World};

const WORKSPACES: &str = "/clusters/root/apis/tenancy.kcp.io/v1alpha1/workspaces";

async fn workspace(world: &World, parent: &str, name: &str) -> String {
    let path = format!("/clusters/{parent}/apis/tenancy.kcp.io/v1alpha1/workspaces");
    let made = world.made(&path, &json!({"metadata": {"name": name}}).to_string()).await;
    made["spec"]["cluster"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_workspace_is_ready_at_once_and_is_two_rows() {
    let world = World::new();
    let made = world.made(WORKSPACES, r#"{"metadata":{"name":"team"},"spec":{"cluster":"mine"}}"#).await;
    assert_eq!(made["status"]["phase"], "Ready", "{made}");
    assert_eq!(made["spec"]["URL"], "https://psvc.example:6443/clusters/root:team");
    let id = made["spec"]["cluster"].as_str().unwrap().to_owned();
    assert_eq!(id.len(), 16, "{id}");
    let everything = store::Range {
        prefix: store::KeyPrefix::resource("/namespaces", ""),
        start: None,
        limit: 0,
        at: None,
    };
    assert!(store::Store::range(&*world.store, everything).await.unwrap().entries.is_empty());
    for path in ["root:team", id.as_str()] {
        let own = format!("/clusters/{path}/apis/core.kcp.io/v1alpha1/logicalclusters/cluster");
        let (code, own) = world.call("GET", &own, "").await;
        assert_eq!((code, &own["status"]["phase"]), (200, &json!("Ready")));
        assert_eq!(own["metadata"]["annotations"], json!({"kcp.io/cluster": id, "kcp.io/path": "root:team"}));
        assert_eq!(own["status"]["URL"], format!("https://psvc.example:6443/clusters/{id}"));
    }
}

#[tokio::test]
async fn default_objects_appear_when_content_is_first_asked_for() {
    let world = World::new();
    workspace(&world, "root", "team").await;
    let (_, list) = world.call("GET", "/clusters/root:team/api/v1/serviceaccounts", "").await;
    let found: Vec<String> = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|i| {
            format!(
                "{}/{}",
                i["metadata"]["namespace"].as_str().unwrap(),
                i["metadata"]["name"].as_str().unwrap()
            )
        })
        .collect();
    assert_eq!(found, ["default/default", "kube-system/default"]);
    let namespaces = "/clusters/root:team/api/v1/namespaces";
    let made = world.made(namespaces, r#"{"metadata":{"name":"x"}}"#).await;
    assert_eq!(made["status"]["phase"], "Active", "{made}");
    assert_eq!(made["spec"]["finalizers"], json!(["kubernetes"]));
    let account = "/clusters/root:team/api/v1/namespaces/x/serviceaccounts/default";
    assert_eq!(world.line("GET", account, "", "").await, "200 ServiceAccount");
    assert!(
        world.line("DELETE", &format!("{namespaces}/default"), "", "").await.starts_with("403 Forbidden")
    );
}

#[tokio::test]
async fn objects_of_two_workspaces_never_meet_but_for_the_wildcard() {
    let world = World::new();
    let mut ids = Vec::new();
    for name in ["a", "b"] {
        ids.push(workspace(&world, "root", name).await);
        let maps = format!("/clusters/root:{name}/api/v1/namespaces/default/configmaps");
        world.made(&maps, r#"{"metadata":{"name":"same"}}"#).await;
    }
    let (_, one) = world.call("GET", "/clusters/root:a/api/v1/configmaps", "").await;
    assert_eq!(one["items"].as_array().unwrap().len(), 1);
    assert_eq!(one["items"][0]["metadata"]["annotations"]["kcp.io/cluster"], ids[0]);
    let (_, all) = world.call("GET", "/clusters/*/api/v1/configmaps", "").await;
    let mut clusters: Vec<&str> = all["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["metadata"]["annotations"]["kcp.io/cluster"].as_str().unwrap())
        .collect();
    clusters.sort_unstable();
    ids.sort();
    assert_eq!(clusters, ids);
    let path = "/clusters/*/api/v1/namespaces/default/configmaps";
    let mut watch = Lines::of(world.raw("GET", &format!("{path}?watch=true"), "", "").await);
    assert_eq!((watch.line().await, watch.line().await), ("ADDED same".to_owned(), "ADDED same".to_owned()));
    let line = world.line("POST", path, "", r#"{"metadata":{"name":"x"}}"#).await;
    assert!(
        line.starts_with("405 MethodNotAllowed create is not allowed on the `*` logical cluster"),
        "{line}"
    );
}

#[tokio::test]
async fn paths_that_lead_nowhere_are_answered_as_kcp_does() {
    let world = World::new();
    for (path, expected) in [
        (
            "/clusters/root:none/api/v1/namespaces",
            r#"404 NotFound workspaces.tenancy.kcp.io "none" not found"#,
        ),
        (
            "/clusters/0123456789abcdef/api/v1/namespaces",
            r#"403 Forbidden logicalclusters.core.kcp.io "0123456789abcdef" is forbidden: LogicalCluster not found"#,
        ),
        ("/clusters/Root/api", "400 BadRequest"),
        ("/clusters/root/clusters/root/api", "404 404 page not found"),
        ("/clusters/root/apis/none.example/v1/things", "404 404 page not found"),
    ] {
        let line = world.line("GET", path, "", "").await;
        assert!(line.starts_with(expected), "{path}: {line}");
    }
}

#[tokio::test]
async fn a_workspace_that_is_being_deleted_takes_nothing_new() {
    let world = World::new();
    workspace(&world, "root", "team").await;
    world.call("GET", "/clusters/root:team/api/v1/namespaces", "").await;
    let (code, held) = world.call("DELETE", &format!("{WORKSPACES}/team"), "").await;
    assert_eq!((code, &held["status"]["phase"]), (200, &json!("Deleting")), "{held}");
    let namespaces = "/clusters/root:team/api/v1/namespaces";
    assert!(
        world.line("POST", namespaces, "", r#"{"metadata":{"name":"x"}}"#).await.starts_with("403 Forbidden")
    );
    // What the controller does: empty the default namespaces, then let the cluster and the workspace go.
    for name in ["default", "kube-system"] {
        let (code, namespace) = world.call("DELETE", &format!("{namespaces}/{name}"), "").await;
        assert_eq!((code, &namespace["status"]["phase"]), (200, &json!("Terminating")), "{namespace}");
        let maps = format!("{namespaces}/{name}/configmaps");
        let line = world.line("POST", &maps, "", r#"{"metadata":{"name":"x"}}"#).await;
        assert!(line.contains("because it is being terminated"), "{line}");
        let account = format!("{namespaces}/{name}/serviceaccounts/default");
        assert_eq!(world.line("DELETE", &account, "", "").await, "200 Status");
        let mut finalized = namespace.clone();
        finalized["spec"]["finalizers"] = json!([]);
        let path = format!("{namespaces}/{name}/finalize");
        assert_eq!(world.line("PUT", &path, "", &finalized.to_string()).await, "200 Namespace");
        assert!(world.line("GET", &format!("{namespaces}/{name}"), "", "").await.starts_with("404"));
    }
    let own = "/clusters/root:team/apis/core.kcp.io/v1alpha1/logicalclusters/cluster";
    assert_eq!(world.line("DELETE", own, "", "").await, "200 Status");
    let merge = "content-type: application/merge-patch+json";
    let (code, _) = world
        .call_with("PATCH", &format!("{WORKSPACES}/team"), merge, r#"{"metadata":{"finalizers":[]}}"#)
        .await;
    assert_eq!(code, 200);
    assert!(world.line("GET", namespaces, "", "").await.starts_with("404 NotFound"));
}

#[tokio::test]
async fn workspaces_nest_and_keep_their_place() {
    let world = World::new();
    workspace(&world, "root", "a").await;
    let id = workspace(&world, "root:a", "b").await;
    let path = "/clusters/root:a/apis/tenancy.kcp.io/v1alpha1/workspaces/b";
    let (_, got) = world.call("GET", path, "").await;
    assert_eq!(got["spec"]["URL"], "https://psvc.example:6443/clusters/root:a:b");
    let merge = "content-type: application/merge-patch+json";
    let moved = r#"{"spec":{"cluster":"other"},"metadata":{"labels":{"x":"y"}}}"#;
    let (code, got) = world.call_with("PATCH", path, merge, moved).await;
    assert_eq!((code, got["spec"]["cluster"].as_str()), (200, Some(id.as_str())), "{got}");
    assert_eq!(
        world.line("GET", "/clusters/root:a:b/api/v1/namespaces/default", "", "").await,
        "200 Namespace"
    );
}
