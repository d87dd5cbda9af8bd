//! `tekton.dev/v1alpha1` and `resolution.tekton.dev/v1alpha1`.

mod resolution_request;
mod verification_policy;

pub use resolution_request::{ResolutionRequest, ResolutionRequestSpec};
pub use verification_policy::{
    Authority, KeyRef, ResourcePattern, VerificationPolicy, VerificationPolicySpec,
};
