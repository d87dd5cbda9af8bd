//! What Kubernetes fills in for a Pod.
//! Source: `k8s.io/kubernetes/pkg/apis/core/v1/defaults.go`, and the admission of service accounts.

use serde_json::{Map, Value, json};

use super::object::{default_text, default_value, object_field, object_items};

/// The mode of files from ConfigMaps, Secrets and the like: `0644`.
const FILE_MODE: i64 = 0o644;
/// The time between SIGTERM and SIGKILL when the Pod does not say.
const TERMINATION_GRACE_PERIOD_SECONDS: i64 = 30;

/// Fills in what the user left out.
pub(super) fn apply(object: &mut Value) {
    let Some(pod) = object.as_object_mut() else { return };
    if let Some(status) = object_field(pod, "status") {
        default_text(status, "phase", "Pending");
    }
    let Some(spec) = object_field(pod, "spec") else { return };
    default_text(spec, "restartPolicy", "Always");
    default_text(spec, "dnsPolicy", "ClusterFirst");
    default_text(spec, "schedulerName", "default-scheduler");
    default_value(spec, "terminationGracePeriodSeconds", TERMINATION_GRACE_PERIOD_SECONDS);
    default_value(spec, "securityContext", Map::new());
    default_value(spec, "enableServiceLinks", true);
    default_service_account(spec);
    for list in ["initContainers", "containers", "ephemeralContainers"] {
        object_items(spec, list).for_each(default_container);
    }
    object_items(spec, "volumes").for_each(default_volume);
    let class = qos_class(spec);
    if let Some(status) = object_field(pod, "status") {
        default_text(status, "qosClass", class);
    }
}

/// `serviceAccount` is the old name of `serviceAccountName`; both are kept.
fn default_service_account(spec: &mut Map<String, Value>) {
    if let Some(old) = spec.get("serviceAccount").and_then(Value::as_str).map(ToOwned::to_owned) {
        default_text(spec, "serviceAccountName", &old);
    }
    default_text(spec, "serviceAccountName", "default");
    if let Some(name) = spec.get("serviceAccountName").cloned() {
        spec.insert("serviceAccount".to_owned(), name);
    }
}

fn default_container(container: &mut Map<String, Value>) {
    let image = container.get("image").and_then(Value::as_str).unwrap_or_default();
    let policy = if is_moving_tag(image) { "Always" } else { "IfNotPresent" };
    default_text(container, "imagePullPolicy", policy);
    default_text(container, "terminationMessagePath", "/dev/termination-log");
    default_text(container, "terminationMessagePolicy", "File");
    object_items(container, "ports").for_each(|port| default_text(port, "protocol", "TCP"));
    for variable in object_items(container, "env") {
        if let Some(field) = nested(variable, &["valueFrom", "fieldRef"]) {
            default_text(field, "apiVersion", "v1");
        }
    }
    default_requests(container);
    for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if let Some(probe) = container.get_mut(probe).and_then(Value::as_object_mut) {
            default_probe(probe);
        }
    }
}

/// What is limited but not asked for is asked for.
fn default_requests(container: &mut Map<String, Value>) {
    let Some(resources) = object_field(container, "resources") else { return };
    let Some(Value::Object(limits)) = resources.get("limits").cloned() else { return };
    if let Some(requests) = object_field(resources, "requests") {
        for (name, limit) in limits {
            requests.entry(name).or_insert(limit);
        }
    }
}

fn default_probe(probe: &mut Map<String, Value>) {
    for (field, value) in
        [("timeoutSeconds", 1), ("periodSeconds", 10), ("successThreshold", 1), ("failureThreshold", 3)]
    {
        default_value(probe, field, value);
    }
    if let Some(http) = probe.get_mut("httpGet").and_then(Value::as_object_mut) {
        default_text(http, "path", "/");
        default_text(http, "scheme", "HTTP");
    }
}

fn default_volume(volume: &mut Map<String, Value>) {
    if volume.keys().all(|key| key == "name") {
        volume.insert("emptyDir".to_owned(), json!({}));
    }
    for source in ["secret", "configMap", "projected", "downwardAPI"] {
        if let Some(source) = volume.get_mut(source).and_then(Value::as_object_mut) {
            default_value(source, "defaultMode", FILE_MODE);
        }
    }
    if let Some(source) = volume.get_mut("hostPath").and_then(Value::as_object_mut) {
        default_value(source, "type", "");
    }
    if let Some(source) = volume.get_mut("downwardAPI").and_then(Value::as_object_mut) {
        object_items(source, "items").for_each(default_field_of_item);
    }
    if let Some(projected) = volume.get_mut("projected").and_then(Value::as_object_mut) {
        for source in object_items(projected, "sources") {
            if let Some(token) = source.get_mut("serviceAccountToken").and_then(Value::as_object_mut) {
                default_value(token, "expirationSeconds", 3600);
            }
            if let Some(downward) = source.get_mut("downwardAPI").and_then(Value::as_object_mut) {
                object_items(downward, "items").for_each(default_field_of_item);
            }
        }
    }
}

fn default_field_of_item(item: &mut Map<String, Value>) {
    if let Some(field) = nested(item, &["fieldRef"]) {
        default_text(field, "apiVersion", "v1");
    }
}

fn nested<'a>(object: &'a mut Map<String, Value>, path: &[&str]) -> Option<&'a mut Map<String, Value>> {
    path.iter().try_fold(object, |object, field| object.get_mut(*field)?.as_object_mut())
}

/// Whether the reference names no fixed version: no digest, and no tag or `latest`.
fn is_moving_tag(image: &str) -> bool {
    if image.contains('@') {
        return false;
    }
    let name = image.rsplit('/').next().unwrap_or(image);
    matches!(name.split_once(':'), None | Some((_, "latest")))
}

/// `Guaranteed`, `Burstable` or `BestEffort`, by what all containers ask for and are limited to.
fn qos_class(spec: &Map<String, Value>) -> &'static str {
    let containers = ["initContainers", "containers"]
        .iter()
        .filter_map(|list| spec.get(*list)?.as_array())
        .flatten()
        .map(|container| &container["resources"]);
    let (mut any, mut all) = (false, true);
    for resources in containers {
        for name in ["cpu", "memory"] {
            let (request, limit) = (&resources["requests"][name], &resources["limits"][name]);
            any |= !request.is_null() || !limit.is_null();
            all &= !limit.is_null() && (request.is_null() || request == limit);
        }
    }
    match (any, all) {
        (false, _) => "BestEffort",
        (true, true) => "Guaranteed",
        (true, false) => "Burstable",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_pod_gets_the_defaults_of_kubernetes() {
        let mut pod = json!({
            "metadata": { "name": "p" },
            "spec": {
                "containers": [{ "name": "c", "image": "busybox", "resources": { "limits": { "cpu": "1" } } }],
                "volumes": [{ "name": "v" }, { "name": "s", "secret": { "secretName": "s" } }],
            },
        });
        apply(&mut pod);
        assert_eq!(
            pod["spec"],
            json!({
                "restartPolicy": "Always",
                "dnsPolicy": "ClusterFirst",
                "schedulerName": "default-scheduler",
                "terminationGracePeriodSeconds": 30,
                "securityContext": {},
                "enableServiceLinks": true,
                "serviceAccountName": "default",
                "serviceAccount": "default",
                "containers": [{
                    "name": "c",
                    "image": "busybox",
                    "imagePullPolicy": "Always",
                    "terminationMessagePath": "/dev/termination-log",
                    "terminationMessagePolicy": "File",
                    "resources": { "limits": { "cpu": "1" }, "requests": { "cpu": "1" } },
                }],
                "volumes": [
                    { "name": "v", "emptyDir": {} },
                    { "name": "s", "secret": { "secretName": "s", "defaultMode": 420 } },
                ],
            })
        );
        assert_eq!(pod["status"], json!({ "phase": "Pending", "qosClass": "Burstable" }));
        let once = pod.clone();
        apply(&mut pod);
        assert_eq!(pod, once, "a second time changes nothing");
    }

    #[test]
    fn images_with_a_fixed_version_are_not_pulled_again() {
        let cases = [
            ("busybox", true),
            ("busybox:latest", true),
            ("localhost:5000/busybox", true),
            ("busybox:1.36", false),
            ("localhost:5000/busybox:1", false),
            ("busybox@sha256:00", false),
        ];
        for (image, moving) in cases {
            assert_eq!(is_moving_tag(image), moving, "{image}");
        }
    }
}
