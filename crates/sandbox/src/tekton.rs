//! The public paths of Tekton inside of steps: `/tekton/...` and `/workspace`.
//! On the host they are directories of the Pod; every step sees the same ones, its own `/tekton/run/<i>` writable.
//! Invariant: what a step may write belongs to it or to the whole Task; scripts and other steps' files it may not.
//! Source: Tekton's documentation of variables and of its reserved directories.

use std::path::{Path, PathBuf};

use api::step_plan::{PlannedStep, StepPlan};

use crate::plan::TextFile;

/// Where one step's part of the layout lies, on the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepDirs {
    /// The file that the exit code is written to.
    pub exit_code: PathBuf,
    /// The directory of the step's own results.
    pub results: PathBuf,
}

/// The parts of the step at `index` below `tekton_dir`.
#[must_use]
pub fn step_dirs(tekton_dir: &Path, index: usize) -> StepDirs {
    let status = tekton_dir.join("run").join(index.to_string()).join("status");
    StepDirs { exit_code: status.join("exitCode"), results: status.join("results") }
}

/// What must exist before the first step.
#[derive(Debug, Default)]
pub(crate) struct Layout {
    pub(crate) directories: Vec<(PathBuf, u32)>,
    pub(crate) files: Vec<TextFile>,
    pub(crate) links: Vec<(PathBuf, PathBuf)>,
}

/// Lays out the directories of a Task below `tekton_dir`.
pub(crate) fn layout(tekton_dir: &Path, plan: &StepPlan) -> Layout {
    let mut layout = Layout::default();
    let mut directory = |path: PathBuf, mode: u32| layout.directories.push((path, mode));
    // Steps may run as any user, so what they write to is open to all; the Pod's own directory is not.
    directory(tekton_dir.to_owned(), 0o755);
    for (name, mode) in
        [("run", 0o755), ("scripts", 0o755), ("steps", 0o755), ("creds", 0o755), ("results", 0o777)]
    {
        directory(tekton_dir.join(name), mode);
    }
    for name in ["home", "artifacts", "workspace"] {
        directory(tekton_dir.join(name), 0o777);
    }
    for (index, _) in plan.steps.iter().enumerate() {
        directory(tekton_dir.join("creds").join(index.to_string()), 0o777);
        let run = tekton_dir.join("run").join(index.to_string());
        let status = run.join("status");
        for (path, mode) in [
            (run.clone(), 0o777),
            (status.clone(), 0o777),
            (status.join("results"), 0o777),
            (status.join("artifacts"), 0o777),
        ] {
            directory(path, mode);
        }
    }
    for (index, step) in plan.steps.iter().enumerate() {
        layout.links.extend(step_links(tekton_dir, index, step));
        if let Some(script) = &step.script {
            let path = tekton_dir.join("scripts").join(script_name(index));
            layout.files.push(TextFile { path, mode: 0o755, content: with_shebang(script) });
        }
    }
    layout
}

/// The names under `/tekton/steps` that lead to a step's directory: its index, its name and its container's.
fn step_links(tekton_dir: &Path, index: usize, step: &PlannedStep) -> Vec<(PathBuf, PathBuf)> {
    let target = PathBuf::from(format!("/tekton/run/{index}/status"));
    let mut names = vec![index.to_string(), step.container.clone()];
    // A step that is named like another's index must not take its place.
    if step.name.parse::<usize>().is_err() && step.name != step.container {
        names.push(step.name.clone());
    }
    let steps = tekton_dir.join("steps");
    names.into_iter().map(|name| (steps.join(name), target.clone())).collect()
}

/// The directories of the layout that the step at `index` mounts: source, destination, whether read-only.
pub(crate) fn step_mounts(tekton_dir: &Path, index: usize) -> Vec<(PathBuf, String, bool)> {
    let number = index.to_string();
    vec![
        (tekton_dir.join("workspace"), "/workspace".to_owned(), false),
        (tekton_dir.join("home"), "/tekton/home".to_owned(), false),
        (tekton_dir.join("results"), "/tekton/results".to_owned(), false),
        (tekton_dir.join("artifacts"), "/tekton/artifacts".to_owned(), false),
        (tekton_dir.join("steps"), "/tekton/steps".to_owned(), true),
        (tekton_dir.join("scripts"), "/tekton/scripts".to_owned(), true),
        (tekton_dir.join("creds").join(&number), "/tekton/creds".to_owned(), false),
        (tekton_dir.join("run"), "/tekton/run".to_owned(), true),
        (tekton_dir.join("run").join(&number), format!("/tekton/run/{number}"), false),
    ]
}

/// The path of a step's script as the step sees it.
pub(crate) fn script_path(index: usize) -> String {
    format!("/tekton/scripts/{}", script_name(index))
}

fn script_name(index: usize) -> String {
    format!("script-{index}")
}

/// Scripts without a first line that names an interpreter are run by a shell that stops at errors.
fn with_shebang(script: &str) -> String {
    if script.starts_with("#!") { script.to_owned() } else { format!("#!/bin/sh\nset -e\n{script}") }
}
