//! Every file of `examples/` ends as its header says, with `psvc run` and with `kubectl`.

use serde_json::Value;

use crate::process::{Up, psvc, root, shown};

/// The examples with what their headers say of their ends.
fn examples() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(root().join("examples")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let ends = text.lines().find_map(|line| line.strip_prefix("# Ends: "));
        let ends = ends.unwrap_or_else(|| panic!("{} does not say how it ends", path.display()));
        found.push((path.file_name().unwrap().to_str().unwrap().to_owned(), ends.to_owned()));
    }
    found.sort();
    assert!(found.len() >= 10, "there are only {} examples", found.len());
    found
}

#[test]
fn every_example_ends_as_its_header_says() {
    let data = tempfile::tempdir().unwrap();
    for (file, ends) in examples() {
        let expected = match ends.as_str() {
            "Succeeded" => 0,
            "Failed" => 5,
            "TimedOut" | "Cancelled" => 6,
            other => panic!("{file}: `{other}` is no end"),
        };
        let output = psvc(data.path(), &["run", &format!("examples/{file}")]);
        assert_eq!(output.status.code(), Some(expected), "{file}: {}", shown(&output));
    }
}

#[test]
fn kubectl_creates_watches_logs_and_deletes_runs_of_every_example() {
    let up = Up::start(&["--allow-host-image"]);
    for (file, ends) in examples() {
        let namespace = file.trim_end_matches(".yaml").to_owned();
        up.ok(&["create", "namespace", &namespace]);
        let path = format!("examples/{file}");
        let created = up.ok(&["--namespace", &namespace, "create", "-f", &path, "-o", "name"]);
        let run = match created.lines().find(|line| line.contains("run.tekton.dev/")) {
            Some(run) => run.to_owned(),
            // A definition alone: `psvc run` makes a run for it, kubectl users write one.
            None => {
                let (kind, name) = created
                    .lines()
                    .find_map(|line| Some(("Pipeline", line.strip_prefix("pipeline.tekton.dev/")?)))
                    .or_else(|| {
                        created
                            .lines()
                            .find_map(|line| Some(("Task", line.strip_prefix("task.tekton.dev/")?)))
                    })
                    .unwrap_or_else(|| panic!("{file} holds nothing to run"));
                let lower = kind.to_lowercase();
                let text = format!(
                    "apiVersion: tekton.dev/v1\nkind: {kind}Run\nmetadata: {{name: made}}\nspec: {{{lower}Ref: {{name: {name}}}}}\n"
                );
                let output = up.kubectl_with_input(&["--namespace", &namespace, "create", "-f", "-"], &text);
                assert!(output.status.success(), "{}", shown(&output));
                format!("{lower}run.tekton.dev/made")
            }
        };
        let condition =
            format!("--for=condition=Succeeded={}", if ends == "Succeeded" { "True" } else { "False" });
        up.ok(&["--namespace", &namespace, "wait", &condition, "--timeout=60s", &run]);
        let pods = up.ok(&["--namespace", &namespace, "get", "pods", "-o", "name"]);
        let mut logs = String::new();
        for pod in pods.lines() {
            logs += &up.ok(&["--namespace", &namespace, "logs", pod, "--all-containers", "--follow"]);
        }
        // A Pod that ran out of time is gone, and kubectl wants it before its log.
        assert!(logs.contains('\n') || ends == "TimedOut" || file == "timeout.yaml", "{file} has no logs");
        up.ok(&["--namespace", &namespace, "delete", &run]);
        up.ok(&["--namespace", &namespace, "wait", "--for=delete", "pod", "--all", "--timeout=60s"]);
    }
}

#[test]
fn the_run_is_printed_as_json_for_programs() {
    let data = tempfile::tempdir().unwrap();
    let output = psvc(data.path(), &["run", "examples/results.yaml", "--output", "json"]);
    assert!(output.status.success(), "{}", shown(&output));
    let run: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", shown(&output)));
    assert_eq!(run["status"]["results"][0]["value"], "42", "{run:#}");
    assert_eq!(run["status"]["conditions"][0]["type"], "Succeeded");
}

#[test]
fn parameters_and_workspaces_come_from_the_command_line() {
    let data = tempfile::tempdir().unwrap();
    let output =
        psvc(data.path(), &["run", "examples/params.yaml", "-p", "greeting=Salut", "-p", "names=Lin,Ada"]);
    let log = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(log.contains("Salut, Lin") && log.contains("first is Lin"), "{}", shown(&output));

    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("file"), "from the host").unwrap();
    let task = directory.path().join("task.yaml");
    let text = "apiVersion: tekton.dev/v1\nkind: Task\nmetadata: {name: read}\nspec:\n  workspaces: [{name: source}]\n  steps:\n    - {name: cat, image: psvc.local/host, script: cat $(workspaces.source.path)/file}\n";
    std::fs::write(&task, text).unwrap();
    let binding = format!("source={}", directory.path().display());
    let output = psvc(data.path(), &["run", task.to_str().unwrap(), "-w", &binding]);
    assert!(String::from_utf8_lossy(&output.stdout).contains("from the host"), "{}", shown(&output));
}
