//! `coordination.k8s.io`: leases, by which processes agree on who does what.

use k8s_openapi::api::coordination::v1::Lease;
use serde_json::Value;

use crate::columns::{AGE, path, text};
use crate::core::name_errors;
use crate::field::{FieldError, Rejection};
use crate::names;
use crate::schema;
use crate::table::{Resource, Version, unchanged};

pub(crate) const LEASE: Resource = Resource {
    group: "coordination.k8s.io",
    plural: "leases",
    singular: "lease",
    kind: "Lease",
    short_names: &[],
    categories: &[],
    namespaced: true,
    versions: &[Version {
        name: "v1",
        schema: schema::of::<Lease>,
        to_storage: unchanged,
        from_storage: unchanged,
        deprecation_warning: None,
    }],
    storage_version: "v1",
    stored_with: None,
    status_subresource: false,
    builtin: true,
    columns: &[path("Holder", "string", ".spec.holderIdentity", "Who holds the lease."), AGE],
    selectable_fields: &[],
    default: |_| {},
    validate,
};

fn validate(new: &Value, _: Option<&Value>) -> Result<(), Rejection> {
    let mut errors = name_errors(new, names::dns_subdomain_problem);
    let spec = &new["spec"];
    if let Some(seconds) = spec["leaseDurationSeconds"].as_i64().filter(|seconds| *seconds <= 0) {
        errors.push(FieldError::invalid("spec.leaseDurationSeconds", seconds, "must be greater than 0"));
    }
    if let Some(count) = spec["leaseTransitions"].as_i64().filter(|count| *count < 0) {
        errors.push(FieldError::invalid(
            "spec.leaseTransitions",
            count,
            "must be greater than or equal to 0",
        ));
    }
    let held = spec.get("preferredHolder").is_some() && text(spec, "/strategy").is_empty();
    if held {
        errors.push(FieldError::forbidden(
            "spec.preferredHolder",
            "can only be specified if `spec.strategy` is defined",
        ));
    }
    Rejection::unless_empty(errors)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_lease_lasts_at_least_a_second() {
        let lease = |seconds: i64| json!({ "metadata": { "name": "l" }, "spec": { "leaseDurationSeconds": seconds } });
        assert_eq!(validate(&lease(15), None), Ok(()));
        let errors = vec![FieldError::invalid("spec.leaseDurationSeconds", 0, "must be greater than 0")];
        assert_eq!(validate(&lease(0), None), Err(Rejection::Invalid(errors)));
    }
}
