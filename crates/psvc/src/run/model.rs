//! What a run looks like from outside: one row for each task, drawn from the objects alone.
//! Pure: objects in, rows out; how they are drawn is [`super::view`]'s.

use std::collections::BTreeMap;

use serde_json::Value;

use super::outcome::{succeeded, why};

/// One task of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// The task's name in the pipeline, or the run's own name.
    pub(crate) name: String,
    /// The tasks that it waits for.
    pub(crate) after: Vec<String>,
    /// How far it is.
    pub(crate) state: State,
    /// What is worth saying about it: the running step, the cause of a failure, why it was skipped.
    pub(crate) note: String,
}

/// How far a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Waiting,
    Running,
    Succeeded,
    Failed,
    Skipped,
}

impl State {
    pub(crate) fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Skipped)
    }

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

/// The rows of a run, in the order of its graph; `task_runs` are its children by name.
pub(crate) fn rows(run: &Value, task_runs: &BTreeMap<String, Value>) -> Vec<Row> {
    if run["kind"] == "TaskRun" {
        let name = run["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let (state, note) = progress(run);
        return vec![Row { name, after: Vec::new(), state, note }];
    }
    let spec = [&run["status"]["pipelineSpec"], &run["spec"]["pipelineSpec"]];
    let Some(spec) = spec.into_iter().find(|spec| spec.is_object()) else { return Vec::new() };
    let tasks = spec["tasks"].as_array().into_iter().flatten().map(|task| (task, false));
    let finals = spec["finally"].as_array().into_iter().flatten().map(|task| (task, true));
    let names: Vec<&str> =
        spec["tasks"].as_array().into_iter().flatten().filter_map(|task| task["name"].as_str()).collect();
    tasks.chain(finals).map(|(task, last)| row(run, task, last, &names, task_runs)).collect()
}

fn row(run: &Value, task: &Value, last: bool, names: &[&str], task_runs: &BTreeMap<String, Value>) -> Row {
    let name = task["name"].as_str().unwrap_or_default().to_owned();
    let after = if last { vec!["finally".to_owned()] } else { parents(task, names) };
    let skipped = run["status"]["skippedTasks"].as_array().into_iter().flatten();
    if let Some(skipped) = skipped.into_iter().find(|skipped| skipped["name"] == name.as_str()) {
        let note = skipped["reason"].as_str().unwrap_or_default().to_owned();
        return Row { name, after, state: State::Skipped, note };
    }
    let child = run["status"]["childReferences"].as_array().into_iter().flatten();
    let child = child.into_iter().find(|child| child["pipelineTaskName"] == name.as_str());
    let child = child.and_then(|child| task_runs.get(child["name"].as_str()?)).or_else(|| {
        task_runs.values().find(|run| run["metadata"]["labels"]["tekton.dev/pipelineTask"] == name.as_str())
    });
    let (state, note) = child.map_or((State::Waiting, String::new()), progress);
    Row { name, after, state, note }
}

/// The tasks that a task waits for: by order, and by the results that it mentions.
fn parents(task: &Value, names: &[&str]) -> Vec<String> {
    let ordered = task["runAfter"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let mut parents: Vec<String> = ordered.map(str::to_owned).collect();
    let text = task.to_string();
    for name in names {
        if text.contains(&format!("$(tasks.{name}.")) && !parents.iter().any(|parent| parent == name) {
            parents.push((*name).to_owned());
        }
    }
    parents
}

fn progress(task_run: &Value) -> (State, String) {
    let status = succeeded(task_run).and_then(|condition| condition["status"].as_str()).unwrap_or_default();
    match status {
        "True" => (State::Succeeded, String::new()),
        "False" => {
            let (reason, message) = why(task_run);
            let message = message.lines().next().unwrap_or_default();
            (State::Failed, if message.is_empty() { reason.to_owned() } else { message.to_owned() })
        }
        _ => {
            let steps = task_run["status"]["steps"].as_array().into_iter().flatten();
            let running = steps.into_iter().find(|step| step["running"].is_object());
            let step = running.and_then(|step| step["name"].as_str()).unwrap_or_default();
            let (reason, message) = why(task_run);
            let note = match reason {
                _ if !step.is_empty() => step.to_owned(),
                "" | "Started" | "Running" => String::new(),
                _ => message.lines().next().unwrap_or_default().to_owned(),
            };
            (State::Running, note)
        }
    }
}

/// A container whose log there is, or soon will be: step, container and Pod.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LogSource {
    pub(crate) pod: String,
    pub(crate) container: String,
    /// The name of the task in the pipeline, or of the TaskRun.
    pub(crate) task: String,
    pub(crate) step: String,
}

/// The containers of a TaskRun that have started, this attempt's and those before it.
pub(crate) fn log_sources(task_run: &Value) -> Vec<LogSource> {
    let labels = &task_run["metadata"]["labels"];
    let task = labels["tekton.dev/pipelineTask"].as_str().or_else(|| task_run["metadata"]["name"].as_str());
    let task = task.unwrap_or_default();
    let retries = task_run["status"]["retriesStatus"].as_array().into_iter().flatten();
    let attempts = retries.into_iter().chain([&task_run["status"]]);
    let mut sources = Vec::new();
    for attempt in attempts {
        let Some(pod) = attempt["podName"].as_str().filter(|pod| !pod.is_empty()) else { continue };
        for step in attempt["steps"].as_array().into_iter().flatten() {
            let started = step["running"].is_object() || step["terminated"].is_object();
            let (true, Some(container)) = (started, step["container"].as_str()) else { continue };
            sources.push(LogSource {
                pod: pod.to_owned(),
                container: container.to_owned(),
                task: task.to_owned(),
                step: step["name"].as_str().unwrap_or_default().to_owned(),
            });
        }
    }
    sources
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rows_follow_the_graph_and_the_children() {
        let run = json!({
            "kind": "PipelineRun",
            "status": {
                "pipelineSpec": {
                    "tasks": [
                        { "name": "a" },
                        { "name": "b", "runAfter": ["a"] },
                        { "name": "c", "params": [{ "name": "x", "value": "$(tasks.b.results.r)" }] },
                    ],
                    "finally": [{ "name": "f" }],
                },
                "childReferences": [{ "name": "r-a", "pipelineTaskName": "a" }],
                "skippedTasks": [{ "name": "c", "reason": "Results were missing" }],
            },
        });
        let condition = json!({ "type": "Succeeded", "status": "Unknown", "reason": "Running" });
        let running = json!({ "name": "s", "running": {}, "container": "step-s" });
        let child =
            json!({ "status": { "conditions": [condition], "steps": [running], "podName": "r-a-pod" } });
        let rows = rows(&run, &BTreeMap::from([("r-a".to_owned(), child)]));
        let shown: Vec<String> = rows
            .iter()
            .map(|row| format!("{} <{}> {} {}", row.name, row.after.join(","), row.state.word(), row.note))
            .collect();
        assert_eq!(
            shown,
            [
                "a <> running s",
                "b <a> waiting ",
                "c <b> skipped Results were missing",
                "f <finally> waiting "
            ]
        );
    }

    #[test]
    fn logs_come_from_started_steps_of_every_attempt() {
        let step = |state: &str| json!({ "name": "s", "container": "step-s", state: {} });
        let run = json!({
            "metadata": { "name": "r", "labels": { "tekton.dev/pipelineTask": "t" } },
            "status": {
                "retriesStatus": [{ "podName": "p", "steps": [step("terminated")] }],
                "podName": "p-retry1",
                "steps": [step("running"), { "name": "n", "container": "step-n", "waiting": {} }],
            },
        });
        let pods: Vec<String> = log_sources(&run).into_iter().map(|source| source.pod).collect();
        assert_eq!(pods, ["p", "p-retry1"]);
    }
}
