//! Validation.
use crate::field::Rejection;
use serde_json::Value;
pub(crate) fn task(_: &Value, _: Option<&Value>) -> Result<(), Rejection> {
    Ok(())
}
pub(crate) use task as pipeline;
pub(crate) use task as task_run;
pub(crate) use task as pipeline_run;
pub(crate) use task as custom_run;
pub(crate) use task as step_action;
pub(crate) use task as verification_policy;
pub(crate) use task as resolution_request;
