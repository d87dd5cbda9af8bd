//! Results of tasks as variables: for other tasks, for embedded specs, and as results of the PipelineRun.
//! Invariant: a result exists only when its task has ended, and a failed task's results count as well.
//! Source: Tekton's `resultrefresolution.go` and `ApplyTaskResultsToPipelineResults`.

use api::tekton::v1::{ParamValue, PipelineRunResult, PipelineSpec, TaskRunResult};

use super::state::{Progress, State, TaskState};
use crate::substitution::{Replacements, replace_value, result_refs_of};

/// Why the references of a task cannot be resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Missing {
    /// The task referred to.
    pub(super) task: String,
    /// The sentence about it.
    pub(super) message: String,
}

/// The values of all results that a task refers to.
pub(super) fn of_references(state: &State<'_>, target: &TaskState<'_>) -> Result<Replacements, Missing> {
    let mut values = Replacements::default();
    for reference in result_refs_of(target.task) {
        let missing = |message: String| Missing { task: reference.task.clone(), message };
        let source = state.named(&reference.task).map(|index| &state.tasks[index]);
        let Some(source) = source else {
            return Err(missing(format!(
                "Result reference error: Could not find ref \"{}\" in internal pipelineRunState",
                reference.task
            )));
        };
        let Some(results) = source.results() else {
            return Err(missing(format!(
                "Result reference error: Internal result ref \"{}\" has zero-length TaskRuns",
                reference.task
            )));
        };
        let Some(result) = results.iter().find(|result| result.name == reference.result) else {
            return Err(missing(if source.progress() == Progress::Succeeded {
                format!(
                    "task {:?} completed successfully but did not emit the result {:?}, which is referenced by task {:?}",
                    reference.task,
                    reference.result,
                    target.name()
                )
            } else {
                format!(
                    "Invalid task result reference: Could not find result with name {} for pipeline task {}",
                    reference.result, reference.task
                )
            }));
        };
        insert(&mut values, &reference.task, result);
    }
    Ok(values)
}

/// A reference to an element beyond the end of an array result.
pub(super) fn index_out_of_bounds(state: &State<'_>, target: &TaskState<'_>) -> Option<String> {
    result_refs_of(target.task).into_iter().find_map(|reference| {
        let source = &state.tasks[state.named(&reference.task)?];
        let result = source.results()?.iter().find(|result| result.name == reference.result)?;
        let (ParamValue::Array(items), Some(index)) = (&result.value, reference.index) else { return None };
        (index >= items.len()).then(|| {
            format!(
                "array Result Index {index} for Task {} Result {} is out of bound of size {}",
                reference.task,
                reference.result,
                items.len()
            )
        })
    })
}

/// The values of all results of all tasks that have ended.
pub(super) fn of_all(state: &State<'_>) -> Replacements {
    let mut values = Replacements::default();
    for task in &state.tasks {
        for result in task.results().unwrap_or_default() {
            insert(&mut values, task.name(), result);
        }
    }
    values
}

fn insert(values: &mut Replacements, task: &str, result: &TaskRunResult) {
    for prefix in ["tasks", "finally"] {
        let base = format!("{prefix}.{task}.results");
        let name = &result.name;
        for key in [format!("{base}.{name}"), format!("{base}[\"{name}\"]"), format!("{base}['{name}']")] {
            match &result.value {
                ParamValue::String(text) => {
                    values.strings.insert(key, text.clone());
                }
                ParamValue::Array(items) => {
                    let elements = items
                        .iter()
                        .enumerate()
                        .map(|(index, item)| (format!("{key}[{index}]"), item.clone()));
                    values.strings.extend(elements);
                    values.arrays.insert(key, items.clone());
                }
                ParamValue::Object(fields) => {
                    let elements =
                        fields.iter().map(|(field, text)| (format!("{key}.{field}"), text.clone()));
                    values.strings.extend(elements);
                    values.objects.insert(key, fields.clone());
                }
            }
        }
    }
}

/// The results of the run. Those whose source did not succeed and did not write them are left out.
///
/// # Errors
/// The results that were written, and the sentence about those that a succeeded task did not write.
pub(super) fn of_pipeline(
    spec: &PipelineSpec,
    state: &State<'_>,
) -> Result<Vec<PipelineRunResult>, (Vec<PipelineRunResult>, String)> {
    let values = if spec.results.is_empty() { Replacements::default() } else { of_all(state) };
    let (mut written, mut invalid) = (Vec::new(), Vec::new());
    for result in &spec.results {
        let variables = crate::substitution::param_expressions(&result.value);
        if variables.is_empty() {
            continue;
        }
        let scope = values.scope();
        let is_known = |variable: &str| {
            scope.string(variable).is_some()
                || scope.array(variable).is_some()
                || scope.object(variable).is_some()
        };
        let unknown: Vec<&str> = variables.into_iter().filter(|variable| !is_known(variable)).collect();
        if unknown.is_empty() {
            written.push(PipelineRunResult {
                name: result.name.clone(),
                value: replace_value(&result.value, scope),
            });
        } else if unknown.iter().any(|variable| !may_be_absent(state, variable)) {
            invalid.push(result.name.as_str());
        }
    }
    if invalid.is_empty() {
        return Ok(written);
    }
    let message =
        format!("invalid pipelineresults [{}], the referenced results don't exist", invalid.join(" "));
    Err((written, message))
}

/// Whether the task of a variable did not succeed, so that its results may be absent.
fn may_be_absent(state: &State<'_>, variable: &str) -> bool {
    let mut parts = variable.split('.');
    let is_result = matches!(parts.next(), Some("tasks" | "finally"));
    let task = parts.next().and_then(|task| state.named(task)).map(|index| &state.tasks[index]);
    let wrote_it = |task: &TaskState<'_>| {
        let name = variable.split('.').nth(3).unwrap_or_default();
        let name = name.split('[').next().unwrap_or_default();
        task.results().is_some_and(|results| results.iter().any(|result| result.name == name))
    };
    is_result && task.is_some_and(|task| task.progress() != Progress::Succeeded && !wrote_it(task))
}
