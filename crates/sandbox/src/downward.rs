//! Values of the Pod itself that its containers may ask for: `fieldRef` and `resourceFieldRef`.
//! Invariant: a path that Kubernetes does not allow is an error, not an empty value.
//! Source: "Downward API" in the Kubernetes documentation.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Container, ObjectFieldSelector, Pod, ResourceFieldSelector};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use crate::input::Machine;
use crate::plan::PlanError;
use crate::quantity::{milli_units, whole_units};

/// The value of a field of the Pod.
///
/// # Errors
/// [`PlanError`] when the path is not one of those that Kubernetes allows.
pub fn field(pod: &Pod, machine: &Machine, selector: &ObjectFieldSelector) -> Result<String, PlanError> {
    let path = selector.field_path.as_str();
    let meta = &pod.metadata;
    let spec = pod.spec.as_ref();
    if let Some((map, key)) = subscript(path) {
        let values = match map {
            "metadata.labels" => &meta.labels,
            "metadata.annotations" => &meta.annotations,
            _ => return Err(unsupported(path)),
        };
        return Ok(values.as_ref().and_then(|map| map.get(key)).cloned().unwrap_or_default());
    }
    Ok(match path {
        "metadata.name" => meta.name.clone().unwrap_or_default(),
        "metadata.namespace" => meta.namespace.clone().unwrap_or_default(),
        "metadata.uid" => meta.uid.clone().unwrap_or_default(),
        "metadata.labels" => formatted_map(meta.labels.as_ref()),
        "metadata.annotations" => formatted_map(meta.annotations.as_ref()),
        "spec.nodeName" => machine.node_name.clone(),
        "spec.serviceAccountName" => {
            spec.and_then(|spec| spec.service_account_name.clone()).unwrap_or_default()
        }
        "status.hostIP" | "status.hostIPs" => machine.host_ip.clone(),
        // Pods share the machine's network or have only a loopback interface: the address is the same.
        "status.podIP" | "status.podIPs" => "127.0.0.1".to_owned(),
        _ => return Err(unsupported(path)),
    })
}

fn unsupported(path: &str) -> PlanError {
    PlanError::never(format!("unsupported fieldPath: {path}"))
}

/// Splits `metadata.labels['key']`.
fn subscript(path: &str) -> Option<(&str, &str)> {
    let (map, rest) = path.split_once("['")?;
    Some((map, rest.strip_suffix("']")?))
}

/// All entries as Kubernetes writes them to a file: `key="value"` lines, sorted by key.
fn formatted_map(map: Option<&BTreeMap<String, String>>) -> String {
    let lines: Vec<String> =
        map.into_iter().flatten().map(|(key, value)| format!("{key}={}", quoted(value))).collect();
    lines.join("\n")
}

/// A Go string literal of `text`, as `%q` prints it for the characters that labels and annotations have.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// The value of a container's resource, in units of its divisor, rounded up.
///
/// # Errors
/// [`PlanError`] when the resource, the container or the divisor is not known.
pub fn resource(
    containers: &[Container],
    own: Option<&Container>,
    machine: &Machine,
    selector: &ResourceFieldSelector,
) -> Result<String, PlanError> {
    let container = match selector.container_name.as_deref().filter(|name| !name.is_empty()) {
        Some(name) => containers
            .iter()
            .find(|container| container.name == name)
            .ok_or_else(|| PlanError::never(format!("container {name} not found")))?,
        None => own.ok_or_else(|| PlanError::never("resourceFieldRef in a volume needs a containerName"))?,
    };
    let (kind, name) = selector.resource.split_once('.').unwrap_or(("", ""));
    let resources = container.resources.as_ref();
    let map = match kind {
        "limits" => resources.and_then(|resources| resources.limits.as_ref()),
        "requests" => resources.and_then(|resources| resources.requests.as_ref()),
        _ => return Err(unknown_resource(selector)),
    };
    let set = map.and_then(|map| map.get(name)).map(|quantity| quantity.0.as_str());
    let capacity = machine_default(kind, name, machine).ok_or_else(|| unknown_resource(selector))?;
    let quantity = set.unwrap_or(&capacity);
    in_units(quantity, name, selector.divisor.as_ref()).ok_or_else(|| {
        PlanError::never(format!(
            "resource {} of container {} is not a quantity",
            selector.resource, container.name
        ))
    })
}

fn unknown_resource(selector: &ResourceFieldSelector) -> PlanError {
    PlanError::never(format!("unsupported container resource : {}", selector.resource))
}

/// What a container without the limit may use: all of the machine. Requests default to nothing.
fn machine_default(kind: &str, name: &str, machine: &Machine) -> Option<String> {
    Some(match (kind, name) {
        ("limits", "cpu") => machine.cpus.to_string(),
        ("limits", "memory") => machine.memory_bytes.to_string(),
        (_, "cpu" | "memory" | "ephemeral-storage") => "0".to_owned(),
        _ => return None,
    })
}

fn in_units(quantity: &str, name: &str, divisor: Option<&Quantity>) -> Option<String> {
    let divisor = divisor.map(|quantity| quantity.0.as_str()).filter(|text| milli_units(text) != Some(0));
    let divisor = divisor.unwrap_or("1");
    let (value, unit) = if name == "cpu" {
        (milli_units(quantity)?, milli_units(divisor)?)
    } else {
        (whole_units(quantity)?, whole_units(divisor)?)
    };
    (unit > 0).then(|| (value.div_euclid(unit) + i64::from(value.rem_euclid(unit) != 0)).to_string())
}
