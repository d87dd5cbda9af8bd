//! The node's images come from the registry client: this is where the two meet.

use std::sync::Arc;

use client::BoxFuture;
use k8s_openapi::api::core::v1::Secret;
use node::{ImageError, ImageRequest, Images, ResolvedImage};
use registry::{Credentials, Error, ImageStore};

/// Brings images from the cache, a mirror or a registry.
pub(crate) struct RegistryImages(pub(crate) Arc<ImageStore>);

impl Images for RegistryImages {
    fn resolve<'a>(&'a self, request: &'a ImageRequest) -> BoxFuture<'a, Result<ResolvedImage, ImageError>> {
        Box::pin(async move {
            let policy = match request.pull_policy {
                node::PullPolicy::Always => registry::PullPolicy::Always,
                node::PullPolicy::IfNotPresent => registry::PullPolicy::IfNotPresent,
                node::PullPolicy::Never => registry::PullPolicy::Never,
            };
            let credentials = credentials(&request.image, &request.pull_secrets);
            match self.0.resolve(&request.image, policy, credentials).await {
                Ok(image) => Ok(ResolvedImage {
                    digest_reference: image.id,
                    layers: image.layers,
                    config: image.config,
                }),
                Err(error) => Err(translated(&request.image, &error)),
            }
        })
    }
}

/// The credentials for an image's registry in the Pod's pull secrets; the first that has some counts.
fn credentials(image: &str, secrets: &[Secret]) -> Option<Credentials> {
    let registry = registry::registry_of(image)?;
    secrets.iter().find_map(|secret| {
        let data = secret.data.as_ref()?;
        let config = data.get(".dockerconfigjson").or_else(|| data.get(".dockercfg"))?;
        registry::config::docker_credentials(&config.0, &registry)
    })
}

fn translated(image: &str, error: &Error) -> ImageError {
    match error {
        Error::Reference { what, .. } => {
            ImageError::InvalidName { image: image.to_owned(), why: what.clone() }
        }
        Error::NotPresent(_) => ImageError::NeverPull { image: image.to_owned() },
        other => {
            let mut message = other.to_string();
            if let Some(cause) = std::error::Error::source(other) {
                message = format!("{message}: {cause}");
            }
            ImageError::Pull { message }
        }
    }
}
