//! What a run may say about the Pods of its steps.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    Affinity, EnvVar, HostAlias, LocalObjectReference, PodDNSConfig, PodSecurityContext, Toleration,
    TopologySpreadConstraint, Volume,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{filled, is_false};

/// Settings for the Pods of a run; names and meanings are those of a Pod's `spec`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PodTemplate {
    /// Labels that a node must have.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub node_selector: BTreeMap<String, String>,
    /// Environment variables of every container; they win over those of steps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<EnvVar>,
    /// Taints of nodes that are accepted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tolerations: Vec<Toleration>,
    /// Rules for the choice of a node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub affinity: Option<Affinity>,
    /// Users, groups and restrictions of all containers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub security_context: Option<PodSecurityContext>,
    /// Further volumes, which steps may mount.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<Volume>,
    /// The runtime class, which selects another OCI runtime.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub runtime_class_name: Option<String>,
    /// Whether a token of the service account is mounted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub automount_service_account_token: Option<bool>,
    /// How names are resolved: `ClusterFirst`, `Default`, `None`, ...
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub dns_policy: Option<String>,
    /// Further settings for name resolution.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dns_config: Option<PodDNSConfig>,
    /// Whether services appear as environment variables.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enable_service_links: Option<bool>,
    /// The priority class.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub priority_class_name: Option<String>,
    /// The scheduler that places the Pod.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub scheduler_name: Option<String>,
    /// Secrets with credentials for pulling images.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub image_pull_secrets: Vec<LocalObjectReference>,
    /// Lines for `/etc/hosts`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub host_aliases: Vec<HostAlias>,
    /// Whether the network of the host is used.
    #[serde(default, skip_serializing_if = "is_false")]
    pub host_network: bool,
    /// Whether the user namespace of the host is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_users: Option<bool>,
    /// How Pods are spread over failure domains.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub topology_spread_constraints: Vec<TopologySpreadConstraint>,
}
