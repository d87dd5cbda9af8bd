//! The decision and its proof. For now there is one rule: members of `system:masters` may do everything,
//! and nobody else may do anything.

use std::fmt;

use types::{ClusterId, GroupResource};

/// The group whose members may do everything.
pub(crate) const SYSTEM_MASTERS: &str = "system:masters";

/// Someone who was authenticated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The user name, such as `admin` or `system:serviceaccount:default:builder`.
    pub user: String,
    /// The groups that the user is in.
    pub groups: Vec<String>,
}

impl Identity {
    /// Someone who showed no credentials.
    #[must_use]
    pub fn anonymous() -> Self {
        Self { user: "system:anonymous".to_owned(), groups: vec!["system:unauthenticated".to_owned()] }
    }
}

/// What is being done to a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are Kubernetes' own verbs")]
pub enum Verb {
    Get,
    List,
    Watch,
    Create,
    Update,
    Patch,
    Delete,
    DeleteCollection,
}

impl Verb {
    /// The verb as Kubernetes spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Watch => "watch",
            Self::Create => "create",
            Self::Update => "update",
            Self::Patch => "patch",
            Self::Delete => "delete",
            Self::DeleteCollection => "deletecollection",
        }
    }
}

/// Which workspaces a request is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// One logical cluster.
    Cluster(ClusterId),
    /// All of them: only list and watch.
    AllClusters,
}

/// What a request is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The workspaces.
    pub scope: Scope,
    /// The resource.
    pub resource: GroupResource,
    /// The subresource; empty for the object itself.
    pub subresource: String,
    /// The namespace; empty for cluster-scoped objects and for all namespaces.
    pub namespace: String,
    /// The object's name; empty when the request names none.
    pub name: String,
}

/// One request to be decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attributes {
    /// What is being done.
    pub verb: Verb,
    /// To what.
    pub target: Target,
}

/// Proof that a request was allowed. It can be made only by [`allow`].
#[derive(Clone, Debug)]
pub struct Grant {
    identity: Identity,
    attributes: Attributes,
}

impl Grant {
    /// Who was allowed.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// What was allowed.
    #[must_use]
    pub fn attributes(&self) -> &Attributes {
        &self.attributes
    }

    /// What it was allowed on.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.attributes.target
    }
}

/// Decides a request.
///
/// # Errors
/// [`Denied`], in the words that Kubernetes uses.
pub fn allow(identity: &Identity, attributes: Attributes) -> Result<Grant, Box<Denied>> {
    if identity.groups.iter().any(|group| group == SYSTEM_MASTERS) {
        Ok(Grant { identity: identity.clone(), attributes })
    } else {
        Err(Box::new(Denied { user: identity.user.clone(), attributes }))
    }
}

/// A request that was not allowed. Source of the text: Kubernetes' RBAC authorizer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denied {
    user: String,
    attributes: Attributes,
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Target { resource, subresource, namespace, name, .. } = &self.attributes.target;
        write!(f, "{resource} ")?;
        if !name.is_empty() {
            write!(f, "\"{name}\" ")?;
        }
        let plural = &resource.resource;
        let verb = self.attributes.verb.as_str();
        write!(f, "is forbidden: User \"{}\" cannot {verb} resource \"{plural}", self.user)?;
        if !subresource.is_empty() {
            write!(f, "/{subresource}")?;
        }
        write!(f, "\" in API group \"{}\" ", resource.group)?;
        if namespace.is_empty() {
            f.write_str("at the cluster scope")
        } else {
            write!(f, "in the namespace \"{namespace}\"")
        }
    }
}

impl std::error::Error for Denied {}

#[cfg(test)]
mod tests {
    use super::*;

    fn attributes(namespace: &str, name: &str) -> Attributes {
        let resource = GroupResource { group: "tekton.dev".to_owned(), resource: "taskruns".to_owned() };
        let target = Target {
            scope: Scope::Cluster(ClusterId::root()),
            resource,
            subresource: String::new(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        };
        Attributes { verb: Verb::Get, target }
    }

    #[test]
    fn only_masters_are_allowed() {
        let masters = Identity { user: "admin".to_owned(), groups: vec![SYSTEM_MASTERS.to_owned()] };
        assert!(allow(&masters, attributes("ns", "x")).is_ok());
        let denied = allow(&Identity::anonymous(), attributes("ns", "x")).unwrap_err();
        assert_eq!(
            denied.to_string(),
            "taskruns.tekton.dev \"x\" is forbidden: User \"system:anonymous\" cannot get resource \
             \"taskruns\" in API group \"tekton.dev\" in the namespace \"ns\""
        );
        let denied = allow(&Identity::anonymous(), attributes("", "")).unwrap_err();
        assert!(denied.to_string().ends_with("at the cluster scope"));
    }
}
