//! Pod: containers that run together; here the row of the table.

use k8s_openapi::api::core::v1::Pod;

use super::pod_columns::COLUMNS;
use super::{pod_defaults, pod_validation};
use crate::schema;
use crate::table::{Resource, Version, unchanged};

pub(crate) const POD: Resource = Resource {
    group: "",
    plural: "pods",
    singular: "pod",
    kind: "Pod",
    short_names: &["po"],
    categories: &["all"],
    namespaced: true,
    versions: &[Version {
        name: "v1",
        schema: schema::of::<Pod>,
        to_storage: unchanged,
        from_storage: unchanged,
        deprecation_warning: None,
    }],
    storage_version: "v1",
    stored_with: None,
    status_subresource: true,
    builtin: true,
    columns: COLUMNS,
    selectable_fields: &[
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "spec.hostNetwork",
        "status.phase",
        "status.podIP",
        "status.podIPs",
        "status.nominatedNodeName",
    ],
    default: pod_defaults::apply,
    validate: pod_validation::validate,
};
