//! From JSON to the structs, and the checks that every kind shares.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::apis::Errors;
use crate::columns::text;
use crate::field::Rejection;
use crate::names::{self, LABEL_LEN_MAX};

/// Reads an object; `null` is the same as absent.
///
/// # Errors
/// What does not fit the structs, in the words of Tekton's defaulting webhook.
pub(super) fn read<T: DeserializeOwned>(object: &Value) -> Result<T, Rejection> {
    T::deserialize(object).or_else(|_| T::deserialize(without_null(object.clone()))).map_err(|error| {
        Rejection::Webhook(format!(
            "admission webhook \"webhook.pipeline.tekton.dev\" denied the request: mutation failed: cannot decode \
             incoming new object: {error}"
        ))
    })
}

fn without_null(value: Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name, without_null(value)))
            .collect(),
        Value::Array(items) => items.into_iter().map(without_null).collect(),
        other => other,
    }
}

/// Whether a change leaves the specification as it is: such a change is not checked again, so that an object that was
/// accepted once can always be labelled, get its status and lose its finalizers.
pub(super) fn is_same_spec(new: &Value, old: Option<&Value>) -> bool {
    old.is_some_and(|old| old.get("spec") == new.get("spec"))
}

/// Whether a run is told to wait although it has started.
pub(super) fn pending_after_start(run: &Value, kind: &str) -> Errors {
    let pending = text(run, "/spec/status") == format!("{kind}Pending");
    if pending && !text(run, "/status/startTime").is_empty() {
        return Errors::invalid_value(
            format_args!("{kind} cannot be Pending after it is started"),
            "spec.status",
        );
    }
    Errors::none()
}

/// Checks `metadata.name`; a name that is still to be generated is not checked.
pub(super) fn metadata(object: &Value) -> Errors {
    let name = text(object, "/metadata/name");
    if name.is_empty() {
        return Errors::none();
    }
    if names::dns_subdomain_problem(name).is_some() {
        let message = format!("invalid resource name {name:?}: must be a valid DNS label");
        return Errors::generic(message, &["metadata.name"]);
    }
    if name.len() > LABEL_LEN_MAX {
        let message =
            format!("Invalid resource name: length must be no more than {LABEL_LEN_MAX} characters");
        return Errors::generic(message, &["metadata.name"]);
    }
    Errors::none()
}

/// Reports each name that occurs twice, in any case, by index.
pub(super) fn duplicate_names_by_index<'a>(names: impl IntoIterator<Item = &'a str>) -> Errors {
    duplicates(names).map(|(index, _)| Errors::multiple_one_of(&["name"]).via_index(index)).collect()
}

/// Reports each name that occurs twice, in any case, by name.
pub(super) fn duplicate_names_by_key<'a>(names: impl IntoIterator<Item = &'a str>) -> Errors {
    duplicates(names).map(|(_, name)| Errors::multiple_one_of(&["name"]).via_key(name)).collect()
}

fn duplicates<'a>(names: impl IntoIterator<Item = &'a str>) -> impl Iterator<Item = (usize, &'a str)> {
    let mut seen = Vec::new();
    names.into_iter().enumerate().filter(move |(_, name)| {
        let name = name.to_lowercase();
        let known = seen.contains(&name);
        seen.push(name);
        known
    })
}

/// A list as Go prints it: `[a b]`.
pub(super) fn go_list<'a>(items: impl IntoIterator<Item = &'a str>) -> String {
    format!("[{}]", items.into_iter().collect::<Vec<_>>().join(" "))
}
