//! Deletion, crashes, and what is in a Pod's way.

use expect_test::expect;
use serde_json::json;

use crate::support::{Bench, pod, render, script, task};

const NODE: &str = "node-1";

pub(super) async fn a_deleted_pod_gets_its_time_and_is_removed() {
    let bench = Bench::start();
    let text = "trap 'echo goodbye; exit 4' TERM; echo ready; while true; do sleep 0.01; done";
    bench.api.put("pods", "p", task(&[], vec![script("one", text), script("two", "true")]));
    bench.phase("p", "Running").await;
    bench.says("p", "step-one", "ready").await;
    bench.api.delete_pod("p", 30);
    bench.gone("p").await;
    assert!(bench.log("p", "step-one").contains("goodbye"), "{}", bench.log("p", "step-one"));
    let writes = bench.api.writes();
    assert_eq!(writes[writes.len() - 2..], ["status p Failed", "delete pods/p"], "{writes:?}");
}

pub(super) async fn a_pod_that_ignores_sigterm_is_killed_after_its_time() {
    let bench = Bench::start();
    let text = "trap '' TERM; echo ready; while true; do sleep 0.01; done";
    bench.api.put("pods", "p", task(&[], vec![script("one", text)]));
    bench.says("p", "step-one", "ready").await;
    bench.api.delete_pod("p", 1);
    bench.gone("p").await;
    expect![[r#"
        stdout F ready
        end F"#]]
    .assert_eq(&bench.log("p", "step-one"));
}

pub(super) async fn a_pod_that_vanishes_is_killed_at_once() {
    let bench = Bench::start();
    let text = "trap '' TERM; echo ready; while true; do sleep 0.01; done";
    bench.api.put("pods", "p", task(&[], vec![script("one", text)]));
    bench.says("p", "step-one", "ready").await;
    bench.api.remove("pods", "p");
    bench.no_pod_dirs().await;
    expect![[r#"
        stdout F ready
        end F"#]]
    .assert_eq(&bench.log("p", "step-one"));
}

pub(super) async fn a_running_pod_survives_a_crash_of_the_service() {
    let mut bench = Bench::start();
    let text =
        "echo ready; until [ -e /tekton/home/go ]; do sleep 0.01; done; printf done > /tekton/results/r";
    bench.api.put("pods", "p", task(&["r"], vec![script("one", text), script("two", "echo after")]));
    bench.phase("p", "Running").await;
    bench.crash_service().await;
    let dir = bench.pod_dirs().remove(0);
    bench.start_service();
    std::fs::write(dir.join("tekton/home/go"), "").unwrap();
    expect![[r#"
        Succeeded
        step-one: terminated 0 Completed r="done"
        step-two: terminated 0 Completed"#]]
    .assert_eq(&render(&bench.over("p").await));
    bench.no_pod_dirs().await;
}

pub(super) async fn a_pod_that_ended_without_the_service_is_reported() {
    let mut bench = Bench::start();
    let text = "echo ready; until [ -e /tekton/home/go ]; do sleep 0.01; done";
    bench.api.put("pods", "p", task(&[], vec![script("one", text), script("two", "exit 2")]));
    bench.phase("p", "Running").await;
    bench.crash_service().await;
    let dir = bench.pod_dirs().remove(0);
    std::fs::write(dir.join("tekton/home/go"), "").unwrap();
    bench.shim_ended(&dir).await;
    bench.start_service();
    expect![[r#"
        Failed
        step-one: terminated 0 Completed
        step-two: terminated 2 Error"#]]
    .assert_eq(&render(&bench.over("p").await));
    bench.no_pod_dirs().await;
}

pub(super) async fn a_pod_whose_shim_was_killed_fails_with_words() {
    let bench = Bench::start();
    bench.api.put(
        "pods",
        "p",
        task(&[], vec![script("one", "echo ready; sleep 100"), script("two", "true")]),
    );
    bench.says("p", "step-one", "ready").await;
    bench.kill_shims();
    expect![[r#"
        Failed Error the process that ran this Pod ended unexpectedly: it was killed, or the machine restarted
        step-one: terminated 137 ContainerStatusUnknown: The container could not be located when the pod was terminated
        step-two: terminated 137 ContainerStatusUnknown: The container could not be located when the pod was terminated"#]].assert_eq(&render(&bench.over("p").await));
    // Nothing of the step goes on, and its log has an end.
    expect![[r#"
        stdout F ready
        end F"#]]
    .assert_eq(&bench.log("p", "step-one"));
    bench.no_pod_dirs().await;
}

pub(super) async fn pods_of_a_service_that_kills_end_with_it() {
    let mut bench = Bench::start_with(|options| options.kill_with_parent = true);
    bench.api.put("pods", "p", task(&[], vec![script("one", "echo ready; sleep 100")]));
    bench.says("p", "step-one", "ready").await;
    bench.stop_service().await;
    expect![[r#"
        Failed
        step-one: terminated 137 Error"#]]
    .assert_eq(&render(&bench.over("p").await));
    bench.no_pod_dirs().await;
}

pub(super) async fn a_pod_over_its_deadline_fails() {
    let bench = Bench::start();
    let mut pod = task(&[], vec![script("one", "sleep 100")]);
    pod["spec"]["activeDeadlineSeconds"] = json!(1);
    expect![[r#"
        Failed DeadlineExceeded Pod was active on the node longer than the specified deadline
        step-one: terminated 143 Error"#]]
    .assert_eq(&bench.run("p", pod).await);
}

pub(super) async fn what_is_missing_is_named_and_waited_for() {
    let bench = Bench::start();
    let mut step = script("one", "echo $VALUE");
    step["env"] =
        json!([{ "name": "VALUE", "valueFrom": { "configMapKeyRef": { "name": "settings", "key": "k" } } }]);
    bench.api.put("pods", "p", task(&[], vec![step]));
    let pod = bench.waiting("p", "CreateContainerConfigError").await;
    expect![[r#"
        Pending
        step-one: waiting CreateContainerConfigError: configmap "settings" not found"#]]
    .assert_eq(&render(&pod));
    bench.api.put("configmaps", "settings", json!({ "data": { "k": "v" } }));
    assert_eq!(bench.over("p").await["status"]["phase"], "Succeeded");
    expect![[r#"
        stdout F v
        end F"#]]
    .assert_eq(&bench.log("p", "step-one"));
}

pub(super) async fn an_image_that_cannot_be_pulled_backs_off() {
    let bench = Bench::start();
    let mut step = script("one", "true");
    step["image"] = json!("registry.test/none");
    bench.api.put("pods", "p", task(&[], vec![step]));
    let pod = bench.waiting("p", "ErrImagePull").await;
    expect![[r#"
        Pending
        step-one: waiting ErrImagePull: failed to pull image "registry.test/none": not found"#]]
    .assert_eq(&render(&pod));
    let pod = bench.waiting("p", "ImagePullBackOff").await;
    expect![[r#"
        Pending
        step-one: waiting ImagePullBackOff: Back-off pulling image "registry.test/none": ErrImagePull: failed to pull image "registry.test/none": not found"#]].assert_eq(&render(&pod));
    bench.api.delete_pod("p", 30);
    bench.gone("p").await;
}

pub(super) async fn pods_wait_for_a_place() {
    let bench = Bench::start_with(|options| options.pods_max = 1);
    bench.api.put("pods", "first", task(&[], vec![script("one", "echo ready; sleep 100")]));
    bench.phase("first", "Running").await;
    bench.api.put(
        "pods",
        "second",
        pod("Never", vec![json!({ "name": "c", "image": "busybox", "command": ["true"] })]),
    );
    bench.api.put("pods", "elsewhere", json!({ "spec": { "nodeName": "other", "containers": [] } }));
    bench.api.put("pods", "bound", json!({ "spec": { "nodeName": NODE, "containers": [{ "name": "c", "image": "busybox", "command": ["true"] }], "restartPolicy": "Never" } }));
    assert!(bench.api.get("pods", "second").unwrap()["spec"]["nodeName"].is_null());
    bench.api.delete_pod("first", 0);
    assert_eq!(bench.over("second").await["status"]["phase"], "Succeeded");
    assert_eq!(bench.over("bound").await["status"]["phase"], "Succeeded");
    assert!(bench.api.get("pods", "elsewhere").unwrap()["status"].is_null());
}
