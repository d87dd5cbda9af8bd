//! The language of these tests. A text is a list of clauses, separated by `;`:
//!
//! - `a`, `a -> b, c`: tasks, and what runs after them; `finally f, g`: final tasks
//! - `b uses a.r`: a param that refers to a result; `b when LEFT in X Y`, `b when LEFT notin X`
//! - `a may fail`: its `onError` is `continue`
//! - `a: Running`, `a: Succeeded r=1`, `a: Failed`, `a: Cancelled`, `a: TimedOut`: its TaskRun
//! - `result out = $(tasks.a.results.r)`: a result of the Pipeline
//! - `asked Cancelled`: `spec.status`; `limit 1h`, `limit tasks 30m`, `limit finally 10m`

use std::collections::BTreeMap;
use std::fmt::Write as _;

use api::tekton::v1::{PipelineRun, TaskRun};
use expect_test::Expect;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::super::{Observed, Plan, decide};
use crate::plan::{Action, Requeue};

/// Ten o'clock and some minutes; the run was created at ten.
pub(super) fn at(minutes: i64) -> Timestamp {
    let start: Timestamp = "2026-01-01T10:00:00Z".parse().unwrap();
    start + jiff::SignedDuration::from_mins(minutes)
}

#[derive(Default)]
struct Text {
    order: Vec<String>,
    tasks: BTreeMap<String, Map<String, Value>>,
    finally: Vec<String>,
    children: Vec<Value>,
    results: Vec<Value>,
    spec: Map<String, Value>,
    timeouts: Map<String, Value>,
    declared: BTreeMap<String, Vec<String>>,
}

impl Text {
    fn task(&mut self, name: &str) -> &mut Map<String, Value> {
        if !self.tasks.contains_key(name) {
            if !self.finally.iter().any(|known| known == name) {
                self.order.push(name.to_owned());
            }
            self.tasks.insert(name.to_owned(), Map::new());
        }
        self.tasks.get_mut(name).unwrap()
    }

    fn push(&mut self, task: &str, list: &str, value: Value) {
        let list = self.task(task).entry(list.to_owned()).or_insert_with(|| json!([]));
        list.as_array_mut().unwrap().push(value);
    }

    fn declare(&mut self, task: &str, result: &str) {
        let results = self.declared.entry(task.to_owned()).or_default();
        if !results.iter().any(|known| known == result) {
            results.push(result.to_owned());
        }
    }

    fn declare_all_in(&mut self, text: &str) {
        for reference in crate::substitution::result_refs(crate::substitution::expressions(text)) {
            self.declare(&reference.task, &reference.result);
        }
    }

    fn clause(&mut self, clause: &str) {
        if let Some(names) = clause.strip_prefix("finally ") {
            self.finally.extend(names.split(',').map(|name| name.trim().to_owned()));
        } else if let Some(status) = clause.strip_prefix("asked ") {
            self.spec.insert("status".to_owned(), json!(status));
        } else if let Some(limit) = clause.strip_prefix("limit ") {
            let (kind, limit) = limit.split_once(' ').unwrap_or(("pipeline", limit));
            self.timeouts.insert(kind.to_owned(), json!(limit));
        } else if let Some((name, value)) =
            clause.strip_prefix("result ").and_then(|rest| rest.split_once(" = "))
        {
            self.results.push(json!({ "name": name, "value": value }));
            self.declare_all_in(value);
        } else if let Some((before, after)) = clause.split_once(" -> ") {
            self.task(before);
            for name in after.split(',').map(str::trim) {
                self.push(name, "runAfter", json!(before));
            }
        } else if let Some((task, reference)) = clause.split_once(" uses ") {
            let (source, result) = reference.split_once('.').unwrap();
            let name = result.split('[').next().unwrap();
            self.push(
                task,
                "params",
                json!({ "name": name, "value": format!("$(tasks.{source}.results.{result})") }),
            );
            self.declare(source, name);
        } else if let Some((task, condition)) = clause.split_once(" when ") {
            let words: Vec<&str> = condition.split(' ').collect();
            self.push(task, "when", json!({ "input": words[0], "operator": words[1], "values": words[2..] }));
            self.declare_all_in(condition);
        } else if let Some(task) = clause.strip_suffix(" may fail") {
            self.task(task).insert("onError".to_owned(), json!("continue"));
        } else if let Some((task, state)) = clause.split_once(": ") {
            self.child(task, state);
        } else {
            self.task(clause);
        }
    }

    fn child(&mut self, task: &str, state: &str) {
        self.task(task);
        let mut words = state.split(' ');
        let state = words.next().unwrap();
        let (status, reason, message) = match state {
            "Running" => ("Unknown", "Running", None),
            "Succeeded" => ("True", "Succeeded", None),
            "Failed" => ("False", "StepFailed", None),
            "Cancelled" => ("False", "TaskRunCancelled", Some(super::super::state::CANCELLED_MESSAGE)),
            "TimedOut" => ("False", "TaskRunCancelled", Some(super::super::state::TIMED_OUT_MESSAGE)),
            other => panic!("what is {other}?"),
        };
        let results: Vec<Value> = words
            .filter_map(|word| word.split_once('='))
            .map(|(name, value)| {
                let value =
                    serde_json::from_str(value).ok().filter(Value::is_array).unwrap_or_else(|| json!(value));
                json!({ "name": name, "value": value })
            })
            .collect();
        let mut spec = json!({ "taskSpec": {} });
        if let Some(message) = message {
            spec["status"] = json!("TaskRunCancelled");
            spec["statusMessage"] = json!(message);
        }
        self.children.push(json!({
            "metadata": {
                "name": format!("run-{task}"), "namespace": "ns", "creationTimestamp": "2026-01-01T10:00:00Z",
                "labels": { "tekton.dev/pipelineRun": "run", "tekton.dev/pipelineTask": task },
                "ownerReferences": [{ "apiVersion": "tekton.dev/v1", "kind": "PipelineRun", "name": "run", "uid": "uid",
                                      "controller": true }],
            },
            "spec": spec,
            "status": { "conditions": [{ "type": "Succeeded", "status": status, "reason": reason }], "results": results },
        }));
    }

    fn spec_of(&self, name: &str) -> Value {
        let results: Vec<Value> = self
            .declared
            .get(name)
            .into_iter()
            .flatten()
            .map(|result| json!({ "name": result, "type": "string" }))
            .collect();
        let mut task = self.tasks.get(name).cloned().unwrap_or_default();
        task.insert("name".to_owned(), json!(name));
        task.entry("taskSpec")
            .or_insert_with(|| json!({ "results": results, "steps": [{ "image": "i", "script": "x" }] }));
        Value::Object(task)
    }
}

/// Reads a text.
pub(super) fn observe(text: &str) -> Observed {
    let mut read = Text::default();
    let clauses = || text.split(';').map(str::trim).filter(|clause| !clause.is_empty());
    let names_finally = |clause: &&str| clause.starts_with("finally ");
    clauses()
        .filter(names_finally)
        .chain(clauses().filter(|clause| !names_finally(clause)))
        .for_each(|clause| read.clause(clause));
    let tasks: Vec<Value> = read.order.iter().map(|name| read.spec_of(name)).collect();
    let finally: Vec<Value> = read.finally.iter().map(|name| read.spec_of(name)).collect();
    let mut spec = read.spec.clone();
    spec.insert(
        "pipelineSpec".to_owned(),
        json!({ "tasks": tasks, "finally": finally, "results": read.results }),
    );
    if !read.timeouts.is_empty() {
        spec.insert("timeouts".to_owned(), Value::Object(read.timeouts.clone()));
    }
    let started =
        if read.children.is_empty() { json!({}) } else { json!({ "startTime": "2026-01-01T10:00:00Z" }) };
    let run: PipelineRun = serde_json::from_value(json!({
        "metadata": { "name": "run", "namespace": "ns", "uid": "uid", "creationTimestamp": "2026-01-01T10:00:00Z" },
        "spec": spec, "status": started,
    }))
    .unwrap();
    let children = read.children.iter().map(|child| serde_json::from_value(child.clone()).unwrap()).collect();
    Observed { run, children, ..Observed::default() }
}

/// Decides about a text at ten o'clock.
#[track_caller]
pub(super) fn check(text: &str, expected: &Expect) {
    check_at(text, 0, expected);
}

/// Decides about a text some minutes after ten.
#[track_caller]
pub(super) fn check_at(text: &str, minutes: i64, expected: &Expect) {
    let mut observed = observe(text);
    let plan = decide(&observed, at(minutes));
    expected.assert_eq(&render(&plan));
    carry_out(&mut observed, &plan);
    let again = decide(&observed, at(minutes));
    assert!(again.changes_nothing(), "deciding twice is not deciding once:\n{}", render(&again));
}

/// What a controller would do with a plan.
pub(super) fn carry_out(observed: &mut Observed, plan: &Plan) {
    for action in &plan.actions {
        match action {
            Action::CreateTaskRun(child) => {
                let mut child: TaskRun = (**child).clone();
                child.metadata.creation_timestamp = observed.run.metadata.creation_timestamp.clone();
                observed.children.push(child);
            }
            Action::CancelTaskRun { name, status_message } => {
                let child = observed
                    .children
                    .iter_mut()
                    .find(|child| child.metadata.name.as_ref() == Some(name))
                    .unwrap();
                child.spec.status = Some(api::tekton::v1::TaskRunSpecStatus::Cancelled);
                child.spec.status_message = Some(status_message.clone());
            }
            _ => {}
        }
    }
    observed.run.metadata.labels.get_or_insert_default().extend(plan.metadata.labels.clone());
    observed.run.metadata.annotations.get_or_insert_default().extend(plan.metadata.annotations.clone());
    if let Some(status) = &plan.status {
        let json = serde_json::to_value(status).unwrap();
        observed.run.status = Some(serde_json::from_value(json).unwrap());
    }
}

/// A plan as text.
pub(super) fn render(plan: &Plan) -> String {
    let mut text = String::new();
    for need in &plan.needs {
        writeln!(text, "needs {need:?}").unwrap();
    }
    for action in &plan.actions {
        match action {
            Action::CreateTaskRun(child) => {
                write!(text, "create TaskRun {}", action.name()).unwrap();
                for param in &child.spec.params {
                    write!(text, " {}={}", param.name, param.value.to_json()).unwrap();
                }
                text.push('\n');
            }
            Action::CancelTaskRun { status_message, .. } => {
                let why = if status_message.ends_with("timed out.") { "timed out" } else { "cancelled" };
                writeln!(text, "cancel TaskRun {}: {why}", action.name()).unwrap();
            }
            other => writeln!(text, "create {} {}", other.kind(), other.name()).unwrap(),
        }
    }
    if let Some(status) = &plan.status {
        let condition = &status.conditions[0];
        let (reason, message) = (
            condition.reason.as_deref().unwrap_or_default(),
            condition.message.as_deref().unwrap_or_default(),
        );
        writeln!(text, "status {} {reason}: {message}", condition.status).unwrap();
        for skipped in &status.skipped_tasks {
            writeln!(text, "skipped {}: {}", skipped.name, skipped.reason).unwrap();
        }
        for result in &status.results {
            writeln!(text, "result {} = {}", result.name, result.value.to_json()).unwrap();
        }
    }
    if let Requeue::At(instant) = plan.requeue {
        writeln!(text, "again at {}", instant.strftime("%H:%M")).unwrap();
    }
    text
}
