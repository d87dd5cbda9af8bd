//! The seam between the node and whatever brings images: a registry client with a store, or nothing.
//! The node itself knows one image: [`HOST_IMAGE`], a read-only view of this machine's own files.

use std::path::PathBuf;

use client::BoxFuture;
use k8s_openapi::api::core::v1::Secret;
use oci_spec::image::ImageConfiguration;

/// The image that is a read-only view of this machine's own file system.
pub const HOST_IMAGE: &str = "psvc.local/host";

/// Brings images to this machine.
pub trait Images: Send + Sync {
    /// Makes an image available and says where it is.
    fn resolve<'a>(&'a self, request: &'a ImageRequest) -> BoxFuture<'a, Result<ResolvedImage, ImageError>>;
}

/// Which image, for whom.
#[derive(Clone, Debug)]
pub struct ImageRequest {
    /// The logical cluster's id.
    pub cluster: String,
    /// The namespace.
    pub namespace: String,
    /// The reference as the Pod has it.
    pub image: String,
    /// When to ask the registry.
    pub pull_policy: PullPolicy,
    /// The Pod's pull secrets that exist, in order.
    pub pull_secrets: Vec<Secret>,
}

/// When to ask the registry for an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are Kubernetes' own")]
pub enum PullPolicy {
    Always,
    IfNotPresent,
    Never,
}

impl PullPolicy {
    /// The policy as Kubernetes spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Always => "Always",
            Self::IfNotPresent => "IfNotPresent",
            Self::Never => "Never",
        }
    }

    /// The policy of a container: its own, or Kubernetes' default for the reference (`Always` for `latest`).
    #[must_use]
    pub fn of(image: &str, wanted: Option<&str>) -> Self {
        match wanted {
            Some("Always") => Self::Always,
            Some("IfNotPresent") => Self::IfNotPresent,
            Some("Never") => Self::Never,
            _ if image.contains('@') => Self::IfNotPresent,
            _ => {
                let name = image.rsplit('/').next().unwrap_or(image);
                match name.split_once(':') {
                    None | Some((_, "latest")) => Self::Always,
                    Some(_) => Self::IfNotPresent,
                }
            }
        }
    }
}

/// An image on this machine.
#[derive(Clone, Debug)]
pub struct ResolvedImage {
    /// The repository with the manifest's digest: `registry/name@sha256:...`.
    pub digest_reference: String,
    /// Directories of the unpacked layers, the lowest first. They stay as long as the image is in use.
    pub layers: Vec<PathBuf>,
    /// The image's configuration.
    pub config: ImageConfiguration,
}

/// An image could not be brought here. The text of each is what users read, its source what to log with it.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The reference is not one: reason `InvalidImageName`.
    #[error("couldn't parse image name \"{image}\": {why}")]
    InvalidName {
        /// The reference.
        image: String,
        /// What is wrong with it.
        why: String,
    },
    /// The policy forbids asking, and the image is not here: reason `ErrImageNeverPull`.
    #[error("Container image \"{image}\" is not present with pull policy of Never")]
    NeverPull {
        /// The reference.
        image: String,
    },
    /// The registry or the machine refused: reason `ErrImagePull`, later `ImagePullBackOff`.
    #[error("{message}")]
    Pull {
        /// What a user reads, with the cause.
        message: String,
    },
    /// The node's owner does not allow this image; trying again does not help: reason `CreateContainerConfigError`.
    #[error("{message}")]
    Refused {
        /// What a user reads.
        message: String,
    },
}

/// No registry at all: only the node's own image works.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoRegistry;

impl Images for NoRegistry {
    fn resolve<'a>(&'a self, request: &'a ImageRequest) -> BoxFuture<'a, Result<ResolvedImage, ImageError>> {
        let message =
            format!("image \"{}\" cannot be pulled: this node has no registry client", request.image);
        Box::pin(async move { Err(ImageError::Refused { message }) })
    }
}
