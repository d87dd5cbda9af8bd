//! Workspaces: declarations, uses and bindings.

use std::collections::BTreeSet;

use crate::apis::Errors;
use crate::tekton::v1::{TaskSpec, WorkspaceBinding, WorkspaceUsage};

use super::read::duplicate_names_by_index;

/// The sources of a binding, as Tekton names them.
const SOURCES: &[&str] = &["persistentvolumeclaim", "volumeclaimtemplate", "emptydir", "configmap", "secret"];

/// Checks the workspaces that a Task declares; paths begin with `workspaces`.
pub(super) fn declarations(spec: &TaskSpec) -> Errors {
    let template = spec.step_template.iter().flat_map(|template| &template.volume_mounts);
    let mounts = spec.steps.iter().flat_map(|step| &step.volume_mounts).chain(template);
    let mut paths = mounts.map(|mount| clean_path(&mount.mount_path)).collect::<BTreeSet<_>>();
    let mut names = BTreeSet::new();
    let mut errors = Errors::none();
    for (index, workspace) in spec.workspaces.iter().enumerate() {
        if !names.insert(&workspace.name) {
            let message = format!("workspace name {:?} must be unique", workspace.name);
            errors.add(Errors::generic(message, &["name"]).via_index(index));
        }
        let path = workspace.mount_path.clone().unwrap_or_else(|| format!("/workspace/{}", workspace.name));
        let path = clean_path(&path);
        if paths.contains(&path) {
            let message = format!("workspace mount path {path:?} must be unique");
            errors.add(Errors::generic(message, &["mountpath"]).via_index(index));
        }
        paths.insert(path);
    }
    errors.via_field("workspaces")
}

/// Checks that steps and sidecars use only workspaces that the Task declares.
pub(super) fn usages(spec: &TaskSpec) -> Errors {
    let declared = spec.workspaces.iter().map(|workspace| workspace.name.as_str()).collect::<BTreeSet<_>>();
    let check = |usages: &[WorkspaceUsage]| {
        let unknown = usages.iter().enumerate().filter(|(_, usage)| !declared.contains(usage.name.as_str()));
        unknown
            .map(|(index, usage)| {
                Errors::generic(format!("undefined workspace {:?}", usage.name), &["name"])
                    .via_field_index("workspaces", index)
            })
            .collect::<Errors>()
    };
    let mut errors = Errors::none();
    for (index, step) in spec.steps.iter().enumerate() {
        errors.add(check(&step.workspaces).via_field_index("steps", index));
    }
    for (index, sidecar) in spec.sidecars.iter().enumerate() {
        errors.add(check(&sidecar.workspaces).via_field_index("sidecars", index));
    }
    errors
}

/// Checks the bindings of a TaskRun; paths begin with an index.
pub(super) fn bindings(bindings: &[WorkspaceBinding]) -> Errors {
    let mut errors: Errors =
        bindings.iter().enumerate().map(|(index, one)| binding(one).via_index(index)).collect();
    errors.add(duplicate_names_by_index(bindings.iter().map(|binding| binding.name.as_str())));
    errors
}

/// Checks one binding: exactly one source, with its name.
pub(super) fn binding(binding: &WorkspaceBinding) -> Errors {
    if *binding == WorkspaceBinding::default() {
        return Errors::missing_field(&[""]);
    }
    let sources = [
        binding.volume_claim_template.is_some(),
        binding.persistent_volume_claim.is_some(),
        binding.empty_dir.is_some(),
        binding.config_map.is_some(),
        binding.secret.is_some(),
        binding.projected.is_some(),
        binding.csi.is_some(),
    ];
    match sources.into_iter().filter(|set| *set).count() {
        0 => return Errors::missing_one_of(SOURCES),
        1 => {}
        _ => return Errors::multiple_one_of(SOURCES),
    }
    let missing = [
        (
            binding.persistent_volume_claim.as_ref().is_some_and(|claim| claim.claim_name.is_empty()),
            "persistentvolumeclaim.claimname",
        ),
        (binding.config_map.as_ref().is_some_and(|map| map.name.is_empty()), "configmap.name"),
        (
            binding
                .secret
                .as_ref()
                .is_some_and(|secret| secret.secret_name.as_deref().unwrap_or_default().is_empty()),
            "secret.secretName",
        ),
        (
            binding
                .projected
                .as_ref()
                .is_some_and(|projected| projected.sources.as_deref().unwrap_or_default().is_empty()),
            "projected.sources",
        ),
        (binding.csi.as_ref().is_some_and(|csi| csi.driver.is_empty()), "csi.driver"),
    ];
    missing
        .iter()
        .find(|(is_missing, _)| *is_missing)
        .map_or_else(Errors::none, |(_, path)| Errors::missing_field(&[path]))
}

/// A path without empty, `.` and `..` parts, as Go's `filepath.Clean` makes it.
pub(super) fn clean_path(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if rooted => {}
            part => parts.push(part),
        }
    }
    match (rooted, parts.is_empty()) {
        (true, _) => format!("/{}", parts.join("/")),
        (false, true) => ".".to_owned(),
        (false, false) => parts.join("/"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_compared_in_their_shortest_form() {
        for (path, clean) in [
            ("/a/b/", "/a/b"),
            ("/a//b/../c", "/a/c"),
            ("/..", "/"),
            ("", "."),
            ("a/./b", "a/b"),
            ("../a", "../a"),
        ] {
            assert_eq!(clean_path(path), clean, "{path}");
        }
    }
}
