//! Whether a Pod can run on a node at all: its node selector, its required node affinity and its requests.
//! Pure. Steps run one after the other, so what counts for a Pod of steps is the largest of them, not the sum.
//! Source: the words of Kubernetes' scheduler, which clients and Tekton look for.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{NodeSelectorRequirement, NodeSelectorTerm, Pod, PodSpec};

use crate::{milli_units, whole_units};

/// What a node offers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeFacts {
    /// Its labels, such as `kubernetes.io/os`.
    pub labels: BTreeMap<String, String>,
    /// Processors, in thousandths.
    pub cpu_millis: i64,
    /// Memory, in bytes.
    pub memory_bytes: i64,
}

impl NodeFacts {
    /// A node of this name, operating system Linux, and architecture (as Go spells it).
    #[must_use]
    pub fn new(name: &str, architecture: &str, cpu_millis: i64, memory_bytes: i64) -> Self {
        let labels = [
            ("kubernetes.io/hostname", name),
            ("kubernetes.io/os", "linux"),
            ("kubernetes.io/arch", architecture),
        ];
        let labels = labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        Self { labels, cpu_millis, memory_bytes }
    }
}

/// Why a Pod cannot run on the only node there is; `None` when it can.
#[must_use]
pub fn misfit(pod: &Pod, node: &NodeFacts) -> Option<String> {
    let spec = pod.spec.as_ref()?;
    let mut reasons = Vec::new();
    if !selected(spec, node) {
        reasons.push("1 node(s) didn't match Pod's node affinity/selector");
    }
    let in_sequence =
        pod.metadata.annotations.as_ref().is_some_and(|a| a.contains_key(api::step_plan::ANNOTATION));
    if requested(spec, "cpu", in_sequence, milli_units) > node.cpu_millis {
        reasons.push("1 Insufficient cpu");
    }
    if requested(spec, "memory", in_sequence, whole_units) > node.memory_bytes {
        reasons.push("1 Insufficient memory");
    }
    (!reasons.is_empty()).then(|| format!("0/1 nodes are available: {}.", reasons.join(", ")))
}

fn requested(spec: &PodSpec, resource: &str, in_sequence: bool, units: fn(&str) -> Option<i64>) -> i64 {
    let requests = spec.containers.iter().map(|container| {
        let resources = container.resources.as_ref();
        let requests = resources.and_then(|resources| resources.requests.as_ref());
        let quantity = requests.and_then(|requests| requests.get(resource));
        quantity.and_then(|quantity| units(&quantity.0)).unwrap_or(0)
    });
    if in_sequence { requests.max().unwrap_or(0) } else { requests.fold(0, i64::saturating_add) }
}

fn selected(spec: &PodSpec, node: &NodeFacts) -> bool {
    let wanted = spec.node_selector.iter().flatten();
    let by_labels = wanted.into_iter().all(|(key, value)| node.labels.get(key) == Some(value));
    let affinity = spec.affinity.as_ref().and_then(|affinity| affinity.node_affinity.as_ref());
    let required = affinity.and_then(|a| a.required_during_scheduling_ignored_during_execution.as_ref());
    // Terms are alternatives.
    by_labels
        && required.is_none_or(|required| required.node_selector_terms.iter().any(|term| fits(term, node)))
}

fn fits(term: &NodeSelectorTerm, node: &NodeFacts) -> bool {
    let expressions = term.match_expressions.iter().flatten();
    let fields = term.match_fields.iter().flatten();
    let name = node.labels.get("kubernetes.io/hostname");
    expressions.into_iter().all(|wanted| holds(wanted, node.labels.get(&wanted.key)))
        && fields.into_iter().all(|wanted| wanted.key == "metadata.name" && holds(wanted, name))
}

fn holds(wanted: &NodeSelectorRequirement, value: Option<&String>) -> bool {
    let listed = || value.is_some_and(|value| wanted.values.iter().flatten().any(|listed| listed == value));
    let number = |text: Option<&String>| text.and_then(|text| text.parse::<i64>().ok());
    let compared = number(value).zip(number(wanted.values.iter().flatten().next()));
    match wanted.operator.as_str() {
        "In" => listed(),
        "NotIn" => !listed(),
        "Exists" => value.is_some(),
        "DoesNotExist" => value.is_none(),
        "Gt" => compared.is_some_and(|(value, limit)| value > limit),
        "Lt" => compared.is_some_and(|(value, limit)| value < limit),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pod_runs_only_where_it_fits() {
        let node = NodeFacts::new("here", "amd64", 2_000, 1 << 30);
        let affinity = |operator: &str, value: &str| {
            let expression = json!({ "key": "kubernetes.io/os", "operator": operator, "values": [value] });
            let terms = json!({ "nodeSelectorTerms": [{ "matchExpressions": [expression] }] });
            json!({ "affinity": { "nodeAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": terms } } })
        };
        let selector = "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.";
        for (spec, expected) in [
            (json!({}), None),
            (json!({ "nodeSelector": { "kubernetes.io/os": "linux" } }), None),
            (json!({ "nodeSelector": { "kubernetes.io/os": "windows" } }), Some(selector)),
            (affinity("In", "linux"), None),
            (affinity("NotIn", "linux"), Some(selector)),
        ] {
            let mut spec = spec;
            spec["containers"] = json!([{ "name": "a" }]);
            let pod: Pod = serde_json::from_value(json!({ "spec": spec })).unwrap();
            assert_eq!(misfit(&pod, &node).as_deref(), expected, "{spec}");
        }
    }

    #[test]
    fn steps_count_by_the_largest_and_containers_by_the_sum() {
        let node = NodeFacts::new("here", "amd64", 2_000, 1 << 30);
        let containers = json!([
            { "name": "a", "resources": { "requests": { "cpu": "1500m" } } },
            { "name": "b", "resources": { "requests": { "cpu": "1" } } },
        ]);
        let mut pod: Pod = serde_json::from_value(json!({ "spec": { "containers": containers } })).unwrap();
        assert_eq!(misfit(&pod, &node).as_deref(), Some("0/1 nodes are available: 1 Insufficient cpu."));
        let annotation = (api::step_plan::ANNOTATION.to_owned(), String::new());
        pod.metadata.annotations = Some([annotation].into());
        assert_eq!(misfit(&pod, &node), None);
    }
}
