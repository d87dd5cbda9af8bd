//! Wrong files: each is refused with file, line, field and what to write, and exit status 2.

use std::path::Path;
use std::process::Output;

use crate::process::{Up, psvc, shown};

fn run(data: &Path, text: &str) -> Output {
    let file = data.join("bad.yaml");
    std::fs::write(&file, text).unwrap();
    psvc(data, &["run", file.to_str().unwrap()])
}

#[test]
fn a_wrong_file_is_refused_with_its_line_and_field() {
    let data = tempfile::tempdir().unwrap();
    let head =
        "apiVersion: tekton.dev/v1\nkind: TaskRun\nmetadata: {name: bad}\nspec:\n  taskSpec:\n    steps:\n";
    let pipeline = "apiVersion: tekton.dev/v1\nkind: PipelineRun\nmetadata: {name: bad}\nspec:\n  pipelineSpec:\n    tasks:\n";
    let step = "taskSpec: {steps: [{image: psvc.local/host, script: 'true'}]}";
    for (name, text, wanted) in [
        ("no YAML", "a: [1\n".to_owned(), &["bad.yaml:"][..]),
        ("no kind", "apiVersion: v1\n".to_owned(), &["bad.yaml:1: kind: it is missing"]),
        ("unknown kind", "apiVersion: v1\nkind: Foo\n".to_owned(), &["bad.yaml:1:", "\"Foo\""]),
        (
            "unknown field",
            format!("{head}      - imag: psvc.local/host\n        script: 'true'\n"),
            &["bad.yaml:7:", "spec.taskSpec.steps[0].imag", "write `image` in place of `imag`"],
        ),
        (
            "unknown variable",
            "apiVersion: tekton.dev/v1\nkind: Task\nmetadata: {name: bad}\nspec:\n  steps:\n    - image: psvc.local/host\n      script: echo $(params.x)\n".to_owned(),
            &["bad.yaml:", "non-existent variable in", "$(params.x)"],
        ),
        (
            "cycle",
            format!(
                "{pipeline}      - {{name: a, runAfter: [b], {step}}}\n      - {{name: b, runAfter: [a], {step}}}\n"
            ),
            &["bad.yaml:", "cycle detected"],
        ),
        (
            "pending",
            format!("{pipeline}      - {{name: a, {step}}}\n  status: PipelineRunPending\n"),
            &["bad: it is pending"],
        ),
        (
            "wrong type",
            format!("{head}      - image: [1]\n        script: 'true'\n"),
            &["bad.yaml:", "image"],
        ),
        (
            "unsupported",
            format!(
                "{pipeline}      - name: a\n        matrix: {{params: [{{name: x, value: ['1']}}]}}\n        {step}\n"
            ),
            &["bad.yaml:", "matrix", "not supported yet"],
        ),
    ] {
        let output = run(data.path(), &text);
        assert_eq!(output.status.code(), Some(2), "{name}: {}", shown(&output));
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        for part in wanted {
            assert!(error.contains(part), "{name}: `{part}` is missing in:\n{}", shown(&output));
        }
    }
}

#[test]
fn what_is_missing_at_run_time_is_said_in_the_outcome() {
    let data = tempfile::tempdir().unwrap();
    let missing = "apiVersion: tekton.dev/v1\nkind: PipelineRun\nmetadata: {name: bad}\nspec: {pipelineRef: {name: nowhere}}\n";
    let output = run(data.path(), missing);
    assert_eq!(output.status.code(), Some(5), "{}", shown(&output));
    assert!(String::from_utf8_lossy(&output.stderr).contains("CouldntGetPipeline"), "{}", shown(&output));
}

#[test]
fn wrong_use_of_the_command_line_is_exit_status_two() {
    let data = tempfile::tempdir().unwrap();
    for arguments in [
        &["run"][..],
        &["run", "no-such-file.yaml"],
        &["run", "examples/hello.yaml", "-p", "x=1"],
        &["run", "examples/hello.yaml", "-w", "x"],
        &["frobnicate"],
    ] {
        let output = psvc(data.path(), arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", shown(&output));
    }
}

#[test]
fn large_and_deep_bodies_are_refused_and_ten_thousand_tasks_are_not() {
    let up = Up::start(&[]);
    let large = format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: large}}\ndata: {{x: {}}}\n",
        "x".repeat(3 * 1024 * 1024)
    );
    let output = up.kubectl_with_input(&["create", "-f", "-"], &large);
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("TooLarge"), "{}", shown(&output));

    let mut tasks = String::new();
    for number in 0..10_000 {
        tasks.push_str(&format!("  - {{name: t{number}, taskRef: {{name: x}}}}\n"));
    }
    let pipeline = format!(
        "apiVersion: tekton.dev/v1\nkind: Pipeline\nmetadata: {{name: many}}\nspec:\n  tasks:\n{tasks}"
    );
    let output = up.kubectl_with_input(&["create", "-f", "-"], &pipeline);
    assert!(output.status.success(), "{}", shown(&output));
}
