//! Steps and sidecars.

use k8s_openapi::api::core::v1::VolumeMount;
use types::GoDuration;

use crate::apis::Errors;
use crate::names;
use crate::tekton::v1::{Sidecar, Step, StepOnError, StepTemplate};

use super::param::step_result;
use super::reference::reference;
use super::when::when_expressions;
use super::workspace::clean_path;

/// The container that Tekton itself adds for results.
const RESERVED_SIDECAR: &str = "sidecar-tekton-log-results";

/// Checks all steps; paths begin with `steps`.
pub(super) fn steps(steps: &[Step], template: Option<&StepTemplate>) -> Errors {
    let mut names = Vec::new();
    let mut errors = Errors::none();
    for (index, one) in steps.iter().enumerate() {
        if let Some(name) = &one.name {
            if names.contains(&name) {
                errors.add(Errors::multiple_one_of(&["name"]).via_index(index));
            }
            names.push(name);
        }
        errors.add(step(one, template).via_index(index));
        let results = one.results.iter().enumerate();
        let results: Errors =
            results.map(|(at, result)| step_result(result).via_field_index("results", at)).collect();
        errors.add(results.also(when_expressions(&one.when)).via_index(index));
    }
    errors.via_field("steps")
}

fn step(step: &Step, template: Option<&StepTemplate>) -> Errors {
    let mut errors = match &step.reference {
        Some(_) => with_reference(step),
        None => without_reference(step, template),
    };
    if let Some(name) = &step.name
        && names::dns_label_problem(name).is_some()
    {
        errors.add(Errors::generic(format!("invalid value {name:?}"), &["name"]).with_details(
            "Task step name must be a valid DNS Label, For more info refer to \
             https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#names",
        ));
    }
    if let Some(timeout) = step.timeout.filter(|timeout| *timeout < GoDuration::ZERO) {
        errors.add(Errors::invalid_value(timeout, "negative timeout"));
    }
    errors.add(mounts(step, template));
    if let Some(StepOnError::Other(word)) = &step.on_error
        && !is_param_reference(word)
    {
        errors.add(
            Errors::generic(format!("invalid value: \"{word}\""), &["onError"])
                .with_details("Task step onError must be either \"continue\" or \"stopAndFail\""),
        );
    }
    errors.also(step_result_references(step))
}

/// Whether a text looks like a reference to a param, which is checked when the run starts.
pub(super) fn is_param_reference(text: &str) -> bool {
    text.starts_with("$(params")
}

/// A StepAction brings its own image and command.
fn with_reference(step: &Step) -> Errors {
    let mut errors = step.reference.as_ref().map_or_else(Errors::none, |step_ref| {
        reference(step_ref.name.as_deref(), step_ref.resolver.as_deref(), &step_ref.params).via_field("ref")
    });
    let excluded = [
        (step.image.is_some(), "image", "image"),
        (!step.command.is_empty(), "command", "command"),
        (!step.args.is_empty(), "args", "args"),
        (step.script.is_some(), "script", "script"),
        (step.working_dir.is_some(), "working dir", "workingDir"),
        (!step.env.is_empty(), "env", "env"),
        (!step.volume_mounts.is_empty(), "volumeMounts", "volumeMounts"),
        (!step.results.is_empty(), "results", "results"),
    ];
    for (_, what, path) in excluded.iter().filter(|(set, ..)| *set) {
        errors.add(Errors::generic(format!("{what} cannot be used with Ref"), &[path]));
    }
    errors
}

fn without_reference(step: &Step, template: Option<&StepTemplate>) -> Errors {
    let mut errors = Errors::none();
    if !step.params.is_empty() {
        errors.add(Errors::generic("params cannot be used without Ref", &["params"]));
    }
    if step.image.is_none() && template.is_none_or(|template| template.image.is_none()) {
        errors.add(Errors::missing_field(&["Image"]));
    }
    if step.script.is_some() && !step.command.is_empty() {
        errors.add(Errors::generic("script cannot be used with command", &["script"]));
    }
    errors
}

/// Nothing may be mounted over the files that Tekton promises to steps.
fn mounts(step: &Step, template: Option<&StepTemplate>) -> Errors {
    let inherited = template
        .filter(|_| step.reference.is_none())
        .into_iter()
        .flat_map(|template| &template.volume_mounts);
    let inherited =
        inherited.filter(|mount| step.volume_mounts.iter().all(|own| own.mount_path != mount.mount_path));
    let mut errors = Errors::none();
    for (index, mount) in step.volume_mounts.iter().chain(inherited).enumerate() {
        errors.add(mount_problems(mount).via_field_index("volumeMounts", index));
    }
    errors
}

fn mount_problems(mount: &VolumeMount) -> Errors {
    let mut errors = Errors::none();
    let path = clean_path(&mount.mount_path);
    if path.starts_with("/tekton/") && !path.starts_with("/tekton/home") {
        let message = format!(
            "volumeMount cannot be mounted under /tekton/ (volumeMount {:?} mounted at {:?})",
            mount.name, mount.mount_path
        );
        errors.add(Errors::generic(message, &["mountPath"]));
    }
    if mount.name.starts_with("tekton-internal-") {
        let message = format!("volumeMount name {:?} cannot start with \"tekton-internal-\"", mount.name);
        errors.add(Errors::generic(message, &["name"]));
    }
    errors
}

/// Results of earlier steps are known only while the Task runs, so few fields can use them.
fn step_result_references(step: &Step) -> Errors {
    let mut fields = vec![
        (step.name.as_deref(), "name"),
        (step.image.as_deref(), "image"),
        (step.script.as_deref(), "script"),
        (step.image_pull_policy.as_deref(), "imagePullPolicy"),
        (step.working_dir.as_deref(), "workingDir"),
    ];
    for from in &step.env_from {
        fields.push((from.prefix.as_deref(), "envFrom.prefix"));
        fields
            .push((from.config_map_ref.as_ref().map(|source| source.name.as_str()), "envFrom.configMapRef"));
        fields.push((from.secret_ref.as_ref().map(|source| source.name.as_str()), "envFrom.secretRef"));
    }
    for mount in &step.volume_mounts {
        fields.push((Some(&mount.name), "volumeMounts.name"));
        fields.push((Some(&mount.mount_path), "volumeMounts.mountPath"));
        fields.push((mount.sub_path.as_deref(), "volumeMounts.subPath"));
    }
    let uses = |text: &str| {
        text.split("$(steps.")
            .skip(1)
            .any(|rest| rest.split_once(')').is_some_and(|(name, _)| name.contains(".results.")))
    };
    let wrong = fields.into_iter().filter(|(text, _)| text.is_some_and(uses));
    wrong
        .map(|(_, path)| {
            let message =
                "stepResult substitutions are only allowed in env, command and args. Found usage in";
            Errors::generic(message, &[path])
        })
        .collect()
}

/// Checks all sidecars; paths begin with `sidecars`.
pub(super) fn sidecars(sidecars: &[Sidecar]) -> Errors {
    let checked = sidecars.iter().enumerate().map(|(index, one)| sidecar(one).via_index(index));
    checked.collect::<Errors>().via_field("sidecars")
}

fn sidecar(sidecar: &Sidecar) -> Errors {
    let mut errors = Errors::none();
    if sidecar.name == RESERVED_SIDECAR {
        errors.add(Errors::generic(
            format!("Invalid: cannot use reserved sidecar name {RESERVED_SIDECAR} "),
            &["name"],
        ));
    }
    if sidecar.image.is_none() {
        errors.add(Errors::missing_field(&["image"]));
    }
    if sidecar.script.is_some() && !sidecar.command.is_empty() {
        errors.add(Errors::generic("script cannot be used with command", &["script"]));
    }
    errors
}
