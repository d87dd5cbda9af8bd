//! What Kubernetes' own types say about merging, which their generated Rust types do not: one table.
//! The keys are definition names of `k8s-openapi`; schemas of other kinds carry their extensions themselves.
//! Invariant: lists that are not here, and have no extension of their own, are replaced whole.
//! Source: the `listType`, `structType` and `patchStrategy` markers of `k8s.io/api` and `k8s.io/apimachinery`.

use serde_json::{Map, Value, json};

const CORE: &str = "io.k8s.api.core.v1.";
const APPS: &str = "io.k8s.api.apps.v1.";
const META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.";
const ADMISSION: &str = "io.k8s.api.admissionregistration.v1.";

/// A list, by the definition and the property that hold it.
struct List {
    package: &'static str,
    definition: &'static str,
    property: &'static str,
    /// The keys for server-side apply; empty for a set.
    keys: &'static [&'static str],
    strategy: &'static str,
    merge_key: &'static str,
}

const fn merged(
    package: &'static str,
    definition: &'static str,
    property: &'static str,
    keys: &'static [&'static str],
) -> List {
    List { package, definition, property, keys, strategy: "merge", merge_key: keys[0] }
}

const fn retained(
    package: &'static str,
    definition: &'static str,
    property: &'static str,
    keys: &'static [&'static str],
) -> List {
    List { package, definition, property, keys, strategy: "merge,retainKeys", merge_key: keys[0] }
}

const fn set(
    package: &'static str,
    definition: &'static str,
    property: &'static str,
    strategy: &'static str,
) -> List {
    List { package, definition, property, keys: &[], strategy, merge_key: "" }
}

const fn keyed(
    package: &'static str,
    definition: &'static str,
    property: &'static str,
    keys: &'static [&'static str],
) -> List {
    List { package, definition, property, keys, strategy: "", merge_key: "" }
}

const LISTS: &[List] = &[
    merged(CORE, "Container", "ports", &["containerPort", "protocol"]),
    merged(CORE, "Container", "env", &["name"]),
    merged(CORE, "Container", "volumeMounts", &["mountPath"]),
    merged(CORE, "Container", "volumeDevices", &["devicePath"]),
    merged(CORE, "EphemeralContainer", "ports", &["containerPort", "protocol"]),
    merged(CORE, "EphemeralContainer", "env", &["name"]),
    merged(CORE, "EphemeralContainer", "volumeMounts", &["mountPath"]),
    merged(CORE, "EphemeralContainer", "volumeDevices", &["devicePath"]),
    merged(CORE, "ContainerStatus", "volumeMounts", &["mountPath"]),
    merged(CORE, "ContainerStatus", "allocatedResourcesStatus", &["name"]),
    keyed(CORE, "ResourceStatus", "resources", &["resourceID"]),
    keyed(CORE, "ResourceRequirements", "claims", &["name"]),
    keyed(CORE, "VolumeResourceRequirements", "claims", &["name"]),
    set(CORE, "ContainerRestartRuleOnExitCodes", "values", ""),
    retained(CORE, "PodSpec", "volumes", &["name"]),
    merged(CORE, "PodSpec", "initContainers", &["name"]),
    merged(CORE, "PodSpec", "containers", &["name"]),
    merged(CORE, "PodSpec", "ephemeralContainers", &["name"]),
    merged(CORE, "PodSpec", "imagePullSecrets", &["name"]),
    merged(CORE, "PodSpec", "hostAliases", &["ip"]),
    merged(CORE, "PodSpec", "topologySpreadConstraints", &["topologyKey", "whenUnsatisfiable"]),
    merged(CORE, "PodSpec", "schedulingGates", &["name"]),
    retained(CORE, "PodSpec", "resourceClaims", &["name"]),
    merged(CORE, "PodStatus", "conditions", &["type"]),
    List {
        package: CORE,
        definition: "PodStatus",
        property: "hostIPs",
        keys: &[],
        strategy: "merge",
        merge_key: "ip",
    },
    merged(CORE, "PodStatus", "podIPs", &["ip"]),
    retained(CORE, "PodStatus", "resourceClaimStatuses", &["name"]),
    merged(CORE, "PersistentVolumeClaimStatus", "conditions", &["type"]),
    merged(CORE, "NamespaceStatus", "conditions", &["type"]),
    merged(CORE, "ServiceStatus", "conditions", &["type"]),
    merged(CORE, "ReplicationControllerStatus", "conditions", &["type"]),
    List {
        package: CORE,
        definition: "ServiceSpec",
        property: "ports",
        keys: &["port", "protocol"],
        strategy: "merge",
        merge_key: "port",
    },
    merged(CORE, "ServiceAccount", "secrets", &["name"]),
    set(CORE, "NodeSpec", "podCIDRs", "merge"),
    merged(CORE, "NodeStatus", "conditions", &["type"]),
    merged(CORE, "NodeStatus", "addresses", &["type"]),
    merged(META, "ObjectMeta", "ownerReferences", &["uid"]),
    set(META, "ObjectMeta", "finalizers", "merge"),
    merged(APPS, "StatefulSetStatus", "conditions", &["type"]),
    merged(APPS, "DeploymentStatus", "conditions", &["type"]),
    merged(APPS, "DaemonSetStatus", "conditions", &["type"]),
    merged(APPS, "ReplicaSetStatus", "conditions", &["type"]),
    merged(ADMISSION, "ValidatingWebhookConfiguration", "webhooks", &["name"]),
    merged(ADMISSION, "MutatingWebhookConfiguration", "webhooks", &["name"]),
    merged(ADMISSION, "ValidatingWebhook", "matchConditions", &["name"]),
    merged(ADMISSION, "MutatingWebhook", "matchConditions", &["name"]),
    merged(ADMISSION, "ValidatingAdmissionPolicySpec", "matchConditions", &["name"]),
    merged(ADMISSION, "ValidatingAdmissionPolicySpec", "variables", &["name"]),
    set(ADMISSION, "ValidatingAdmissionPolicyBindingSpec", "validationActions", ""),
];

/// Definitions whose objects are replaced whole.
const ATOMIC: &[&str] = &[
    "io.k8s.api.core.v1.SecretReference",
    "io.k8s.api.core.v1.FileKeySelector",
    "io.k8s.api.core.v1.ObjectFieldSelector",
    "io.k8s.api.core.v1.ResourceFieldSelector",
    "io.k8s.api.core.v1.ConfigMapKeySelector",
    "io.k8s.api.core.v1.SecretKeySelector",
    "io.k8s.api.core.v1.NodeSelector",
    "io.k8s.api.core.v1.NodeSelectorTerm",
    "io.k8s.api.core.v1.TopologySelectorTerm",
    "io.k8s.api.core.v1.EndpointAddress",
    "io.k8s.api.core.v1.EndpointPort",
    "io.k8s.api.core.v1.ObjectReference",
    "io.k8s.api.core.v1.LocalObjectReference",
    "io.k8s.api.core.v1.TypedLocalObjectReference",
    "io.k8s.api.core.v1.ScopeSelector",
    "io.k8s.apimachinery.pkg.apis.meta.v1.OwnerReference",
    "io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelector",
    "io.k8s.api.rbac.v1.Subject",
    "io.k8s.api.rbac.v1.RoleRef",
];

/// Maps that are replaced whole, by definition and property.
const ATOMIC_MAPS: &[(&str, &str)] = &[
    ("io.k8s.api.core.v1.PodSpec", "nodeSelector"),
    ("io.k8s.api.core.v1.ServiceSpec", "selector"),
    ("io.k8s.api.core.v1.ReplicationControllerSpec", "selector"),
];

/// Definitions that hold anything.
const OPEN: &[&str] = &[
    "io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1",
    "io.k8s.apimachinery.pkg.runtime.RawExtension",
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON",
];

/// Adds the extensions of the table to the definitions of a schema document, and to its root if its title tells
/// which definition it is.
pub(crate) fn annotate(schema: &mut Value) {
    let title = schema.get("title").and_then(Value::as_str).unwrap_or_default().to_owned();
    annotate_definition(&title, schema);
    let Some(definitions) = schema.get_mut("$defs").and_then(Value::as_object_mut) else { return };
    for (name, definition) in definitions.iter_mut() {
        annotate_definition(name, definition);
    }
}

fn annotate_definition(name: &str, definition: &mut Value) {
    let Some(fields) = definition.as_object_mut() else { return };
    relax(fields);
    if ATOMIC.contains(&name) {
        fields.insert("x-kubernetes-map-type".to_owned(), json!("atomic"));
    }
    if OPEN.contains(&name) {
        fields.insert("x-kubernetes-preserve-unknown-fields".to_owned(), json!(true));
    }
    if name == "io.k8s.apimachinery.pkg.api.resource.Quantity" {
        fields.insert("format".to_owned(), json!("quantity"));
    }
    let Some(properties) = fields.get_mut("properties").and_then(Value::as_object_mut) else { return };
    for (_, property) in ATOMIC_MAPS.iter().filter(|(definition, _)| *definition == name) {
        put(properties, property, "x-kubernetes-map-type", json!("atomic"));
    }
    for list in LISTS.iter().filter(|list| name.strip_prefix(list.package) == Some(list.definition)) {
        annotate_list(properties, list);
    }
    if matches!(name, "io.k8s.api.core.v1.ContainerPort" | "io.k8s.api.core.v1.ServicePort") {
        put(properties, "protocol", "default", json!("TCP"));
    }
}

/// Objects inside objects, such as claim templates, may leave their metadata out, whatever the Rust types say.
fn relax(definition: &mut Map<String, Value>) {
    let properties = definition.get("properties");
    let is_object =
        ["apiVersion", "kind", "metadata"].iter().all(|key| properties.is_some_and(|p| p.get(key).is_some()));
    if let Some(Value::Array(required)) = definition.get_mut("required").filter(|_| is_object) {
        required.retain(|key| key != "metadata");
        if required.is_empty() {
            definition.remove("required");
        }
    }
}

fn annotate_list(properties: &mut Map<String, Value>, list: &List) {
    match (list.keys, list.merge_key) {
        ([], "") => put(properties, list.property, "x-kubernetes-list-type", json!("set")),
        ([], _) => put(properties, list.property, "x-kubernetes-list-type", json!("atomic")),
        (keys, _) => {
            put(properties, list.property, "x-kubernetes-list-type", json!("map"));
            put(properties, list.property, "x-kubernetes-list-map-keys", json!(keys));
        }
    }
    if !list.strategy.is_empty() {
        put(properties, list.property, "x-kubernetes-patch-strategy", json!(list.strategy));
    }
    if !list.merge_key.is_empty() {
        put(properties, list.property, "x-kubernetes-patch-merge-key", json!(list.merge_key));
    }
}

fn put(properties: &mut Map<String, Value>, property: &str, keyword: &str, value: Value) {
    if let Some(schema) = properties.get_mut(property).and_then(Value::as_object_mut) {
        schema.insert(keyword.to_owned(), value);
    }
}
