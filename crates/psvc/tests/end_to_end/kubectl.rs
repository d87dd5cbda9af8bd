//! The tour of the README with the real kubectl, restarts, and the log after the Pod.

use serde_json::Value;

use crate::process::{PSVC, Up, shown};

#[test]
fn the_tour_of_the_readme_works() {
    let up = Up::start(&["--allow-host-image"]);
    up.ok(&["create", "-f", "examples/hello.yaml"]);
    up.ok(&["wait", "--for=condition=Succeeded", "--timeout=60s", "pipelinerun/hello"]);

    let table = up.ok(&["get", "pipelineruns"]);
    let mut lines = table.lines();
    let heading: Vec<&str> = lines.next().unwrap().split_whitespace().collect();
    assert_eq!(heading, ["NAME", "SUCCEEDED", "REASON", "STARTTIME", "COMPLETIONTIME"], "{table}");
    assert!(lines.next().unwrap().starts_with("hello"), "{table}");

    let runs: Value = serde_json::from_str(&up.ok(&["get", "taskruns", "-o", "json"])).unwrap();
    let run = &runs["items"][0];
    assert_eq!(run["metadata"]["labels"]["tekton.dev/pipelineRun"], "hello");
    assert_eq!(run["metadata"]["ownerReferences"][0]["kind"], "PipelineRun");
    let pod = run["status"]["podName"].as_str().unwrap();
    assert_eq!(up.ok(&["logs", pod]), format!("Hello from {pod}, without a cluster.\n"));

    let described = up.ok(&["describe", "pipelinerun", "hello"]);
    assert!(described.contains("Succeeded"), "{described}");
    let events = up.ok(&["events", "--for", "pipelinerun/hello"]);
    assert!(events.contains("Succeeded"), "{events}");
    let events = up.ok(&["get", "events"]);
    assert!(events.starts_with("LAST SEEN "), "{events}");
    let explained = up.ok(&["explain", "pipelinerun.spec.timeouts"]);
    assert!(explained.contains("FIELD: timeouts"), "{explained}");
    let resources = up.ok(&["api-resources"]);
    for name in ["pods", "pipelineruns", "taskruns", "workspaces", "leases"] {
        assert!(resources.lines().any(|line| line.starts_with(name)), "{name} is missing in\n{resources}");
    }

    up.ok(&["delete", "pipelinerun", "hello"]);
    up.ok(&["wait", "--for=delete", "taskrun", "--all", "--timeout=60s"]);
    up.ok(&["wait", "--for=delete", "pod", "--all", "--timeout=60s"]);
    // kubectl itself wants the Pod first; the endpoint does not.
    let path = format!("/clusters/root:default/api/v1/namespaces/default/pods/{pod}/log");
    let raw = up.ok(&["--context", "root", "get", "--raw", &path]);
    assert_eq!(raw, format!("Hello from {pod}, without a cluster.\n"), "the log went with its Pod");
    up.stop();
}

#[test]
fn plain_objects_go_through_every_verb() {
    let up = Up::start(&[]);
    let text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, labels: {a: b}}\ndata: {k: v}\n";
    let apply = |extra: &[&str], text: &str| {
        let arguments = [&["apply", "-f", "-"], extra].concat();
        let output = up.kubectl_with_input(&arguments, text);
        assert!(output.status.success(), "{arguments:?}: {}", shown(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(apply(&[], text), "configmap/c created\n");
    assert_eq!(apply(&[], text), "configmap/c unchanged\n");
    assert_eq!(apply(&[], &text.replace("k: v", "k: w")), "configmap/c configured\n");
    assert_eq!(apply(&["--server-side", "--force-conflicts"], text), "configmap/c serverside-applied\n");
    up.ok(&["patch", "configmap", "c", "--type=merge", "-p", r#"{"data":{"m":"1"}}"#]);
    up.ok(&[
        "patch",
        "configmap",
        "c",
        "--type=json",
        "-p",
        r#"[{"op":"replace","path":"/data/n","value":"2"}]"#,
    ]);
    up.ok(&["patch", "configmap", "c", "--type=strategic", "-p", r#"{"data":{"s":"3"}}"#]);
    up.ok(&["label", "configmap", "c", "x=y"]);
    up.ok(&["annotate", "configmap", "c", "note=this"]);
    let found: Value = serde_json::from_str(&up.ok(&["get", "configmap", "c", "-o", "json"])).unwrap();
    assert_eq!(found["data"].to_string(), r#"{"k":"v","m":"1","n":"2","s":"3"}"#);
    assert_eq!(found["metadata"]["labels"]["x"], "y");
    assert_eq!(found["metadata"]["annotations"]["kcp.io/cluster"].as_str().map(str::len), Some(16));
    assert_eq!(up.ok(&["get", "configmap", "-l", "a in (b),x", "-o", "name"]), "configmap/c\n");
    let difference = up.kubectl_with_input(&["diff", "-f", "-"], &text.replace("k: v", "k: new"));
    assert_eq!(difference.status.code(), Some(1), "{}", shown(&difference));
    assert!(String::from_utf8_lossy(&difference.stdout).contains("+  k: new"), "{}", shown(&difference));
    up.ok(&["delete", "configmap", "c"]);
    let gone = up.kubectl(&["get", "configmap", "c"]);
    assert!(
        String::from_utf8_lossy(&gone.stderr).contains(r#"configmaps "c" not found"#),
        "{}",
        shown(&gone)
    );
}

#[test]
fn workspaces_are_apart() {
    let up = Up::start(&[]);
    let text = "apiVersion: tenancy.kcp.io/v1alpha1\nkind: Workspace\nmetadata: {name: team}\n";
    let output = up.kubectl_with_input(&["--context", "root", "apply", "-f", "-"], text);
    assert!(output.status.success(), "{}", shown(&output));
    up.ok(&[
        "--context",
        "root",
        "wait",
        "--for=jsonpath={.status.phase}=Ready",
        "workspace/team",
        "--timeout=30s",
    ]);
    let server = format!("{}/clusters/root:team", up.url());
    up.ok(&["--server", &server, "create", "configmap", "mine"]);
    assert!(up.ok(&["--server", &server, "get", "configmaps", "-o", "name"]).contains("configmap/mine"));
    assert!(!up.ok(&["get", "configmaps", "-o", "name"]).contains("configmap/mine"));
    up.ok(&["--context", "root", "delete", "workspace", "team", "--timeout=30s"]);
    let gone = up.kubectl(&["--server", &server, "get", "configmaps"]);
    assert!(!gone.status.success(), "{}", shown(&gone));
}

#[test]
fn a_running_step_survives_a_crash_and_a_restart() {
    let up = Up::start(&["--allow-host-image"]);
    let text = "apiVersion: tekton.dev/v1\nkind: TaskRun\nmetadata: {name: long}\nspec:\n  taskSpec:\n    steps:\n      - {name: wait, image: psvc.local/host, script: 'echo begun; sleep 4; echo done'}\n";
    let output = up.kubectl_with_input(&["create", "-f", "-"], text);
    assert!(output.status.success(), "{}", shown(&output));
    up.ok(&["wait", "--for=jsonpath={.status.steps[0].running}", "taskrun/long", "--timeout=30s"]);
    let directory = up.kill();
    let up = Up::start_in(directory, &["--allow-host-image"]);
    up.ok(&["wait", "--for=condition=Succeeded", "--timeout=60s", "taskrun/long"]);
    assert_eq!(up.ok(&["logs", "long-pod"]), "begun\ndone\n");
    up.stop();
}

#[test]
fn the_host_image_must_be_allowed() {
    let up = Up::start(&[]);
    up.ok(&["create", "-f", "examples/on-error.yaml"]);
    up.ok(&["wait", "--for=condition=Succeeded=False", "--timeout=60s", "taskrun/on-error"]);
    let message = up.ok(&["get", "taskrun", "on-error", "-o", "jsonpath={.status.conditions[0].message}"]);
    assert!(message.contains("--allow-host-image"), "{message}");
}

#[test]
fn psvc_logs_follows_a_run() {
    let up = Up::start(&["--allow-host-image"]);
    up.ok(&["create", "-f", "examples/on-error.yaml"]);
    up.ok(&["wait", "--for=condition=Succeeded", "--timeout=60s", "taskrun/on-error"]);
    let output = std::process::Command::new(PSVC)
        .args(["logs", "pod/on-error-pod", "--kubeconfig"])
        .arg(up.kubeconfig())
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "2 warnings\nlint ended with 3\n",
        "{}",
        shown(&output)
    );

    up.ok(&["create", "-f", "examples/diamond.yaml"]);
    let output = std::process::Command::new(PSVC)
        .args(["logs", "-f", "diamond", "--kubeconfig"])
        .arg(up.kubeconfig())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", shown(&output));
    assert!(
        String::from_utf8_lossy(&output.stdout).contains("[bottom : join] 8 + 7 letters\n"),
        "{}",
        shown(&output)
    );
}

#[test]
fn what_fits_no_node_waits_and_says_why() {
    let up = Up::start(&["--allow-host-image"]);
    let text = "apiVersion: tekton.dev/v1\nkind: TaskRun\nmetadata: {name: huge}\nspec:\n  taskSpec:\n    steps:\n      - {name: s, image: psvc.local/host, script: 'true', computeResources: {requests: {cpu: '500'}}}\n";
    let output = up.kubectl_with_input(&["create", "-f", "-"], text);
    assert!(output.status.success(), "{}", shown(&output));
    up.ok(&[
        "wait",
        "--for=jsonpath={.status.conditions[0].reason}=ExceededNodeResources",
        "--timeout=30s",
        "taskrun/huge",
    ]);
    let pod = up.ok(&["get", "pod", "huge-pod", "-o", "jsonpath={.status.conditions[0].message}"]);
    assert_eq!(pod, "0/1 nodes are available: 1 Insufficient cpu.");
    up.ok(&["delete", "taskrun", "huge", "--timeout=30s"]);
}

#[test]
fn a_second_service_in_one_directory_is_refused_and_disturbs_nothing() {
    let up = Up::start(&[]);
    let directory = up.kubeconfig().parent().unwrap().to_owned();
    let before = std::fs::read_to_string(up.kubeconfig()).unwrap();
    let second = std::process::Command::new(PSVC)
        .args(["up", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(&directory)
        .output()
        .unwrap();
    assert!(!second.status.success(), "{}", shown(&second));
    assert_eq!(std::fs::read_to_string(up.kubeconfig()).unwrap(), before);
    up.ok(&["get", "namespaces"]);
}

#[test]
fn as_root_every_pod_has_a_user_namespace() {
    let up = Up::start(&["--allow-host-image"]);
    let text = "apiVersion: tekton.dev/v1\nkind: TaskRun\nmetadata: {name: ids}\nspec:\n  taskSpec:\n    steps:\n      - {name: s, image: psvc.local/host, script: 'cat /proc/self/uid_map'}\n";
    let output = up.kubectl_with_input(&["create", "-f", "-"], text);
    assert!(output.status.success(), "{}", shown(&output));
    up.ok(&["wait", "--for=condition=Succeeded", "--timeout=60s", "taskrun/ids"]);
    let map = up.ok(&["logs", "ids-pod"]);
    let first: Vec<&str> = map.split_whitespace().take(2).collect();
    assert!(
        first[0] == "0" && first[1] != "0",
        "the root of the container is the root of the machine: {map}"
    );
}
