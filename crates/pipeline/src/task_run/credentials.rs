//! What a run's ServiceAccount gives it. Tekton hands its Secrets for Git and registries to the steps; that is not there
//! yet, so a run that would get some is refused instead of failing later in a login.
//! Invariant: only Secrets that Tekton would hand over count. Source: Tekton's `pkg/credentials`.

use k8s_openapi::api::core::v1::{Secret, ServiceAccount};

use super::observed::Observed;
use crate::plan::{Lookup, Need};
use crate::unsupported;

/// The account of runs that name none.
const DEFAULT: &str = "default";

/// Why no Pod can be made with the run's ServiceAccount, if so.
pub(super) fn problem(observed: &Observed) -> Result<Option<String>, Need> {
    let own = observed.run.spec.service_account_name.as_deref();
    let name = own.filter(|name| !name.is_empty()).unwrap_or(DEFAULT);
    let account = match &observed.service_account {
        Lookup::NotLookedUp => return Err(Need::ServiceAccount(name.to_owned())),
        // It is made with its namespace, perhaps a moment after the run.
        Lookup::Missing if name == DEFAULT => return Ok(None),
        Lookup::Missing => return Ok(Some(not_found("serviceaccounts", name))),
        Lookup::Found(account) => account,
    };
    let names = secrets(account);
    let unknown: Vec<String> = names
        .iter()
        .filter(|name| !observed.secrets.contains_key(**name))
        .map(|name| (*name).to_owned())
        .collect();
    if !unknown.is_empty() {
        return Err(Need::Secrets(unknown));
    }
    Ok(names.into_iter().find_map(|name| match observed.secrets.get(name) {
        Some(Lookup::Found(secret)) => is_credential(secret).then(|| {
            unsupported::named("a Secret with credentials in a ServiceAccount", &format!("secrets {name:?}"))
        }),
        _ => Some(not_found("secrets", name)),
    }))
}

fn not_found(plural: &str, name: &str) -> String {
    format!("translating TaskSpec to Pod: {plural} {name:?} not found")
}

fn secrets(account: &ServiceAccount) -> Vec<&str> {
    let listed = account.secrets.iter().flatten();
    listed.filter_map(|secret| secret.name.as_deref()).filter(|name| !name.is_empty()).collect()
}

/// Whether Tekton would hand the Secret to the steps.
fn is_credential(secret: &Secret) -> bool {
    let annotated = |prefix: &str| {
        secret.metadata.annotations.iter().flatten().any(|(annotation, _)| annotation.starts_with(prefix))
    };
    match secret.type_.as_deref().unwrap_or_default() {
        "kubernetes.io/dockercfg" | "kubernetes.io/dockerconfigjson" => true,
        "kubernetes.io/basic-auth" => annotated("tekton.dev/git-") || annotated("tekton.dev/docker-"),
        "kubernetes.io/ssh-auth" => annotated("tekton.dev/git-"),
        _ => false,
    }
}
