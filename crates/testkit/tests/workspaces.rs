//! Workspaces: runs in many of them at once, and their end.

use std::time::Duration;

use client::DeleteOptions;
use serde_json::json;
use testkit::{Odds, World, simulate};

const RUN: &str = "
apiVersion: tekton.dev/v1
kind: TaskRun
metadata: {name: r}
spec: {taskSpec: {steps: [{name: one, image: fake, script: 'sleep 5'}]}}
";

async fn make_workspace(world: &World, parent: &str, name: &str) {
    let workspaces = world.api(parent, "Workspace", "tenancy.kcp.io/v1alpha1", "");
    let workspace = json!({
        "apiVersion": "tenancy.kcp.io/v1alpha1", "kind": "Workspace", "metadata": {"name": name}, "spec": {},
    });
    workspaces.create(&client::Dynamic(workspace)).await.unwrap();
}

#[test]
fn runs_of_one_name_in_many_workspaces_do_not_meet() {
    simulate(1, Odds::default(), async move |mut world| {
        for index in 0..5 {
            make_workspace(&world, "root", &format!("w{index}")).await;
            world.apply(&format!("root:w{index}"), RUN).await;
        }
        for index in 0..5 {
            let run = world.ended(&format!("root:w{index}"), "TaskRun", "r").await;
            assert_eq!(World::verdict(&run), "True Succeeded");
        }
        world
    });
}

#[test]
fn a_workspace_goes_with_everything_below_it() {
    simulate(2, Odds::default(), async move |mut world| {
        make_workspace(&world, "root", "a").await;
        make_workspace(&world, "root:a", "b").await;
        let before = world.stored().await.len();
        make_workspace(&world, "root:a:b", "c").await;
        world.apply("root:a:b", &RUN.replace("sleep 5", "hang")).await;
        world.until("a pod is played", async |world| world.node.playing() == 1).await;
        let run = world.run("root:a:b", "TaskRun", "r").await;
        world.forget(run["metadata"]["uid"].as_str().unwrap());
        assert!(world.stored().await.len() > before);
        let workspaces = world.api("root", "Workspace", "tenancy.kcp.io/v1alpha1", "");
        workspaces.delete("a", &DeleteOptions::default()).await.unwrap();
        world.until("the workspace is gone", async |_| workspaces.find("a").await.unwrap().is_none()).await;
        world.pass(Duration::from_secs(60)).await;
        let left = world.stored().await;
        assert!(left.iter().all(|object| object.contains(" root|")), "{left:#?}");
        world
    });
}
