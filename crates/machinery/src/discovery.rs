//! Discovery documents: which groups, versions and resources exist.

use api::table::Resource;
use serde_json::Value;

/// One subresource besides `status`, such as `pods/log`.
#[derive(Clone, Copy, Debug)]
pub struct Subresource {
    /// The group of its resource.
    pub group: &'static str,
    /// The plural of its resource.
    pub plural: &'static str,
    /// Its own name, such as `log`.
    pub name: &'static str,
    /// The kind of its body.
    pub kind: &'static str,
    /// Group and version of that kind, where they are not the resource's own.
    pub kind_version: Option<(&'static str, &'static str)>,
    /// Its verbs.
    pub verbs: &'static [&'static str],
}

/// What is served.
#[derive(Clone, Copy)]
pub struct Served<'a> {
    /// The resources.
    pub resources: &'a [&'a Resource],
    /// Subresources besides `status`.
    pub subresources: &'a [Subresource],
}

impl Served<'_> {
    /// All groups and versions, in order; the core group is first.
    #[must_use]
    pub fn group_versions(&self) -> Vec<(String, String)> {
        Vec::new()
    }

    /// `/api`: `APIVersions`.
    #[must_use]
    pub fn core_versions(&self) -> Value {
        Value::Null
    }

    /// `/apis`: `APIGroupList`.
    #[must_use]
    pub fn group_list(&self) -> Value {
        Value::Null
    }

    /// `/apis/<group>`: `APIGroup`.
    #[must_use]
    pub fn group(&self, _group: &str) -> Option<Value> {
        None
    }

    /// `/api/v1` and `/apis/<group>/<version>`: `APIResourceList`.
    #[must_use]
    pub fn resource_list(&self, _group: &str, _version: &str) -> Option<Value> {
        None
    }

    /// `/api` (`core`) or `/apis`, aggregated: `APIGroupDiscoveryList` of `apidiscovery.k8s.io/<version>`,
    /// `v2` or `v2beta1`.
    #[must_use]
    pub fn aggregated(&self, _core: bool, _version: &str) -> Value {
        Value::Null
    }
}

/// The entity tag of a body: SHA-512 in hexadecimal, upper case, without quotes.
#[must_use]
pub fn etag(_body: &[u8]) -> String {
    String::new()
}
