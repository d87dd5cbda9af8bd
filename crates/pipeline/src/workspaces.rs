//! Workspaces: the volumes that bindings stand for, where steps see them, and the claims that templates make.
//! Only names and plain data; whether a claim exists is not asked, because creating it twice is creating it once.
//! Invariant: one claim bound twice is one volume in the Pod.
//! Source: Tekton's `workspace` and `volumeclaim` packages.

use std::collections::{BTreeMap, BTreeSet};

use api::tekton::v1::{StepTemplate, TaskSpec, WorkspaceBinding, WorkspaceDeclaration};
use k8s_openapi::api::core::v1::{
    PersistentVolumeClaim, PersistentVolumeClaimVolumeSource, Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;

use crate::names;

/// Where a declared workspace is mounted: as it says, or at `/workspace/<name>`.
pub(crate) fn mount_path(declaration: &WorkspaceDeclaration) -> String {
    let declared = declaration.mount_path.clone().filter(|path| !path.is_empty());
    declared.unwrap_or_else(|| format!("/workspace/{}", declaration.name))
}

/// The volumes of bindings, by the workspace's name.
pub(crate) fn volumes(bindings: &[WorkspaceBinding]) -> BTreeMap<&str, Volume> {
    let mut volumes: BTreeMap<&str, Volume> = BTreeMap::new();
    let mut claims: BTreeMap<&str, Volume> = BTreeMap::new();
    let mut used = BTreeSet::new();
    for binding in bindings {
        let mut name = names::workspace_volume(&binding.name);
        while !used.insert(name.clone()) {
            name = names::workspace_volume(&format!("{name}$"));
        }
        let claim = binding.persistent_volume_claim.as_ref().map(|claim| claim.claim_name.as_str());
        if let Some(volume) = claim.and_then(|claim| claims.get(claim)) {
            volumes.insert(&binding.name, volume.clone());
            continue;
        }
        let volume = Volume {
            name,
            persistent_volume_claim: binding.persistent_volume_claim.clone(),
            empty_dir: binding.empty_dir.clone(),
            config_map: binding.config_map.clone(),
            secret: binding.secret.clone(),
            projected: binding.projected.clone(),
            ..Volume::default()
        };
        if let Some(claim) = claim {
            claims.insert(claim, volume.clone());
        }
        volumes.insert(&binding.name, volume);
    }
    volumes
}

/// Adds the volumes of all bindings to a Task's spec, and mounts: into the steps that ask for a workspace by name if
/// any does, else into all steps.
pub(crate) fn mount(spec: &mut TaskSpec, bindings: &[WorkspaceBinding]) {
    let volumes = volumes(bindings);
    let isolated: BTreeSet<String> =
        spec.steps.iter().flat_map(|step| &step.workspaces).map(|usage| usage.name.clone()).collect();
    let mut added = BTreeSet::new();
    for binding in bindings {
        let declared = spec.workspaces.iter().find(|workspace| workspace.name == binding.name).cloned();
        let declared = declared.unwrap_or_else(|| WorkspaceDeclaration {
            name: binding.name.clone(),
            ..WorkspaceDeclaration::default()
        });
        let Some(volume) = volumes.get(binding.name.as_str()) else { continue };
        let mount = VolumeMount {
            name: volume.name.clone(),
            mount_path: mount_path(&declared),
            sub_path: binding.sub_path.clone().filter(|path| !path.is_empty()),
            read_only: declared.read_only.then_some(true),
            ..VolumeMount::default()
        };
        if isolated.contains(&binding.name) {
            mount_isolated(spec, &binding.name, &mount);
        } else {
            spec.step_template.get_or_insert_with(StepTemplate::default).volume_mounts.push(mount);
        }
        if added.insert(volume.name.clone()) {
            spec.volumes.push(volume.clone());
        }
    }
}

fn mount_isolated(spec: &mut TaskSpec, workspace: &str, mount: &VolumeMount) {
    for step in &mut spec.steps {
        let Some(usage) = step.workspaces.iter().find(|usage| usage.name == workspace) else { continue };
        let path = usage.mount_path.clone().filter(|path| !path.is_empty());
        step.volume_mounts.push(VolumeMount {
            mount_path: path.unwrap_or_else(|| mount.mount_path.clone()),
            ..mount.clone()
        });
    }
}

/// The claim that a binding's template makes for the run that owns it.
pub(crate) fn claim(
    binding: &WorkspaceBinding,
    namespace: &str,
    owner: &OwnerReference,
) -> Option<PersistentVolumeClaim> {
    let mut claim = binding.volume_claim_template.clone()?;
    claim.metadata.name = Some(claim_name(binding, owner)?);
    claim.metadata.namespace = Some(namespace.to_owned());
    claim.metadata.owner_references = Some(vec![owner.clone()]);
    claim.status = None;
    Some(claim)
}

fn claim_name(binding: &WorkspaceBinding, owner: &OwnerReference) -> Option<String> {
    let template = binding.volume_claim_template.as_ref()?;
    Some(names::volume_claim(
        template.metadata.name.as_deref().unwrap_or_default(),
        &binding.name,
        &owner.uid,
    ))
}

/// The binding with its template replaced by the claim that it makes.
pub(crate) fn with_claim(binding: &WorkspaceBinding, owner: &OwnerReference) -> WorkspaceBinding {
    let Some(claim_name) = claim_name(binding, owner) else {
        return binding.clone();
    };
    WorkspaceBinding {
        name: binding.name.clone(),
        sub_path: binding.sub_path.clone(),
        persistent_volume_claim: Some(PersistentVolumeClaimVolumeSource { claim_name, read_only: None }),
        ..WorkspaceBinding::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn bindings() -> Vec<WorkspaceBinding> {
        serde_json::from_value(json!([
            { "name": "custom", "persistentVolumeClaim": { "claimName": "data" }, "subPath": "a" },
            { "name": "second", "persistentVolumeClaim": { "claimName": "data" } },
            { "name": "scratch", "emptyDir": {} },
        ]))
        .unwrap()
    }

    #[test]
    fn one_claim_is_one_volume_and_every_step_sees_it() {
        let mut spec: TaskSpec = serde_json::from_value(json!({
            "workspaces": [{ "name": "custom", "mountPath": "/data", "readOnly": true }],
            "steps": [{ "image": "i" }],
        }))
        .unwrap();
        mount(&mut spec, &bindings());
        assert_eq!(
            serde_json::to_value(&spec.volumes).unwrap(),
            json!([
                { "name": "ws-20573", "persistentVolumeClaim": { "claimName": "data" } },
                { "name": spec.volumes[1].name, "emptyDir": {} },
            ])
        );
        let template = spec.step_template.unwrap();
        assert_eq!(
            serde_json::to_value(&template.volume_mounts[..2]).unwrap(),
            json!([
                { "name": "ws-20573", "mountPath": "/data", "readOnly": true, "subPath": "a" },
                { "name": "ws-20573", "mountPath": "/workspace/second" },
            ])
        );
    }

    #[test]
    fn a_workspace_that_a_step_asks_for_is_seen_by_that_step_alone() {
        let mut spec: TaskSpec = serde_json::from_value(json!({
            "workspaces": [{ "name": "scratch" }],
            "steps": [
                { "image": "i", "workspaces": [{ "name": "scratch", "mountPath": "/here" }] },
                { "image": "i" },
            ],
        }))
        .unwrap();
        mount(&mut spec, &bindings()[2..]);
        assert_eq!(spec.steps[0].volume_mounts[0].mount_path, "/here");
        assert!(spec.steps[1].volume_mounts.is_empty() && spec.step_template.is_none());
    }

    #[test]
    fn a_template_becomes_a_claim_of_the_run() {
        let binding: WorkspaceBinding = serde_json::from_value(json!({
            "name": "w", "subPath": "s",
            "volumeClaimTemplate": { "metadata": { "name": "my" }, "spec": { "accessModes": ["ReadWriteOnce"] } },
        }))
        .unwrap();
        let owner = OwnerReference { uid: "u".to_owned(), ..OwnerReference::default() };
        let claim = claim(&binding, "ns", &owner).unwrap();
        let bound = with_claim(&binding, &owner);
        assert_eq!(bound.persistent_volume_claim.unwrap().claim_name, claim.metadata.name.clone().unwrap());
        assert!(claim.metadata.name.unwrap().starts_with("my-"));
        assert_eq!(bound.sub_path.as_deref(), Some("s"));
    }
}
