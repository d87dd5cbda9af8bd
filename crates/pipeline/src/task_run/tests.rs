//! TaskRuns as stories: a run in, what happens to its Pod, and the plans that follow as text.

use std::fmt::Write as _;

use api::step_plan::ANNOTATION;
use api::tekton::v1::TaskRun;
use expect_test::{Expect, expect};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{Pod, PodStatus};
use serde_json::{Value, json};

use super::{Observed, Plan, decide};
use crate::plan::{Action, Lookup, Refusal, Requeue};

fn start() -> Timestamp {
    "2026-01-01T10:00:00Z".parse().unwrap()
}

/// A TaskRun and its Pod, with the plans carried out as a controller would.
struct Story {
    observed: Observed,
    now: Timestamp,
    pods_made: usize,
    told: String,
}

impl Story {
    fn of(spec: Value) -> Self {
        let run: TaskRun = serde_json::from_value(json!({
            "apiVersion": "tekton.dev/v1", "kind": "TaskRun",
            "metadata": {
                "name": "run", "namespace": "ns", "uid": "uid-1", "creationTimestamp": "2026-01-01T10:00:00Z",
                "annotations": { "pipeline.tekton.dev/release": crate::metadata::RELEASE_VALUE },
            },
            "spec": spec,
        }))
        .unwrap();
        let observed = Observed { run, pod: Lookup::Missing, ..Observed::default() };
        Self { observed, now: start(), pods_made: 0, told: String::new() }
    }

    fn script(script: &str) -> Self {
        Self::of(json!({ "taskSpec": { "steps": [{ "name": "s", "image": "busybox", "script": script }] } }))
    }

    fn steps(names: &[&str]) -> Self {
        let steps: Vec<Value> =
            names.iter().map(|name| json!({ "name": name, "image": "i", "command": ["c"] })).collect();
        Self::of(json!({ "taskSpec": { "steps": steps } }))
    }

    fn decide(&mut self) -> Plan {
        let plan = decide(&self.observed, self.now);
        self.tell(&plan);
        self.carry_out(&plan);
        plan
    }

    /// Decides until nothing changes, as watches would cause it.
    fn settle(mut self) -> Self {
        for _ in 0..10 {
            if self.decide().changes_nothing() {
                return self;
            }
        }
        panic!("plans never end:\n{}", self.told);
    }

    fn carry_out(&mut self, plan: &Plan) {
        for action in &plan.actions {
            match action {
                Action::CreatePod(pod) => {
                    self.pods_made += 1;
                    let mut pod = pod.clone();
                    pod.metadata.uid = Some(format!("pod-uid-{}", self.pods_made));
                    self.observed.pod = Lookup::Found(*pod);
                }
                Action::DeletePod { .. } => self.observed.pod = Lookup::Missing,
                _ => {}
            }
        }
        let metadata = &mut self.observed.run.metadata;
        metadata.labels.get_or_insert_default().extend(plan.metadata.labels.clone());
        metadata.annotations.get_or_insert_default().extend(plan.metadata.annotations.clone());
        if let Some(status) = &plan.status {
            let json = serde_json::to_value(status).unwrap();
            self.observed.run.status = Some(serde_json::from_value(json).unwrap());
        }
        let wanted = super::pod_name(&self.observed.run);
        if self.observed.pod.found().is_some_and(|pod| pod.metadata.name.as_deref() != Some(&wanted)) {
            self.observed.pod = Lookup::Missing;
        }
    }

    fn tell(&mut self, plan: &Plan) {
        for need in &plan.needs {
            writeln!(self.told, "needs {need:?}").unwrap();
        }
        for action in &plan.actions {
            let verb = match action {
                Action::DeletePod { .. } => "delete",
                _ => "create",
            };
            writeln!(self.told, "{verb} {} {}", action.kind(), action.name()).unwrap();
        }
        if !plan.metadata.is_empty() {
            writeln!(self.told, "label {:?} annotate {:?}", plan.metadata.labels, plan.metadata.annotations)
                .unwrap();
        }
        if let Some(status) = &plan.status {
            let condition = &status.conditions[0];
            let message = condition.message.as_deref().unwrap_or_default();
            writeln!(
                self.told,
                "status {} {}: {message}",
                condition.status,
                condition.reason.as_deref().unwrap_or_default()
            )
            .unwrap();
        }
        for event in &plan.events {
            writeln!(self.told, "event {} {}", event.kind.as_str(), event.reason).unwrap();
        }
        if let Requeue::At(at) = plan.requeue {
            writeln!(self.told, "again after {:#}", at.duration_since(self.now)).unwrap();
        }
    }

    /// Time passes.
    fn after(mut self, seconds: i64) -> Self {
        self.now += SignedDuration::from_secs(seconds);
        self
    }

    /// The node reports a phase, and steps such as `a: running; b: exit 1; c: waiting ImagePullBackOff no such image`.
    fn pod_is(mut self, phase: &str, steps: &str) -> Self {
        let Lookup::Found(pod) = &mut self.observed.pod else { panic!("there is no Pod") };
        pod.status = Some(pod_status(phase, steps));
        self.settle()
    }

    /// The node reports the end of the only step `s` with this termination message.
    fn ends_with(mut self, exit_code: i32, message: &Value) -> Self {
        let Lookup::Found(pod) = &mut self.observed.pod else { panic!("there is no Pod") };
        let phase = if exit_code == 0 { "Succeeded" } else { "Failed" };
        pod.status = serde_json::from_value(json!({ "phase": phase, "containerStatuses": [{
            "name": "step-s", "image": "i", "imageID": "i@sha256:1", "ready": false, "restartCount": 0,
            "state": { "terminated": { "exitCode": exit_code, "reason": "Completed", "message": message.to_string(),
                                       "startedAt": "2026-01-01T10:00:01Z", "finishedAt": "2026-01-01T10:00:09Z" } },
        }] }))
        .unwrap();
        self.settle()
    }

    fn change(mut self, change: impl FnOnce(&mut Observed)) -> Self {
        change(&mut self.observed);
        self.settle()
    }

    fn pod(&self) -> &Pod {
        self.observed.pod.found().unwrap()
    }

    fn status(&self) -> Value {
        serde_json::to_value(&self.observed.run.status).unwrap()
    }

    #[track_caller]
    fn told(&self, expected: &Expect) {
        expected.assert_eq(&self.told);
    }
}

fn pod_status(phase: &str, steps: &str) -> PodStatus {
    let containers: Vec<Value> = steps
        .split(';')
        .filter_map(|step| step.split_once(':'))
        .map(|(name, state)| {
            let words: Vec<&str> = state.trim().splitn(3, ' ').collect();
            let state = match words.as_slice() {
                ["running"] => json!({ "running": { "startedAt": "2026-01-01T10:00:02Z" } }),
                ["exit", code] => json!({ "terminated": { "exitCode": code.parse::<i32>().unwrap() } }),
                ["exit", code, reason] => {
                    json!({ "terminated": { "exitCode": code.parse::<i32>().unwrap(), "reason": reason } })
                }
                ["waiting", reason] => json!({ "waiting": { "reason": reason } }),
                ["waiting", reason, message] => {
                    json!({ "waiting": { "reason": reason, "message": message } })
                }
                other => panic!("what is {other:?}?"),
            };
            json!({ "name": format!("step-{}", name.trim()), "image": "i", "imageID": "", "ready": false,
                    "restartCount": 0, "state": state })
        })
        .collect();
    serde_json::from_value(json!({ "phase": phase, "containerStatuses": containers })).unwrap()
}

#[test]
fn a_run_gets_a_pod_and_its_verdict_from_it() {
    let story = Story::script("echo hi")
        .settle()
        .pod_is("Running", "s: running")
        .pod_is("Succeeded", "s: exit 0 Completed");
    story.told(&expect![[r#"
        create Pod run-pod
        status Unknown Pending: Pending
        event Normal Started
        event Normal Pending
        again after 1h
        again after 1h
        status Unknown Running: Not all Steps in the Task have finished executing
        event Normal Running
        again after 1h
        again after 1h
        status True Succeeded: All Steps have completed executing
        event Normal Succeeded
    "#]]);
    assert_eq!(story.status()["completionTime"], "2026-01-01T10:00:00Z");
}

#[test]
fn the_pod_is_plain_and_the_plan_says_how_to_run_it() {
    let story = Story::of(json!({
        "serviceAccountName": "default", "timeout": "10s",
        "params": [{ "name": "who", "value": "world" }, { "name": "flags", "value": ["-a", "-b"] }],
        "workspaces": [{ "name": "src", "emptyDir": {} }],
        "podTemplate": { "env": [{ "name": "T", "value": "$(params.who)" }], "nodeSelector": { "disk": "ssd" } },
        "taskSpec": {
            "params": [{ "name": "who", "type": "string" }, { "name": "flags", "type": "array" }],
            "results": [{ "name": "out", "type": "string" }],
            "workspaces": [{ "name": "src" }, { "name": "cache", "optional": true }],
            "stepTemplate": { "env": [{ "name": "E", "value": "$(context.taskRun.name)" }] },
            "steps": [
                { "name": "one", "image": "alpine:$(params.who)", "command": ["ls"], "args": ["$(params.flags[*])", "$(workspaces.src.path)"] },
                { "image": "alpine", "script": "echo $(workspaces.cache.bound) > $(results.out.path)", "onError": "continue", "timeout": "5s" },
                { "name": "three", "image": "alpine", "script": "#!/usr/bin/env python\nprint($(context.task.retry-count))",
                  "when": [{ "input": "$(params.who)", "operator": "in", "values": ["$(params.flags[*])"] }],
                  "results": [{ "name": "r", "type": "array" }] },
            ],
        },
    }))
    .settle();
    let mut pod = serde_json::to_value(story.pod()).unwrap();
    let plan: Value =
        serde_json::from_str(pod["metadata"]["annotations"][ANNOTATION].as_str().unwrap()).unwrap();
    pod["metadata"]["annotations"][ANNOTATION] = json!("…");
    expect![[r#"
        {
          "apiVersion": "v1",
          "kind": "Pod",
          "metadata": {
            "annotations": {
              "pipeline.tekton.dev/release": "8f1e0d2",
              "pipelineservice.io/step-plan": "…"
            },
            "labels": {
              "app.kubernetes.io/managed-by": "tekton-pipelines",
              "tekton.dev/taskRun": "run",
              "tekton.dev/taskRunUID": "uid-1"
            },
            "name": "run-pod",
            "namespace": "ns",
            "ownerReferences": [
              {
                "apiVersion": "tekton.dev/v1",
                "blockOwnerDeletion": true,
                "controller": true,
                "kind": "TaskRun",
                "name": "run",
                "uid": "uid-1"
              }
            ],
            "uid": "pod-uid-1"
          },
          "spec": {
            "activeDeadlineSeconds": 15,
            "automountServiceAccountToken": false,
            "containers": [
              {
                "args": [
                  "-a",
                  "-b",
                  "/workspace/src"
                ],
                "command": [
                  "ls"
                ],
                "env": [
                  {
                    "name": "E",
                    "value": "run"
                  },
                  {
                    "name": "T",
                    "value": "world"
                  }
                ],
                "image": "alpine:world",
                "name": "step-one",
                "volumeMounts": [
                  {
                    "mountPath": "/workspace/src",
                    "name": "ws-d33ce"
                  }
                ]
              },
              {
                "env": [
                  {
                    "name": "E",
                    "value": "run"
                  },
                  {
                    "name": "T",
                    "value": "world"
                  }
                ],
                "image": "alpine",
                "name": "step-unnamed-1",
                "volumeMounts": [
                  {
                    "mountPath": "/workspace/src",
                    "name": "ws-d33ce"
                  }
                ]
              },
              {
                "env": [
                  {
                    "name": "E",
                    "value": "run"
                  },
                  {
                    "name": "T",
                    "value": "world"
                  }
                ],
                "image": "alpine",
                "name": "step-three",
                "volumeMounts": [
                  {
                    "mountPath": "/workspace/src",
                    "name": "ws-d33ce"
                  }
                ]
              }
            ],
            "nodeSelector": {
              "disk": "ssd"
            },
            "restartPolicy": "Never",
            "serviceAccountName": "default",
            "volumes": [
              {
                "emptyDir": {},
                "name": "ws-d33ce"
              }
            ]
          }
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&pod).unwrap());
    expect![[r##"
        {
          "results": [
            {
              "name": "out",
              "type": "string"
            }
          ],
          "steps": [
            {
              "container": "step-one",
              "name": "one"
            },
            {
              "container": "step-unnamed-1",
              "name": "unnamed-1",
              "onError": "continue",
              "script": "#!/bin/sh\nset -e\necho false > /tekton/results/out",
              "timeout": "5s"
            },
            {
              "container": "step-three",
              "name": "three",
              "results": [
                {
                  "name": "r",
                  "type": "array"
                }
              ],
              "script": "#!/usr/bin/env python\nprint(0)",
              "when": [
                {
                  "input": "world",
                  "operator": "in",
                  "values": [
                    "-a",
                    "-b"
                  ]
                }
              ]
            }
          ]
        }"##]]
    .assert_eq(&serde_json::to_string_pretty(&plan).unwrap());
}

#[test]
fn results_come_from_the_termination_message() {
    let spec = json!({ "taskSpec": {
        "results": [{ "name": "text", "type": "string" }, { "name": "list", "type": "array" },
                    { "name": "of-step", "type": "string", "value": "$(steps.s.results.inner)" }],
        "steps": [{ "name": "s", "image": "i", "command": ["c"], "results": [{ "name": "inner", "type": "string" }] }],
    } });
    let message = json!([
        { "key": "StartedAt", "value": "2026-01-01T10:00:03.123Z", "type": 3 },
        { "key": "text", "value": "1.10\n", "type": 1 },
        { "key": "list", "value": "[\"a\"]", "type": 1 },
        { "key": "inner", "value": "deep", "type": 4 },
    ]);
    let story = Story::of(spec).settle().ends_with(0, &message);
    let status = story.status();
    expect![[r#"
        [
          [
            {
              "name": "text",
              "type": "string",
              "value": "1.10\n"
            },
            {
              "name": "list",
              "type": "array",
              "value": [
                "a"
              ]
            },
            {
              "name": "of-step",
              "type": "string",
              "value": "deep"
            }
          ],
          [
            {
              "container": "step-s",
              "imageID": "i@sha256:1",
              "name": "s",
              "results": [
                {
                  "name": "inner",
                  "type": "string",
                  "value": "deep"
                }
              ],
              "terminated": {
                "exitCode": 0,
                "finishedAt": "2026-01-01T10:00:09Z",
                "message": "[{\"key\":\"text\",\"value\":\"1.10\\n\",\"type\":1},{\"key\":\"list\",\"value\":\"[\\\"a\\\"]\",\"type\":1},{\"key\":\"inner\",\"value\":\"deep\",\"type\":4}]",
                "reason": "Completed",
                "startedAt": "2026-01-01T10:00:03Z"
              },
              "terminationReason": "Completed"
            }
          ]
        ]"#]].assert_eq(&serde_json::to_string_pretty(&json!([status["results"], status["steps"]])).unwrap());
}

#[test]
fn a_result_of_the_wrong_type_fails_the_run() {
    let spec = json!({ "taskSpec": { "results": [{ "name": "list", "type": "array" }],
                                     "steps": [{ "name": "s", "image": "i", "command": ["c"] }] } });
    let message = json!([{ "key": "list", "value": "no list", "type": 1 }]);
    Story::of(spec).settle().ends_with(0, &message).told(&expect![[r#"
        create Pod run-pod
        status Unknown Pending: Pending
        event Normal Started
        event Normal Pending
        again after 1h
        again after 1h
        status False TaskRunValidationFailed: [User error] Provided results don't match declared results; may be invalid JSON or missing result declaration:  "list": task result is expected to be "array" type but was initialized to a different type "string"
        event Warning Failed
    "#]]);
}

#[test]
fn the_first_failing_step_is_named() {
    for (steps, told) in [
        ("a: exit 1 Error; b: exit 1 Error", expect![[r#""step-a" exited with code 1: Error"#]]),
        (
            "a: exit 0 Completed; b: exit 137 OOMKilled",
            expect![[r#""step-b" exited with code 137: OOMKilled"#]],
        ),
        ("a: exit 2; b: exit 1", expect![[r#""step-a" exited with code 2"#]]),
    ] {
        let story = Story::steps(&["a", "b"]).settle().pod_is("Failed", steps);
        told.assert_eq(story.status()["conditions"][0]["message"].as_str().unwrap());
    }
}

#[test]
fn a_step_that_is_past_its_own_limit_is_named_so() {
    let message = json!([{ "key": "Reason", "value": "TimeoutExceeded", "type": 3 }]);
    let story = Story::script("sleep 9").settle().ends_with(1, &message);
    let status = story.status();
    assert_eq!(
        status["conditions"][0]["message"],
        "\"step-s\" exited because the step exceeded the specified timeout limit"
    );
    assert_eq!(status["steps"][0]["terminationReason"], "TimeoutExceeded");
}

#[test]
fn a_continued_step_keeps_its_exit_code() {
    let message = json!([{ "key": "ExitCode", "value": "3", "type": 3 }]);
    let story = Story::script("exit 3").settle().ends_with(0, &message);
    let status = story.status();
    assert_eq!(status["conditions"][0]["status"], "True");
    assert_eq!(status["steps"][0]["terminated"]["exitCode"], 3);
    assert_eq!(status["steps"][0]["terminationReason"], "Continued");
}

#[test]
fn a_step_that_cannot_start_fails_the_run_and_ends_the_pod() {
    for (state, told) in [
        (
            "s: waiting ImagePullBackOff Back-off pulling image",
            expect![[r#"
            create Pod run-pod
            status Unknown Pending: Pending
            event Normal Started
            event Normal Pending
            again after 1h
            again after 1h
            delete Pod run-pod
            status False TaskRunImagePullFailed: the step "s" in TaskRun "run" failed to pull the image "busybox". The pod errored with the message: "Back-off pulling image."
            event Warning Failed
        "#]],
        ),
        (
            "s: waiting CreateContainerConfigError secret \"x\" not found",
            expect![[r#"
            create Pod run-pod
            status Unknown Pending: Pending
            event Normal Started
            event Normal Pending
            again after 1h
            again after 1h
            delete Pod run-pod
            status False CreateContainerConfigError: the step "s" in TaskRun "run" failed to start. The pod errored with the message: "secret "x" not found."
            event Warning Failed
        "#]],
        ),
        (
            "s: waiting ErrImagePull for now",
            expect![[r#"
            create Pod run-pod
            status Unknown Pending: Pending
            event Normal Started
            event Normal Pending
            again after 1h
            again after 1h
            status Unknown PullImageFailed: build step "step-s" is pending with reason "for now"
            event Normal PullImageFailed
            again after 1h
            again after 1h
        "#]],
        ),
        (
            "s: waiting CreateContainerConfigError failed to create subPath directory",
            expect![[r#"
            create Pod run-pod
            status Unknown Pending: Pending
            event Normal Started
            event Normal Pending
            again after 1h
            again after 1h
            status Unknown Pending: Waiting for subPath directory creation to complete
            event Normal Pending
            again after 1h
            again after 1h
        "#]],
        ),
    ] {
        Story::script("x").settle().pod_is("Pending", state).told(&told);
    }
}

#[test]
fn a_run_out_of_time_is_ended_with_its_pod() {
    let spec = json!({ "timeout": "1m", "taskSpec": { "steps": [{ "name": "s", "image": "i", "script": "sleep 99" }] } });
    let story = Story::of(spec).settle().pod_is("Running", "s: running").after(60).settle();
    story.told(&expect![[r#"
        create Pod run-pod
        status Unknown Pending: Pending
        event Normal Started
        event Normal Pending
        again after 1m
        again after 1m
        status Unknown Running: Not all Steps in the Task have finished executing
        event Normal Running
        again after 1m
        again after 1m
        delete Pod run-pod
        status False TaskRunTimeout: TaskRun "run" failed to finish within "1m0s"
        event Warning Failed
    "#]]);
    assert_eq!(story.status()["steps"][0]["terminated"]["reason"], "TaskRunTimeout");
}

#[test]
fn a_cancelled_run_ends_at_once() {
    let cancel = |observed: &mut Observed| {
        observed.run.spec.status = Some(api::tekton::v1::TaskRunSpecStatus::Cancelled);
        observed.run.spec.status_message = Some("because".to_owned());
    };
    Story::script("x").settle().pod_is("Running", "s: running").change(cancel).told(&expect![[r#"
        create Pod run-pod
        status Unknown Pending: Pending
        event Normal Started
        event Normal Pending
        again after 1h
        again after 1h
        status Unknown Running: Not all Steps in the Task have finished executing
        event Normal Running
        again after 1h
        again after 1h
        delete Pod run-pod
        status False TaskRunCancelled: TaskRun "run" was cancelled. because
        event Warning Failed
    "#]]);
    Story::script("x").change(cancel).told(&expect![[r#"
        status False TaskRunCancelled: TaskRun "run" was cancelled. because
        event Normal Started
        event Warning Failed
    "#]]);
}

#[test]
fn a_pending_run_waits_to_be_released() {
    let held = json!({ "status": "TaskRunPending", "taskSpec": { "steps": [{ "name": "s", "image": "i", "script": "x" }] } });
    Story::of(held).settle().change(|observed| observed.run.spec.status = None).told(&expect![[r#"
        status Unknown TaskRunPending: TaskRun "run" is pending
        event Normal Started
        create Pod run-pod
        status Unknown Pending: Pending
        event Normal Started
        event Normal Pending
        again after 1h
        again after 1h
    "#]]);
}

#[test]
fn a_lost_pod_is_made_again_under_the_same_name() {
    let story =
        Story::script("x").settle().pod_is("Running", "s: running").change(|o| o.pod = Lookup::Missing);
    story.told(&expect![[r#"
        create Pod run-pod
        status Unknown Pending: Pending
        event Normal Started
        event Normal Pending
        again after 1h
        again after 1h
        status Unknown Running: Not all Steps in the Task have finished executing
        event Normal Running
        again after 1h
        again after 1h
        create Pod run-pod
        status Unknown Pending: Pending
        event Normal Pending
        again after 1h
        again after 1h
    "#]]);
    assert_eq!(story.pods_made, 2);
}

#[test]
fn a_failed_attempt_is_put_aside_and_the_next_has_its_own_pod() {
    let spec = json!({ "retries": 1, "taskSpec": { "steps": [
        { "name": "s", "image": "i", "script": "echo $(context.task.retry-count)" }] } });
    let story = Story::of(spec).settle().pod_is("Failed", "s: exit 1 Error");
    assert!(story.pod().metadata.annotations.as_ref().unwrap()[ANNOTATION].contains("echo 1"));
    let story = story.after(5).pod_is("Failed", "s: exit 2 Error");
    story.told(&expect![[r#"
        create Pod run-pod
        status Unknown Pending: Pending
        event Normal Started
        event Normal Pending
        again after 1h
        again after 1h
        status Unknown ToBeRetried: "step-s" exited with code 1: Error
        event Normal ToBeRetried
        again after 0s
        create Pod run-pod-retry1
        status Unknown Pending: Pending
        event Normal Started
        event Normal Pending
        again after 1h
        again after 1h
        status False StepFailed: "step-s" exited with code 2: Error
        event Warning Failed
    "#]]);
    let status = story.status();
    assert_eq!(status["retriesStatus"].as_array().unwrap().len(), 1);
    assert_eq!(status["retriesStatus"][0]["podName"], "run-pod");
    assert_eq!(status["podName"], "run-pod-retry1");
}

#[test]
fn a_referenced_task_is_looked_up_once_and_gives_its_labels() {
    let spec = json!({ "taskRef": { "name": "build", "kind": "Task" }, "serviceAccountName": "robot" });
    let mut story = Story::of(spec);
    story.decide();
    story.observed.task = Lookup::Found(serde_json::from_value(json!({
        "metadata": { "name": "build", "labels": { "team": "a" } },
        "spec": { "steps": [{ "name": "s", "image": "i", "command": ["c"], "args": ["$(context.task.name)"] }] },
    })).unwrap());
    story.decide();
    story.observed.service_account = Lookup::Found(k8s_openapi::api::core::v1::ServiceAccount::default());
    let story = story.settle();
    story.told(&expect![[r#"
        needs Task("build")
        needs ServiceAccount("robot")
        create Pod run-pod
        label {"team": "a", "tekton.dev/task": "build"} annotate {}
        status Unknown Pending: Pending
        event Normal Started
        event Normal Pending
        again after 1h
        again after 1h
    "#]]);
    assert_eq!(story.pod().spec.as_ref().unwrap().containers[0].args.as_ref().unwrap()[0], "build");
}

#[test]
fn what_is_wrong_with_a_run_is_said_in_its_condition() {
    let task = |more: Value| {
        let mut spec = json!({ "steps": [{ "name": "s", "image": "i", "command": ["c"] }] });
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({ "taskSpec": spec })
    };
    let with = |spec: Value, more: Value| {
        let mut spec = spec;
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        spec
    };
    for (spec, told) in [
        (json!({}), expect!["TaskRunResolutionFailed: taskRun run not providing TaskRef or TaskSpec"]),
        (
            task(json!({ "params": [{ "name": "a", "type": "string" }] })),
            expect![
                "TaskRunValidationFailed: [User error] invalid input params for task run: missing values for these params which have no default values: [a]"
            ],
        ),
        (
            with(
                task(json!({ "params": [{ "name": "a", "type": "array" }] })),
                json!({ "params": [{ "name": "a", "value": "x" }] }),
            ),
            expect![
                "TaskRunValidationFailed: [User error] invalid input params for task run: param types don't match the user-specified type: [a]"
            ],
        ),
        (
            with(
                task(json!({ "params": [{ "name": "a", "type": "array" }],
                             "steps": [{ "name": "s", "image": "i", "args": ["$(params.a[3])"] }] })),
                json!({ "params": [{ "name": "a", "value": ["x"] }] }),
            ),
            expect!["TaskRunValidationFailed: [User error] non-existent param references:[$(params.a[3])]"],
        ),
        (
            task(json!({ "workspaces": [{ "name": "w" }] })),
            expect![[
                r#"TaskRunValidationFailed: [User error] declared workspace "w" is required but has not been bound"#
            ]],
        ),
        (
            task(json!({ "sidecars": [{ "name": "db", "image": "i" }] })),
            expect!["TaskRunValidationFailed: [User error] sidecars: not supported yet (sidecars)"],
        ),
        (
            with(task(json!({})), json!({ "stepSpecs": [{ "name": "nope", "computeResources": {} }] })),
            expect!["TaskRunValidationFailed: [User error] invalid StepOverride: No Step named nope"],
        ),
        (
            json!({ "taskRef": { "resolver": "git" } }),
            expect![
                "TaskRunResolutionFailed: [User error] remote resolution: not supported yet (spec.taskRef.resolver)"
            ],
        ),
        (
            with(task(json!({})), json!({ "debug": { "breakpoints": { "onFailure": "enabled" } } })),
            expect!["TaskRunValidationFailed: [User error] debugging: not supported yet (spec.debug)"],
        ),
        (
            task(json!({ "volumes": [{ "name": "v" }, { "name": "v" }] })),
            expect![[
                r#"PodCreationFailed: failed to create task run pod "run": multiple volumes with same name "v": volumes[1].name. Maybe invalid TaskSpec"#
            ]],
        ),
    ] {
        let story = Story::of(spec).settle();
        let condition = &story.status()["conditions"][0];
        told.assert_eq(&format!(
            "{}: {}",
            condition["reason"].as_str().unwrap(),
            condition["message"].as_str().unwrap()
        ));
    }
}

#[test]
fn a_refusal_by_the_server_is_told_in_its_words() {
    let refused = |kind: &str, code: u16, message: &str| Refusal {
        kind: kind.to_owned(),
        name: "n".to_owned(),
        code,
        message: message.to_owned(),
    };
    for (refusal, told) in [
        (
            refused("Pod", 422, "spec.containers[0].image: Required value"),
            expect![[r#"
            status False PodCreationFailed: failed to create task run pod "run": spec.containers[0].image: Required value. Maybe invalid TaskSpec
            event Normal Started
            event Warning Failed
        "#]],
        ),
        (
            refused("Pod", 403, "exceeded quota: q"),
            expect![[r#"
            status Unknown ExceededResourceQuota: TaskRun Pod exceeded available resources: exceeded quota: q
            event Normal Started
            event Normal ExceededResourceQuota
            again after 1m
        "#]],
        ),
        (
            refused("PersistentVolumeClaim", 403, "no"),
            expect![[r#"
            status False CouldntCreateWorkspacePVC: failed to create PVC for TaskRun ns/run workspaces correctly: PVC creation error for n: no
            event Normal Started
            event Warning Failed
        "#]],
        ),
    ] {
        let mut story = Story::script("x");
        story.observed.refused = vec![refusal];
        story.decide();
        told.assert_eq(&story.told);
    }
}

#[test]
fn the_claim_of_a_template_is_made_before_the_pod() {
    let spec = json!({
        "workspaces": [{ "name": "w", "volumeClaimTemplate": { "spec": { "accessModes": ["ReadWriteOnce"] } } }],
        "taskSpec": { "workspaces": [{ "name": "w" }], "steps": [{ "name": "s", "image": "i", "script": "ls $(workspaces.w.path) $(workspaces.w.claim)" }] },
    });
    Story::of(spec).settle().told(&expect![[r#"
        create PersistentVolumeClaim pvc-4258f82136
        create Pod run-pod
        status Unknown Pending: Pending
        event Normal Started
        event Normal Pending
        again after 1h
        again after 1h
    "#]]);
}

#[test]
fn a_pod_of_somebody_else_under_our_name_is_waited_for() {
    let mut story = Story::script("x");
    story.observed.pod = Lookup::Found(Pod::default());
    story.decide();
    story.told(&expect![[r#"
        status Unknown Pending: tried to create pod, but it already exists
        event Normal Started
        event Normal Pending
        again after 1s
    "#]]);
}

#[test]
fn an_ended_managed_or_deleted_run_is_left_alone() {
    for spec in [json!({ "managedBy": "someone.else/x" })] {
        assert!(Story::of(spec).settle().told.is_empty());
    }
    let mut story = Story::script("x").settle().pod_is("Succeeded", "s: exit 0");
    story.told.clear();
    assert!(story.after(9_999).settle().told.is_empty());
}
