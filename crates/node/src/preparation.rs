//! From a Pod to a plan: fetches the objects that it refers to, brings its images, and asks `sandbox`.
//! Invariant: whatever is in the way becomes a [`Blocked`] with the reason that a kubelet would show.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use api::step_plan::{ANNOTATION, StepPlan};
use client::{Api, Client};
use k8s_openapi::api::core::v1::{ConfigMap, Container, PersistentVolumeClaim, Pod, Secret};
use sandbox::{Image, Input, Machine, Objects, PodPlan, PodRef, Rootfs};

use crate::images::{HOST_IMAGE, ImageError, ImageRequest, Images, PullPolicy};
use crate::machine;
use crate::shim::{Directory, chain};

/// What preparing needs.
pub(crate) struct Preparation<'a> {
    pub(crate) client: &'a Client,
    pub(crate) images: &'a Arc<dyn Images>,
    pub(crate) machine: &'a Machine,
    pub(crate) allow_host_image: bool,
    pub(crate) pod_ref: &'a PodRef,
    pub(crate) pod: &'a Pod,
    pub(crate) pod_dir: &'a Path,
}

/// A Pod that can start.
pub(crate) struct Ready {
    pub(crate) plan: PodPlan,
    /// The digest references of the containers' images, by container.
    pub(crate) image_ids: BTreeMap<String, String>,
}

/// A Pod that cannot start yet, or ever.
#[derive(Clone, Debug)]
pub(crate) struct Blocked {
    /// The container that waits; all of them when absent.
    pub(crate) container: Option<String>,
    /// Kubernetes' reason.
    pub(crate) reason: &'static str,
    /// What a user reads.
    pub(crate) message: String,
    /// What shows while waiting for the next try.
    pub(crate) then: Option<(&'static str, String)>,
    /// When it is worth trying again.
    pub(crate) retry: Retry,
}

/// When it is worth trying again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Retry {
    /// Soon: an object may appear.
    Soon,
    /// After a while that grows: a registry may recover.
    Later,
    /// Never.
    Never,
}

const CONFIG_ERROR: &str = "CreateContainerConfigError";

impl Preparation<'_> {
    /// Tries once.
    pub(crate) async fn run(&self) -> Result<Ready, Blocked> {
        let steps = self.step_plan()?;
        let (objects, images) = tokio::join!(self.objects(), self.images());
        let (objects, (images, image_ids)) = (objects?, images?);
        let input = Input {
            pod_ref: self.pod_ref,
            pod: self.pod,
            steps: steps.as_ref(),
            images: &images,
            objects: &objects,
            machine: self.machine,
            pod_dir: self.pod_dir,
        };
        let plan = sandbox::plan(&input).map_err(|error| Blocked {
            container: error.container,
            reason: CONFIG_ERROR,
            message: error.message,
            then: None,
            retry: if error.may_heal { Retry::Soon } else { Retry::Never },
        })?;
        Ok(Ready { plan, image_ids })
    }

    fn containers(&self) -> &[Container] {
        self.pod.spec.as_ref().map_or(&[], |spec| &spec.containers)
    }

    fn step_plan(&self) -> Result<Option<StepPlan>, Blocked> {
        let text = self.pod.metadata.annotations.as_ref().and_then(|annotations| annotations.get(ANNOTATION));
        let plan = text.map(|text| serde_json::from_str(text)).transpose();
        plan.map_err(|error| Blocked {
            container: None,
            reason: CONFIG_ERROR,
            message: format!("annotation {ANNOTATION} cannot be read: {error}"),
            then: None,
            retry: Retry::Never,
        })
    }

    async fn objects(&self) -> Result<Objects, Blocked> {
        let needs = sandbox::needs(self.pod);
        let cluster = self.client.cluster(&self.pod_ref.cluster);
        let namespace = &self.pod_ref.namespace;
        let mut objects = Objects::default();
        let config_maps: Api<ConfigMap> = cluster.namespaced(namespace);
        for name in needs.config_maps {
            if let Some(found) = config_maps.find(&name).await.map_err(unreachable)? {
                objects.config_maps.insert(name, found);
            }
        }
        let secrets: Api<Secret> = cluster.namespaced(namespace);
        for name in needs.secrets {
            if let Some(found) = secrets.find(&name).await.map_err(unreachable)? {
                objects.secrets.insert(name, found);
            }
        }
        let claims: Api<PersistentVolumeClaim> = cluster.namespaced(namespace);
        for name in needs.claims {
            if let Some(found) = claims.find(&name).await.map_err(unreachable)? {
                objects.claims.insert(name, found);
            }
        }
        Ok(objects)
    }

    /// The images of all containers, and their digest references.
    async fn images(&self) -> Result<(BTreeMap<String, Image>, BTreeMap<String, String>), Blocked> {
        let mut images = BTreeMap::new();
        let mut ids = BTreeMap::new();
        let mut resolved: BTreeMap<(String, &'static str), (Image, String)> = BTreeMap::new();
        let mut pull_secrets = None;
        for container in self.containers() {
            let image = container.image.clone().unwrap_or_default();
            let policy = PullPolicy::of(&image, container.image_pull_policy.as_deref());
            let known = (image.clone(), policy.as_str());
            if !resolved.contains_key(&known) {
                if pull_secrets.is_none() {
                    pull_secrets = Some(self.pull_secrets().await?);
                }
                let secrets = pull_secrets.clone().unwrap_or_default();
                let found = self.image(&image, policy, secrets).await;
                let found = found.map_err(|error| blocked_by_image(&container.name, &image, error))?;
                resolved.insert(known.clone(), found);
            }
            if let Some((found, id)) = resolved.get(&known) {
                images.insert(container.name.clone(), found.clone());
                ids.insert(container.name.clone(), id.clone());
            }
        }
        Ok((images, ids))
    }

    async fn image(
        &self,
        image: &str,
        pull_policy: PullPolicy,
        pull_secrets: Vec<Secret>,
    ) -> Result<(Image, String), ImageError> {
        if image == HOST_IMAGE {
            if !self.allow_host_image {
                let message = format!(
                    "image {HOST_IMAGE} is not allowed on this node: start it with --allow-host-image, or use \
                     `psvc run`"
                );
                return Err(ImageError::Refused { message });
            }
            return Ok((machine::host_image(), HOST_IMAGE.to_owned()));
        }
        let request = ImageRequest {
            cluster: self.pod_ref.cluster.clone(),
            namespace: self.pod_ref.namespace.clone(),
            image: image.to_owned(),
            pull_policy,
            pull_secrets,
        };
        let found = self.images.resolve(&request).await?;
        let [passwd, group] =
            ["etc/passwd", "etc/group"].map(|path| read_from_layers(&found.layers, Path::new(path)));
        let image = Image { rootfs: Rootfs::Layers(found.layers), config: found.config, passwd, group };
        Ok((image, found.digest_reference))
    }

    /// The Pod's pull secrets that exist.
    async fn pull_secrets(&self) -> Result<Vec<Secret>, Blocked> {
        let references = self.pod.spec.iter().flat_map(|spec| spec.image_pull_secrets.iter().flatten());
        let secrets: Api<Secret> =
            self.client.cluster(&self.pod_ref.cluster).namespaced(&self.pod_ref.namespace);
        let mut found = Vec::new();
        for reference in references {
            found.extend(secrets.find(&reference.name).await.map_err(unreachable)?);
        }
        Ok(found)
    }
}

/// The content of a file in the topmost layer that has it.
fn read_from_layers(layers: &[PathBuf], path: &Path) -> String {
    /// More than any real user file; a larger one is cut.
    const BYTES_MAX: u64 = 1024 * 1024;
    let read = |layer: &PathBuf| Directory::open(layer).ok()?.read(path, BYTES_MAX).ok()?;
    let content = layers.iter().rev().find_map(read).unwrap_or_default();
    String::from_utf8_lossy(&content).into_owned()
}

fn unreachable(error: client::Error) -> Blocked {
    Blocked {
        container: None,
        reason: "ContainerCreating",
        message: chain(&error),
        then: None,
        retry: Retry::Soon,
    }
}

fn blocked_by_image(container: &str, image: &str, error: ImageError) -> Blocked {
    let message = error.to_string();
    let back_off = |reason: &'static str| {
        Some(("ImagePullBackOff", format!("Back-off pulling image \"{image}\": {reason}: {message}")))
    };
    let (reason, then, retry) = match &error {
        ImageError::InvalidName { .. } => ("InvalidImageName", None, Retry::Never),
        ImageError::NeverPull { .. } => ("ErrImageNeverPull", None, Retry::Later),
        ImageError::Pull { .. } => ("ErrImagePull", back_off("ErrImagePull"), Retry::Later),
        ImageError::Refused { .. } => (CONFIG_ERROR, None, Retry::Never),
    };
    Blocked { container: Some(container.to_owned()), reason, message, then, retry }
}
