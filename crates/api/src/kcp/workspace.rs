//! Workspace: one tenant's API server, seen from its parent.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::Condition;
use crate::columns::{AGE, path, text};
use crate::core::{default_text, name_errors};
use crate::field::{FieldError, Rejection};
use crate::names;
use crate::schema;
use crate::table::{Resource, Version, unchanged};

/// The type of a workspace that names none.
const DEFAULT_TYPE: &str = "universal";
/// Where types that come with the server live.
const DEFAULT_TYPE_PATH: &str = "root";

pub(crate) const WORKSPACE: Resource = Resource {
    group: "tenancy.kcp.io",
    plural: "workspaces",
    singular: "workspace",
    kind: "Workspace",
    short_names: &["ws"],
    categories: &["kcp"],
    namespaced: false,
    versions: &[Version {
        name: "v1alpha1",
        schema: schema::of::<Workspace>,
        to_storage: unchanged,
        from_storage: unchanged,
        deprecation_warning: None,
    }],
    storage_version: "v1alpha1",
    stored_with: None,
    status_subresource: true,
    builtin: false,
    columns: &[
        path("Type", "string", ".spec.type.name", "The type of the workspace."),
        path("Region", "string", ".metadata.labels['region']", "The region that the workspace is in."),
        path("Phase", "string", ".status.phase", "`Scheduling`, `Initializing`, `Ready` or `Unavailable`."),
        path("URL", "string", ".spec.URL", "Where the workspace is served."),
        AGE,
    ],
    selectable_fields: &[],
    default,
    validate,
};

/// One tenant's API server, seen from its parent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Workspace {
    /// `tenancy.kcp.io/v1alpha1`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub api_version: String,
    /// `Workspace`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// Name, labels and other data that every object has.
    #[serde(default)]
    pub metadata: ObjectMeta,
    /// What the workspace is to be like.
    #[serde(default)]
    pub spec: WorkspaceSpec,
    /// How far it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<WorkspaceStatus>,
}

/// What a workspace is to be like.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WorkspaceSpec {
    /// The type, which decides what is in a new workspace; it cannot be changed.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<WorkspaceTypeReference>,
    /// Where the workspace is to be kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<WorkspaceLocation>,
    /// The logical cluster that holds the workspace; set by the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// Where the workspace is served; set by the server.
    #[serde(rename = "URL", default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Another API server that is served in place of a logical cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mount: Option<Mount>,
}

/// Names a type of workspaces.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WorkspaceTypeReference {
    /// The name of the type, such as `universal`.
    #[serde(default)]
    pub name: String,
    /// The workspace that defines the type, such as `root`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

/// Where a workspace is to be kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WorkspaceLocation {
    /// Labels of the shards that may hold it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<LabelSelector>,
}

/// Another API server that is served in place of a logical cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Mount {
    /// The object that describes the other server.
    #[serde(rename = "ref", default)]
    pub reference: ObjectReference,
}

/// Names an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObjectReference {
    /// The API version.
    #[serde(default)]
    pub api_version: String,
    /// The kind.
    #[serde(default)]
    pub kind: String,
    /// The name.
    #[serde(default)]
    pub name: String,
    /// The namespace, if the kind has namespaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

/// How far a workspace is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WorkspaceStatus {
    /// `Scheduling`, `Initializing`, `Ready`, `Unavailable` or `Terminating`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// Further aspects of the state.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// What must still happen before the workspace is ready.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub initializers: Vec<String>,
    /// What must still happen before the workspace is gone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub terminators: Vec<String>,
    /// Values for the use of controllers.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

fn default(object: &mut Value) {
    let Some(workspace) = object.as_object_mut() else { return };
    let spec = workspace.entry("spec").or_insert_with(|| Value::Object(Map::new()));
    if spec["mount"].is_object() {
        return;
    }
    let Some(spec) = spec.as_object_mut() else { return };
    let kind = spec.entry("type").or_insert_with(|| json!({}));
    if kind.is_null() {
        *kind = json!({});
    }
    if let Some(kind) = kind.as_object_mut() {
        default_text(kind, "name", DEFAULT_TYPE);
        default_text(kind, "path", DEFAULT_TYPE_PATH);
    }
}

fn validate(new: &Value, old: Option<&Value>) -> Result<(), Rejection> {
    let mut errors = name_errors(new, names::dns_label_problem);
    let kind = text(new, "/spec/type/name");
    if !kind.is_empty() {
        errors.extend(
            names::dns_label_problem(kind)
                .map(|problem| FieldError::invalid("spec.type.name", kind, problem)),
        );
    }
    let Some(old) = old else { return Rejection::unless_empty(errors) };
    let (before, now) = (&old["spec"], &new["spec"]);
    if before.get("type").is_some() && before["type"] != now["type"] {
        errors.push(FieldError::invalid("spec.type", kind, "field is immutable"));
    }
    for field in ["cluster", "URL"] {
        let was = text(before, &format!("/{field}"));
        let is = text(now, &format!("/{field}"));
        if !was.is_empty() && (is.is_empty() || (field == "cluster" && is != was)) {
            errors.push(FieldError::forbidden(
                format!("spec.{field}"),
                format!("spec.{field} cannot be changed once it is set"),
            ));
        }
    }
    Rejection::unless_empty(errors)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workspace_is_universal_unless_it_says_otherwise_and_stays_what_it_is() {
        let mut workspace = json!({ "metadata": { "name": "team-a" } });
        default(&mut workspace);
        assert_eq!(workspace["spec"]["type"], json!({ "name": "universal", "path": "root" }));
        assert_eq!(validate(&workspace, None), Ok(()));
        let mut other = workspace.clone();
        other["spec"]["type"]["name"] = json!("organization");
        assert_eq!(
            validate(&other, Some(&workspace)),
            Err(Rejection::Invalid(vec![FieldError::invalid(
                "spec.type",
                "organization",
                "field is immutable"
            )]))
        );
    }

    #[test]
    fn the_logical_cluster_of_a_workspace_is_set_once() {
        let workspace =
            |cluster: &str| json!({ "metadata": { "name": "a" }, "spec": { "cluster": cluster } });
        assert_eq!(validate(&workspace("x"), Some(&workspace(""))), Ok(()));
        assert!(validate(&workspace("y"), Some(&workspace("x"))).is_err());
        assert!(validate(&workspace(""), Some(&workspace("x"))).is_err());
    }
}
