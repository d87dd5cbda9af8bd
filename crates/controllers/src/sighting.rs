//! What a watch tells the controllers about an object: enough to find out whose work it is, and no more.
//! Only keys leave from here; reconcilers read the objects themselves.

use std::borrow::Cow;
use std::fmt;

use client::{CLUSTER_ANNOTATION, Versioned};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{OwnerReference, Time};
use serde::Deserialize;
use serde::de::{IgnoredAny, MapAccess, Visitor};

use crate::key::Key;

/// How an object came into view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// It was there when the watch began, or when it began again.
    Existing,
    /// It was created.
    Created,
    /// It was changed.
    Changed,
    /// It was removed.
    Gone,
}

/// An object in view.
#[derive(Debug, Deserialize)]
pub(crate) struct Seen {
    pub(crate) metadata: SeenMetadata,
    #[serde(default, deserialize_with = "null_as_default")]
    pub(crate) status: SeenStatus,
}

/// The part of the metadata that routing needs.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SeenMetadata {
    pub(crate) name: String,
    #[serde(default, deserialize_with = "null_as_default")]
    pub(crate) namespace: String,
    #[serde(default)]
    pub(crate) uid: String,
    #[serde(default)]
    resource_version: String,
    #[serde(default)]
    pub(crate) deletion_timestamp: Option<Time>,
    #[serde(default, deserialize_with = "null_as_default")]
    pub(crate) finalizers: Vec<String>,
    #[serde(default, deserialize_with = "null_as_default")]
    pub(crate) owner_references: Vec<OwnerReference>,
    #[serde(default, deserialize_with = "null_as_default")]
    annotations: ClusterOf,
}

/// The part of a status that routing needs.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SeenStatus {
    /// When a run ended.
    #[serde(default)]
    pub(crate) completion_time: Option<IgnoredAny>,
    /// The phase of a claim or a Pod.
    #[serde(default)]
    pub(crate) phase: Option<String>,
    /// What a node says about a Pod's containers.
    #[serde(default)]
    container_statuses: Option<IgnoredAny>,
    /// What anybody says about an object.
    #[serde(default)]
    conditions: Option<IgnoredAny>,
}

impl Seen {
    /// The id of the object's cluster; empty when the server did not say.
    pub(crate) fn cluster(&self) -> &str {
        &self.metadata.annotations.0
    }

    /// The revision at which it was sighted, if the server gives numbers as it should.
    pub(crate) fn revision(&self) -> Option<u64> {
        self.metadata.resource_version.parse().ok()
    }

    /// The object's own key.
    pub(crate) fn key(&self) -> Key {
        Key::new(self.cluster(), &self.metadata.namespace, &self.metadata.name)
    }

    /// The key of the object's controller, if that is of this kind and group.
    pub(crate) fn controller(&self, group: &str, kind: &str) -> Option<Key> {
        let owner = self.metadata.owner_references.iter().find(|owner| owner.controller == Some(true))?;
        let same_group = owner.api_version.split_once('/').map_or("", |(group, _)| group) == group;
        let same = same_group && owner.kind == kind;
        same.then(|| Key::new(self.cluster(), &self.metadata.namespace, &owner.name))
    }

    /// Whether a node has said anything about a Pod.
    pub(crate) fn is_reported(&self) -> bool {
        let status = &self.status;
        let phase = status.phase.as_deref().is_some_and(|phase| phase != "Pending");
        phase || status.container_statuses.is_some() || status.conditions.is_some()
    }

    /// Whether its deletion was asked for.
    pub(crate) fn is_deleting(&self) -> bool {
        self.metadata.deletion_timestamp.is_some()
    }

    /// Whether a run of Tekton has ended, which is final.
    pub(crate) fn has_ended(&self) -> bool {
        self.status.completion_time.is_some()
    }
}

impl Versioned for Seen {
    fn resource_version(&self) -> &str {
        &self.metadata.resource_version
    }
}

fn null_as_default<'de, D: serde::Deserializer<'de>, T: Default + Deserialize<'de>>(
    from: D,
) -> Result<T, D::Error> {
    Option::<T>::deserialize(from).map(Option::unwrap_or_default)
}

/// The value of the cluster annotation; other annotations, which may be large, are not kept.
#[derive(Debug, Default)]
struct ClusterOf(String);

impl<'de> Deserialize<'de> for ClusterOf {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ClusterVisitor)
    }
}

struct ClusterVisitor;

impl<'de> Visitor<'de> for ClusterVisitor {
    type Value = ClusterOf;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("annotations")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<ClusterOf, M::Error> {
        let mut found = ClusterOf::default();
        while let Some(name) = map.next_key::<Cow<'de, str>>()? {
            if name == CLUSTER_ANNOTATION {
                found.0 = map.next_value()?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POD: &str = r#"{"apiVersion":"v1","kind":"Pod",
        "metadata":{"name":"r-pod","namespace":"n","uid":"u","resourceVersion":"7",
            "annotations":{"a":"1","kcp.io/cluster":"c1","z":"2"},
            "ownerReferences":[{"apiVersion":"tekton.dev/v1","kind":"TaskRun","name":"r","uid":"o","controller":true}]},
        "spec":{"containers":[]},"status":{"phase":"Running"}}"#;

    #[test]
    fn a_child_leads_to_its_controller_in_the_same_cluster_and_namespace() {
        let seen: Seen = serde_json::from_str(POD).unwrap();
        assert_eq!(seen.key(), Key::new("c1", "n", "r-pod"));
        assert_eq!(seen.controller("tekton.dev", "TaskRun"), Some(Key::new("c1", "n", "r")));
        assert_eq!(seen.controller("tekton.dev", "PipelineRun"), None);
        assert_eq!(seen.controller("example.com", "TaskRun"), None);
        assert_eq!(seen.resource_version(), "7");
        assert!(!seen.has_ended());
    }
}
