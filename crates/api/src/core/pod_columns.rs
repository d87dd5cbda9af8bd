//! What tables show of a Pod, as `kubectl get pods` prints it.
//! Source: `k8s.io/kubernetes/pkg/printers/internalversion`, `printPod`.

use serde_json::Value;

use crate::columns::{AGE, computed, list, or_none, text, wide};
use crate::table::Column;

pub(super) const COLUMNS: &[Column] = &[
    computed("Ready", "string", ready, "How many of the containers are ready."),
    computed("Status", "string", |pod| Value::from(status(pod)), "The phase of the Pod, or why it is in it."),
    computed("Restarts", "string", restarts, "How often containers were restarted."),
    AGE,
    wide(computed("IP", "string", |pod| or_none(text(pod, "/status/podIP")), "The address of the Pod.")),
    wide(computed(
        "Node",
        "string",
        |pod| or_none(text(pod, "/spec/nodeName")),
        "The node that runs the Pod.",
    )),
    wide(computed(
        "Nominated Node",
        "string",
        |pod| or_none(text(pod, "/status/nominatedNodeName")),
        "The node on which room is being made.",
    )),
    wide(computed("Readiness Gates", "string", readiness_gates, "Further conditions for being ready.")),
];

fn ready(pod: &Value) -> Value {
    let all = list(pod, "/spec/containers").len();
    let ready = list(pod, "/status/containerStatuses")
        .iter()
        .filter(|container| {
            container["ready"] == Value::Bool(true) && container["state"].get("running").is_some()
        })
        .count();
    Value::from(format!("{ready}/{all}"))
}

fn restarts(pod: &Value) -> Value {
    let count = |container: &Value| container["restartCount"].as_i64().unwrap_or(0);
    Value::from(list(pod, "/status/containerStatuses").iter().map(count).sum::<i64>().to_string())
}

fn readiness_gates(pod: &Value) -> Value {
    let gates = list(pod, "/spec/readinessGates");
    if gates.is_empty() {
        return Value::from("<none>");
    }
    let holds = |gate: &&Value| {
        list(pod, "/status/conditions")
            .iter()
            .any(|condition| condition["type"] == gate["conditionType"] && condition["status"] == "True")
    };
    Value::from(format!("{}/{}", gates.iter().filter(holds).count(), gates.len()))
}

fn status(pod: &Value) -> String {
    let mut reason = match text(pod, "/status/reason") {
        "" => text(pod, "/status/phase").to_owned(),
        reason => reason.to_owned(),
    };
    match waiting_init_container(pod) {
        Some(init) => reason = init,
        None => reason = container_reason(pod).unwrap_or(reason),
    }
    if pod["metadata"].get("deletionTimestamp").is_some() {
        if text(pod, "/status/reason") == "NodeLost" {
            return "Unknown".to_owned();
        }
        if !matches!(text(pod, "/status/phase"), "Succeeded" | "Failed") {
            return "Terminating".to_owned();
        }
    }
    reason
}

/// `Init:0/1` and the like, as long as an init container has not ended well.
fn waiting_init_container(pod: &Value) -> Option<String> {
    let all = list(pod, "/spec/initContainers").len();
    let statuses = list(pod, "/status/initContainerStatuses");
    let (index, container) = statuses
        .iter()
        .enumerate()
        .find(|(_, container)| container["state"]["terminated"]["exitCode"] != 0)?;
    let state = &container["state"];
    if state.get("terminated").is_some() {
        return Some(format!("Init:{}", terminated_reason(&state["terminated"])));
    }
    match text(state, "/waiting/reason") {
        "" | "PodInitializing" => Some(format!("Init:{index}/{all}")),
        reason => Some(format!("Init:{reason}")),
    }
}

/// Why the first container that waits or has ended is in this state.
fn container_reason(pod: &Value) -> Option<String> {
    let mut reason = None;
    let mut running = false;
    for container in list(pod, "/status/containerStatuses").iter().rev() {
        let state = &container["state"];
        if !text(state, "/waiting/reason").is_empty() {
            reason = Some(text(state, "/waiting/reason").to_owned());
        } else if state.get("terminated").is_some() {
            reason = Some(terminated_reason(&state["terminated"]));
        } else if container["ready"] == Value::Bool(true) && state.get("running").is_some() {
            running = true;
        }
    }
    if reason.as_deref() == Some("Completed") && running {
        let ready = list(pod, "/status/conditions")
            .iter()
            .any(|condition| condition["type"] == "Ready" && condition["status"] == "True");
        return Some(if ready { "Running" } else { "NotReady" }.to_owned());
    }
    reason
}

fn terminated_reason(terminated: &Value) -> String {
    match (text(terminated, "/reason"), terminated["signal"].as_i64().unwrap_or(0)) {
        ("", 0) => format!("ExitCode:{}", terminated["exitCode"].as_i64().unwrap_or(0)),
        ("", signal) => format!("Signal:{signal}"),
        (reason, _) => reason.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_status_of_a_pod_is_what_kubectl_prints() {
        let cases = [
            (json!({ "status": { "phase": "Pending" } }), "Pending"),
            (
                json!({ "status": { "phase": "Pending", "containerStatuses": [
                    { "state": { "waiting": { "reason": "ImagePullBackOff" } } },
                ] } }),
                "ImagePullBackOff",
            ),
            (
                json!({ "status": { "phase": "Failed", "containerStatuses": [
                    { "state": { "terminated": { "exitCode": 1, "reason": "Error" } } },
                    { "state": { "terminated": { "exitCode": 0, "reason": "Completed" } } },
                ] } }),
                "Error",
            ),
            (json!({ "status": { "phase": "Failed", "reason": "Evicted" } }), "Evicted"),
            (
                json!({ "metadata": { "deletionTimestamp": "2026-01-01T00:00:00Z" }, "status": { "phase": "Running" } }),
                "Terminating",
            ),
            (
                json!({ "status": { "phase": "Failed", "containerStatuses": [
                    { "state": { "terminated": { "exitCode": 137 } } },
                ] } }),
                "ExitCode:137",
            ),
        ];
        for (pod, expected) in cases {
            assert_eq!(status(&pod), expected, "{pod}");
        }
    }

    #[test]
    fn only_running_containers_count_as_ready() {
        let pod = json!({
            "spec": { "containers": [{}, {}] },
            "status": { "containerStatuses": [
                { "ready": true, "restartCount": 2, "state": { "running": {} } },
                { "ready": false, "restartCount": 1, "state": { "terminated": { "exitCode": 0 } } },
            ] },
        });
        assert_eq!(ready(&pod), "1/2");
        assert_eq!(restarts(&pod), "3");
    }
}
