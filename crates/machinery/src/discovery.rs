//! Discovery documents: which groups, versions and resources exist.
//! Built from the table of resources; nothing is kept here, callers keep the bytes and their [`etag`].
//! Invariant: the aggregated and the plain documents name the same resources in the same order of groups.
//! Start at [`Served`].

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use api::table::{Resource, Version};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha512};

/// The verbs of every resource.
const VERBS: [&str; 8] = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
/// The verbs of every `status`.
const STATUS_VERBS: [&str; 3] = ["get", "patch", "update"];

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

impl<'a> Served<'a> {
    /// All groups and versions, in order: the core group first, then Kubernetes' groups, then others by name; of
    /// each group the preferred version first.
    #[must_use]
    pub fn group_versions(&self) -> Vec<(String, String)> {
        let mut groups: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for resource in self.resources {
            groups
                .entry(resource.group)
                .or_default()
                .extend(resource.versions.iter().map(|version| version.name));
        }
        let mut ordered: Vec<_> = groups.into_iter().collect();
        ordered.sort_by_key(|(group, _)| (group_rank(group), *group));
        let mut all = Vec::new();
        for (group, versions) in ordered {
            let mut versions: Vec<&str> = versions.into_iter().collect();
            versions.sort_by_key(|version| (Reverse(version_rank(version)), *version));
            all.extend(versions.into_iter().map(|version| (group.to_owned(), version.to_owned())));
        }
        all
    }

    /// `/api`: `APIVersions`.
    #[must_use]
    pub fn core_versions(&self) -> Value {
        let versions: Vec<String> = self.versions_of("");
        json!({
            "kind": "APIVersions",
            "versions": versions,
            "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": ""}],
        })
    }

    /// `/apis`: `APIGroupList`.
    #[must_use]
    pub fn group_list(&self) -> Value {
        let groups: Vec<Value> = self.groups().iter().filter_map(|group| self.group_part(group)).collect();
        json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
    }

    /// `/apis/<group>`: `APIGroup`.
    #[must_use]
    pub fn group(&self, group: &str) -> Option<Value> {
        let mut part = self.group_part(group)?;
        part["kind"] = "APIGroup".into();
        part["apiVersion"] = "v1".into();
        Some(part)
    }

    /// `/api/v1` and `/apis/<group>/<version>`: `APIResourceList`.
    #[must_use]
    pub fn resource_list(&self, group: &str, version: &str) -> Option<Value> {
        let mut entries: BTreeMap<String, Value> = BTreeMap::new();
        for (resource, _) in self.of_version(group, version) {
            let mut entry = json!({
                "name": resource.plural,
                "singularName": resource.singular,
                "namespaced": resource.namespaced,
                "kind": resource.kind,
                "verbs": VERBS,
            });
            put_names(&mut entry, resource);
            entries.insert(resource.plural.to_owned(), entry);
            for sub in self.subresources_of(resource) {
                let name = format!("{}/{}", resource.plural, sub.name);
                let mut entry = json!({
                    "name": name,
                    "singularName": "",
                    "namespaced": resource.namespaced,
                    "kind": sub.kind,
                    "verbs": sub.verbs,
                });
                if let Some((group, version)) = sub.kind_version {
                    entry["group"] = group.into();
                    entry["version"] = version.into();
                }
                entries.insert(name, entry);
            }
        }
        if entries.is_empty() {
            return None;
        }
        let resources: Vec<Value> = entries.into_values().collect();
        Some(json!({
            "kind": "APIResourceList",
            "apiVersion": "v1",
            "groupVersion": dotted(group, version),
            "resources": resources,
        }))
    }

    /// `/api` (`core`) or `/apis`, aggregated: `APIGroupDiscoveryList` of `apidiscovery.k8s.io/<version>`,
    /// `v2` or `v2beta1`.
    #[must_use]
    pub fn aggregated(&self, core: bool, version: &str) -> Value {
        let groups = if core { vec![String::new()] } else { self.groups() };
        let items: Vec<Value> = groups
            .iter()
            .map(|group| {
                let versions = self.versions_of(group);
                let versions: Vec<Value> =
                    versions.iter().map(|v| self.aggregated_version(group, v)).collect();
                let metadata = if group.is_empty() { json!({}) } else { json!({"name": group}) };
                json!({"metadata": metadata, "versions": versions})
            })
            .collect();
        json!({
            "kind": "APIGroupDiscoveryList",
            "apiVersion": format!("apidiscovery.k8s.io/{version}"),
            "metadata": {},
            "items": items,
        })
    }

    /// The resources of a group and version.
    pub(crate) fn of_version(
        &self,
        group: &str,
        version: &str,
    ) -> impl Iterator<Item = (&'a Resource, &'a Version)> {
        self.resources.iter().filter(move |resource| resource.group == group).filter_map(move |resource| {
            let served = resource.versions.iter().find(|served| served.name == version)?;
            Some((*resource, served))
        })
    }

    /// The subresources of a resource, `status` among them, by name.
    pub(crate) fn subresources_of(&self, resource: &Resource) -> Vec<Subresource> {
        let extra = self.subresources.iter();
        let mut all: Vec<Subresource> = extra
            .filter(|sub| sub.group == resource.group && sub.plural == resource.plural)
            .copied()
            .collect();
        if resource.status_subresource && all.iter().all(|sub| sub.name != "status") {
            all.push(Subresource {
                group: resource.group,
                plural: resource.plural,
                name: "status",
                kind: resource.kind,
                kind_version: None,
                verbs: &STATUS_VERBS,
            });
        }
        all.sort_by_key(|sub| sub.name);
        all
    }

    /// The named groups, in order.
    fn groups(&self) -> Vec<String> {
        let mut groups: Vec<String> = self.group_versions().into_iter().map(|(group, _)| group).collect();
        groups.dedup();
        groups.retain(|group| !group.is_empty());
        groups
    }

    fn versions_of(&self, group: &str) -> Vec<String> {
        self.group_versions().into_iter().filter(|(g, _)| g == group).map(|(_, version)| version).collect()
    }

    fn group_part(&self, group: &str) -> Option<Value> {
        let entry = |version: &String| json!({"groupVersion": dotted(group, version), "version": version});
        let versions: Vec<Value> = self.versions_of(group).iter().map(entry).collect();
        let preferred = versions.first()?.clone();
        Some(json!({"name": group, "versions": versions, "preferredVersion": preferred}))
    }

    fn aggregated_version(&self, group: &str, version: &str) -> Value {
        let mut resources: BTreeMap<&str, Value> = BTreeMap::new();
        for (resource, _) in self.of_version(group, version) {
            let kind = |group: &str, version: &str, kind: &str| json!({"group": group, "version": version, "kind": kind});
            let mut entry = json!({
                "resource": resource.plural,
                "responseKind": kind(group, version, resource.kind),
                "scope": if resource.namespaced { "Namespaced" } else { "Cluster" },
                "singularResource": resource.singular,
                "verbs": VERBS,
            });
            put_names(&mut entry, resource);
            let subresources: Vec<Value> = self
                .subresources_of(resource)
                .iter()
                .map(|sub| {
                    let (sub_group, sub_version) = sub.kind_version.unwrap_or((group, version));
                    json!({
                        "subresource": sub.name,
                        "responseKind": kind(sub_group, sub_version, sub.kind),
                        "verbs": sub.verbs,
                    })
                })
                .collect();
            if !subresources.is_empty() {
                entry["subresources"] = subresources.into();
            }
            resources.insert(resource.plural, entry);
        }
        let resources: Vec<Value> = resources.into_values().collect();
        json!({"version": version, "freshness": "Current", "resources": resources})
    }
}

/// The entity tag of a body: SHA-512 in hexadecimal, upper case, without quotes.
#[must_use]
pub fn etag(body: &[u8]) -> String {
    hex::encode_upper(Sha512::digest(body))
}

fn put_names(entry: &mut Value, resource: &Resource) {
    let mut names = Map::new();
    if !resource.short_names.is_empty() {
        names.insert("shortNames".to_owned(), json!(resource.short_names));
    }
    if !resource.categories.is_empty() {
        names.insert("categories".to_owned(), json!(resource.categories));
    }
    if let Some(fields) = entry.as_object_mut() {
        fields.extend(names);
    }
}

fn dotted(group: &str, version: &str) -> String {
    if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") }
}

/// Kubernetes' order of its own groups; others come after them, by name.
fn group_rank(group: &str) -> usize {
    const ORDER: [&str; 18] = [
        "",
        "apiregistration.k8s.io",
        "apps",
        "events.k8s.io",
        "authentication.k8s.io",
        "authorization.k8s.io",
        "autoscaling",
        "batch",
        "certificates.k8s.io",
        "networking.k8s.io",
        "policy",
        "rbac.authorization.k8s.io",
        "storage.k8s.io",
        "admissionregistration.k8s.io",
        "apiextensions.k8s.io",
        "scheduling.k8s.io",
        "coordination.k8s.io",
        "discovery.k8s.io",
    ];
    ORDER.iter().position(|known| *known == group).unwrap_or(ORDER.len())
}

/// Stable before beta before alpha, then by numbers; what is no Kubernetes version comes last.
pub(crate) fn version_rank(version: &str) -> (u8, u32, u32) {
    let Some(rest) = version.strip_prefix('v') else { return (0, 0, 0) };
    let split = |text: &str, word: &str| {
        let (major, minor) = text.split_once(word)?;
        Some((major.parse::<u32>().ok()?, minor.parse::<u32>().ok()?))
    };
    if let Ok(major) = rest.parse() {
        (3, major, 0)
    } else if let Some((major, minor)) = split(rest, "beta") {
        (2, major, minor)
    } else if let Some((major, minor)) = split(rest, "alpha") {
        (1, major, minor)
    } else {
        (0, 0, 0)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use api::table::{Column, unchanged};

    use super::*;

    const fn version(name: &'static str, schema: fn() -> Value) -> Version {
        Version { name, schema, to_storage: unchanged, from_storage: unchanged, deprecation_warning: None }
    }

    const fn resource(
        group: &'static str,
        names: [&'static str; 3],
        versions: &'static [Version],
    ) -> Resource {
        const COLUMNS: &[Column] = &[];
        Resource {
            group,
            plural: names[0],
            singular: names[1],
            kind: names[2],
            short_names: &[],
            categories: &[],
            namespaced: true,
            versions,
            storage_version: "v1",
            stored_with: None,
            status_subresource: true,
            builtin: false,
            columns: COLUMNS,
            selectable_fields: &[],
            default: |_| {},
            validate: |_, _| Ok(()),
        }
    }

    fn pod() -> Value {
        schemars::schema_for!(k8s_openapi::api::core::v1::Pod).to_value()
    }

    fn task() -> Value {
        json!({
            "title": "Task", "description": "A task.", "type": "object",
            "properties": {
                "metadata": {"type": "object"},
                "spec": {"$ref": "#/$defs/TaskSpec", "description": "What to do."},
            },
            "$defs": {"TaskSpec": {"type": "object", "properties": {
                "retries": {"type": ["integer", "null"], "format": "int32"},
                "next": {"anyOf": [{"$ref": "#/$defs/TaskSpec"}, {"type": "null"}]},
                "any": true,
            }}},
        })
    }

    const PODS: Resource = Resource {
        builtin: true,
        short_names: &["po"],
        categories: &["all"],
        ..resource("", ["pods", "pod", "Pod"], &[version("v1", pod)])
    };
    const TASKS: Resource = Resource {
        status_subresource: false,
        ..resource("tekton.dev", ["tasks", "task", "Task"], &[version("v1", task), version("v1beta1", task)])
    };
    const LEASES: Resource =
        resource("coordination.k8s.io", ["leases", "lease", "Lease"], &[version("v1", task)]);
    const LOG: Subresource = Subresource {
        group: "",
        plural: "pods",
        name: "log",
        kind: "Pod",
        kind_version: None,
        verbs: &["get"],
    };

    pub(crate) fn with_served(check: impl FnOnce(&Served<'_>)) {
        let resources = [&TASKS, &LEASES, &PODS];
        check(&Served { resources: &resources, subresources: &[LOG] });
    }

    #[test]
    fn groups_and_versions_come_in_the_order_of_kubernetes() {
        with_served(|served| {
            let all: Vec<String> = served.group_versions().iter().map(|(g, v)| format!("{g}/{v}")).collect();
            assert_eq!(all, ["/v1", "coordination.k8s.io/v1", "tekton.dev/v1", "tekton.dev/v1beta1"]);
            assert_eq!(served.core_versions()["versions"], json!(["v1"]));
            let group = served.group("tekton.dev").unwrap();
            assert_eq!(group["preferredVersion"], json!({"groupVersion": "tekton.dev/v1", "version": "v1"}));
            assert_eq!(served.group("nobody.io"), None);
            assert_eq!(served.group_list()["groups"][0]["name"], "coordination.k8s.io");
        });
        let mut versions = ["v1alpha1", "v2", "v1", "v1beta2", "foo", "v10", "v1beta1"];
        versions.sort_by_key(|version| Reverse(version_rank(version)));
        assert_eq!(versions, ["v10", "v2", "v1", "v1beta2", "v1beta1", "v1alpha1", "foo"]);
    }

    #[test]
    fn a_version_lists_its_resources_and_their_subresources() {
        with_served(|served| {
            let list = served.resource_list("", "v1").unwrap();
            let names: Vec<&str> =
                list["resources"].as_array().unwrap().iter().filter_map(|r| r["name"].as_str()).collect();
            assert_eq!(names, ["pods", "pods/log", "pods/status"]);
            assert_eq!(list["resources"][0]["shortNames"], json!(["po"]));
            assert_eq!(list["resources"][2]["verbs"], json!(["get", "patch", "update"]));
            assert_eq!(served.resource_list("tekton.dev", "v2"), None);
        });
    }

    #[test]
    fn the_aggregated_documents_hold_the_same() {
        with_served(|served| {
            let core = served.aggregated(true, "v2");
            assert_eq!(core["apiVersion"], "apidiscovery.k8s.io/v2");
            let pods = &core["items"][0]["versions"][0]["resources"][0];
            assert_eq!(pods["responseKind"], json!({"group": "", "version": "v1", "kind": "Pod"}));
            assert_eq!(pods["subresources"][0]["subresource"], "log");
            let named = served.aggregated(false, "v2beta1");
            assert_eq!(named["items"][1]["metadata"]["name"], "tekton.dev");
            assert_eq!(named["items"][1]["versions"][1]["version"], "v1beta1");
            assert_eq!(named["items"][1]["versions"][0]["resources"][0].get("subresources"), None);
        });
    }

    #[test]
    fn the_entity_tag_depends_on_the_body_alone() {
        assert_eq!(etag(b"a"), etag(b"a"));
        assert_eq!(etag(b"").len(), 128);
    }
}
