//! PipelineRuns through API server, controllers and a played node.

use std::time::Duration;

use client::{Patch, PatchOptions};
use serde_json::{Value, json};
use testkit::{Odds, World, simulate};

/// A PipelineRun named `p` with these parts of its spec, at the indentation of `spec`.
fn pipeline_run(spec: &str) -> String {
    let spec = spec.replace('\n', "\n  ");
    format!("apiVersion: tekton.dev/v1\nkind: PipelineRun\nmetadata: {{name: p}}\nspec:\n  {spec}\n")
}

/// Runs a PipelineRun to its end, in a world without faults, and returns it.
fn run(spec: &str) -> Value {
    let yaml = pipeline_run(spec);
    let (sender, receiver) = std::sync::mpsc::channel();
    simulate(1, Odds::default(), async move |mut world| {
        world.apply("root", &yaml).await;
        sender.send(world.ended("root", "PipelineRun", "p").await).unwrap();
        world
    });
    receiver.recv().unwrap()
}

/// Starts a PipelineRun, waits until this many Pods are played, sets `spec.status`, and returns the ended run with
/// the names of all TaskRuns there are then.
fn run_and_stop(spec: &str, playing: usize, status: &'static str) -> (Value, Vec<String>) {
    let yaml = pipeline_run(spec);
    let (sender, receiver) = std::sync::mpsc::channel();
    simulate(1, Odds::default(), async move |mut world| {
        world.apply("root", &yaml).await;
        world.until("the pods are played", async |world| world.node.playing() == playing).await;
        let runs = world.api("root", "PipelineRun", "tekton.dev/v1", "default");
        let patch = Patch::Merge(json!({"spec": {"status": status}}));
        runs.patch("p", &patch, &PatchOptions::default()).await.unwrap();
        let run = world.ended("root", "PipelineRun", "p").await;
        world.pass(Duration::from_secs(60)).await;
        sender.send((run, task_runs(&world).await)).unwrap();
        world
    });
    receiver.recv().unwrap()
}

async fn task_runs(world: &World) -> Vec<String> {
    let stored = world.stored().await;
    let runs = stored.iter().filter_map(|object| object.strip_prefix("tekton.dev/taskruns root|default/"));
    runs.map(str::to_owned).collect()
}

fn task(name: &str, script: &str, rest: &str) -> String {
    format!(
        "- name: {name}\n  taskSpec:\n    results: [{{name: out}}]\n    params: [{{name: in, default: none}}]\n    \
         steps: [{{name: s, image: fake, script: \"{script}\"}}]\n{rest}"
    )
}

fn tasks(parts: &[String]) -> String {
    format!("pipelineSpec:\n  tasks:\n  {}", parts.join("").replace('\n', "\n  "))
}

#[test]
fn hello_succeeds() {
    let run = run(&tasks(&[task("hello", "sleep 2", "")]));
    assert_eq!(World::verdict(&run), "True Succeeded");
    assert_eq!(run["status"]["childReferences"][0]["name"], "p-hello");
    let message = run["status"]["conditions"][0]["message"].as_str().unwrap();
    assert_eq!(message, "Tasks Completed: 1 (Failed: 0, Cancelled 0), Skipped: 0");
}

#[test]
fn a_diamond_hands_results_down() {
    let spec = tasks(&[
        task("a", "result out=1", ""),
        task(
            "b",
            "sleep 9\\nresult out=$(params.in)2",
            "  params: [{name: in, value: $(tasks.a.results.out)}]\n",
        ),
        task("c", "result out=$(params.in)3", "  params: [{name: in, value: $(tasks.a.results.out)}]\n"),
        task(
            "d",
            "result out=$(params.in)",
            "  params: [{name: in, value: $(tasks.b.results.out)-$(tasks.c.results.out)}]\n",
        ),
    ]) + "\n  results: [{name: final, value: $(tasks.d.results.out)}]";
    let run = run(&spec);
    assert_eq!(World::verdict(&run), "True Succeeded", "{run:#}");
    assert_eq!(run["status"]["results"][0]["value"], "12-13");
}

#[test]
fn a_task_whose_when_is_false_is_skipped_and_the_run_is_completed() {
    let spec = tasks(&[
        task("a", "result out=no", ""),
        task("b", "exit 1", "  when: [{input: $(tasks.a.results.out), operator: in, values: ['yes']}]\n"),
    ]);
    let run = run(&spec);
    assert_eq!(World::verdict(&run), "True Completed", "{run:#}");
    assert_eq!(run["status"]["skippedTasks"][0]["name"], "b");
}

#[test]
fn finally_runs_after_a_failure_and_dependents_do_not() {
    let spec = tasks(&[task("a", "exit 1", ""), task("b", "exit 0", "  runAfter: [a]\n")])
        + "\n  finally:\n  "
        + &task("f", "sleep 1", "").replace('\n', "\n  ");
    let run = run(&spec);
    assert_eq!(World::verdict(&run), "False Failed", "{run:#}");
    let children = run["status"]["childReferences"].as_array().unwrap();
    let names: Vec<&str> = children.iter().filter_map(|child| child["name"].as_str()).collect();
    assert_eq!(names, ["p-a", "p-f"]);
}

#[test]
fn a_task_with_retries_is_tried_again() {
    let run = run(&tasks(&[task("a", "fail-before 1", "  retries: 1\n")]));
    assert_eq!(World::verdict(&run), "True Succeeded", "{run:#}");
}

#[test]
fn a_run_past_its_time_limit_ends_and_its_tasks_are_cancelled() {
    let (sender, receiver) = std::sync::mpsc::channel();
    let yaml = pipeline_run(&("timeouts: {pipeline: 2m}\n".to_owned() + &tasks(&[task("a", "hang", "")])));
    simulate(1, Odds::default(), async move |mut world| {
        world.apply("root", &yaml).await;
        let run = world.ended("root", "PipelineRun", "p").await;
        let child = world.ended("root", "TaskRun", "p-a").await;
        world.until("the pod is gone", async |world| world.node.playing() == 0).await;
        sender.send((World::verdict(&run), World::verdict(&child))).unwrap();
        world
    });
    let (run, child) = receiver.recv().unwrap();
    assert_eq!(run, "False PipelineRunTimeout");
    assert!(["False TaskRunCancelled", "False TaskRunTimeout"].contains(&child.as_str()), "{child}");
}

const WITH_FINALLY: [(&str, &str); 3] = [("a", "hang"), ("b", "exit 0"), ("f", "exit 0")];

fn stoppable(first: &str) -> String {
    let [(a, _), (b, b_script), (f, f_script)] = WITH_FINALLY;
    tasks(&[task(a, first, ""), task(b, b_script, "  runAfter: [a]\n")])
        + "\n  finally:\n  "
        + &task(f, f_script, "").replace('\n', "\n  ")
}

#[test]
fn cancelling_ends_everything_at_once() {
    let (run, children) = run_and_stop(&stoppable("hang"), 1, "Cancelled");
    assert_eq!(World::verdict(&run), "False Cancelled");
    assert_eq!(children, ["p-a"]);
}

#[test]
fn cancelling_with_finally_stops_the_tasks_and_runs_finally() {
    let (run, children) = run_and_stop(&stoppable("hang"), 1, "CancelledRunFinally");
    assert_eq!(World::verdict(&run), "False Cancelled");
    assert_eq!(children, ["p-a", "p-f"]);
}

#[test]
fn stopping_with_finally_lets_running_tasks_end() {
    let (run, children) = run_and_stop(&stoppable("sleep 300"), 1, "StoppedRunFinally");
    assert_eq!(World::verdict(&run), "False Cancelled");
    assert_eq!(children, ["p-a", "p-f"]);
}

#[test]
fn a_pending_run_makes_nothing_until_it_is_released() {
    let yaml =
        pipeline_run(&("status: PipelineRunPending\n".to_owned() + &tasks(&[task("a", "exit 0", "")])));
    simulate(1, Odds::default(), async move |mut world| {
        world.apply("root", &yaml).await;
        world.pass(Duration::from_secs(7200)).await;
        assert_eq!(task_runs(&world).await, Vec::<String>::new());
        let runs = world.api("root", "PipelineRun", "tekton.dev/v1", "default");
        let patch = Patch::Merge(json!({"spec": {"status": null}}));
        runs.patch("p", &patch, &PatchOptions::default()).await.unwrap();
        let run = world.ended("root", "PipelineRun", "p").await;
        assert_eq!(World::verdict(&run), "True Succeeded");
        world
    });
}

#[test]
fn a_referenced_pipeline_with_referenced_tasks_and_a_claim_runs() {
    let text = "
apiVersion: tekton.dev/v1
kind: Task
metadata: {name: t}
spec:
  workspaces: [{name: w}]
  steps: [{name: s, image: fake, script: 'sleep 1'}]
---
apiVersion: tekton.dev/v1
kind: Pipeline
metadata: {name: pl}
spec:
  workspaces: [{name: w}]
  tasks: [{name: a, taskRef: {name: t}, workspaces: [{name: w}]}]
---
apiVersion: tekton.dev/v1
kind: PipelineRun
metadata: {name: p}
spec:
  pipelineRef: {name: pl}
  workspaces:
  - name: w
    volumeClaimTemplate:
      spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
";
    simulate(1, Odds::default(), async move |mut world| {
        world.apply("root", text).await;
        let run = world.ended("root", "PipelineRun", "p").await;
        assert_eq!(World::verdict(&run), "True Succeeded", "{run:#}");
        assert!(world.stored().await.iter().any(|object| object.starts_with("/persistentvolumeclaims")));
        world
    });
}
