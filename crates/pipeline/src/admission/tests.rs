//! Objects in, the webhook's lines out.

use std::fmt::Write as _;

use api::field::Rejection;
use expect_test::{Expect, expect};
use serde_json::{Value, json};

use super::validate;

/// What is wrong with an object, without the words that all webhook answers begin with.
fn told(plural: &str, object: &Value) -> String {
    match validate(plural, object) {
        Ok(()) => "fine".to_owned(),
        Err(Rejection::Webhook(text)) => {
            text.rsplit_once("validation failed: ").map_or(text.clone(), |(_, rest)| rest.to_owned())
        }
        Err(Rejection::Invalid(errors)) => format!("{errors:?}"),
    }
}

#[track_caller]
fn check(plural: &str, cases: &[Value], expected: &Expect) {
    let mut text = String::new();
    for case in cases {
        writeln!(text, "{}", told(plural, &json!({ "spec": case }))).unwrap();
    }
    expected.assert_eq(&text);
}

#[test]
fn a_task_may_name_only_what_it_declares() {
    let task = |params: Value, step: Value| {
        let mut step = step;
        step.as_object_mut().unwrap().entry("image").or_insert(json!("i"));
        json!({ "params": params, "results": [{ "name": "out" }], "steps": [step] })
    };
    let object = json!([{ "name": "o", "type": "object", "properties": { "k": { "type": "string" } } }]);
    let array = json!([{ "name": "l", "type": "array" }]);
    check(
        "tasks",
        &[
            task(
                json!([{ "name": "a", "type": "string" }]),
                json!({ "script": "echo $(params.a) $(params[\"a\"]) $(results.out.path)" }),
            ),
            task(json!([]), json!({ "script": "$(params.x)" })),
            task(
                json!([]),
                json!({ "args": ["fine", "$(params['x'])"], "image": "$(params.img)", "env": [{ "name": "E", "value": "$(params.x)" }] }),
            ),
            task(object.clone(), json!({ "script": "$(params.o.k) $(params.o.nope)" })),
            task(object, json!({ "args": ["$(params.o[*])"] })),
            task(array.clone(), json!({ "args": ["$(params.l[*])", "$(params.l)", "$(params.l[0])x"] })),
            task(array.clone(), json!({ "args": ["x$(params.l[*])"] })),
            task(array, json!({ "script": "$(params.l[*])" })),
            task(
                json!([]),
                json!({ "script": "$(context.taskRun.name) $(context.task.retry-count) $(context.task.nope)" }),
            ),
            task(json!([]), json!({ "script": "$(results.nope.path)" })),
            task(json!([]), json!({ "script": "$(params.a.b.c)" })),
            task(json!([]), json!({ "script": "$(date) $(workspaces.w.path) $(steps.a.results.b)" })),
        ],
        &expect![[r#"
            fine
            non-existent variable in "$(params.x)": spec.steps[0].script
            non-existent variable in "$(params.img)": spec.steps[0].image
            non-existent variable in "$(params.x)": spec.steps[0].env[E]
            non-existent variable in "$(params['x'])": spec.steps[0].args[1]
            non-existent variable in "$(params.o.k) $(params.o.nope)": spec.steps[0].script
            variable type invalid in "$(params.o[*])": spec.steps[0].args[0]
            fine
            variable is not properly isolated in "x$(params.l[*])": spec.steps[0].args[0]
            variable type invalid in "$(params.l[*])": spec.steps[0].script
            non-existent variable in "$(context.taskRun.name) $(context.task.retry-count) $(context.task.nope)": spec.steps[0].script
            non-existent variable in "$(results.nope.path)": spec.steps[0].script
            Invalid referencing of parameters in "$(params.a.b.c)"! Only two dot-separated components after the prefix "params" are allowed.: spec.steps[0].script
            fine
        "#]],
    );
}

#[test]
fn a_run_may_give_more_than_its_embedded_spec_declares() {
    let spec = json!({ "steps": [{ "image": "i", "script": "$(params.a) $(params.b)" }] });
    check(
        "taskruns",
        &[
            json!({ "params": [{ "name": "a", "value": "1" }, { "name": "b", "value": "1" }], "taskSpec": spec }),
            json!({ "params": [{ "name": "a", "value": "1" }], "taskSpec": spec }),
            json!({ "taskRef": { "name": "t" } }),
        ],
        &expect![[r#"
            fine
            non-existent variable in "$(params.a) $(params.b)": spec.taskSpec.steps[0].script
            fine
        "#]],
    );
    let pipeline = json!({ "tasks": [{ "name": "t", "params": [{ "name": "b", "value": "$(params.a)" }], "taskSpec": spec }] });
    check(
        "pipelineruns",
        &[
            json!({ "params": [{ "name": "a", "value": "1" }], "pipelineSpec": pipeline }),
            json!({ "pipelineSpec": pipeline }),
        ],
        &expect![[r#"
            fine
            non-existent variable in "$(params.a) $(params.b)": spec.pipelineSpec.tasks[0].taskSpec.steps[0].script
            non-existent variable in "$(params.a)": spec.pipelineSpec.tasks[0].params[b]
        "#]],
    );
}

#[test]
fn the_graph_of_a_pipeline_makes_sense() {
    let step = json!({ "steps": [{ "image": "i", "script": "x" }] });
    let task = |name: &str, after: Value, params: Value| json!({ "name": name, "runAfter": after, "params": params, "taskSpec": step });
    let uses = |value: &str| json!([{ "name": "p", "value": value }]);
    check(
        "pipelines",
        &[
            json!({ "tasks": [task("a", json!([]), json!([])), task("b", json!(["a"]), json!([]))] }),
            json!({ "tasks": [task("a", json!(["b"]), json!([])), task("b", json!(["a"]), json!([]))] }),
            json!({ "tasks": [task("a", json!(["nope"]), json!([]))] }),
            json!({ "tasks": [task("a", json!([]), uses("$(tasks.b.results.r)")), task("b", json!([]), uses("$(tasks.a.results.r)"))] }),
            json!({ "tasks": [task("a", json!([]), uses("$(tasks.b.status)")), task("b", json!([]), json!([]))] }),
            json!({ "tasks": [task("a", json!([]), uses("$(HOME)"))] }),
            json!({ "tasks": [task("a", json!([]), uses("$(context.pipelineRun.nope)"))] }),
            json!({ "tasks": [task("a", json!([]), json!([]))],
                    "finally": [task("f", json!([]), uses("$(tasks.a.status) $(tasks.status)")), task("g", json!([]), uses("$(tasks.zzz.status)")),
                                task("h", json!([]), uses("$(tasks.zzz.results.r)")), task("i", json!([]), uses("$(tasks.f.results.r)"))] }),
            json!({ "tasks": [task("a", json!([]), json!([]))],
                    "results": [{ "name": "r", "value": "$(tasks.a.results.x)" }, { "name": "s", "value": "text" },
                                { "name": "t", "value": "$(tasks.nope.results.x)" }, { "name": "u", "value": "$(finally.a.results.x)" }] }),
        ],
        &expect![[r#"
            fine
            invalid value: cycle detected; task "a" depends on "b": spec.tasks
            invalid value: couldn't add link between a and nope: task a depends on nope but nope wasn't present in Pipeline: spec.tasks
            invalid value: cycle detected; task "a" depends on "b": spec.tasks
            invalid value: pipeline tasks can not refer to execution status of any other pipeline task or aggregate status of tasks: spec.tasks[0].params[p].value
            invalid value: invalid variable reference "$(HOME)", must start with a valid prefix: params, tasks, finally, context, workspaces, or results; if you meant a shell variable, use ${VAR} instead: spec.tasks[0].params[p].value
            non-existent variable in "$(context.pipelineRun.nope)": spec.tasks[0].params[p].value
            invalid value: invalid task result reference, final task has task result reference from a final task f: spec.finally[3].params[p].value
            invalid value: invalid task result reference, final task has task result reference from a task zzz which is not defined in the pipeline: spec.finally[2].params[p].value
            invalid value: pipeline task zzz is not defined in the pipeline: spec.finally[1].params[p].value
            invalid value: expected pipeline results to be task result expressions but an invalid expressions was found: spec.results[1].value
            invalid value: expected pipeline results to be task result expressions but no expressions were found: spec.results[1].value
            invalid value: referencing a nonexistent task: spec.results[2].value, spec.results[3].value
        "#]],
    );
}

#[test]
fn tasks_of_a_pipeline_name_only_what_it_declares() {
    let params = json!([{ "name": "s", "type": "string" }, { "name": "l", "type": "array" },
                        { "name": "o", "type": "object", "properties": { "k": { "type": "string" } } }]);
    let with = |value: Value| {
        json!({ "params": params, "tasks": [{ "name": "a", "params": [{ "name": "p", "value": value }],
                "taskSpec": { "steps": [{ "image": "i", "script": "$(params.s)" }] } }] })
    };
    check(
        "pipelines",
        &[
            with(json!("$(params.s) $(params.o.k) $(params.l[0])")),
            with(json!("$(params.l[*])")),
            with(json!("$(params.o[*])")),
            with(json!(["$(params.l[*])", "$(params.s)"])),
            with(json!("$(params.nope)")),
            with(json!("x $(params.l[*])")),
            with(json!(["x $(params.l[*])"])),
            with(json!("$(params.o.nope)")),
            with(json!({ "key": "$(params.nope)" })),
            json!({ "params": params, "tasks": [{ "name": "a", "taskRef": { "name": "t" },
                    "when": [{ "input": "$(params.s)", "operator": "in", "values": ["$(params.l[*])", "$(params.nope)"] }] }] }),
            json!({ "tasks": [{ "name": "a", "taskSpec": { "steps": [{ "image": "i", "script": "$(params.nope)" }] } }] }),
        ],
        &expect![[r#"
            fine
            fine
            fine
            fine
            non-existent variable in "$(params.nope)": spec.tasks[0].params[p]
            variable type invalid in "x $(params.l[*])": spec.tasks[0].params[p]
            variable is not properly isolated in "x $(params.l[*])": spec.tasks[0].params[p].value[0]
            non-existent variable in "$(params.o.nope)": spec.tasks[0].params[p]
            non-existent variable in "$(params.nope)": spec.tasks[0].params[p].properties[key]
            non-existent variable in "$(params.nope)": spec.tasks[0].when[0].values
            non-existent variable in "$(params.nope)": spec.tasks[0].steps[0].script
        "#]],
    );
}

#[test]
fn ten_thousand_tasks_are_checked_in_one_go() {
    let tasks: Vec<Value> = (0..10_000_usize)
        .map(|index| {
            let after: Vec<String> =
                (1..=10).filter_map(|step| index.checked_sub(step)).map(|i| format!("t{i}")).collect();
            json!({ "name": format!("t{index}"), "runAfter": after, "taskRef": { "name": "x" },
                    "params": [{ "name": "p", "value": "$(params.s)" }] })
        })
        .collect();
    assert_eq!(
        told(
            "pipelines",
            &json!({ "spec": { "params": [{ "name": "s", "type": "string" }], "tasks": tasks } })
        ),
        "fine"
    );
}
