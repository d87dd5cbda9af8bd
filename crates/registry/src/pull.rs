//! Pulling: reference, policy and credentials in, a mountable image out.
//! Mirrors are asked first; an answer from the cache is given only to those whom the registry let in before.

use std::collections::BTreeMap;
use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use oci_client::Client;
use oci_client::client::{ClientConfig, ClientProtocol};
use oci_client::manifest::OciDescriptor;
use oci_client::secrets::RegistryAuth;
use sha2::{Digest as _, Sha256};

use crate::config::Credentials;
use crate::store::{Image, ImageStore, Reference, checked_digest};
use crate::{Error, layer};

/// When a registry is asked; as a container's `imagePullPolicy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PullPolicy {
    /// At every start, so that a moved tag is noticed. Layers still come from the cache.
    Always,
    /// Only when the image is not in the cache.
    IfNotPresent,
    /// Never.
    Never,
}

/// A download of one layer may take this long, in seconds.
const LAYER_SECONDS_MAX: u64 = 30 * 60;
const ANONYMOUS: &str = "anonymous";

impl ImageStore {
    /// Makes an image ready to be mounted.
    ///
    /// `credentials` are those that the asking workspace has for the image's registry; those of the
    /// operator's table are used when there are none.
    ///
    /// # Errors
    /// As [`Error`] says; the texts are fit to be shown to the owner of the Pod.
    pub async fn resolve(
        self: &Arc<Self>,
        reference: &str,
        policy: PullPolicy,
        credentials: Option<Credentials>,
    ) -> Result<Image, Error> {
        let parsed = oci_client::Reference::from_str(reference)
            .map_err(|error| Error::Reference { reference: reference.to_owned(), what: error.to_string() })?;
        let name = parsed.whole();
        let credentials = credentials.or_else(|| {
            self.registries.registries.get(parsed.registry()).and_then(|said| said.credentials.clone())
        });
        if let Some(image) = self.cached(&parsed, policy, credentials.as_ref())? {
            return Ok(image);
        }
        if policy == PullPolicy::Never {
            return Err(Error::NotPresent(reference.to_owned()));
        }
        let turn = Arc::clone(self.pulling.lock().entry(name.clone()).or_default());
        let pulled = {
            let _turn = turn.lock().await;
            // Whoever was before us may have brought it.
            match self.cached(&parsed, policy, credentials.as_ref())? {
                Some(image) => Ok(image),
                None => self.pull(&parsed, credentials.as_ref()).await,
            }
        };
        self.pulling.lock().retain(|_, turn| Arc::strong_count(turn) > 1);
        pulled
    }

    fn cached(
        &self,
        parsed: &oci_client::Reference,
        policy: PullPolicy,
        credentials: Option<&Credentials>,
    ) -> Result<Option<Image>, Error> {
        let Some(known) = self.reference(&parsed.whole())? else { return Ok(None) };
        let caller = credentials.map(fingerprint);
        let allowed = known.imported
            || known.allowed.iter().any(|allowed| allowed == ANONYMOUS || Some(allowed) == caller.as_ref());
        // A digest cannot move, and an imported image has no registry to ask.
        let fresh = policy != PullPolicy::Always || known.imported || parsed.digest().is_some();
        if allowed && fresh { self.image(&repository(parsed), &known.digest) } else { Ok(None) }
    }

    async fn pull(
        self: &Arc<Self>,
        parsed: &oci_client::Reference,
        credentials: Option<&Credentials>,
    ) -> Result<Image, Error> {
        let said = self.registries.registries.get(parsed.registry());
        let mut last = None;
        for mirror in said.map_or(&[][..], |said| &said.mirrors) {
            let Some(mirrored) = mirrored(parsed, mirror) else {
                tracing::warn!(%mirror, image = %parsed, "a mirror is not a host name; it is not asked");
                continue;
            };
            // The credentials belong to the registry, not to its mirror.
            let own = self.registries.registries.get(mirrored.registry()).and_then(|m| m.credentials.clone());
            match self.pull_from(parsed, &mirrored, own.as_ref()).await {
                Ok(image) => return Ok(image),
                Err(error) => {
                    tracing::warn!(%mirror, image = %parsed, %error, "a mirror did not serve an image");
                    last = Some(error);
                }
            }
        }
        match self.pull_from(parsed, parsed, credentials).await {
            Ok(image) => Ok(image),
            Err(error) => {
                if let Some(mirror) = last {
                    tracing::debug!(%mirror, "the mirror's error before it");
                }
                Err(error)
            }
        }
    }

    /// Pulls from one place, and remembers the image under the reference that was asked for.
    async fn pull_from(
        self: &Arc<Self>,
        asked: &oci_client::Reference,
        source: &oci_client::Reference,
        credentials: Option<&Credentials>,
    ) -> Result<Image, Error> {
        let failed = |error: oci_client::errors::OciDistributionError| Error::Pull {
            reference: asked.whole(),
            registry: source.resolve_registry().to_owned(),
            what: chain(&error),
        };
        let auth = match credentials {
            None => RegistryAuth::Anonymous,
            Some(given) if given.username.is_empty() => RegistryAuth::Bearer(given.password.clone()),
            Some(given) => RegistryAuth::Basic(given.username.clone(), given.password.clone()),
        };
        let client = self.client();
        let seconds = self.registries.timeout_seconds.saturating_mul(2);
        let pulled = tokio::time::timeout(Duration::from_secs(seconds), async {
            let (manifest, digest) = client.pull_image_manifest(source, &auth).await?;
            let accepted =
                [oci_client::manifest::OCI_IMAGE_MEDIA_TYPE, oci_client::manifest::IMAGE_MANIFEST_MEDIA_TYPE];
            let exact = source.clone_with_digest(digest.clone());
            let (bytes, _) = client.pull_manifest_raw(&exact, &auth, &accepted).await?;
            let mut config = Vec::new();
            client.pull_blob(source, &manifest.config, &mut config).await?;
            Ok((manifest, digest, bytes, config))
        });
        let (manifest, digest, bytes, config) = pulled
            .await
            .map_err(|_| Error::Timeout { reference: asked.whole(), seconds })?
            .map_err(failed)?;
        checked_digest(&digest)?;
        checked_digest(&manifest.config.digest)?;
        self.put_blob(&config, &manifest.config.digest)?;
        let diff_ids = diff_ids(&config)?;
        if diff_ids.len() != manifest.layers.len() {
            return Err(Error::unpack(
                &asked.whole(),
                "its configuration and manifest disagree on the layers",
            ));
        }
        for (descriptor, diff_id) in manifest.layers.iter().zip(&diff_ids) {
            self.pull_layer(&client, asked, source, descriptor, diff_id).await?;
        }
        self.put_blob(&bytes, &digest)?;
        let allowed = credentials.map_or_else(|| ANONYMOUS.to_owned(), fingerprint);
        let entry = Reference { digest: digest.clone(), imported: false, allowed: vec![allowed] };
        self.set_reference(&asked.whole(), entry)?;
        self.image(&repository(asked), &digest)?
            .ok_or_else(|| Error::unpack(&asked.whole(), "it vanished from the cache while it was pulled"))
    }

    async fn pull_layer(
        self: &Arc<Self>,
        client: &Client,
        asked: &oci_client::Reference,
        source: &oci_client::Reference,
        descriptor: &OciDescriptor,
        diff_id: &str,
    ) -> Result<(), Error> {
        checked_digest(diff_id)?;
        checked_digest(&descriptor.digest)?;
        if self.layer_path(diff_id).is_dir() {
            return Ok(());
        }
        let blob = self.temporary_path();
        let file = tokio::fs::File::create(&blob).await.map_err(Error::io(&blob))?;
        let download = client.pull_blob(source, descriptor, file);
        let limit = Duration::from_secs(LAYER_SECONDS_MAX);
        let downloaded = match tokio::time::timeout(limit, download).await {
            Err(_) => Err(Error::Timeout { reference: asked.whole(), seconds: LAYER_SECONDS_MAX }),
            Ok(Err(error)) => Err(Error::Pull {
                reference: asked.whole(),
                registry: source.resolve_registry().to_owned(),
                what: format!("layer {}: {}", descriptor.digest, chain(&error)),
            }),
            Ok(Ok(())) => {
                let (store, from, diff_id) = (Arc::clone(self), blob.clone(), diff_id.to_owned());
                let unpacked = tokio::task::spawn_blocking(move || store.put_layer(&from, &diff_id)).await;
                unpacked.unwrap_or_else(|error| Err(Error::unpack(&asked.whole(), error)))
            }
        };
        let _best_effort = tokio::fs::remove_file(&blob).await;
        downloaded
    }

    /// A client of its own for each pull: tokens of one workspace must not serve another.
    fn client(&self) -> Client {
        let timeout = Duration::from_secs(self.registries.timeout_seconds);
        Client::new(ClientConfig {
            protocol: ClientProtocol::HttpsExcept(self.registries.plain_http()),
            connect_timeout: Some(timeout.min(Duration::from_secs(10))),
            read_timeout: Some(timeout),
            user_agent: concat!("psvc/", env!("CARGO_PKG_VERSION")),
            ..ClientConfig::default()
        })
    }

    /// Stores an image from a directory of blobs: the common end of importing archives.
    pub(crate) fn put_image(
        &self,
        names: &[String],
        manifest: &[u8],
        manifest_digest: &str,
        blobs: &BTreeMap<String, std::path::PathBuf>,
    ) -> Result<(), Error> {
        let parsed: oci_spec::image::ImageManifest =
            serde_json::from_slice(manifest).map_err(|error| Error::unpack(manifest_digest, error))?;
        let find = |digest: &str| {
            let path =
                blobs.get(digest).ok_or_else(|| Error::unpack(digest, "the archive does not hold it"))?;
            let found = layer::digest_of(path)?;
            if found == digest {
                Ok(path)
            } else {
                let name = path.display().to_string();
                Err(Error::Digest { name, expected: digest.to_owned(), found })
            }
        };
        let config_digest = parsed.config().digest().to_string();
        let config_path = find(&config_digest)?;
        let config = std::fs::read(config_path).map_err(Error::io(config_path))?;
        let diff_ids = diff_ids(&config)?;
        if diff_ids.len() != parsed.layers().len() {
            return Err(Error::unpack(
                manifest_digest,
                "its configuration and manifest disagree on the layers",
            ));
        }
        for (descriptor, diff_id) in parsed.layers().iter().zip(&diff_ids) {
            self.put_layer(find(descriptor.digest().as_ref())?, diff_id)?;
        }
        self.put_blob(&config, &config_digest)?;
        self.put_blob(manifest, manifest_digest)?;
        for name in names {
            let entry = Reference { digest: manifest_digest.to_owned(), imported: true, allowed: Vec::new() };
            self.set_reference(name, entry)?;
        }
        Ok(())
    }
}

fn diff_ids(config: &[u8]) -> Result<Vec<String>, Error> {
    let config: oci_spec::image::ImageConfiguration =
        serde_json::from_slice(config).map_err(|error| Error::unpack("image configuration", error))?;
    Ok(config.rootfs().diff_ids().clone())
}

/// The registry of a reference, such as `docker.io`; `None` when the text is no reference.
#[must_use]
pub fn registry_of(reference: &str) -> Option<String> {
    oci_client::Reference::from_str(reference).ok().map(|parsed| parsed.registry().to_owned())
}

fn repository(reference: &oci_client::Reference) -> String {
    format!("{}/{}", reference.registry(), reference.repository())
}

/// The same image at a mirror `host[:port][/prefix]`.
fn mirrored(reference: &oci_client::Reference, mirror: &str) -> Option<oci_client::Reference> {
    let mirror = mirror.split_once("://").map_or(mirror, |(_, rest)| rest).trim_end_matches('/');
    let suffix = match (reference.digest(), reference.tag()) {
        (Some(digest), _) => format!("@{digest}"),
        (None, Some(tag)) => format!(":{tag}"),
        (None, None) => String::new(),
    };
    oci_client::Reference::from_str(&format!("{mirror}/{}{suffix}", reference.repository())).ok()
}

/// What stands for credentials in the table of references.
fn fingerprint(credentials: &Credentials) -> String {
    let mut hash = Sha256::new();
    hash.update(credentials.username.as_bytes());
    hash.update([0]);
    hash.update(credentials.password.as_bytes());
    hex::encode(hash.finalize())
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}
