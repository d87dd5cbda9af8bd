//! Task and its specification.

use serde_json::Value;

use crate::apis::Errors;
use crate::field::Rejection;
use crate::tekton::gates;
use crate::tekton::v1::{Task, TaskSpec};

use super::param::{object_properties, param_names, param_specs, task_result};
use super::read::{is_same_spec, metadata, read};
use super::step::{sidecars, steps};
use super::workspace::{declarations, usages};

/// Checks a Task.
pub(in crate::tekton) fn task(new: &Value, old: Option<&Value>) -> Result<(), Rejection> {
    if is_same_spec(new, old) {
        return Ok(());
    }
    let task: Task = read(new)?;
    let spec =
        task_spec(&task.spec).also(object_properties(&task.spec.params)).also(gates::task_spec(&new["spec"]));
    metadata(new).also(spec.via_field("spec")).into_result()
}

/// Checks the specification of a Task; paths are relative to it.
///
/// Variables are not looked at, and features that are not there yet are [`gates`]'.
#[must_use]
pub fn task_spec(spec: &TaskSpec) -> Errors {
    let mut errors = Errors::none();
    if spec.steps.is_empty() {
        errors.add(Errors::missing_field(&["steps"]));
    }
    errors.add(volumes(spec));
    errors.add(declarations(spec));
    errors.add(usages(spec));
    errors.add(steps(&spec.steps, spec.step_template.as_ref()));
    errors.add(sidecars(&spec.sidecars));
    errors.add(param_specs(&spec.params));
    errors.add(param_names(&spec.params));
    let results = spec.results.iter().enumerate();
    errors
        .also(results.map(|(index, result)| task_result(result).via_field_index("results", index)).collect())
}

fn volumes(spec: &TaskSpec) -> Errors {
    let mut seen = Vec::new();
    let mut errors = Errors::none();
    for (index, volume) in spec.volumes.iter().enumerate() {
        if seen.contains(&&volume.name) {
            let message = format!("multiple volumes with same name {:?}", volume.name);
            errors.add(Errors::generic(message, &["name"]).via_field_index("volumes", index));
        }
        seen.push(&volume.name);
    }
    errors
}
