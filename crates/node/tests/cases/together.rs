//! Pods without a step plan.

use expect_test::expect;
use serde_json::{Value, json};

use crate::support::{Bench, pod};

fn container(name: &str, script: &str) -> Value {
    json!({ "name": name, "image": "busybox", "command": ["sh", "-c", script] })
}

pub(super) async fn containers_run_at_once_and_one_failure_fails_the_pod() {
    let bench = Bench::start();
    let mut one = container("one", "until [ -e /shared/x ]; do sleep 0.01; done; echo seen");
    let mut two = container("two", "touch /shared/x; exit 3");
    for container in [&mut one, &mut two] {
        container["volumeMounts"] = json!([{ "name": "shared", "mountPath": "/shared" }]);
    }
    let mut pod = pod("Never", vec![one, two]);
    pod["spec"]["volumes"] = json!([{ "name": "shared", "emptyDir": {} }]);
    expect![[r#"
        Failed
        one: terminated 0 Completed
        two: terminated 3 Error"#]]
    .assert_eq(&bench.run("p", pod).await);
    expect![[r#"
        stdout F seen
        end F"#]]
    .assert_eq(&bench.log("p", "one"));
}

pub(super) async fn a_failed_container_is_restarted() {
    let bench = Bench::start();
    let mut one = container("one", "[ -e /shared/x ] && exit 0; touch /shared/x; exit 3");
    one["volumeMounts"] = json!([{ "name": "shared", "mountPath": "/shared" }]);
    let mut pod = pod("OnFailure", vec![one]);
    pod["spec"]["volumes"] =
        json!([{ "name": "shared", "emptyDir": { "medium": "Memory", "sizeLimit": "1Mi" } }]);
    expect![[r#"
        Succeeded
        one: terminated 0 Completed"#]]
    .assert_eq(&bench.run("p", pod).await);
    let pod = bench.api.get("pods", "p").unwrap();
    let status = &pod["status"]["containerStatuses"][0];
    assert_eq!(
        (&status["restartCount"], &status["lastState"]["terminated"]["exitCode"]),
        (&json!(1), &json!(3))
    );
}

pub(super) async fn a_command_that_does_not_exist_is_a_start_error() {
    let bench = Bench::start();
    let one = json!({ "name": "one", "image": "busybox", "command": ["nonsense"] });
    expect![[r#"
        Failed
        one: terminated 128 StartError: executable file `nonsense` not found in $PATH"#]]
    .assert_eq(&bench.run("p", pod("Never", vec![one])).await);
}

pub(super) async fn a_termination_message_is_read() {
    let bench = Bench::start();
    let one = container("one", "printf finished > /dev/termination-log");
    let mut two = container("two", "echo first; echo last; exit 1");
    two["terminationMessagePolicy"] = json!("FallbackToLogsOnError");
    expect![[r#"
        Failed
        one: terminated 0 Completed: finished
        two: terminated 1 Error: first
        last
    "#]]
    .assert_eq(&bench.run("p", pod("Never", vec![one, two])).await);
}

pub(super) async fn a_container_out_of_memory_is_told_apart() {
    let bench = Bench::start();
    let mut one = container("one", "dd if=/dev/zero of=/dev/null bs=200M count=1; echo survived");
    one["resources"] = json!({ "limits": { "memory": "32Mi" } });
    one["command"] = json!(["dd", "if=/dev/zero", "of=/dev/null", "bs=200M", "count=1"]);
    expect![[r#"
        Failed
        one: terminated 137 OOMKilled"#]]
    .assert_eq(&bench.run("p", pod("Never", vec![one])).await);
}
