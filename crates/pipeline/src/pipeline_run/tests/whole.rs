//! Whole runs: references, params, workspaces, metadata; and runs carried through to their end at random.

use std::collections::BTreeMap;

use api::tekton::v1::{Condition, ConditionStatus, PipelineRun, TaskRunStatus};
use expect_test::expect;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::{Observed, decide};
use super::story::{at, carry_out, observe, render};
use crate::plan::{Action, Lookup, Refusal};

fn run(spec: Value) -> Observed {
    let run: PipelineRun = serde_json::from_value(json!({
        "metadata": { "name": "run", "namespace": "ns", "uid": "uid", "creationTimestamp": "2026-01-01T10:00:00Z",
                      "labels": { "team": "a" }, "annotations": { "note": "n", "chains.tekton.dev/signed": "true" } },
        "spec": spec,
    }))
    .unwrap();
    Observed { run, ..Observed::default() }
}

fn task(spec: Value) -> Lookup<api::tekton::v1::Task> {
    Lookup::Found(
        serde_json::from_value(
            json!({ "metadata": { "name": "t", "labels": { "of-task": "l" } }, "spec": spec }),
        )
        .unwrap(),
    )
}

#[test]
fn a_referenced_pipeline_and_its_tasks_are_looked_up_in_turn() {
    let mut observed = run(json!({ "pipelineRef": { "name": "p" } }));
    let mut told = render(&decide(&observed, at(0)));
    observed.pipeline = Lookup::Found(
        serde_json::from_value(json!({
            "metadata": { "name": "p", "labels": { "of-pipeline": "l", "team": "other" } },
            "spec": { "tasks": [{ "name": "a", "taskRef": { "name": "t" } }, { "name": "b", "taskRef": { "name": "u" } }] },
        }))
        .unwrap(),
    );
    told += &render(&decide(&observed, at(0)));
    let steps = json!({ "steps": [{ "image": "i", "script": "x" }] });
    observed.tasks = BTreeMap::from([("t".to_owned(), task(steps.clone())), ("u".to_owned(), task(steps))]);
    let plan = decide(&observed, at(0));
    told += &render(&plan);
    expect![[r#"
        needs Pipeline("p")
        needs Task("t")
        needs Task("u")
        create TaskRun run-a
        create TaskRun run-b
        status Unknown Running: Tasks Completed: 0 (Failed: 0, Cancelled 0), Incomplete: 2, Skipped: 0
        again at 11:00
    "#]]
    .assert_eq(&told);
    expect![[r#"
        MetadataPatch {
            labels: {
                "of-pipeline": "l",
                "tekton.dev/pipeline": "p",
            },
            annotations: {},
        }"#]]
    .assert_eq(&format!("{:#?}", plan.metadata));
    let Some(Action::CreateTaskRun(child)) = plan.actions.first() else { panic!() };
    expect![[r#"
        [
          {
            "annotations": {
              "note": "n",
              "pipeline.tekton.dev/release": "8f1e0d2"
            },
            "labels": {
              "app.kubernetes.io/managed-by": "tekton-pipelines",
              "of-pipeline": "l",
              "of-task": "l",
              "team": "a",
              "tekton.dev/memberOf": "tasks",
              "tekton.dev/pipeline": "p",
              "tekton.dev/pipelineRun": "run",
              "tekton.dev/pipelineRunUID": "uid",
              "tekton.dev/pipelineTask": "a",
              "tekton.dev/task": "t"
            },
            "name": "run-a",
            "namespace": "ns",
            "ownerReferences": [
              {
                "apiVersion": "tekton.dev/v1",
                "blockOwnerDeletion": true,
                "controller": true,
                "kind": "PipelineRun",
                "name": "run",
                "uid": "uid"
              }
            ]
          },
          {
            "taskRef": {
              "kind": "Task",
              "name": "t"
            }
          }
        ]"#]]
    .assert_eq(&serde_json::to_string_pretty(&json!([child.metadata, child.spec])).unwrap());
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of whole objects")]
fn params_workspaces_and_contexts_reach_the_children() {
    let observed = run(json!({
        "params": [{ "name": "who", "value": "world" }, { "name": "list", "value": ["a", "b"] }],
        "workspaces": [{ "name": "shared", "subPath": "$(params.who)", "volumeClaimTemplate": { "spec": { "accessModes": ["ReadWriteOnce"] } } }],
        "taskRunTemplate": { "serviceAccountName": "robot", "podTemplate": { "hostNetwork": true, "env": [{ "name": "A", "value": "1" }] } },
        "timeouts": { "pipeline": "3h", "tasks": "2h" },
        "taskRunSpecs": [{ "pipelineTaskName": "a", "podTemplate": { "env": [{ "name": "B", "value": "2" }] },
                           "metadata": { "labels": { "team": "mine" } } }],
        "pipelineSpec": {
            "params": [{ "name": "who", "type": "string" }, { "name": "list", "type": "array" },
                       { "name": "greeting", "type": "string", "default": "hello $(params.who)" }],
            "workspaces": [{ "name": "shared" }, { "name": "extra", "optional": true }],
            "tasks": [{
                "name": "a", "displayName": "greet $(params.who)", "retries": 2,
                "params": [{ "name": "text", "value": "$(params.greeting) from $(context.pipelineRun.name)/$(context.pipeline.name)" },
                           { "name": "all", "value": ["$(params.list[*])", "c"] },
                           { "name": "retries", "value": "$(context.pipelineTask.retries)" }],
                "workspaces": [{ "name": "src", "workspace": "shared", "subPath": "dir" }],
                "taskSpec": {
                    "metadata": { "labels": { "own": "label", "team": "ignored" } },
                    "params": [{ "name": "text", "type": "string" }, { "name": "all", "type": "array" }, { "name": "retries", "type": "string" }],
                    "workspaces": [{ "name": "src" }],
                    "steps": [{ "image": "i", "script": "echo $(params.who) $(params.text) $(workspaces.extra.bound) $(workspaces.shared.path)" }],
                },
            }],
        },
    }));
    let plan = decide(&observed, at(0));
    let Some(Action::CreateTaskRun(child)) = plan.actions.get(1) else { panic!("{}", render(&plan)) };
    expect![[r#"
        [
          {
            "app.kubernetes.io/managed-by": "tekton-pipelines",
            "own": "label",
            "team": "mine",
            "tekton.dev/memberOf": "tasks",
            "tekton.dev/pipeline": "run",
            "tekton.dev/pipelineRun": "run",
            "tekton.dev/pipelineRunUID": "uid",
            "tekton.dev/pipelineTask": "a"
          },
          {
            "note": "n",
            "pipeline.tekton.dev/release": "8f1e0d2"
          },
          {
            "params": [
              {
                "name": "text",
                "value": "hello world from run/run"
              },
              {
                "name": "all",
                "value": [
                  "a",
                  "b",
                  "c"
                ]
              },
              {
                "name": "retries",
                "value": "2"
              }
            ],
            "podTemplate": {
              "env": [
                {
                  "name": "B",
                  "value": "2"
                },
                {
                  "name": "A",
                  "value": "1"
                }
              ],
              "hostNetwork": true
            },
            "retries": 2,
            "serviceAccountName": "robot",
            "taskSpec": {
              "params": [
                {
                  "name": "text",
                  "type": "string"
                },
                {
                  "name": "all",
                  "type": "array"
                },
                {
                  "name": "retries",
                  "type": "string"
                }
              ],
              "steps": [
                {
                  "image": "i",
                  "script": "echo world $(params.text) false $(workspaces.shared.path)"
                }
              ],
              "workspaces": [
                {
                  "name": "src"
                }
              ]
            },
            "timeout": "2h0m0s",
            "workspaces": [
              {
                "name": "src",
                "persistentVolumeClaim": {
                  "claimName": "pvc-af71a67386"
                },
                "subPath": "world/dir"
              },
              {
                "name": "shared",
                "persistentVolumeClaim": {
                  "claimName": "pvc-af71a67386"
                },
                "subPath": "world"
              }
            ]
          }
        ]"#]]
    .assert_eq(
        &serde_json::to_string_pretty(&json!([
            child.metadata.labels,
            child.metadata.annotations,
            child.spec
        ]))
        .unwrap(),
    );
    assert_eq!(plan.actions[0].kind(), "PersistentVolumeClaim");
    let references = &plan.status.as_ref().unwrap().child_references;
    assert_eq!(references[0].display_name.as_deref(), Some("greet world"));
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of whole objects")]
fn what_is_wrong_with_a_run_is_said_in_its_condition() {
    let with = |more: Value, task: Value| {
        let mut spec =
            json!({ "tasks": [{ "name": "a", "taskSpec": { "steps": [{ "image": "i", "script": "x" }] } }] });
        spec["tasks"][0].as_object_mut().unwrap().extend(task.as_object().unwrap().clone());
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({ "pipelineSpec": spec })
    };
    let given = |mut spec: Value, more: Value| {
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        spec
    };
    for (spec, told) in [
        (
            json!({}),
            expect![[r#"
            status False CouldntGetPipeline: Error retrieving pipeline for pipelinerun ns/run: pipelineRun run not providing PipelineRef or PipelineSpec
        "#]],
        ),
        (
            json!({ "pipelineRef": { "resolver": "git" } }),
            expect![[r#"
                status False CouldntGetPipeline: Error retrieving pipeline for pipelinerun ns/run: remote resolution is not supported yet by Pipeline Service: spec.pipelineRef.resolver
            "#]],
        ),
        (
            with(json!({ "params": [{ "name": "x", "type": "string" }] }), json!({})),
            expect![[r#"
            status False ParameterMissing: [User error] PipelineRun ns/run is missing some parameters required by Pipeline ns/run: pipelineRun missing parameters: [x]
        "#]],
        ),
        (
            given(
                with(json!({ "params": [{ "name": "x", "type": "string" }] }), json!({})),
                json!({ "params": [{ "name": "x", "value": ["y"] }] }),
            ),
            expect![[r#"
                status False ParameterTypeMismatch: [User error] PipelineRun ns/run parameters have mismatching types with Pipeline ns/run's parameters: parameters have inconsistent types : [x]
            "#]],
        ),
        (
            given(
                with(
                    json!({ "params": [{ "name": "x", "type": "object", "properties": { "k": { "type": "string" } } }] }),
                    json!({}),
                ),
                json!({ "params": [{ "name": "x", "value": { "z": "1" } }] }),
            ),
            expect![[r#"
                status False ObjectParameterMissKeys: [User error] PipelineRun ns/run parameters is missing object keys required by Pipeline ns/run's parameters: pipelineRun missing object keys for parameters: map[x:[k]]
            "#]],
        ),
        (
            given(
                with(
                    json!({ "params": [{ "name": "x", "type": "array" }] }),
                    json!({ "params": [{ "name": "p", "value": "$(params.x[4])" }] }),
                ),
                json!({ "params": [{ "name": "x", "value": ["y"] }] }),
            ),
            expect![[r#"
                status False ParamArrayIndexingInvalid: [User error] PipelineRun ns/run failed validation: failed to validate Pipeline ns/run's parameter which has an invalid index while referring to an array: non-existent param references:[$(params.x[4])]
            "#]],
        ),
        (
            with(json!({ "workspaces": [{ "name": "w" }] }), json!({})),
            expect![[r#"
            status False InvalidWorkspaceBindings: [User error] PipelineRun ns/run doesn't bind Pipeline ns/run's Workspaces correctly: pipeline requires workspace with name "w" be provided by pipelinerun
        "#]],
        ),
        (
            given(with(json!({}), json!({})), json!({ "taskRunSpecs": [{ "pipelineTaskName": "zzz" }] })),
            expect![[r#"
            status False InvalidTaskRunSpecs: [User error] PipelineRun ns/run doesn't define taskRunSpecs correctly: pipelineRun's taskrunSpecs defined wrong taskName: "zzz", does not exist in Pipeline
        "#]],
        ),
        (
            with(json!({}), json!({ "matrix": { "params": [{ "name": "p", "value": ["1"] }] } })),
            expect![[r#"
                status False PipelineValidationFailed: [User error] Pipeline ns/run can't be Run; it has an invalid spec: a matrix is not supported yet by Pipeline Service: tasks[0].matrix
            "#]],
        ),
        (
            with(
                json!({}),
                json!({ "taskSpec": { "params": [{ "name": "need", "type": "string" }], "steps": [{ "image": "i", "script": "x" }] } }),
            ),
            expect![[r#"
                status False PipelineValidationFailed: [User error] Validation failed for pipelinerun run with error invalid input params for task : missing values for these params which have no default values: [need]
            "#]],
        ),
        (
            with(json!({ "results": [{ "name": "r", "value": "$(tasks.a.results.nope)" }] }), json!({})),
            expect![[r#"
            status False InvalidPipelineResultReference: Failed to resolve pipeline result reference for "run" with error invalid pipeline result "r": "nope" is not a named result returned by pipeline task "a"
        "#]],
        ),
        (
            with(
                json!({ "workspaces": [{ "name": "o", "optional": true }] }),
                json!({ "workspaces": [{ "name": "w", "workspace": "o" }],
                         "taskSpec": { "workspaces": [{ "name": "w" }], "steps": [{ "image": "i", "script": "x" }] } }),
            ),
            expect![[r#"
                status False RequiredWorkspaceMarkedOptional: [User error] Optional workspace not supported by task: pipeline workspace "o" is marked optional but pipeline task "a" requires it be provided
            "#]],
        ),
        (
            with(
                json!({}),
                json!({ "taskSpec": { "steps": [{ "image": "i", "script": "ls $(workspaces.gone.path)" }] } }),
            ),
            expect![[r#"
            status False CreateRunFailed: expected workspace "gone" to be provided by pipelinerun for pipeline task "a"
        "#]],
        ),
    ] {
        let plan = decide(&run(spec), at(0));
        assert!(plan.actions.is_empty(), "{}", render(&plan));
        told.assert_eq(&render(&plan));
    }
    let mut observed = run(json!({ "pipelineRef": { "name": "p" } }));
    observed.pipeline = Lookup::Missing;
    expect![[r#"
        status False CouldntGetPipeline: Error retrieving pipeline for pipelinerun ns/run: error when getting Pipeline for PipelineRun run: pipelines.tekton.dev "p" not found
    "#]].assert_eq(&render(&decide(&observed, at(0))));
    let mut observed =
        run(json!({ "pipelineSpec": { "tasks": [{ "name": "a", "taskRef": { "name": "t" } }] } }));
    observed.tasks = BTreeMap::from([("t".to_owned(), Lookup::Missing)]);
    expect![[r#"
        status False CouldntGetTask: Pipeline ns/run can't be Run; it contains Tasks that don't exist: Couldn't retrieve Task "t": tasks.tekton.dev "t" not found
    "#]].assert_eq(&render(&decide(&observed, at(0))));
}

#[test]
fn a_refusal_by_the_server_is_told_in_its_words() {
    for (code, told) in [
        (
            422,
            expect![[r#"
        status False CreateRunFailed: no
    "#]],
        ),
        (
            403,
            expect![[r#"
        status Unknown Started: 
        again at 10:00
    "#]],
        ),
    ] {
        let mut observed = observe("a");
        let refusal =
            Refusal { kind: "TaskRun".to_owned(), name: "run-a".to_owned(), code, message: "no".to_owned() };
        observed.refused = vec![refusal];
        told.assert_eq(&render(&decide(&observed, at(0))));
    }
}

#[test]
fn a_task_run_that_ends_while_it_is_cancelled_does_not_fail_the_run() {
    let refusal = Refusal {
        kind: "TaskRun".to_owned(),
        name: "run-a".to_owned(),
        code: 400,
        message: "Once the TaskRun is complete, no updates are allowed".to_owned(),
    };
    let mut observed = observe("a: Succeeded; asked Cancelled");
    observed.refused = vec![refusal.clone()];
    expect![[r#"
        status False Cancelled: PipelineRun "run" was cancelled
    "#]]
    .assert_eq(&render(&decide(&observed, at(0))));
    let mut observed = observe("a: Running; asked Cancelled");
    observed.refused = vec![refusal];
    expect![[r#"
        status Unknown PipelineRunCouldntCancel: PipelineRun "run" was cancelled but had errors trying to cancel TaskRuns and/or Runs: failed to patch TaskRun `run-a` with cancellation: Once the TaskRun is complete, no updates are allowed
        again at 10:00
    "#]].assert_eq(&render(&decide(&observed, at(0))));
}

#[test]
fn a_child_that_is_not_in_the_status_is_found_by_its_label() {
    let observed = observe("a -> b; a: Running");
    let plan = decide(&observed, at(0));
    let status = plan.status.unwrap();
    assert_eq!(status.child_references[0].name.as_deref(), Some("run-a"));
    let mut foreign = observe("a; a: Running");
    foreign.children[0].metadata.owner_references = None;
    assert_eq!(decide(&foreign, at(0)).actions[0].name(), "run-a");
}

#[test]
fn a_thousand_tasks_in_a_chain_are_decided() {
    let text: Vec<String> = (0..1_000).map(|index| format!("t{index} -> t{}", index + 1)).collect();
    let plan = decide(&observe(&text.join(";")), at(0));
    assert_eq!(plan.actions.len(), 1);
}

/// A graph of at most six tasks and two final ones, and how each task ends.
fn graph() -> impl Strategy<Value = (String, Vec<bool>)> {
    let edges = proptest::collection::vec((0..6_usize, 0..6_usize), 0..8);
    let tolerant = proptest::collection::vec(0..6_usize, 0..2);
    (edges, tolerant, proptest::collection::vec(proptest::bool::weighted(0.8), 8)).prop_map(
        |(edges, tolerant, ends)| {
            let mut clauses: Vec<String> = (0..6).map(|index| format!("t{index}")).collect();
            clauses.extend(
                edges.iter().filter(|(from, to)| from < to).map(|(from, to)| format!("t{from} -> t{to}")),
            );
            clauses.extend(tolerant.iter().map(|index| format!("t{index} may fail")));
            clauses.push("finally f0, f1".to_owned());
            (clauses.join("; "), ends)
        },
    )
}

proptest! {
    #[test]
    fn every_run_ends_and_deciding_twice_is_deciding_once((text, ends) in graph()) {
        let mut observed = observe(&text);
        for _ in 0..40 {
            let plan = decide(&observed, at(0));
            carry_out(&mut observed, &plan);
            let again = decide(&observed, at(0));
            prop_assert!(again.changes_nothing(), "{text}\n{}", render(&again));
            let Some(index) = observed.children.iter().position(|child| child.status.is_none()) else { break };
            let number: usize = observed.children[index].metadata.name.as_ref().unwrap()[5..].parse().unwrap();
            let is_final = observed.children[index].metadata.name.as_ref().unwrap().starts_with("run-f");
            let succeeds = ends[if is_final { 6 + number } else { number }];
            let status = if succeeds { ConditionStatus::True } else { ConditionStatus::False };
            let condition = Condition { kind: "Succeeded".to_owned(), status, ..Condition::default() };
            observed.children[index].status = Some(TaskRunStatus { conditions: vec![condition], ..TaskRunStatus::default() });
        }
        let status = observed.run.status.unwrap();
        prop_assert!(status.conditions[0].status != ConditionStatus::Unknown, "{text}: {:?}", status.conditions);
        prop_assert_eq!(status.child_references.len() + status.skipped_tasks.len(), 8);
        let finals = status.child_references.iter().filter(|child| child.name.as_ref().unwrap().starts_with("run-f"));
        prop_assert_eq!(finals.count(), 2);
    }
}
