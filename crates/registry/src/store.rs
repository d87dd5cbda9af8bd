//! The cache of images: blobs by digest, layers unpacked once by the digest of their content, and the table
//! of references. One directory, shared by every image and every workspace of this machine.
//!
//! ```text
//! blobs/sha256/<hex>     manifests and configurations (layers are dropped once unpacked)
//! layers/<hex>/          unpacked layers, named by diff_id
//! images.json            reference -> manifest digest, and who may use it without asking the registry
//! tmp/                   what is being written, by process id
//! ```
//! Invariant: content is complete and checked before it is renamed to its final name.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use oci_spec::image::{ImageConfiguration, ImageManifest};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::layer;
use crate::{Error, Registries};

/// An image that is ready to be mounted.
#[derive(Clone, Debug)]
pub struct Image {
    /// `repository@sha256:..`: what a container's status shows.
    pub id: String,
    /// The unpacked layers, the lowest first.
    pub layers: Vec<PathBuf>,
    /// Entrypoint, command, environment, user and working directory.
    pub config: ImageConfiguration,
}

/// One line of `psvc image list`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageSummary {
    /// The reference.
    pub reference: String,
    /// The digest of its manifest.
    pub digest: String,
    /// The size of its layers in the registry, in bytes.
    pub bytes: i64,
}

/// What [`ImageStore::prune`] removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// How many layers.
    pub layers: usize,
    /// How many blobs.
    pub blobs: usize,
}

/// The images of this machine.
pub struct ImageStore {
    pub(crate) root: PathBuf,
    pub(crate) registries: Registries,
    /// Held while the table of references changes.
    lock: File,
    temporary: AtomicU64,
    /// One pull at a time for each reference, so that ten Pods of one image download it once.
    pub(crate) pulling: Mutex<BTreeMap<String, Arc<tokio::sync::Mutex<()>>>>,
}

type References = BTreeMap<String, Reference>;

/// What a reference names, and who may use it from the cache.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Reference {
    /// The digest of the manifest.
    pub(crate) digest: String,
    /// Imported from an archive: never looked for in a registry.
    #[serde(default)]
    pub(crate) imported: bool,
    /// Hashes of the credentials that the registry accepted; an entry `anonymous` means everybody.
    #[serde(default)]
    pub(crate) allowed: Vec<String>,
}

impl ImageStore {
    /// Opens the cache in `root`, which is created when it is missing.
    ///
    /// # Errors
    /// [`Error::Io`] when the directory cannot be used, [`Error::Unpack`] when its table is damaged.
    pub fn open(root: impl Into<PathBuf>, registries: Registries) -> Result<Self, Error> {
        let root = root.into();
        for directory in ["blobs/sha256", "layers", "tmp"] {
            let directory = root.join(directory);
            std::fs::create_dir_all(&directory).map_err(Error::io(&directory))?;
        }
        remove_leftovers(&root.join("tmp"))?;
        let lock = root.join("images.lock");
        let lock = File::create(&lock).map_err(Error::io(&lock))?;
        let store = Self { root, registries, lock, temporary: AtomicU64::new(0), pulling: Mutex::default() };
        store.references()?;
        Ok(store)
    }

    /// The table of references as it is now: another process of this machine may have changed it.
    fn references(&self) -> Result<References, Error> {
        let table = self.root.join("images.json");
        match std::fs::read(&table) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|error| Error::unpack(&table.display().to_string(), error)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(References::new()),
            Err(error) => Err(Error::io(&table)(error)),
        }
    }

    /// Changes the table while no other process does.
    fn change<T>(&self, change: impl FnOnce(&mut References) -> Result<T, Error>) -> Result<T, Error> {
        let path = self.root.join("images.lock");
        self.lock.lock().map_err(Error::io(&path))?;
        let changed = self.references().and_then(|mut references| {
            let before = references.clone();
            let answer = change(&mut references)?;
            if references != before {
                self.write_references(&references)?;
            }
            Ok(answer)
        });
        self.lock.unlock().map_err(Error::io(&path))?;
        changed
    }

    /// The images that references name.
    ///
    /// # Errors
    /// When the cache cannot be read.
    pub fn list(&self) -> Result<Vec<ImageSummary>, Error> {
        self.references()?
            .into_iter()
            .map(|(reference, entry)| {
                let manifest = self.manifest(&entry.digest)?;
                let bytes =
                    manifest.layers().iter().map(|l| i64::try_from(l.size()).unwrap_or(i64::MAX)).sum();
                Ok(ImageSummary { reference, digest: entry.digest, bytes })
            })
            .collect()
    }

    /// Removes content that no reference needs; with `all`, the references too. Nothing may be running.
    ///
    /// # Errors
    /// [`Error::Io`] when something cannot be removed.
    pub fn prune(&self, all: bool) -> Result<Pruned, Error> {
        let (mut blobs, mut layers) = (Vec::new(), Vec::new());
        self.change(|references| {
            if all {
                references.clear();
            }
            for entry in references.values() {
                let manifest = self.manifest(&entry.digest)?;
                blobs.push(hex_of(&entry.digest).to_owned());
                blobs.push(hex_of(manifest.config().digest().as_ref()).to_owned());
                let config = self.config(&manifest)?;
                layers.extend(config.rootfs().diff_ids().iter().map(|id| hex_of(id).to_owned()));
            }
            Ok(())
        })?;
        let removed_layers = remove_others(&self.root.join("layers"), &layers)?;
        let removed_blobs = remove_others(&self.root.join("blobs/sha256"), &blobs)?;
        Ok(Pruned { layers: removed_layers, blobs: removed_blobs })
    }

    pub(crate) fn reference(&self, name: &str) -> Result<Option<Reference>, Error> {
        Ok(self.references()?.remove(name))
    }

    /// Records what a reference names; an accepted credential is added to those known for the same digest.
    pub(crate) fn set_reference(&self, name: &str, mut entry: Reference) -> Result<(), Error> {
        self.change(|references| {
            if let Some(known) = references.get(name).filter(|known| known.digest == entry.digest) {
                entry.allowed.extend(known.allowed.iter().cloned());
                entry.allowed.sort();
                entry.allowed.dedup();
            }
            references.insert(name.to_owned(), entry);
            Ok(())
        })
    }

    fn write_references(&self, references: &References) -> Result<(), Error> {
        let bytes =
            serde_json::to_vec_pretty(references).map_err(|error| Error::unpack("images.json", error))?;
        self.write(&self.root.join("images.json"), &bytes)
    }

    /// The image of a manifest whose content is all here; `None` when some of it is missing.
    pub(crate) fn image(&self, repository: &str, digest: &str) -> Result<Option<Image>, Error> {
        if !self.blob_path(digest).is_file() {
            return Ok(None);
        }
        let manifest = self.manifest(digest)?;
        if !self.blob_path(manifest.config().digest().as_ref()).is_file() {
            return Ok(None);
        }
        let config = self.config(&manifest)?;
        let layers: Vec<PathBuf> = config.rootfs().diff_ids().iter().map(|id| self.layer_path(id)).collect();
        if layers.iter().any(|layer| !layer.is_dir()) {
            return Ok(None);
        }
        Ok(Some(Image { id: format!("{repository}@{digest}"), layers, config }))
    }

    pub(crate) fn manifest(&self, digest: &str) -> Result<ImageManifest, Error> {
        let path = self.blob_path(digest);
        let bytes = std::fs::read(&path).map_err(Error::io(&path))?;
        serde_json::from_slice(&bytes).map_err(|error| Error::unpack(digest, error))
    }

    pub(crate) fn config(&self, manifest: &ImageManifest) -> Result<ImageConfiguration, Error> {
        let path = self.blob_path(manifest.config().digest().as_ref());
        let bytes = std::fs::read(&path).map_err(Error::io(&path))?;
        serde_json::from_slice(&bytes).map_err(|error| Error::unpack(&path.display().to_string(), error))
    }

    pub(crate) fn blob_path(&self, digest: &str) -> PathBuf {
        self.root.join("blobs/sha256").join(hex_of(digest))
    }

    pub(crate) fn layer_path(&self, diff_id: &str) -> PathBuf {
        self.root.join("layers").join(hex_of(diff_id))
    }

    /// A path in the cache's own temporary directory that nobody else uses.
    pub(crate) fn temporary_path(&self) -> PathBuf {
        let number = self.temporary.fetch_add(1, Ordering::Relaxed);
        self.root.join("tmp").join(format!("{}-{number}", std::process::id()))
    }

    /// Stores bytes under the digest that they have.
    pub(crate) fn put_blob(&self, bytes: &[u8], digest: &str) -> Result<(), Error> {
        use sha2::Digest as _;
        let found = format!("sha256:{}", hex::encode(sha2::Sha256::digest(bytes)));
        if found != digest {
            return Err(Error::Digest { name: "blob".to_owned(), expected: digest.to_owned(), found });
        }
        self.write(&self.blob_path(digest), bytes)
    }

    /// Unpacks a layer's blob, unless its content is here already.
    pub(crate) fn put_layer(&self, blob: &Path, diff_id: &str) -> Result<(), Error> {
        checked_digest(diff_id)?;
        let layer = self.layer_path(diff_id);
        if layer.is_dir() {
            return Ok(());
        }
        let temporary = self.temporary_path();
        std::fs::create_dir(&temporary).map_err(Error::io(&temporary))?;
        let unpacked = layer::unpack_layer(blob, diff_id, &temporary).and_then(|()| {
            // Everything reaches the disk before the name does.
            let directory = File::open(&temporary).map_err(Error::io(&temporary))?;
            rustix::fs::syncfs(&directory).map_err(|errno| Error::io(&temporary)(errno.into()))?;
            match std::fs::rename(&temporary, &layer) {
                // Another process of this machine was faster.
                Err(_) if layer.is_dir() => remove_tree(&temporary),
                other => other.map_err(Error::io(&layer)),
            }
        });
        if unpacked.is_err() {
            let _best_effort = remove_tree(&temporary);
        }
        unpacked
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), Error> {
        let temporary = self.temporary_path();
        let write = || {
            let mut file = File::create(&temporary)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            std::fs::rename(&temporary, path)
        };
        write().map_err(Error::io(path))
    }
}

/// Refuses a digest that is not `sha256:` and 64 hexadecimal digits, before it becomes part of a path.
pub(crate) fn checked_digest(digest: &str) -> Result<&str, Error> {
    let hex = digest.strip_prefix("sha256:").unwrap_or_default();
    if hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
        Ok(digest)
    } else {
        Err(Error::unpack(digest, "only sha256 digests are supported"))
    }
}

fn hex_of(digest: &str) -> &str {
    // Digests are checked where they enter; whatever else came here cannot name a directory above.
    let hex = digest.strip_prefix("sha256:").unwrap_or(digest);
    if hex.contains('/') || hex.starts_with('.') { "invalid" } else { hex }
}

/// Removes what processes that are gone were writing. Names begin with the process's id.
fn remove_leftovers(directory: &Path) -> Result<(), Error> {
    for entry in std::fs::read_dir(directory).map_err(Error::io(directory))? {
        let entry = entry.map_err(Error::io(directory))?;
        let name = entry.file_name();
        let process = name.to_str().and_then(|name| name.split('-').next()).unwrap_or_default();
        if !Path::new("/proc").join(process).exists() {
            remove_tree(&entry.path())?;
        }
    }
    Ok(())
}

fn remove_others(directory: &Path, kept: &[String]) -> Result<usize, Error> {
    let mut removed = 0;
    for entry in std::fs::read_dir(directory).map_err(Error::io(directory))? {
        let entry = entry.map_err(Error::io(directory))?;
        if entry.file_name().to_str().is_none_or(|name| !kept.iter().any(|kept| kept == name)) {
            remove_tree(&entry.path())?;
            removed += 1;
        }
    }
    Ok(removed)
}

fn remove_tree(path: &Path) -> Result<(), Error> {
    let removed = if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
    removed.map_err(Error::io(path))
}
