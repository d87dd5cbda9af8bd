//! Single TaskRuns through API server, controllers and a played node.

use std::time::Duration;

use client::{DeleteOptions, Patch, PatchOptions, Propagation};
use serde_json::{Value, json};
use testkit::{Odds, World, simulate};

/// A TaskRun of one step with a script.
fn task_run(name: &str, spec: &str, script: &str) -> String {
    let script = script.replace('\n', "\n        ");
    format!(
        "
apiVersion: tekton.dev/v1
kind: TaskRun
metadata: {{name: {name}}}
spec:
  {spec}
  taskSpec:
    results: [{{name: out}}]
    steps:
    - name: one
      image: fake
      script: |
        {script}
"
    )
}

/// Runs one TaskRun to its end and returns its verdict and the run.
fn outcome(spec: &str, script: &str) -> (String, Value) {
    let (sender, receiver) = std::sync::mpsc::channel();
    let yaml = task_run("r", spec, script);
    simulate(1, Odds::default(), async move |mut world| {
        world.apply("root", &yaml).await;
        let run = world.ended("root", "TaskRun", "r").await;
        sender.send((World::verdict(&run), run)).unwrap();
        world
    });
    receiver.recv().unwrap()
}

#[test]
fn a_step_that_ends_well_makes_the_run_succeed_with_its_results() {
    let (verdict, run) = outcome("", "sleep 3\nresult out=hello");
    assert_eq!(verdict, "True Succeeded");
    assert_eq!(run["status"]["results"][0]["value"], "hello");
    assert_eq!(run["status"]["podName"], "r-pod");
    assert_eq!(run["status"]["steps"][0]["terminated"]["exitCode"], 0);
}

#[test]
fn a_step_that_fails_makes_the_run_fail() {
    let (verdict, run) = outcome("", "exit 3");
    assert!(verdict.starts_with("False "), "{run:#}");
    assert_eq!(run["status"]["steps"][0]["terminated"]["exitCode"].to_string(), "3");
}

#[test]
fn a_failed_attempt_is_tried_again_as_often_as_the_run_says() {
    let (verdict, run) = outcome("retries: 2", "fail-before 2");
    assert_eq!(verdict, "True Succeeded");
    assert_eq!(run["status"]["retriesStatus"].as_array().unwrap().len(), 2);
    assert_eq!(run["status"]["podName"], "r-pod-retry2");
}

#[test]
fn a_step_that_never_ends_is_stopped_by_the_runs_time_limit() {
    let (verdict, run) = outcome("timeout: 90s", "hang");
    assert_eq!(verdict, "False TaskRunTimeout", "{run:#}");
}

#[test]
fn a_pending_run_starts_when_it_is_released() {
    simulate(2, Odds::default(), async move |mut world| {
        world.apply("root", &task_run("r", "status: TaskRunPending", "exit 0")).await;
        world.pass(Duration::from_secs(600)).await;
        assert!(!world.stored().await.iter().any(|object| object.starts_with("/pods")));
        let runs = world.api("root", "TaskRun", "tekton.dev/v1", "default");
        let patch = Patch::Merge(json!({"spec": {"status": null}}));
        runs.patch("r", &patch, &PatchOptions::default()).await.unwrap();
        let run = world.ended("root", "TaskRun", "r").await;
        assert_eq!(World::verdict(&run), "True Succeeded");
        world
    });
}

#[test]
fn a_cancelled_run_takes_its_pod_along() {
    simulate(3, Odds::default(), async move |mut world| {
        world.apply("root", &task_run("r", "", "hang")).await;
        world.until("a pod is played", async |world| world.node.playing() == 1).await;
        let runs = world.api("root", "TaskRun", "tekton.dev/v1", "default");
        let patch = Patch::Merge(json!({"spec": {"status": "TaskRunCancelled"}}));
        runs.patch("r", &patch, &PatchOptions::default()).await.unwrap();
        let run = world.ended("root", "TaskRun", "r").await;
        assert_eq!(World::verdict(&run), "False TaskRunCancelled");
        world.until("the pod is gone", async |world| world.node.playing() == 0).await;
        world
    });
}

#[test]
fn a_deleted_run_takes_its_pod_along_in_every_propagation_but_orphan() {
    for (policy, pods_left) in
        [(Propagation::Background, 0), (Propagation::Foreground, 0), (Propagation::Orphan, 1)]
    {
        simulate(4, Odds::default(), async move |mut world| {
            world.apply("root", &task_run("r", "", "hang")).await;
            world.until("a pod is played", async |world| world.node.playing() == 1).await;
            let run = world.run("root", "TaskRun", "r").await;
            world.forget(run["metadata"]["uid"].as_str().unwrap());
            let runs = world.api("root", "TaskRun", "tekton.dev/v1", "default");
            runs.delete("r", &DeleteOptions::default().propagating(policy)).await.unwrap();
            world
                .until("the run is gone", async |world| {
                    !world.stored().await.iter().any(|object| object.starts_with("tekton.dev/taskruns"))
                })
                .await;
            world.pass(Duration::from_secs(60)).await;
            let pods = world.stored().await.iter().filter(|object| object.starts_with("/pods")).count();
            assert_eq!(pods, pods_left, "{policy:?}");
            world
        });
    }
}

#[test]
fn a_namespace_goes_with_everything_in_it() {
    simulate(5, Odds::default(), async move |mut world| {
        let namespaces = world.api("root", "Namespace", "v1", "");
        let named = |name: &str| {
            client::Dynamic(json!({
                "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name},
            }))
        };
        namespaces.create(&named("x")).await.unwrap();
        let yaml = task_run("r", "", "hang").replace("{name: r}", "{name: r, namespace: x}");
        world.apply("root", &yaml).await;
        world.until("a pod is played", async |world| world.node.playing() == 1).await;
        let runs = world.api("root", "TaskRun", "tekton.dev/v1", "x");
        let run = runs.get("r").await.unwrap().0;
        world.forget(run["metadata"]["uid"].as_str().unwrap());
        namespaces.delete("x", &DeleteOptions::default()).await.unwrap();
        world.until("the namespace is gone", async |_| namespaces.find("x").await.unwrap().is_none()).await;
        let left = world.stored().await;
        assert!(!left.iter().any(|object| object.contains("|x/") || object.ends_with("/x")), "{left:#?}");
        world
    });
}

#[test]
fn a_claim_is_bound_and_a_deleted_default_account_comes_back() {
    simulate(6, Odds::default(), async move |mut world| {
        world
            .apply(
                "root",
                "
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: c}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
",
            )
            .await;
        let accounts = world.api("root", "ServiceAccount", "v1", "default");
        accounts.delete("default", &DeleteOptions::default()).await.unwrap();
        world.pass(Duration::from_secs(5)).await;
        assert!(accounts.find("default").await.unwrap().is_some());
        let claim = world.api("root", "PersistentVolumeClaim", "v1", "default").get("c").await.unwrap().0;
        assert_eq!(claim["status"]["phase"], "Bound", "{claim:#}");
        assert_eq!(claim["status"]["capacity"]["storage"], "1Gi");
        assert!(claim["spec"]["volumeName"].as_str().unwrap().starts_with("pvc-"));
        world
    });
}

#[test]
fn an_event_goes_an_hour_after_it_was_last_seen() {
    simulate(7, Odds::default(), async move |mut world| {
        world.apply("root", &task_run("r", "", "exit 0")).await;
        world.ended("root", "TaskRun", "r").await;
        world.pass(Duration::from_secs(30)).await;
        let events = async |world: &World| {
            world.stored().await.iter().filter(|object| object.starts_with("/events")).count()
        };
        assert!(events(&world).await > 0);
        world.pass(Duration::from_secs(70 * 60)).await;
        assert_eq!(events(&world).await, 0);
        world
    });
}
