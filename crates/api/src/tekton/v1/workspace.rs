//! Workspaces: directories that a Task asks for, and the volumes that a run binds to them.

use k8s_openapi::api::core::v1::{
    CSIVolumeSource, ConfigMapVolumeSource, EmptyDirVolumeSource, PersistentVolumeClaim,
    PersistentVolumeClaimVolumeSource, ProjectedVolumeSource, SecretVolumeSource,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{filled, is_false};

/// A directory that a Task needs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkspaceDeclaration {
    /// The name that `$(workspaces.<name>.path)` refers to.
    #[serde(default)]
    pub name: String,
    /// What the directory must contain, or what will be written there.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Where steps see it; `/workspace/<name>` when absent.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub mount_path: Option<String>,
    /// Whether steps may only read it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub read_only: bool,
    /// Whether a run may leave it unbound.
    #[serde(default, skip_serializing_if = "is_false")]
    pub optional: bool,
}

/// The volume that a run binds to a workspace; exactly one source.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkspaceBinding {
    /// The name of the workspace as the Task or Pipeline declares it.
    #[serde(default)]
    pub name: String,
    /// A directory inside the volume; for `persistentVolumeClaim` and `volumeClaimTemplate`.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub sub_path: Option<String>,
    /// A claim that is made for this run and deleted with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume_claim_template: Option<PersistentVolumeClaim>,
    /// An existing claim in the same namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub persistent_volume_claim: Option<PersistentVolumeClaimVolumeSource>,
    /// An empty directory; each TaskRun gets its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub empty_dir: Option<EmptyDirVolumeSource>,
    /// The keys of a ConfigMap as files, read-only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map: Option<ConfigMapVolumeSource>,
    /// The keys of a Secret as files, read-only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<SecretVolumeSource>,
    /// Several sources in one directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub projected: Option<ProjectedVolumeSource>,
    /// A volume of a CSI driver.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub csi: Option<CSIVolumeSource>,
}
