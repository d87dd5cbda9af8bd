//! What Tekton's webhook checks beyond single fields: variables, graphs, references between tasks.
//! Single fields are `api::tekton::validation`'s; both report in the same grammar and are called one after the other.
//! Invariant: time is linear in the size of the object, whatever its graph.
//! Start at [`validate`].

mod pipelines;
mod steps;
mod variables;

#[cfg(test)]
mod tests;

use api::apis::Errors;
use api::field::Rejection;
use api::tekton::v1::{
    Param, ParamSpec, ParamValue, Pipeline, PipelineRun, PipelineSpec, PipelineTaskOnError, Task, TaskRun,
    TaskSpec,
};
use api::tekton::validation;
use serde::Deserialize as _;
use serde_json::Value;

use variables::Known;

/// Checks a new or changed object of `tekton.dev/v1`, given by its plural name, after defaulting. Other kinds pass.
///
/// # Errors
/// [`Rejection::Webhook`] with one line for each error, in Tekton's words.
pub fn validate(plural: &str, new: &Value) -> Result<(), Rejection> {
    let errors = match plural {
        "tasks" => Task::deserialize(new).map(|task| of_task(&task)),
        "taskruns" => TaskRun::deserialize(new).map(|run| of_task_run(&run)),
        "pipelines" => Pipeline::deserialize(new).map(|pipeline| of_pipeline(&pipeline)),
        "pipelineruns" => PipelineRun::deserialize(new).map(|run| of_pipeline_run(&run)),
        _ => return Ok(()),
    };
    match errors {
        Ok(errors) => errors.into_result(),
        Err(error) => Err(Rejection::Webhook(format!("could not read the object: {error}"))),
    }
}

fn of_task(task: &Task) -> Errors {
    let known = Known::of(&task.spec.params);
    steps::of_task_spec(&task.spec).also(steps::declared(&task.spec.steps, &known)).via_field("spec")
}

fn of_task_run(run: &TaskRun) -> Errors {
    let Some(spec) = &run.spec.task_spec else { return Errors::none() };
    // What a run gives may be used by the spec that it embeds, declared or not.
    let declared = with_given(&spec.params, &run.spec.params);
    let known = Known::of(&declared);
    let errors = steps::of_task_spec(spec).also(steps::declared(&spec.steps, &known));
    errors.via_field("taskSpec").via_field("spec")
}

fn of_pipeline(pipeline: &Pipeline) -> Errors {
    let spec = &pipeline.spec;
    let outer = Known::of(&spec.params);
    let mut errors = pipelines::of_spec(spec).also(pipelines::declared(spec, &outer));
    for (list, tasks) in [("tasks", &spec.tasks), ("finally", &spec.finally)] {
        for (index, task) in tasks.iter().enumerate() {
            let Some(embedded) = &task.task_spec else { continue };
            let known = Known::of(&embedded.task_spec.params).within(&outer);
            errors.add(steps::declared(&embedded.task_spec.steps, &known).via_field_index(list, index));
        }
    }
    errors.via_field("spec")
}

fn of_pipeline_run(run: &PipelineRun) -> Errors {
    let Some(spec) = &run.spec.pipeline_spec else { return Errors::none() };
    let params = with_given(&spec.params, &run.spec.params);
    let outer = Known::of(&params);
    let mut errors = pipelines::of_spec(spec).also(pipelines::declared(spec, &outer));
    for (list, tasks) in [("tasks", &spec.tasks), ("finally", &spec.finally)] {
        for (index, task) in tasks.iter().enumerate() {
            let Some(embedded) = &task.task_spec else { continue };
            let declared = with_given(&embedded.task_spec.params, &task.params);
            let known = Known::of(&declared).within(&outer);
            let found = steps::declared(&embedded.task_spec.steps, &known);
            errors.add(found.via_field("taskSpec").via_field_index(list, index));
        }
    }
    errors.via_field("pipelineSpec").via_field("spec")
}

/// Declared params, and as many more as values are given for others.
fn with_given(declared: &[ParamSpec], given: &[Param]) -> Vec<ParamSpec> {
    let mut all = declared.to_vec();
    for param in given.iter().filter(|param| !declared.iter().any(|spec| spec.name == param.name)) {
        let properties = match &param.value {
            ParamValue::Object(fields) => {
                fields.keys().map(|key| (key.clone(), Default::default())).collect()
            }
            ParamValue::String(_) | ParamValue::Array(_) => Default::default(),
        };
        all.push(ParamSpec {
            name: param.name.clone(),
            kind: Some(param.value.kind()),
            properties,
            ..ParamSpec::default()
        });
    }
    all
}

/// What is wrong with a Task's spec once all known variables are replaced.
pub(crate) fn unknown_variables(spec: &TaskSpec) -> Option<String> {
    let known = Known::of(&spec.params);
    let errors = validation::task_spec(spec)
        .also(steps::of_task_spec(spec))
        .also(steps::declared(&spec.steps, &known));
    (!errors.is_empty()).then(|| errors.to_string())
}

/// What is wrong with a Pipeline's spec by itself.
pub(crate) fn pipeline_spec_errors(spec: &PipelineSpec) -> Option<String> {
    let errors = validation::pipeline_spec(spec).also(pipelines::of_spec(spec));
    (!errors.is_empty()).then(|| errors.to_string())
}

/// What is wrong with `onError` of tasks, which may come from a param.
pub(crate) fn on_error_errors(spec: &PipelineSpec) -> Option<String> {
    let mut errors = Errors::none();
    for task in spec.tasks.iter().chain(&spec.finally) {
        match &task.on_error {
            Some(PipelineTaskOnError::Other(word)) => errors.add(
                Errors::invalid_value(word, "OnError")
                    .with_details("PipelineTask OnError must be either \"continue\" or \"stopAndFail\""),
            ),
            Some(PipelineTaskOnError::Continue) if task.retries > 0 => errors.add(Errors::generic(
                "PipelineTask OnError cannot be set to \"continue\" when Retries is greater than 0",
                &[""],
            )),
            _ => {}
        }
    }
    (!errors.is_empty()).then(|| errors.to_string())
}

/// All texts of a value.
pub(crate) fn texts_of(value: &ParamValue) -> Vec<&str> {
    match value {
        ParamValue::String(text) => vec![text],
        ParamValue::Array(items) => items.iter().map(String::as_str).collect(),
        ParamValue::Object(fields) => fields.values().map(String::as_str).collect(),
    }
}
