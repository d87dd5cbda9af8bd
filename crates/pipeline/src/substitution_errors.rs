//! What is wrong with the params that a run gives, in the words of the reconcilers.

use std::collections::BTreeMap;

use api::tekton::v1::{Param, ParamSpec};

use crate::substitution::{missing_keys, missing_params, wrong_types};

/// What is wrong with the params given for a Task; text with variables fits every type.
pub(crate) fn of_task_params(specs: &[ParamSpec], given: &[Param]) -> Option<String> {
    let missing = missing_params(specs, given);
    if !missing.is_empty() {
        return Some(format!(
            "missing values for these params which have no default values: {}",
            list(&missing)
        ));
    }
    let wrong = wrong_types(specs, given, true);
    if !wrong.is_empty() {
        return Some(format!("param types don't match the user-specified type: {}", list(&wrong)));
    }
    let keys = missing_keys(specs, given);
    if !keys.is_empty() {
        return Some(format!(
            "missing keys for these params which are required in ParamSpec's properties {}",
            map(&keys)
        ));
    }
    None
}

/// As Go prints a slice of strings.
pub(crate) fn list(names: &[&str]) -> String {
    format!("[{}]", names.join(" "))
}

/// As Go prints a map of slices.
pub(crate) fn map(lists: &BTreeMap<&str, Vec<&str>>) -> String {
    let entries: Vec<String> = lists.iter().map(|(name, names)| format!("{name}:{}", list(names))).collect();
    format!("map[{}]", entries.join(" "))
}
