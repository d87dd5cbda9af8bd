//! Variables: `$(params.x)`, `$(context.taskRun.name)`, `$(tasks.a.results.b)` and their like.
//! Finding them, replacing them in text, in values and in whole definitions, and the values of params.
//! Invariant: passes run in Tekton's order, and each pass replaces all of its keys at once.

mod definitions;
mod params;
mod references;
mod text;
mod values;

pub(crate) use definitions::{Passes, replace_in_leaves, replace_in_pipeline_task, replace_in_task_spec};
pub(crate) use params::{
    kind_of, missing_keys, missing_params, out_of_bounds, replacements_of_params, resolve_params,
    undefined_reference, wrong_types,
};
pub(crate) use references::{
    expressions, extract, looks_like_result_ref, param_expressions, result_refs, result_refs_of, step_result,
    used_workspaces, when_expressions, whole_variables,
};
pub(crate) use text::{Replacements, Scope, isolated};
pub(crate) use values::{replace_value, replace_when};
