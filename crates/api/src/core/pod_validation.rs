//! What a Pod must be like to be accepted, and what of it may change.
//! Source: `k8s.io/kubernetes/pkg/apis/core/validation`.

use serde_json::{Map, Value};

use super::object::{quantity_problem, subdomain_name_errors};
use crate::columns::{list, text};
use crate::field::{FieldError, Rejection};
use crate::names;

const RESTART_POLICIES: &[&str] = &["Always", "OnFailure", "Never"];
const DNS_POLICIES: &[&str] = &["ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"];
const PULL_POLICIES: &[&str] = &["Always", "IfNotPresent", "Never"];
const MESSAGE_POLICIES: &[&str] = &["File", "FallbackToLogsOnError"];

/// Checks a new Pod, or a change of one.
pub(super) fn validate(new: &Value, old: Option<&Value>) -> Result<(), Rejection> {
    let mut errors = subdomain_name_errors(new);
    errors.extend(spec_errors(&new["spec"]));
    if let Some(old) = old {
        errors.extend(update_errors(&new["spec"], &old["spec"]));
    }
    Rejection::unless_empty(errors)
}

fn spec_errors(spec: &Value) -> Vec<FieldError> {
    let mut errors = volume_errors(list(spec, "/volumes"));
    let volumes = list(spec, "/volumes").iter().map(|volume| text(volume, "/name")).collect::<Vec<_>>();
    if list(spec, "/containers").is_empty() {
        errors.push(FieldError::required("spec.containers", ""));
    }
    let mut seen = Vec::new();
    for part in ["containers", "initContainers"] {
        for (index, container) in list(spec, &format!("/{part}")).iter().enumerate() {
            let at = format!("spec.{part}[{index}]");
            let name = text(container, "/name");
            if !name.is_empty() && seen.contains(&name) {
                errors.push(FieldError::duplicate(format!("{at}.name"), name));
            }
            seen.push(name);
            errors.extend(container_errors(container, &at, &volumes));
        }
    }
    errors.extend(word_errors(spec, "spec", "restartPolicy", RESTART_POLICIES));
    errors.extend(word_errors(spec, "spec", "dnsPolicy", DNS_POLICIES));
    errors.extend(count_errors(spec, "terminationGracePeriodSeconds", 0));
    errors.extend(count_errors(spec, "activeDeadlineSeconds", 1));
    for field in ["serviceAccountName", "nodeName"] {
        let name = text(spec, &format!("/{field}"));
        let problem = names::dns_subdomain_problem(name).filter(|_| !name.is_empty());
        errors.extend(problem.map(|problem| FieldError::invalid(format!("spec.{field}"), name, problem)));
    }
    errors
}

fn volume_errors(volumes: &[Value]) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut seen = Vec::new();
    for (index, volume) in volumes.iter().enumerate() {
        let at = format!("spec.volumes[{index}]");
        let name = text(volume, "/name");
        errors.extend(label_errors(name, &format!("{at}.name")));
        if !name.is_empty() && seen.contains(&name) {
            errors.push(FieldError::duplicate(format!("{at}.name"), name));
        }
        seen.push(name);
        let sources = volume.as_object().into_iter().flat_map(Map::keys).filter(|key| *key != "name");
        for extra in sources.skip(1) {
            errors.push(FieldError::forbidden(
                format!("{at}.{extra}"),
                "may not specify more than 1 volume type",
            ));
        }
        if volume.get("persistentVolumeClaim").is_some()
            && text(volume, "/persistentVolumeClaim/claimName").is_empty()
        {
            errors.push(FieldError::required(format!("{at}.persistentVolumeClaim.claimName"), ""));
        }
        if volume.get("secret").is_some() && text(volume, "/secret/secretName").is_empty() {
            errors.push(FieldError::required(format!("{at}.secret.secretName"), ""));
        }
        if volume.get("configMap").is_some() && text(volume, "/configMap/name").is_empty() {
            errors.push(FieldError::required(format!("{at}.configMap.name"), ""));
        }
        if volume.get("hostPath").is_some() && text(volume, "/hostPath/path").is_empty() {
            errors.push(FieldError::required(format!("{at}.hostPath.path"), ""));
        }
    }
    errors
}

fn container_errors(container: &Value, at: &str, volumes: &[&str]) -> Vec<FieldError> {
    let mut errors = label_errors(text(container, "/name"), &format!("{at}.name"));
    let image = text(container, "/image");
    if image.is_empty() {
        errors.push(FieldError::required(format!("{at}.image"), ""));
    } else if image.trim() != image {
        errors.push(FieldError::invalid(
            format!("{at}.image"),
            image,
            "must not have leading or trailing whitespace",
        ));
    }
    errors.extend(word_errors(container, at, "imagePullPolicy", PULL_POLICIES));
    errors.extend(word_errors(container, at, "terminationMessagePolicy", MESSAGE_POLICIES));
    errors.extend(env_errors(list(container, "/env"), at));
    errors.extend(mount_errors(list(container, "/volumeMounts"), at, volumes));
    errors.extend(resource_errors(&container["resources"], at));
    for (index, port) in list(container, "/ports").iter().enumerate() {
        let field = format!("{at}.ports[{index}].containerPort");
        match port["containerPort"].as_i64() {
            None => errors.push(FieldError::required(field, "")),
            Some(number) if !(1..=65535).contains(&number) => {
                errors.push(FieldError::invalid(field, number, "must be between 1 and 65535, inclusive"));
            }
            Some(_) => {}
        }
    }
    errors
}

fn env_errors(variables: &[Value], at: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for (index, variable) in variables.iter().enumerate() {
        let at = format!("{at}.env[{index}]");
        let name = text(variable, "/name");
        if name.is_empty() {
            errors.push(FieldError::required(format!("{at}.name"), ""));
        } else if name.contains('=') || !name.bytes().all(|b| (0x20..0x7f).contains(&b)) {
            let problem =
                "environment variable names must be printable ASCII characters other than '=' character";
            errors.push(FieldError::invalid(format!("{at}.name"), name, problem));
        }
        let Some(from) = variable.get("valueFrom").and_then(Value::as_object) else { continue };
        if !text(variable, "/value").is_empty() {
            let problem = "may not be specified when `value` is not empty";
            errors.push(FieldError::invalid(format!("{at}.valueFrom"), "", problem));
        }
        match from.len() {
            0 => errors.push(FieldError::invalid(
                format!("{at}.valueFrom"),
                "",
                "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`",
            )),
            1 => {}
            _ => errors.push(FieldError::invalid(
                format!("{at}.valueFrom"),
                "",
                "may not have more than one field specified at a time",
            )),
        }
        for (source, value) in from.iter().filter(|(source, _)| source.ends_with("KeyRef")) {
            for field in ["name", "key"] {
                if text(value, &format!("/{field}")).is_empty() {
                    errors.push(FieldError::required(format!("{at}.valueFrom.{source}.{field}"), ""));
                }
            }
        }
    }
    errors
}

fn mount_errors(mounts: &[Value], at: &str, volumes: &[&str]) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut seen = Vec::new();
    for (index, mount) in mounts.iter().enumerate() {
        let at = format!("{at}.volumeMounts[{index}]");
        let name = text(mount, "/name");
        if name.is_empty() {
            errors.push(FieldError::required(format!("{at}.name"), ""));
        } else if !volumes.contains(&name) {
            errors.push(FieldError::not_found(format!("{at}.name"), name));
        }
        let path = text(mount, "/mountPath");
        if path.is_empty() {
            errors.push(FieldError::required(format!("{at}.mountPath"), ""));
        } else if seen.contains(&path) {
            errors.push(FieldError::invalid(format!("{at}.mountPath"), path, "must be unique"));
        }
        seen.push(path);
        for field in ["subPath", "subPathExpr"] {
            let sub_path = text(mount, &format!("/{field}"));
            if sub_path.starts_with('/') {
                errors.push(FieldError::invalid(
                    format!("{at}.{field}"),
                    sub_path,
                    "must be a relative path",
                ));
            }
            if sub_path.split('/').any(|part| part == "..") {
                errors.push(FieldError::invalid(format!("{at}.{field}"), sub_path, "must not contain '..'"));
            }
        }
    }
    errors
}

fn resource_errors(resources: &Value, at: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for part in ["limits", "requests"] {
        for (name, amount) in resources[part].as_object().into_iter().flatten() {
            let amount = amount.as_str().map_or_else(|| amount.to_string(), ToOwned::to_owned);
            let field = format!("{at}.resources.{part}.{name}");
            if let Some(problem) = quantity_problem(&amount) {
                errors.push(FieldError::invalid(field, amount, problem));
            } else if amount.starts_with('-') {
                errors.push(FieldError::invalid(field, amount, "must be greater than or equal to 0"));
            }
        }
    }
    errors
}

fn label_errors(name: &str, field: &str) -> Vec<FieldError> {
    if name.is_empty() {
        return vec![FieldError::required(field, "")];
    }
    names::dns_label_problem(name)
        .map(|problem| FieldError::invalid(field, name, problem))
        .into_iter()
        .collect()
}

fn word_errors(object: &Value, at: &str, field: &str, known: &[&str]) -> Option<FieldError> {
    let word = text(object, &format!("/{field}"));
    (!word.is_empty() && !known.contains(&word))
        .then(|| FieldError::not_supported(format!("{at}.{field}"), word, known))
}

fn count_errors(spec: &Value, field: &str, least: i64) -> Option<FieldError> {
    let count = spec[field].as_i64()?;
    let detail = if least == 0 { "must be greater than or equal to 0" } else { "must be greater than 0" };
    (count < least).then(|| FieldError::invalid(format!("spec.{field}"), count, detail))
}

/// Of a Pod only images, the deadline, further tolerations, a shorter grace period and, once, the node may change.
fn update_errors(new: &Value, old: &Value) -> Vec<FieldError> {
    const DETAIL: &str = "pod updates may not change fields other than `spec.containers[*].image`,\
                          `spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions \
                          to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was \
                          previously negative)";
    let mut errors = Vec::new();
    if list(new, "/containers").len() != list(old, "/containers").len() {
        return vec![FieldError::forbidden(
            "spec.containers",
            "pod updates may not add or remove containers",
        )];
    }
    if !list(old, "/tolerations").iter().all(|toleration| list(new, "/tolerations").contains(toleration)) {
        errors.push(FieldError::forbidden(
            "spec.tolerations",
            "existing toleration can not be modified except its tolerationSeconds",
        ));
    }
    if let Some(before) = old["activeDeadlineSeconds"].as_i64()
        && new["activeDeadlineSeconds"].as_i64().is_none_or(|now| now > before)
    {
        let detail = "must be less than or equal to previous value";
        errors.push(FieldError::invalid(
            "spec.activeDeadlineSeconds",
            new["activeDeadlineSeconds"].as_i64().unwrap_or(0),
            detail,
        ));
    }
    if frozen(new, old) != frozen(old, old) {
        errors.push(FieldError::forbidden("spec", DETAIL));
    }
    errors
}

/// The part of a specification that must stay as it is in `old`.
fn frozen(spec: &Value, old: &Value) -> Value {
    let mut frozen = spec.clone();
    let Some(fields) = frozen.as_object_mut() else { return frozen };
    fields.remove("activeDeadlineSeconds");
    fields.remove("tolerations");
    if text(old, "/nodeName").is_empty() {
        fields.remove("nodeName");
    }
    for part in ["containers", "initContainers"] {
        for container in fields.get_mut(part).and_then(Value::as_array_mut).into_iter().flatten() {
            container.as_object_mut().map(|container| container.remove("image"));
        }
    }
    frozen
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn errors_of(new: &Value, old: Option<&Value>) -> String {
        match validate(new, old) {
            Err(Rejection::Invalid(errors)) => {
                errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
            }
            _ => String::new(),
        }
    }

    fn pod(spec: Value) -> Value {
        json!({ "metadata": { "name": "p" }, "spec": spec })
    }

    #[test]
    fn pods_are_refused_in_the_words_of_kubernetes() {
        let cases = [
            (json!({ "containers": [{ "name": "c", "image": "i" }] }), ""),
            (json!({}), "spec.containers: Required value"),
            (json!({ "containers": [{ "name": "c" }] }), "spec.containers[0].image: Required value"),
            (json!({ "containers": [{ "image": "i" }] }), "spec.containers[0].name: Required value"),
            (
                json!({ "containers": [{ "name": "c", "image": "i" }, { "name": "c", "image": "i" }] }),
                "spec.containers[1].name: Duplicate value: \"c\"",
            ),
            (
                json!({ "containers": [{ "name": "C", "image": "i" }] }),
                "spec.containers[0].name: Invalid value: \"C\": a lowercase RFC 1123 label must consist of lower case \
                 alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  \
                 or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
            ),
            (
                json!({ "containers": [{ "name": "c", "image": "i" }], "restartPolicy": "Sometimes" }),
                "spec.restartPolicy: Unsupported value: \"Sometimes\": supported values: \"Always\", \"OnFailure\", \"Never\"",
            ),
            (
                json!({ "containers": [{ "name": "c", "image": "i", "volumeMounts": [{ "name": "v", "mountPath": "/v" }] }] }),
                "spec.containers[0].volumeMounts[0].name: Not found: \"v\"",
            ),
            (
                json!({ "containers": [{ "name": "c", "image": "i", "resources": { "limits": { "cpu": "lots" } } }] }),
                "spec.containers[0].resources.limits.cpu: Invalid value: \"lots\": quantities must match the regular \
                 expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
            ),
        ];
        for (spec, expected) in cases {
            assert_eq!(errors_of(&pod(spec), None), expected);
        }
    }

    #[test]
    fn a_pod_may_be_bound_once_and_change_its_image_and_nothing_else() {
        let spec = |node: &str, image: &str, command: &str| {
            pod(
                json!({ "nodeName": node, "containers": [{ "name": "c", "image": image, "command": [command] }] }),
            )
        };
        let unbound = spec("", "a", "x");
        assert_eq!(errors_of(&spec("node", "b", "x"), Some(&unbound)), "");
        assert!(
            errors_of(&spec("", "a", "y"), Some(&unbound))
                .starts_with("spec: Forbidden: pod updates may not change")
        );
        let bound = spec("node", "a", "x");
        assert!(
            errors_of(&spec("other", "a", "x"), Some(&bound)).starts_with("spec: Forbidden: pod updates")
        );
    }
}
