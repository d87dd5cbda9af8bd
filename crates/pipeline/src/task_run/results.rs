//! What steps leave in their termination messages: results of the Task, of the step, and the executor's own notes.
//! Invariant: a result of a type other than the declared one never reaches the status.
//! Source: Tekton's `pkg/result`, `pkg/termination` and `validateTaskRunResults`.

use std::collections::BTreeMap;

use api::step_plan::RunResult;
use api::tekton::v1::{ParamType, ParamValue, TaskResult, TaskRunResult};
use serde_json::Value;

use crate::substitution_errors;

/// The entries of a termination message; `None` if there is none or it is not ours.
pub(super) fn parse(message: Option<&str>) -> Option<Vec<RunResult>> {
    serde_json::from_str(message.filter(|message| !message.is_empty())?).ok()
}

/// The value of an entry of the executor's own.
pub(super) fn internal<'a>(entries: &'a Option<Vec<RunResult>>, key: &str) -> Option<&'a str> {
    let entry =
        entries.iter().flatten().find(|entry| entry.kind == RunResult::INTERNAL && entry.key == key)?;
    Some(&entry.value)
}

/// The entries of one kind, read by their declared types. What is declared as string stays text; the rest is read as
/// JSON.
pub(super) fn of_kind(
    entries: &[RunResult],
    kind: u8,
    declared: &BTreeMap<&str, Option<&ParamType>>,
) -> Vec<TaskRunResult> {
    let entries = entries.iter().filter(|entry| entry.kind == kind);
    let read = entries.map(|entry| {
        let is_text = matches!(declared.get(entry.key.as_str()), Some(None | Some(ParamType::String)));
        let json = if is_text { None } else { serde_json::from_str::<Value>(&entry.value).ok() };
        let value = match json {
            Some(json @ (Value::Array(_) | Value::Object(_) | Value::String(_))) => {
                ParamValue::from_json(&json)
            }
            _ => ParamValue::String(entry.value.clone()),
        };
        TaskRunResult { name: entry.key.clone(), kind: Some(value.kind()), value }
    });
    read.collect()
}

/// Leaves one result of each name: the last value, at the place of the first.
pub(super) fn keep_last(results: &mut Vec<TaskRunResult>) {
    let mut kept: Vec<TaskRunResult> = Vec::with_capacity(results.len());
    for result in results.drain(..) {
        match kept.iter_mut().find(|one| one.name == result.name) {
            Some(earlier) => *earlier = result,
            None => kept.push(result),
        }
    }
    *results = kept;
}

/// Removes results of the wrong type, and says what is wrong with those that were left.
pub(super) fn wrong(results: &mut Vec<TaskRunResult>, declared: &[TaskResult]) -> Option<String> {
    let kinds: BTreeMap<&str, &ParamType> = declared
        .iter()
        .map(|result| (result.name.as_str(), result.kind.as_ref().unwrap_or(&ParamType::String)))
        .collect();
    let mut mismatched = Vec::new();
    results.retain(|result| {
        let actual = result.value.kind();
        let wanted = kinds.get(result.name.as_str()).filter(|wanted| ***wanted != actual);
        if let Some(wanted) = wanted {
            mismatched.push(format!(
                " \"{}\": task result is expected to be \"{wanted}\" type but was initialized to a different type \"{actual}\"",
                result.name
            ));
        }
        wanted.is_none()
    });
    if !mismatched.is_empty() {
        mismatched.sort();
        return Some(format!(
            "Provided results don't match declared results; may be invalid JSON or missing result declaration: {}",
            mismatched.join(",")
        ));
    }
    let missing = missing_keys(results, declared);
    (!missing.is_empty()).then(|| {
        let missing = substitution_errors::map(&missing);
        format!("missing keys for these results which are required in TaskResult's properties {missing}")
    })
}

fn missing_keys<'a>(
    results: &[TaskRunResult],
    declared: &'a [TaskResult],
) -> BTreeMap<&'a str, Vec<&'a str>> {
    let mut missing = BTreeMap::new();
    for result in declared {
        let written = results.iter().find(|one| one.name == result.name).map(|one| &one.value);
        let Some(ParamValue::Object(fields)) = written else { continue };
        let keys: Vec<&str> =
            result.properties.keys().map(String::as_str).filter(|key| !fields.contains_key(*key)).collect();
        if !keys.is_empty() {
            missing.insert(result.name.as_str(), keys);
        }
    }
    missing
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared() -> Vec<TaskResult> {
        serde_json::from_str(
            r#"[{"name":"s"},{"name":"l","type":"array"},{"name":"o","type":"object","properties":{"a":{},"b":{}}}]"#,
        )
        .unwrap()
    }

    fn read(message: &str) -> (String, Option<String>) {
        let declared = declared();
        let kinds = declared.iter().map(|result| (result.name.as_str(), result.kind.as_ref())).collect();
        let mut results = of_kind(&parse(Some(message)).unwrap(), RunResult::TASK, &kinds);
        keep_last(&mut results);
        let wrong = wrong(&mut results, &declared);
        let text: Vec<String> = results.iter().map(|r| format!("{}={}", r.name, r.value.to_json())).collect();
        (text.join(" "), wrong)
    }

    #[test]
    fn results_are_read_by_their_declared_types() {
        let message = r#"[{"key":"s","value":"[1]","type":1},{"key":"l","value":"[\"a\",\"b\"]","type":1},
            {"key":"o","value":"{\"a\":\"1\",\"b\":\"2\"}","type":1},{"key":"StartedAt","value":"x","type":3},
            {"key":"s","value":"last\n","type":1}]"#;
        assert_eq!(read(message), (r#"s="last\n" l=["a","b"] o={"a":"1","b":"2"}"#.to_owned(), None));
    }

    #[test]
    fn a_result_of_the_wrong_type_is_left_out_and_named() {
        let (kept, wrong) = read(r#"[{"key":"l","value":"text","type":1},{"key":"s","value":"x","type":1}]"#);
        assert_eq!(kept, r#"s="x""#);
        assert_eq!(
            wrong.unwrap(),
            "Provided results don't match declared results; may be invalid JSON or missing result declaration:  \"l\": \
             task result is expected to be \"array\" type but was initialized to a different type \"string\""
        );
    }

    #[test]
    fn a_missing_key_of_an_object_is_named() {
        let (_, wrong) = read(r#"[{"key":"o","value":"{\"a\":\"1\"}","type":1}]"#);
        assert!(wrong.unwrap().ends_with("map[o:[b]]"));
    }
}
