//! ConfigMap and Secret: keys with values, as text or as base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use serde_json::{Map, Value};

use super::object::{default_text, subdomain_name_errors};
use crate::columns::{AGE, computed, entries, path};
use crate::field::{FieldError, Rejection};
use crate::names;
use crate::schema;
use crate::table::{Resource, Version, unchanged};

/// The most bytes that the values of a ConfigMap or Secret may have together.
const VALUES_LEN_MAX: usize = 1024 * 1024;

pub(crate) const CONFIG_MAP: Resource = Resource {
    group: "",
    plural: "configmaps",
    singular: "configmap",
    kind: "ConfigMap",
    short_names: &["cm"],
    categories: &[],
    namespaced: true,
    versions: &[Version {
        name: "v1",
        schema: schema::of::<ConfigMap>,
        to_storage: unchanged,
        from_storage: unchanged,
        deprecation_warning: None,
    }],
    storage_version: "v1",
    stored_with: None,
    status_subresource: false,
    builtin: true,
    columns: &[
        computed(
            "Data",
            "string",
            |object| Value::from((entries(object, "/data") + entries(object, "/binaryData")).to_string()),
            "The number of keys.",
        ),
        AGE,
    ],
    selectable_fields: &[],
    default: |_| {},
    validate: validate_config_map,
};

pub(crate) const SECRET: Resource = Resource {
    group: "",
    plural: "secrets",
    singular: "secret",
    kind: "Secret",
    short_names: &[],
    categories: &[],
    namespaced: true,
    versions: &[Version {
        name: "v1",
        schema: schema::of::<Secret>,
        to_storage: unchanged,
        from_storage: unchanged,
        deprecation_warning: None,
    }],
    storage_version: "v1",
    stored_with: None,
    status_subresource: false,
    builtin: true,
    columns: &[
        path("Type", "string", ".type", "What the keys are for."),
        computed(
            "Data",
            "string",
            |object| Value::from(entries(object, "/data").to_string()),
            "The number of keys.",
        ),
        AGE,
    ],
    selectable_fields: &["type"],
    default: default_secret,
    validate: validate_secret,
};

/// Types of Secrets with the keys that they must have.
///
/// Of `kubernetes.io/basic-auth` one of two keys is enough.
const SECRET_TYPES: &[(&str, &[&str])] = &[
    ("kubernetes.io/dockercfg", &[".dockercfg"]),
    ("kubernetes.io/dockerconfigjson", &[".dockerconfigjson"]),
    ("kubernetes.io/ssh-auth", &["ssh-privatekey"]),
    ("kubernetes.io/tls", &["tls.crt", "tls.key"]),
];

fn default_secret(object: &mut Value) {
    let Some(secret) = object.as_object_mut() else { return };
    default_text(secret, "type", "Opaque");
    let Some(Value::Object(plain)) = secret.remove("stringData") else { return };
    if plain.is_empty() {
        return;
    }
    let data = secret.entry("data").or_insert_with(|| Value::Object(Map::new()));
    if data.is_null() {
        *data = Value::Object(Map::new());
    }
    if let Some(data) = data.as_object_mut() {
        for (key, value) in plain {
            data.insert(key, Value::from(STANDARD.encode(value.as_str().unwrap_or_default())));
        }
    }
}

fn validate_secret(new: &Value, old: Option<&Value>) -> Result<(), Rejection> {
    let mut errors = subdomain_name_errors(new);
    let mut len = 0;
    for (key, value) in fields(new, "data") {
        let field = format!("data[{key}]");
        errors.extend(
            names::config_key_problem(key).map(|problem| FieldError::invalid(field.clone(), key, problem)),
        );
        match base64_len(value.as_str().unwrap_or_default()) {
            Some(bytes) => len += bytes,
            None => errors.push(FieldError::invalid(field, "<omitted>", "must be base64 with padding")),
        }
    }
    if len > VALUES_LEN_MAX {
        errors.push(too_long("data"));
    }
    let kind = new["type"].as_str().unwrap_or_default();
    for (_, keys) in SECRET_TYPES.iter().filter(|(name, _)| *name == kind) {
        for key in *keys {
            if new["data"].get(key).is_none() {
                errors.push(FieldError::required(format!("data[{key}]"), ""));
            }
        }
    }
    if kind == "kubernetes.io/basic-auth"
        && new["data"].get("username").is_none()
        && new["data"].get("password").is_none()
    {
        errors.push(FieldError::required("data[username]", ""));
        errors.push(FieldError::required("data[password]", ""));
    }
    if let Some(old) = old {
        if old["type"] != new["type"] {
            errors.push(FieldError::invalid("type", kind, "field is immutable"));
        }
        errors.extend(immutable_errors(new, old, &["data"], "secret"));
    }
    Rejection::unless_empty(errors)
}

fn validate_config_map(new: &Value, old: Option<&Value>) -> Result<(), Rejection> {
    let mut errors = subdomain_name_errors(new);
    let mut len = 0;
    for part in ["data", "binaryData"] {
        for (key, value) in fields(new, part) {
            let field = format!("{part}[{key}]");
            errors.extend(
                names::config_key_problem(key)
                    .map(|problem| FieldError::invalid(field.clone(), key, problem)),
            );
            let text = value.as_str().unwrap_or_default();
            if part == "data" {
                len += text.len();
                continue;
            }
            if new["data"].get(key).is_some() {
                errors.push(FieldError::invalid(part, key, "duplicate of key present in data"));
            }
            match base64_len(text) {
                Some(bytes) => len += bytes,
                None => errors.push(FieldError::invalid(field, "<omitted>", "must be base64 with padding")),
            }
        }
    }
    if len > VALUES_LEN_MAX {
        errors.push(too_long(""));
    }
    if let Some(old) = old {
        errors.extend(immutable_errors(new, old, &["data", "binaryData"], "configmap"));
    }
    Rejection::unless_empty(errors)
}

/// Once `immutable` is true, it and the data stay.
fn immutable_errors(new: &Value, old: &Value, parts: &[&str], what: &str) -> Vec<FieldError> {
    if old["immutable"] != Value::Bool(true) {
        return Vec::new();
    }
    let mut errors = Vec::new();
    if new["immutable"] != Value::Bool(true) {
        errors.push(FieldError::forbidden("immutable", "field is immutable when `immutable` is set"));
    }
    for part in parts {
        if fields(new, part).ne(fields(old, part)) {
            errors.push(FieldError::forbidden(
                *part,
                format!("field of this {what} is immutable when `immutable` is set"),
            ));
        }
    }
    errors
}

fn too_long(field: &str) -> FieldError {
    FieldError {
        reason: "FieldValueTooLong",
        field: field.to_owned(),
        message: format!("Too long: may not be more than {VALUES_LEN_MAX} bytes"),
    }
}

fn fields<'a>(object: &'a Value, part: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    object[part].as_object().into_iter().flatten()
}

/// The number of bytes that base64 with padding stands for; `None` if it is not that. Line breaks are ignored.
fn base64_len(text: &str) -> Option<usize> {
    let text = text.bytes().filter(|b| !matches!(b, b'\n' | b'\r')).collect::<Vec<_>>();
    STANDARD.decode(text).ok().map(|bytes| bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn errors_of(result: Result<(), Rejection>) -> String {
        match result {
            Ok(()) => String::new(),
            Err(Rejection::Invalid(errors)) => {
                errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
            }
            Err(Rejection::Webhook(text)) => text,
        }
    }

    #[test]
    fn string_data_of_a_secret_becomes_data_and_wins() {
        let mut secret =
            json!({ "data": { "a": "eA==", "b": "eQ==" }, "stringData": { "a": "hello", "c": "" } });
        default_secret(&mut secret);
        assert_eq!(secret, json!({ "type": "Opaque", "data": { "a": "aGVsbG8=", "b": "eQ==", "c": "" } }));
    }

    #[test]
    fn secrets_with_bad_keys_values_or_missing_keys_are_refused() {
        let cases = [
            (
                json!({ "metadata": { "name": "s" }, "type": "Opaque", "data": { "a b": "eA==" } }),
                "data[a b]: Invalid value: \"a b\": a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')",
            ),
            (
                json!({ "metadata": { "name": "s" }, "type": "Opaque", "data": { "a": "e" } }),
                "data[a]: Invalid value: \"<omitted>\": must be base64 with padding",
            ),
            (
                json!({ "metadata": { "name": "s" }, "type": "kubernetes.io/ssh-auth" }),
                "data[ssh-privatekey]: Required value",
            ),
            (
                json!({ "metadata": {}, "type": "Opaque" }),
                "metadata.name: Required value: name or generateName is required",
            ),
            (json!({ "metadata": { "generateName": "s-" }, "type": "Opaque" }), ""),
        ];
        for (secret, expected) in cases {
            assert_eq!(errors_of(validate_secret(&secret, None)), expected);
        }
    }

    #[test]
    fn an_immutable_config_map_keeps_its_data_and_stays_immutable() {
        let old = json!({ "metadata": { "name": "c" }, "data": { "a": "1" }, "immutable": true });
        let new = json!({ "metadata": { "name": "c" }, "data": { "a": "2" } });
        assert_eq!(errors_of(validate_config_map(&old, Some(&old))), "");
        assert_eq!(
            errors_of(validate_config_map(&new, Some(&old))),
            "immutable: Forbidden: field is immutable when `immutable` is set\n\
             data: Forbidden: field of this configmap is immutable when `immutable` is set"
        );
    }
}
