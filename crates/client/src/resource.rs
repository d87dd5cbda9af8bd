//! What a client must know of a type to speak about it: its place in URLs, and its metadata.
//! Typed callers get it from `k8s_openapi::Resource`, dynamic ones give a [`ResourceType`].

use std::borrow::Cow;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The annotation that every object read carries: the id of its logical cluster.
pub const CLUSTER_ANNOTATION: &str = "kcp.io/cluster";

/// A resource as URLs name it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceType {
    /// The group; empty for the core group.
    pub group: Cow<'static, str>,
    /// The version, such as `v1`.
    pub version: Cow<'static, str>,
    /// The plural name, such as `taskruns`.
    pub plural: Cow<'static, str>,
}

impl ResourceType {
    /// A resource known when the program is written.
    #[must_use]
    pub const fn of_static(group: &'static str, version: &'static str, plural: &'static str) -> Self {
        Self { group: Cow::Borrowed(group), version: Cow::Borrowed(version), plural: Cow::Borrowed(plural) }
    }

    /// A resource learnt at run time.
    #[must_use]
    pub fn new(group: &str, version: &str, plural: &str) -> Self {
        Self {
            group: Cow::Owned(group.to_owned()),
            version: Cow::Owned(version.to_owned()),
            plural: Cow::Owned(plural.to_owned()),
        }
    }
}

/// What an answer can be decoded as.
pub trait Readable: DeserializeOwned + Send + Sync + 'static {}
impl<T: DeserializeOwned + Send + Sync + 'static> Readable for T {}

/// What travels as the body of a request or an answer.
pub trait Object: Readable + Serialize {}
impl<T: Readable + Serialize> Object for T {}

/// A type of objects with its place in URLs; every `k8s_openapi` resource is one.
pub trait Kind: Object {
    /// Where the objects are served.
    const RESOURCE: ResourceType;
    /// The group and version as objects spell it, such as `tekton.dev/v1`.
    const API_VERSION: &'static str;
    /// The kind, such as `TaskRun`.
    const KIND: &'static str;

    /// The object's metadata.
    fn meta(&self) -> &ObjectMeta;
    /// The object's metadata, to change.
    fn meta_mut(&mut self) -> &mut ObjectMeta;
}

impl<T> Kind for T
where
    T: k8s_openapi::Resource + k8s_openapi::Metadata<Ty = ObjectMeta> + Object,
{
    const RESOURCE: ResourceType = ResourceType::of_static(
        <T as k8s_openapi::Resource>::GROUP,
        <T as k8s_openapi::Resource>::VERSION,
        <T as k8s_openapi::Resource>::URL_PATH_SEGMENT,
    );
    const API_VERSION: &'static str = <T as k8s_openapi::Resource>::API_VERSION;
    const KIND: &'static str = <T as k8s_openapi::Resource>::KIND;

    fn meta(&self) -> &ObjectMeta {
        k8s_openapi::Metadata::metadata(self)
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        k8s_openapi::Metadata::metadata_mut(self)
    }
}

/// Any object, of which only the metadata is decoded: what routing an event needs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PartialObject {
    /// The group and version; empty inside typed lists.
    #[serde(default)]
    pub api_version: String,
    /// The kind; empty inside typed lists.
    #[serde(default)]
    pub kind: String,
    /// The metadata.
    #[serde(default)]
    pub metadata: ObjectMeta,
}

/// Any object, decoded as nothing more than JSON.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Dynamic(pub serde_json::Value);

/// An object that says at which revision it was read.
pub trait Versioned: Readable {
    /// `metadata.resourceVersion`; empty when the server did not say.
    fn resource_version(&self) -> &str;
}

impl<K: Kind> Versioned for K {
    fn resource_version(&self) -> &str {
        self.meta().resource_version.as_deref().unwrap_or_default()
    }
}

impl Versioned for PartialObject {
    fn resource_version(&self) -> &str {
        self.metadata.resource_version.as_deref().unwrap_or_default()
    }
}

impl Versioned for Dynamic {
    fn resource_version(&self) -> &str {
        self.0.pointer("/metadata/resourceVersion").and_then(serde_json::Value::as_str).unwrap_or_default()
    }
}
