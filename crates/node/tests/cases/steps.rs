//! Steps of Tasks.

use expect_test::expect;
use serde_json::json;

use crate::support::{Bench, render, script, task};

pub(super) async fn a_step_runs_and_its_log_and_status_tell() {
    let bench = Bench::start();
    let step = json!({ "name": "hello", "command": ["echo"], "args": ["hello", "$(WHO)"], "env": [{ "name": "WHO", "value": "world" }] });
    let told = bench.run("p", task(&[], vec![step])).await;
    expect![[r#"
        Succeeded
        step-hello: terminated 0 Completed"#]]
    .assert_eq(&told);
    expect![[r#"
        stdout F hello world
        end F"#]]
    .assert_eq(&bench.log("p", "step-hello"));
    let pod = bench.api.get("pods", "p").unwrap();
    let status = &pod["status"];
    let first = &status["containerStatuses"][0];
    assert_eq!(pod["spec"]["nodeName"], "node-1");
    assert_eq!(status["podIP"], "127.0.0.1");
    assert_eq!(first["imageID"], "registry.test/busybox@sha256:1234");
    assert!(first["containerID"].as_str().unwrap().starts_with("psvc://"), "{first}");
    let conditions: Vec<String> = status["conditions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|condition| {
            format!("{}={}", condition["type"].as_str().unwrap(), condition["status"].as_str().unwrap())
        })
        .collect();
    expect![
        "PodReadyToStartContainers=False Initialized=True Ready=False ContainersReady=False PodScheduled=True"
    ]
    .assert_eq(&conditions.join(" "));
}

pub(super) async fn steps_run_in_order_and_hand_results_on() {
    let bench = Bench::start();
    let one = json!({ "name": "one", "plan": {
        "script": "printf 'a b' > /tekton/results/out; printf 12 > /tekton/steps/step-one/results/n",
        "results": [{ "name": "n", "type": "string" }],
    } });
    let two = json!({ "name": "two", "command": ["echo"], "args": ["got $(steps.one.results.n)"] });
    let three = script(
        "three",
        "cat /tekton/steps/0/exitCode /tekton/results/out; ls /tekton; pwd; touch /tekton/run/0/x 2>/dev/null || echo readonly",
    );
    let told = bench.run("p", task(&["out"], vec![one, two, three])).await;
    expect![[r#"
        Succeeded
        step-one: terminated 0 Completed out="a b" n="12"
        step-two: terminated 0 Completed
        step-three: terminated 0 Completed"#]]
    .assert_eq(&told);
    expect![[r#"
        stdout F got 12
        end F"#]]
    .assert_eq(&bench.log("p", "step-two"));
    expect![[r#"
        stdout F 0a bartifacts
        stdout F creds
        stdout F home
        stdout F results
        stdout F run
        stdout F scripts
        stdout F steps
        stdout F /
        stdout F readonly
        end F"#]]
    .assert_eq(&bench.log("p", "step-three"));
}

pub(super) async fn a_failing_step_skips_the_rest() {
    let bench = Bench::start();
    let steps = vec![script("one", "echo out > /tekton/results/r; exit 7"), script("two", "echo never")];
    let told = bench.run("p", task(&["r"], steps)).await;
    expect![[r#"
        Failed
        step-one: terminated 7 Error r="out\n"
        step-two: terminated 1 Error Reason="Skipped""#]]
    .assert_eq(&told);
    expect!["end F"].assert_eq(&bench.log("p", "step-two"));
}

pub(super) async fn a_tolerated_failure_does_not() {
    let bench = Bench::start();
    let one = json!({ "name": "one", "plan": { "script": "exit 3", "onError": "continue" } });
    let two = script("two", "cat /tekton/steps/step-one/exitCode");
    let told = bench.run("p", task(&[], vec![one, two])).await;
    expect![[r#"
        Succeeded
        step-one: terminated 0 Completed ExitCode="3" Reason="Continued"
        step-two: terminated 0 Completed"#]]
    .assert_eq(&told);
    expect![[r#"
        stdout P 3
        end F"#]]
    .assert_eq(&bench.log("p", "step-two"));
}

pub(super) async fn a_step_is_killed_at_its_time_limit() {
    let bench = Bench::start();
    let one = json!({ "name": "one", "plan": { "script": "trap '' TERM; sleep 100", "timeout": "200ms" } });
    let told = bench.run("p", task(&[], vec![one, script("two", "true")])).await;
    expect![[r#"
        Failed
        step-one: terminated 1 Error Reason="TimeoutExceeded"
        step-two: terminated 1 Error Reason="Skipped""#]]
    .assert_eq(&told);
}

pub(super) async fn the_machine_itself_is_an_image() {
    let bench = Bench::start();
    let step = json!({ "name": "one", "image": "psvc.local/host", "plan": { "script": "cat /etc/hostname >/dev/null && touch /usr/x 2>/dev/null || echo readonly; touch /tmp/x /workspace/y && echo writable" } });
    bench.api.put("pods", "p", task(&[], vec![step.clone()]));
    expect![[r#"
        Succeeded
        step-one: terminated 0 Completed"#]]
    .assert_eq(&render(&bench.over("p").await));
    expect![[r#"
        stdout F readonly
        stdout F writable
        end F"#]]
    .assert_eq(&bench.log("p", "step-one"));

    let bench = Bench::start_with(|options| options.allow_host_image = false);
    bench.api.put("pods", "p", task(&[], vec![step]));
    let pod = bench.waiting("p", "CreateContainerConfigError").await;
    expect![[r#"
        Pending
        step-one: waiting CreateContainerConfigError: image psvc.local/host is not allowed on this node: start it with --allow-host-image, or use `psvc run`"#]].assert_eq(&render(&pod));
}

pub(super) async fn output_is_copied_to_files() {
    let bench = Bench::start();
    let one = json!({ "name": "one", "plan": {
        "script": "echo out; echo err >&2",
        "stdoutPath": "/workspace/new/out", "stderrPath": "/tekton/results/err",
    }, "securityContext": { "runAsUser": 1000 } });
    let two = script("two", "cat /workspace/new/out");
    let told = bench.run("p", task(&["err"], vec![one, two])).await;
    expect![[r#"
        Succeeded
        step-one: terminated 0 Completed err="err\n"
        step-two: terminated 0 Completed"#]]
    .assert_eq(&told);
    expect![[r#"
        stdout F out
        end F"#]]
    .assert_eq(&bench.log("p", "step-two"));
}

pub(super) async fn a_step_waits_for_its_when() {
    let bench = Bench::start();
    let one = json!({ "name": "one", "plan": {
        "script": "printf no > $1", "results": [{ "name": "go", "type": "string" }],
    }, "args": ["/tekton/steps/one/results/go"] });
    let two = json!({ "name": "two", "plan": {
        "script": "echo never",
        "when": [{ "input": "$(steps.one.results.go)", "operator": "in", "values": ["yes"] }],
    } });
    let three = json!({ "name": "three", "plan": {
        "script": "echo $FROM", "when": [{ "input": "$(steps.one.results.go)", "operator": "notin", "values": ["yes"] }],
    }, "env": [{ "name": "FROM", "value": "<$(steps.one.results.go)>" }] });
    let told = bench.run("p", task(&[], vec![one, two, three])).await;
    expect![[r#"
        Succeeded
        step-one: terminated 0 Completed go="no"
        step-two: terminated 0 Completed Reason="Skipped"
        step-three: terminated 0 Completed"#]]
    .assert_eq(&told);
    expect![[r#"
        stdout F <no>
        end F"#]]
    .assert_eq(&bench.log("p", "step-three"));
}

pub(super) async fn many_pods_in_a_row_are_quick() {
    let bench = Bench::start();
    let count = 20;
    let started = std::time::Instant::now();
    for number in 0..count {
        bench.api.put("pods", &format!("p{number}"), task(&[], vec![script("one", "true")]));
    }
    for number in 0..count {
        assert_eq!(bench.over(&format!("p{number}")).await["status"]["phase"], "Succeeded");
    }
    println!("{count} Pods in {} ms", started.elapsed().as_millis());
}
