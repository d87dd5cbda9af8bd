//! From start to end: lookups, cancel, limits, attempts, and everything that can be wrong with a run.

use api::step_plan::ANNOTATION;
use expect_test::expect;
use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};

use super::super::Observed;
use super::story::Story;
use crate::plan::{Lookup, Refusal};

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
fn a_run_that_never_got_going_says_what_it_waited_for() {
    let story = Story::script("x").settle().pod_is("Pending", "s: waiting ErrImagePull no such host");
    let story = story.after(3_600).settle();
    let message = &story.status()["conditions"][0]["message"];
    expect![[r#"
        TaskRun "run" failed to finish within "1h0m0s"
        Previous status: [PullImageFailed] build step "step-s" is pending with reason "no such host""#]]
    .assert_eq(message.as_str().unwrap());
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
    story.observed.service_account = Lookup::NotLookedUp;
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
fn credentials_of_the_service_account_are_not_ignored() {
    for (secret, told) in [
        (
            json!({"type": "Opaque"}),
            expect![[r#"
            needs ServiceAccount("default")
            needs Secrets(["a"])
            create Pod run-pod
            status Unknown Pending: Pending
            event Normal Started
            event Normal Pending
            again after 1h
            again after 1h
        "#]],
        ),
        (
            json!({"type": "kubernetes.io/basic-auth"}),
            expect![[r#"
            needs ServiceAccount("default")
            needs Secrets(["a"])
            create Pod run-pod
            status Unknown Pending: Pending
            event Normal Started
            event Normal Pending
            again after 1h
            again after 1h
        "#]],
        ),
        (
            json!({"type": "kubernetes.io/basic-auth", "metadata": {"annotations": {"tekton.dev/docker-0": "x"}}}),
            expect![[r#"
                needs ServiceAccount("default")
                needs Secrets(["a"])
                status False PodCreationFailed: failed to create task run pod "run": a Secret with credentials in a ServiceAccount is not supported yet by Pipeline Service: secrets "a". Maybe invalid TaskSpec
                event Normal Started
                event Warning Failed
            "#]],
        ),
        (
            json!({"type": "kubernetes.io/ssh-auth", "metadata": {"annotations": {"tekton.dev/git-0": "x"}}}),
            expect![[r#"
                needs ServiceAccount("default")
                needs Secrets(["a"])
                status False PodCreationFailed: failed to create task run pod "run": a Secret with credentials in a ServiceAccount is not supported yet by Pipeline Service: secrets "a". Maybe invalid TaskSpec
                event Normal Started
                event Warning Failed
            "#]],
        ),
        (
            json!({"type": "kubernetes.io/dockerconfigjson"}),
            expect![[r#"
            needs ServiceAccount("default")
            needs Secrets(["a"])
            status False PodCreationFailed: failed to create task run pod "run": a Secret with credentials in a ServiceAccount is not supported yet by Pipeline Service: secrets "a". Maybe invalid TaskSpec
            event Normal Started
            event Warning Failed
        "#]],
        ),
        (
            json!(null),
            expect![[r#"
            needs ServiceAccount("default")
            needs Secrets(["a"])
            status False PodCreationFailed: failed to create task run pod "run": translating TaskSpec to Pod: secrets "a" not found. Maybe invalid TaskSpec
            event Normal Started
            event Warning Failed
        "#]],
        ),
    ] {
        let mut story = Story::script("echo hi");
        story.observed.service_account = Lookup::NotLookedUp;
        story.decide();
        let account = json!({"metadata": {"name": "default"}, "secrets": [{"name": "a"}]});
        story.observed.service_account = Lookup::Found(serde_json::from_value(account).unwrap());
        story.decide();
        let found = if secret.is_null() {
            Lookup::Missing
        } else {
            Lookup::Found(serde_json::from_value(secret).unwrap())
        };
        story.observed.secrets.insert("a".to_owned(), found);
        story.settle().told(&told);
    }
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
            expect![
                "TaskRunValidationFailed: [User error] a sidecar is not supported yet by Pipeline Service: sidecars"
            ],
        ),
        (
            with(task(json!({})), json!({ "stepSpecs": [{ "name": "nope", "computeResources": {} }] })),
            expect!["TaskRunValidationFailed: [User error] invalid StepOverride: No Step named nope"],
        ),
        (
            json!({ "taskRef": { "resolver": "git" } }),
            expect![
                "TaskRunResolutionFailed: [User error] remote resolution is not supported yet by Pipeline Service: spec.taskRef.resolver"
            ],
        ),
        (
            with(task(json!({})), json!({ "debug": { "breakpoints": { "onFailure": "enabled" } } })),
            expect![
                "TaskRunValidationFailed: [User error] debugging with breakpoints is not supported yet by Pipeline Service: spec.debug"
            ],
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
    assert!(Story::of(json!({ "managedBy": "someone.else/x" })).settle().told.is_empty());
    let mut story = Story::script("x").settle().pod_is("Succeeded", "s: exit 0");
    story.told.clear();
    assert!(story.after(9_999).settle().told.is_empty());
}
