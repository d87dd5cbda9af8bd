//! StepAction, CustomRun, VerificationPolicy and ResolutionRequest.

use serde_json::Value;

use crate::apis::Errors;
use crate::field::Rejection;
use crate::tekton::gates::not_supported;
use crate::tekton::v1alpha1::{KeyRef, VerificationPolicy};
use crate::tekton::v1beta1::{CustomRun, CustomRunSpec, ResolutionRequest, StepAction, StepActionSpec};

use super::param::{given_params, object_properties, param_names, param_specs, step_result};
use super::read::{is_same_spec, metadata, read};
use super::workspace::bindings;

/// Hash algorithms that keys may name.
const HASH_ALGORITHMS: &[&str] = &["sha224", "sha256", "sha384", "sha512"];

/// Checks a StepAction.
pub(in crate::tekton) fn step_action(new: &Value, old: Option<&Value>) -> Result<(), Rejection> {
    if is_same_spec(new, old) {
        return Ok(());
    }
    let action: StepAction = read(new)?;
    metadata(new).also(step_action_spec(&action.spec).via_field("spec")).into_result()
}

fn step_action_spec(spec: &StepActionSpec) -> Errors {
    let mut errors = Errors::none();
    if spec.image.as_deref().unwrap_or_default().is_empty() {
        errors.add(Errors::missing_field(&["Image"]));
    }
    let script = spec.script.as_deref().unwrap_or_default();
    if !script.is_empty() && !spec.command.is_empty() {
        errors.add(Errors::generic("script cannot be used with command", &["script"]));
    }
    if script.contains("$(params.") || script.contains("$(params[") {
        errors.add(Errors::generic("param substitution in scripts is not allowed.", &["script"]));
    }
    errors.add(param_specs(&spec.params));
    errors.add(param_names(&spec.params));
    errors.add(object_properties(&spec.params));
    for (index, result) in spec.results.iter().enumerate() {
        errors.add(step_result(result).via_field_index("results", index));
    }
    for (index, mount) in spec.volume_mounts.iter().enumerate() {
        if !is_one_param(&mount.name) {
            let error = Errors::invalid_value(&mount.name, "name");
            let error = error.with_details("expect the Name to be a single param reference");
            errors.add(error.via_field_index("volumeMounts", index));
        }
    }
    errors
}

/// Whether a text is one reference to a param, and nothing else.
fn is_one_param(text: &str) -> bool {
    let inside = text.strip_prefix("$(params.").or_else(|| text.strip_prefix("$(params["));
    inside
        .and_then(|rest| rest.strip_suffix(')'))
        .is_some_and(|name| !name.is_empty() && !name.contains(['(', ')']))
}

/// Checks a CustomRun.
pub(in crate::tekton) fn custom_run(new: &Value, old: Option<&Value>) -> Result<(), Rejection> {
    if is_same_spec(new, old) {
        return Ok(());
    }
    let run: CustomRun = read(new)?;
    metadata(new).also(custom_run_spec(&run.spec)).into_result()
}

fn custom_run_spec(spec: &CustomRunSpec) -> Errors {
    let fields = ["spec.customRef", "spec.customSpec"];
    let (field, version, kind) = match (&spec.custom_ref, &spec.custom_spec) {
        (None, None) => return Errors::missing_one_of(&fields),
        (Some(_), Some(_)) => return Errors::multiple_one_of(&fields),
        (Some(reference), None) => ("customRef", &reference.api_version, &reference.kind),
        (None, Some(spec)) => ("customSpec", &spec.api_version, &spec.kind),
    };
    for (value, name) in [(version, "apiVersion"), (kind, "kind")] {
        if value.as_deref().unwrap_or_default().is_empty() {
            return Errors::missing_field(&[&format!("spec.{field}.{name}")]);
        }
    }
    if let (None, Some(message)) = (&spec.status, &spec.status_message) {
        let problem = "statusMessage should not be set if status is not set, but it is currently set to";
        return Errors::invalid_value(format_args!("{problem} {message}"), "statusMessage");
    }
    let errors = given_params(&spec.params)
        .via_field("params")
        .also(bindings(&spec.workspaces).via_field("workspaces"));
    errors.via_field("spec")
}

/// Checks a VerificationPolicy.
///
/// A policy that nothing enforces would be worse than none, so it is refused as long as that is so.
pub(in crate::tekton) fn verification_policy(new: &Value, old: Option<&Value>) -> Result<(), Rejection> {
    if is_same_spec(new, old) {
        return Ok(());
    }
    let policy: VerificationPolicy = read(new)?;
    let mut errors = metadata(new).also(not_supported("verification of signed definitions", "spec"));
    if policy.spec.resources.is_empty() {
        errors.add(Errors::missing_field(&["resources"]));
    }
    if policy.spec.authorities.is_empty() {
        errors.add(Errors::missing_field(&["authorities"]));
    }
    for (index, authority) in policy.spec.authorities.iter().enumerate() {
        errors.add(authority.key.as_ref().map_or_else(Errors::none, key).via_field_index("key", index));
    }
    if let Some(mode) = policy.spec.mode.as_deref().filter(|mode| !matches!(*mode, "" | "enforce" | "warn")) {
        errors.add(Errors::invalid_value(
            format_args!("available values are: enforce, warn, but got: {mode}"),
            "mode",
        ));
    }
    errors.into_result()
}

fn key(key: &KeyRef) -> Errors {
    let sources = ["data", "kms", "secretref"];
    let is_set = |text: &Option<String>| text.as_deref().is_some_and(|text| !text.is_empty());
    let count = [is_set(&key.data), key.secret_ref.is_some(), is_set(&key.kms)]
        .into_iter()
        .filter(|set| *set)
        .count();
    let mut errors = match count {
        0 => Errors::missing_one_of(&sources),
        1 => Errors::none(),
        _ => Errors::multiple_one_of(&sources),
    };
    let algorithm = key.hash_algorithm.as_deref().unwrap_or_default().to_lowercase();
    if !algorithm.is_empty() && !HASH_ALGORITHMS.contains(&algorithm.as_str()) {
        errors.add(Errors::invalid_value(algorithm, "HashAlgorithm"));
    }
    errors
}

/// Checks a ResolutionRequest.
///
/// Nobody would answer it, so it is refused as long as that is so.
pub(in crate::tekton) fn resolution_request(new: &Value, old: Option<&Value>) -> Result<(), Rejection> {
    if is_same_spec(new, old) {
        return Ok(());
    }
    let _: ResolutionRequest = read(new)?;
    metadata(new).also(not_supported("remote resolution", "spec")).into_result()
}
