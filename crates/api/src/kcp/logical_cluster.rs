//! LogicalCluster: what a workspace is, seen from inside. There is one, called `cluster`.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Condition;
use crate::columns::{AGE, list, path, text};
use crate::field::{FieldError, Rejection};
use crate::schema;
use crate::table::{Resource, Version, unchanged};

/// The only name that a LogicalCluster may have.
const NAME: &str = "cluster";

pub(crate) const LOGICAL_CLUSTER: Resource = Resource {
    group: "core.kcp.io",
    plural: "logicalclusters",
    singular: "logicalcluster",
    kind: "LogicalCluster",
    short_names: &[],
    categories: &["kcp"],
    namespaced: false,
    versions: &[Version {
        name: "v1alpha1",
        schema: schema::of::<LogicalCluster>,
        to_storage: unchanged,
        from_storage: unchanged,
        deprecation_warning: None,
    }],
    storage_version: "v1alpha1",
    stored_with: None,
    status_subresource: true,
    builtin: false,
    columns: &[
        path("Phase", "string", ".status.phase", "`Scheduling`, `Initializing`, `Ready` or `Unavailable`."),
        path("URL", "string", ".status.URL", "Where the logical cluster is served."),
        AGE,
    ],
    selectable_fields: &[],
    default: |_| {},
    validate,
};

/// What a workspace is, seen from inside.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LogicalCluster {
    /// `core.kcp.io/v1alpha1`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub api_version: String,
    /// `LogicalCluster`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// Name, labels and other data that every object has; the name is `cluster`.
    #[serde(default)]
    pub metadata: ObjectMeta,
    /// Who owns the logical cluster and how it may end.
    #[serde(default)]
    pub spec: LogicalClusterSpec,
    /// How far it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<LogicalClusterStatus>,
}

/// Who owns a logical cluster and how it may end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LogicalClusterSpec {
    /// Whether it may be deleted without deleting its owner.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub directly_deletable: bool,
    /// The workspace that stands for it in the parent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<LogicalClusterOwner>,
    /// Who made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by: Option<UserInfo>,
    /// What must happen before it is ready; it cannot be changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub initializers: Vec<String>,
    /// What must happen before it is gone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub terminators: Vec<String>,
}

/// The workspace that stands for a logical cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LogicalClusterOwner {
    /// The API version, such as `tenancy.kcp.io/v1alpha1`.
    #[serde(default)]
    pub api_version: String,
    /// The plural name of the kind, such as `workspaces`.
    #[serde(default)]
    pub resource: String,
    /// The name.
    #[serde(default)]
    pub name: String,
    /// The namespace, if the kind has namespaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The logical cluster that the owner is in.
    #[serde(default)]
    pub cluster: String,
    /// The identity of the owner.
    #[serde(default)]
    pub uid: String,
}

/// Who made a logical cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UserInfo {
    /// The name of the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The identity of the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// The groups of the user.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// What authentication said besides.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub extra: BTreeMap<String, Vec<String>>,
}

/// How far a logical cluster is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LogicalClusterStatus {
    /// Where it is served.
    #[serde(rename = "URL", default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// `Scheduling`, `Initializing`, `Ready`, `Unavailable`, `Inactive` or `Terminating`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// Further aspects of the state.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// What must still happen before it is ready.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub initializers: Vec<String>,
    /// What must still happen before it is gone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub terminators: Vec<String>,
}

fn validate(new: &Value, old: Option<&Value>) -> Result<(), Rejection> {
    let mut errors = Vec::new();
    let name = text(new, "/metadata/name");
    if name != NAME {
        errors.push(FieldError::invalid("metadata.name", name, format_args!("must be {NAME:?}")));
    }
    let now = text(new, "/status/phase");
    if now == "Ready" && !list(new, "/status/initializers").is_empty() {
        errors.push(FieldError::invalid("status.initializers", "", "must be empty when the phase is Ready"));
    }
    let Some(old) = old else { return Rejection::unless_empty(errors) };
    if list(new, "/spec/initializers") != list(old, "/spec/initializers") {
        errors.push(FieldError::forbidden("spec.initializers", "field is immutable"));
    }
    let before = text(old, "/status/phase");
    if !may_follow(before, now) {
        let detail = format!("cannot transition from {before:?} to {now:?}");
        errors.push(FieldError::invalid("status.phase", now, detail));
    }
    let grown = list(new, "/status/initializers")
        .iter()
        .any(|name| !list(old, "/status/initializers").contains(name));
    if grown && matches!(before, "Initializing" | "Ready") {
        errors.push(FieldError::invalid("status.initializers", "", "may only be removed, not added"));
    }
    Rejection::unless_empty(errors)
}

/// Whether one phase may follow the other.
fn may_follow(before: &str, now: &str) -> bool {
    if before == now || before.is_empty() || matches!(now, "Terminating" | "Deleting") {
        return true;
    }
    matches!(
        (before, now),
        ("Scheduling", "Initializing" | "Ready")
            | ("Initializing", "Ready")
            | ("Ready", "Unavailable" | "Inactive")
            | ("Unavailable" | "Inactive", "Ready")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_logical_cluster_moves_forward_only() {
        let cluster =
            |phase: &str| json!({ "metadata": { "name": "cluster" }, "status": { "phase": phase } });
        assert_eq!(validate(&cluster("Initializing"), Some(&cluster("Scheduling"))), Ok(()));
        assert_eq!(
            validate(&cluster("Scheduling"), Some(&cluster("Ready"))),
            Err(Rejection::Invalid(vec![FieldError::invalid(
                "status.phase",
                "Scheduling",
                "cannot transition from \"Ready\" to \"Scheduling\""
            )]))
        );
    }
}
