//! Variables in the steps of a Task: params, contexts and results that exist, in places that can take them.
//! Source: Tekton's `task_validation.go`.

use std::collections::BTreeSet;

use api::apis::Errors;
use api::tekton::v1::{Step, TaskSpec};

use super::variables::{Known, unknown};

/// One text of a step, with its path.
struct Field<'a> {
    text: &'a str,
    path: String,
    /// Whether it is an element of a list, where an array may stand.
    takes_arrays: bool,
}

fn fields(step: &Step) -> Vec<Field<'_>> {
    let mut found = Vec::new();
    for (text, path) in [
        (&step.name, "name"),
        (&step.image, "image"),
        (&step.working_dir, "workingDir"),
        (&step.script, "script"),
    ] {
        if let Some(text) = text {
            found.push(Field { text, path: path.to_owned(), takes_arrays: false });
        }
    }
    for (list, name) in [(&step.command, "command"), (&step.args, "args")] {
        let items = list.iter().enumerate();
        found.extend(items.map(|(index, text)| Field {
            text,
            path: format!("{name}[{index}]"),
            takes_arrays: true,
        }));
    }
    for variable in &step.env {
        if let Some(text) = &variable.value {
            found.push(Field { text, path: format!("env[{}]", variable.name), takes_arrays: false });
        }
    }
    for (index, mount) in step.volume_mounts.iter().enumerate() {
        let texts = [
            (Some(&mount.name), "name"),
            (Some(&mount.mount_path), "mountPath"),
            (mount.sub_path.as_ref(), "subPath"),
        ];
        for (text, name) in texts {
            if let Some(text) = text {
                found.push(Field { text, path: format!("volumeMount[{index}].{name}"), takes_arrays: false });
            }
        }
    }
    found
}

/// Checks each text of each step that names a variable.
fn each(steps: &[Step], check: impl Fn(&Field<'_>) -> Errors) -> Errors {
    let mut errors = Errors::none();
    for (index, step) in steps.iter().enumerate() {
        for field in fields(step).iter().filter(|field| field.text.contains("$(")) {
            let found = check(field);
            if !found.is_empty() {
                errors.add(found.via_field(&field.path).via_field_index("steps", index));
            }
        }
    }
    errors
}

/// Checks what does not depend on where the spec is written: arrays in their places, contexts, results.
pub(super) fn of_task_spec(spec: &TaskSpec) -> Errors {
    let known = Known::of(&spec.params);
    let task_run = |name: &str| matches!(name, "name" | "namespace" | "uid");
    let task = |name: &str| matches!(name, "name" | "retry-count");
    let mut errors = each(&spec.steps, |field| {
        let arrays =
            if field.takes_arrays { known.isolated_arrays(field.text) } else { known.no_arrays(field.text) };
        arrays.also(unknown(field.text, "context.taskRun", task_run)).also(unknown(
            field.text,
            "context.task",
            task,
        ))
    });
    let results: BTreeSet<&str> = spec.results.iter().map(|result| result.name.as_str()).collect();
    for (index, step) in spec.steps.iter().enumerate() {
        let Some(script) = step.script.as_deref().filter(|script| script.contains("$(")) else { continue };
        let mut found = unknown(script, "results", |name| results.contains(name));
        if !step.results.is_empty() {
            let own: BTreeSet<&str> = step.results.iter().map(|result| result.name.as_str()).collect();
            found.add(unknown(script, "step.results", |name| own.contains(name)));
        }
        errors.add(found.via_field("script").via_field_index("steps", index));
    }
    errors
}

/// Checks that every param named is declared, and objects are named by their keys.
pub(super) fn declared(steps: &[Step], known: &Known<'_>) -> Errors {
    let mut errors = each(steps, |field| known.unknown(field.text).also(known.objects(field.text)));
    for (index, step) in steps.iter().enumerate() {
        if let Some(on_error) = &step.on_error {
            errors.add(known.unknown(on_error.as_str()).via_field("onError").via_field_index("steps", index));
        }
    }
    errors
}
