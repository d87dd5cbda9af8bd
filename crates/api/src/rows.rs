//! The rows of the table: which kinds are served.
//! Invariant: a kind's types, columns, defaulting and validation live in its own module; here they only line up.

use crate::table::Resource;
use crate::{coordination, core, kcp, tekton};

/// Every resource that is served without being defined by a user.
#[must_use]
pub fn resources() -> &'static [Resource] {
    RESOURCES
}

static RESOURCES: &[Resource] = &[
    core::NAMESPACE,
    core::CONFIG_MAP,
    core::SECRET,
    core::SERVICE_ACCOUNT,
    core::EVENT,
    core::POD,
    core::PERSISTENT_VOLUME_CLAIM,
    core::EVENTS_EVENT,
    coordination::LEASE,
    kcp::WORKSPACE,
    kcp::LOGICAL_CLUSTER,
    tekton::TASK,
    tekton::PIPELINE,
    tekton::TASK_RUN,
    tekton::PIPELINE_RUN,
    tekton::CUSTOM_RUN,
    tekton::STEP_ACTION,
    tekton::VERIFICATION_POLICY,
    tekton::RESOLUTION_REQUEST,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_stores_a_version_that_some_row_serves_and_names_are_unique() {
        let mut seen = Vec::new();
        for row in resources() {
            let home = row.stored_with.unwrap_or((row.group, row.plural));
            let stored = resources().iter().find(|other| (other.group, other.plural) == home);
            let stored = stored.unwrap_or_else(|| panic!("{home:?} is not in the table"));
            assert!(
                stored.versions.iter().any(|version| version.name == row.storage_version),
                "{}",
                row.plural
            );
            assert!(!row.versions.is_empty() && !row.singular.is_empty(), "{}", row.plural);
            assert!(!seen.contains(&(row.group, row.plural)), "{} is there twice", row.plural);
            seen.push((row.group, row.plural));
        }
    }
}
