//! The Pod that a run gets, and what is read from one.

use api::step_plan::ANNOTATION;
use expect_test::expect;
use serde_json::{Value, json};

use super::story::Story;

#[test]
#[expect(clippy::too_many_lines, reason = "one object, printed whole")]
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
