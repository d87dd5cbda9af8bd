//! What users of Tekton's kinds are told about wrong objects: text in, text out, through the table's own hooks.

use api::field::Rejection;
use api::resources;
use serde_json::{Value, json};

/// The errors of a new object, or of a change of `old`, after defaulting; empty if it is accepted.
fn errors_of(kind: &str, mut new: Value, old: Option<Value>) -> String {
    let row = resources().iter().find(|row| row.kind == kind).unwrap();
    (row.default)(&mut new);
    let old = old.map(|mut old| {
        (row.default)(&mut old);
        old
    });
    match (row.validate)(&new, old.as_ref()) {
        Ok(()) => String::new(),
        Err(Rejection::Webhook(text)) => text
            .strip_prefix("admission webhook \"validation.webhook.pipeline.tekton.dev\" denied the request: validation failed: ")
            .unwrap_or(&text)
            .to_owned(),
        Err(Rejection::Invalid(errors)) => panic!("not in the words of a webhook: {errors:?}"),
    }
}

fn check(kind: &str, spec: Value, expected: &str) {
    let object = json!({ "metadata": { "name": "x" }, "spec": spec });
    assert_eq!(errors_of(kind, object.clone(), None), expected, "{object:#}");
}

fn check_change(kind: &str, old: Value, new: Value, expected: &str) {
    let named = |mut object: Value| {
        object["metadata"] = json!({ "name": "x" });
        object
    };
    assert_eq!(errors_of(kind, named(new), Some(named(old))), expected);
}

#[test]
fn names_of_objects_are_short_dns_names() {
    let object =
        |name: &str| json!({ "metadata": { "name": name }, "spec": { "steps": [{ "image": "i" }] } });
    assert_eq!(errors_of("Task", object("a.b"), None), "");
    assert_eq!(
        errors_of("Task", object("A_b"), None),
        "invalid resource name \"A_b\": must be a valid DNS label: metadata.name"
    );
    assert_eq!(
        errors_of("Task", object(&"a".repeat(64)), None),
        "Invalid resource name: length must be no more than 63 characters: metadata.name"
    );
}

#[test]
fn steps_are_checked() {
    let step = |step: Value, expected: &str| check("Task", json!({ "steps": [step] }), expected);
    check("Task", json!({}), "missing field(s): spec.steps");
    step(json!({ "image": "i" }), "");
    step(json!({}), "missing field(s): spec.steps[0].Image");
    step(
        json!({ "image": "i", "script": "echo", "command": ["a"] }),
        "script cannot be used with command: spec.steps[0].script",
    );
    step(json!({ "image": "i", "script": "", "command": ["a"] }), "");
    step(
        json!({ "image": "i", "params": [{ "name": "a", "value": "b" }] }),
        "params cannot be used without Ref: spec.steps[0].params",
    );
    step(
        json!({ "image": "i", "name": "Not_A_Label" }),
        "invalid value \"Not_A_Label\": spec.steps[0].name\nTask step name must be a valid DNS Label, For more info refer \
         to https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#names",
    );
    step(json!({ "image": "i", "timeout": "-5s" }), "invalid value: -5s: spec.steps[0].negative timeout");
    step(
        json!({ "image": "i", "onError": "ignore" }),
        "invalid value: \"ignore\": spec.steps[0].onError\nTask step onError must be either \"continue\" or \"stopAndFail\"",
    );
    step(json!({ "image": "i", "onError": "$(params.mode)" }), "");
    step(
        json!({ "image": "i", "volumeMounts": [{ "name": "v", "mountPath": "/tekton/x/" }] }),
        "volumeMount cannot be mounted under /tekton/ (volumeMount \"v\" mounted at \"/tekton/x/\"): \
         spec.steps[0].volumeMounts[0].mountPath",
    );
    step(json!({ "image": "i", "volumeMounts": [{ "name": "v", "mountPath": "/tekton/home" }] }), "");
    step(
        json!({ "image": "i", "script": "$(steps.a.results.b)" }),
        "stepResult substitutions are only allowed in env, command and args. Found usage in: spec.steps[0].script",
    );
    step(
        json!({ "image": "i", "when": [{ "input": "a", "operator": "is", "values": ["b"] }] }),
        "invalid value: operator \"is\" is not recognized. valid operators: in,notin: spec.steps[0].when[0]",
    );
    check(
        "Task",
        json!({ "steps": [{ "image": "i", "name": "a" }, { "image": "i", "name": "a" }] }),
        "expected exactly one, got both: spec.steps[1].name",
    );
    check("Task", json!({ "stepTemplate": { "image": "i" }, "steps": [{ "script": "echo" }] }), "");
}

#[test]
fn steps_from_step_actions_bring_everything_with_them() {
    check(
        "Task",
        json!({ "steps": [{ "ref": { "name": "a" }, "image": "i", "script": "x" }] }),
        "a StepAction as a step is not supported yet by Pipeline Service: spec.steps[0].ref\n\
         image cannot be used with Ref: spec.steps[0].image\n\
         script cannot be used with Ref: spec.steps[0].script",
    );
}

#[test]
fn volumes_and_workspaces_have_names_and_places_of_their_own() {
    let task = |more: Value, expected: &str| {
        let mut spec = json!({ "steps": [{ "image": "i" }] });
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        check("Task", spec, expected);
    };
    task(
        json!({ "volumes": [{ "name": "v", "emptyDir": {} }, { "name": "v", "emptyDir": {} }] }),
        "multiple volumes with same name \"v\": spec.volumes[1].name",
    );
    task(
        json!({ "workspaces": [{ "name": "a" }, { "name": "a", "mountPath": "/b" }] }),
        "workspace name \"a\" must be unique: spec.workspaces[1].name",
    );
    task(
        json!({ "workspaces": [{ "name": "a" }, { "name": "b", "mountPath": "/workspace/a/" }] }),
        "workspace mount path \"/workspace/a\" must be unique: spec.workspaces[1].mountpath",
    );
    check(
        "Task",
        json!({ "steps": [{ "image": "i", "workspaces": [{ "name": "a", "mountPath": "/a" }] }] }),
        "undefined workspace \"a\": spec.steps[0].workspaces[0].name",
    );
}

#[test]
fn params_and_results_have_good_names_and_types() {
    let params = |params: Value, expected: &str| {
        check("Task", json!({ "steps": [{ "image": "i" }], "params": params }), expected)
    };
    let results = |results: Value, expected: &str| {
        check("Task", json!({ "steps": [{ "image": "i" }], "results": results }), expected)
    };
    params(json!([{ "name": "a" }, { "name": "a" }]), "parameter appears more than once: spec.params[a]");
    params(json!([{ "name": "a", "type": "number" }]), "invalid value: number: spec.params.a.type");
    params(
        json!([{ "name": "a", "type": "array", "default": "x" }]),
        "\"array\" type does not match default value's type: \"string\": spec.params.a.default.type, spec.params.a.type",
    );
    params(json!([{ "name": "a", "type": "object" }]), "missing field(s): spec.a.properties");
    params(
        json!([{ "name": "1a" }, { "name": "b c" }]),
        "The format of following array and string variable names is invalid: [1a b c]: spec.params\nString/Array Names: \n\
         Must only contain alphanumeric characters, hyphens (-), underscores (_), and dots (.)\n\
         Must begin with a letter or an underscore (_)",
    );
    params(
        json!([{ "name": "a.b", "properties": { "c.d": {} } }]),
        "Object param name and key name format is invalid: map[a.b:[c.d]]: spec.params\nObject Names: \n\
         Must only contain alphanumeric characters, hyphens (-), underscores (_) \n\
         Must begin with a letter or an underscore (_)",
    );
    results(json!([{ "name": "a-b_c.d", "value": "$(steps.build.results.x)" }]), "");
    results(
        json!([{ "name": "a", "type": "number" }]),
        "invalid value: number: spec.results[0].type\ntype must be string",
    );
    results(json!([{ "name": "a", "type": "object" }]), "missing field(s): spec.results[0].a.properties");
    results(
        json!([{ "name": "a", "value": "x" }]),
        "Could not extract step name and result name. Expected value to look like $(steps.<stepName>.results.<resultName>) \
         but got \"x\": spec.results[0].a.value",
    );
}

#[test]
fn tasks_of_a_pipeline_are_checked_without_their_graph() {
    let task = |task: Value, expected: &str| check("Pipeline", json!({ "tasks": [task] }), expected);
    check(
        "Pipeline",
        json!({}),
        "expected at least one, got none: spec.description, spec.params, spec.resources, spec.tasks, spec.workspaces",
    );
    task(json!({ "name": "a", "taskRef": { "name": "t" } }), "");
    task(
        json!({ "name": "a" }),
        "expected exactly one, got neither: spec.tasks[0].taskRef, spec.tasks[0].taskSpec",
    );
    task(
        json!({ "name": "a", "taskRef": { "name": "t" }, "taskSpec": { "steps": [{ "image": "i" }] } }),
        "expected exactly one, got multiple: spec.tasks[0].taskRef, spec.tasks[0].taskSpec",
    );
    task(
        json!({ "name": "A", "taskRef": { "name": "t" } }),
        "invalid value \"A\": spec.tasks[0].name\nPipeline Task name must be a valid DNS Label.For more info refer to \
         https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#names",
    );
    task(json!({ "name": "a", "taskRef": {} }), "missing field(s): spec.tasks[0].taskRef.name");
    task(
        json!({ "name": "a", "taskRef": { "name": "t" }, "onError": "ignore" }),
        "invalid value: ignore: spec.tasks[0].OnError\nPipelineTask OnError must be either \"continue\" or \"stopAndFail\"",
    );
    task(
        json!({ "name": "a", "taskRef": { "name": "t" }, "onError": "continue", "retries": 1 }),
        "PipelineTask OnError cannot be set to \"continue\" when Retries is greater than 0: spec.tasks[0].onError",
    );
    task(
        json!({ "name": "a", "taskRef": { "name": "t" }, "when": [{ "input": "a", "operator": "in" }] }),
        "invalid value: expecting non-empty values field: spec.tasks[0].when[0]",
    );
    task(
        json!({ "name": "a", "taskSpec": { "kind": "Task", "steps": [{ "image": "i" }] } }),
        "taskSpec.kind cannot be specified when using taskSpec.steps: spec.tasks[0].taskSpec.kind",
    );
    task(
        json!({ "name": "a", "taskRef": { "name": "t", "apiVersion": "example", "kind": "Example" } }),
        "a custom task is not supported yet by Pipeline Service: spec.tasks[0].taskRef.apiVersion, spec.tasks[0].taskRef.kind\n\
         invalid value: invalid apiVersion format \"example\", must be in the format \"group/version\": \
         spec.tasks[0].taskRef.apiVersion",
    );
    task(
        json!({ "name": "a", "taskRef": { "name": "t" }, "params": [{ "name": "p", "value": "1" }, { "name": "p", "value": "2" }] }),
        "parameter names must be unique, the parameter \"p\" is also defined at: spec.tasks[0].params[1].name",
    );
    task(
        json!({ "name": "a", "taskRef": { "name": "t" }, "workspaces": [{ "name": "w" }] }),
        "invalid value: pipeline task \"a\" expects workspace with name \"w\" but none exists in pipeline spec: \
         spec.tasks[0].workspaces[0]",
    );
    check(
        "Pipeline",
        json!({
            "tasks": [{ "name": "a", "taskRef": { "name": "t" } }],
            "finally": [{ "name": "a", "taskRef": { "name": "t" }, "runAfter": ["a"] }],
        }),
        "expected exactly one, got both: spec.finally[0].name\n\
         invalid value: no runAfter allowed under spec.finally, final task a has runAfter specified: spec.finally[0]",
    );
    check(
        "Pipeline",
        json!({ "finally": [{ "name": "a", "taskRef": { "name": "t" } }] }),
        "invalid value: spec.tasks is empty but spec.finally has 1 tasks: spec.finally",
    );
}

#[test]
fn task_runs_are_checked() {
    let run = |more: Value, expected: &str| {
        let mut spec = json!({ "taskRef": { "name": "t" } });
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        check("TaskRun", spec, expected);
    };
    run(json!({}), "");
    check("TaskRun", json!({}), "expected exactly one, got neither: spec.taskRef, spec.taskSpec");
    run(
        json!({ "taskSpec": { "steps": [{ "image": "i" }] } }),
        "expected exactly one, got both: spec.taskRef, spec.taskSpec",
    );
    run(json!({ "retries": -1 }), "invalid value: -1 should be >= 0: spec.retries");
    run(json!({ "timeout": "-1h" }), "invalid value: -1h0m0s should be >= 0: spec.timeout");
    run(
        json!({ "status": "Stop" }),
        "invalid value: Stop should be TaskRunCancelled or TaskRunPending: spec.status",
    );
    run(
        json!({ "statusMessage": "why" }),
        "invalid value: statusMessage should not be set if status is not set, but it is currently set to why: \
         spec.statusMessage",
    );
    run(
        json!({ "params": [{ "name": "a", "value": 1 }, { "name": "A", "value": 2 }] }),
        "expected exactly one, got both: spec.params[A].name",
    );
    run(
        json!({ "workspaces": [{ "name": "w" }] }),
        "expected exactly one, got neither: spec.workspaces[0].configmap, spec.workspaces[0].emptydir, \
         spec.workspaces[0].persistentvolumeclaim, spec.workspaces[0].secret, spec.workspaces[0].volumeclaimtemplate",
    );
    run(
        json!({ "workspaces": [{ "name": "w", "persistentVolumeClaim": { "claimName": "" } }] }),
        "missing field(s): spec.workspaces[0].persistentvolumeclaim.claimname",
    );
    run(
        json!({ "workspaces": [{ "name": "w", "emptyDir": {} }, { "name": "w", "emptyDir": {} }] }),
        "expected exactly one, got both: spec.workspaces[1].name",
    );
    run(
        json!({ "taskRef": { "name": "a b" } }),
        "invalid value: name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]'): spec.taskRef.name",
    );
}

#[test]
fn pipeline_runs_are_checked() {
    let run = |more: Value, expected: &str| {
        let mut spec = json!({ "pipelineRef": { "name": "p" } });
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        check("PipelineRun", spec, expected);
    };
    run(json!({}), "");
    check("PipelineRun", json!({}), "expected exactly one, got neither: spec.pipelineRef, spec.pipelineSpec");
    run(
        json!({ "timeouts": { "tasks": "2h" } }),
        "invalid value: 2h0m0s should be <= pipeline duration: spec.timeouts.tasks",
    );
    run(
        json!({ "timeouts": { "tasks": "40m", "finally": "40m" } }),
        "invalid value: 40m0s + 40m0s should be <= pipeline duration: spec.timeouts.finally, spec.timeouts.tasks",
    );
    run(
        json!({ "timeouts": { "tasks": "0" } }),
        "invalid value: 0s (no timeout) should be <= pipeline duration: spec.timeouts.tasks",
    );
    run(json!({ "timeouts": { "pipeline": "0", "tasks": "40m", "finally": "40m" } }), "");
    run(
        json!({ "timeouts": { "pipeline": "-1s" } }),
        "invalid value: -1s should be >= 0: spec.timeouts.pipeline",
    );
    run(
        json!({ "taskRunSpecs": [{ "pipelineTaskName": "a", "timeout": "2h" }] }),
        "invalid value: 2h0m0s should be <= pipeline duration 1h0m0s: spec.taskRunSpecs[0].timeout",
    );
    run(
        json!({ "status": "Stop" }),
        "invalid value: Stop should be Cancelled, CancelledRunFinally, StoppedRunFinally or PipelineRunPending: spec.status",
    );
    run(
        json!({ "workspaces": [{ "name": "w", "emptyDir": {} }, { "name": "w", "emptyDir": {} }] }),
        "workspace \"w\" provided by pipelinerun more than once, at index 0 and 1: spec.workspaces[1].name",
    );
    run(
        json!({ "params": [{ "name": "p", "value": "$(tasks.a.results.b)" }] }),
        "invalid value: cannot use result expressions in [tasks.a.results.b] as PipelineRun parameter values: \
         spec.params[p].value",
    );
}

#[test]
fn runs_do_not_change_except_for_being_stopped() {
    let frozen = "invalid value: Once the PipelineRun has started, only status updates are allowed: spec";
    let run =
        |name: &str, status: Value| json!({ "spec": { "pipelineRef": { "name": name } }, "status": status });
    check_change(
        "PipelineRun",
        run("a", json!({})),
        run("a", json!({ "startTime": "2026-01-01T00:00:00Z" })),
        "",
    );
    check_change("PipelineRun", run("a", json!({})), run("b", json!({})), frozen);
    let cancelled = json!({ "spec": { "pipelineRef": { "name": "a" }, "status": "Cancelled" } });
    check_change("PipelineRun", run("a", json!({})), cancelled.clone(), "");
    let done = json!({ "conditions": [{ "type": "Succeeded", "status": "True" }] });
    check_change(
        "PipelineRun",
        run("a", done),
        cancelled,
        "invalid value: Once the PipelineRun is complete, no updates are allowed: spec",
    );
    let task_run = |more: Value| {
        let mut spec = json!({ "taskRef": { "name": "t" } });
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({ "spec": spec })
    };
    check_change(
        "TaskRun",
        task_run(json!({})),
        task_run(json!({ "status": "TaskRunCancelled", "statusMessage": "enough" })),
        "",
    );
    check_change(
        "TaskRun",
        task_run(json!({})),
        task_run(json!({ "retries": 3 })),
        "invalid value: Once the TaskRun has started, only status and statusMessage updates are allowed: spec",
    );
    check_change(
        "TaskRun",
        task_run(json!({})),
        task_run(json!({ "managedBy": "me" })),
        "invalid value: managedBy is immutable: spec.spec.managedBy",
    );
    let started = json!({
        "spec": { "taskRef": { "name": "t" }, "status": "TaskRunPending" },
        "status": { "startTime": "2026-01-01T00:00:00Z" },
    });
    check_change(
        "TaskRun",
        started.clone(),
        started,
        "invalid value: TaskRun cannot be Pending after it is started: spec.status",
    );
}

#[test]
fn an_object_that_was_accepted_once_can_always_be_labelled_and_get_its_status() {
    let object = |status: Value| json!({ "spec": { "taskRef": { "resolver": "git" } }, "status": status });
    assert!(errors_of("TaskRun", object(json!({})), None).contains("remote resolution is not supported yet"));
    check_change("TaskRun", object(json!({})), object(json!({ "startTime": "2026-01-01T00:00:00Z" })), "");
}

#[test]
fn an_object_that_does_not_fit_the_types_is_refused_by_the_decoder() {
    let object =
        json!({ "metadata": { "name": "x" }, "spec": { "steps": [{ "image": "i", "timeout": "soon" }] } });
    let text = errors_of("Task", object, None);
    assert!(
        text.starts_with(
            "admission webhook \"webhook.pipeline.tekton.dev\" denied the request: mutation failed: "
        ),
        "{text}"
    );
}

#[test]
fn kinds_that_nothing_would_act_on_are_refused() {
    check(
        "ResolutionRequest",
        json!({ "params": [] }),
        "remote resolution is not supported yet by Pipeline Service: spec",
    );
    check(
        "VerificationPolicy",
        json!({ "resources": [{ "pattern": ".*" }], "authorities": [{ "name": "a", "key": { "data": "k" } }] }),
        "verification of signed definitions is not supported yet by Pipeline Service: spec",
    );
}

#[test]
fn step_actions_and_custom_runs_are_checked() {
    check(
        "StepAction",
        json!({ "image": "i", "script": "echo $(params.x)" }),
        "param substitution in scripts is not allowed.: spec.script",
    );
    check(
        "StepAction",
        json!({ "image": "i", "volumeMounts": [{ "name": "v", "mountPath": "/v" }] }),
        "invalid value: v: spec.volumeMounts[0].name\nexpect the Name to be a single param reference",
    );
    check("CustomRun", json!({}), "expected exactly one, got neither: spec.customRef, spec.customSpec");
    check(
        "CustomRun",
        json!({ "customRef": { "apiVersion": "a/v1" } }),
        "missing field(s): spec.customRef.kind",
    );
    check("CustomRun", json!({ "customRef": { "apiVersion": "a/v1", "kind": "A" } }), "");
}
