//! Importing archives: an OCI image layout or what `docker save` writes, as a tar file, also compressed.
//! Source: the OCI image layout specification; Docker's `manifest.json`.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Component, Path, PathBuf};
use std::str::FromStr as _;

use oci_spec::image::{Descriptor, ImageIndex};
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tar::EntryType;

use crate::store::{ImageStore, ImageSummary, checked_digest};
use crate::{Error, layer};

/// Manifests and indexes are small; more than this of one is refused: 16 MiB.
const DOCUMENT_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// One image of `docker save`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SavedImage {
    config: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    layers: Vec<String>,
}

impl ImageStore {
    /// Adds every image of an archive; answers what was added.
    ///
    /// # Errors
    /// [`Error::Unpack`] or [`Error::Digest`] when the archive is truncated, damaged or of another form.
    pub fn import(&self, archive: &Path) -> Result<Vec<ImageSummary>, Error> {
        let directory = self.temporary_path();
        std::fs::create_dir(&directory).map_err(Error::io(&directory))?;
        let names = extract(archive, &directory).and_then(|()| {
            if directory.join("index.json").is_file() {
                self.import_layout(&directory)
            } else if directory.join("manifest.json").is_file() {
                self.import_saved(&directory)
            } else {
                let what = "it is neither an OCI image layout nor what `docker save` writes";
                Err(Error::unpack(&archive.display().to_string(), what))
            }
        });
        let _best_effort = std::fs::remove_dir_all(&directory);
        let names = names?;
        Ok(self.list()?.into_iter().filter(|image| names.contains(&image.reference)).collect())
    }

    fn import_layout(&self, directory: &Path) -> Result<Vec<String>, Error> {
        let index: ImageIndex = document(&directory.join("index.json"))?;
        let mut blobs = BTreeMap::new();
        let blobs_directory = directory.join("blobs/sha256");
        if let Ok(entries) = std::fs::read_dir(&blobs_directory) {
            for entry in entries.flatten() {
                if let Some(hex) = entry.file_name().to_str() {
                    blobs.insert(format!("sha256:{hex}"), entry.path());
                }
            }
        }
        let mut all = Vec::new();
        for descriptor in index.manifests() {
            let manifest = manifest_for_this_machine(descriptor, &blobs)?;
            let names = names_of(descriptor, manifest.digest().as_ref())?;
            let path = blob(&blobs, manifest.digest().as_ref())?;
            let bytes = std::fs::read(path).map_err(Error::io(path))?;
            self.put_image(&names, &bytes, manifest.digest().as_ref(), &blobs)?;
            all.extend(names);
        }
        if all.is_empty() { Err(Error::unpack("index.json", "it names no image")) } else { Ok(all) }
    }

    fn import_saved(&self, directory: &Path) -> Result<Vec<String>, Error> {
        let saved: Vec<SavedImage> = document(&directory.join("manifest.json"))?;
        let mut all = Vec::new();
        for image in saved {
            let mut blobs = BTreeMap::new();
            let mut descriptor = |name: &str, media_type: &str| {
                let path = inside(directory, name)?;
                let digest = layer::digest_of(&path)?;
                let size = std::fs::metadata(&path).map_err(Error::io(&path))?.len();
                blobs.insert(digest.clone(), path);
                Ok::<_, Error>(json!({ "mediaType": media_type, "digest": digest, "size": size }))
            };
            let config = descriptor(&image.config, "application/vnd.oci.image.config.v1+json")?;
            let layers = image
                .layers
                .iter()
                .map(|layer| descriptor(layer, "application/vnd.oci.image.layer.v1.tar"))
                .collect::<Result<Vec<_>, _>>()?;
            let manifest = json!({
                "schemaVersion": 2,
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "config": config,
                "layers": layers,
            });
            let bytes = manifest.to_string().into_bytes();
            let digest = format!("sha256:{}", hex::encode(Sha256::digest(&bytes)));
            let tags = image.repo_tags.unwrap_or_default();
            let names = tags.iter().map(|tag| whole(tag)).collect::<Result<Vec<_>, _>>()?;
            let names = if names.is_empty() { vec![unnamed(&digest)] } else { names };
            self.put_image(&names, &bytes, &digest, &blobs)?;
            all.extend(names);
        }
        Ok(all)
    }
}

/// Writes the regular files of an archive into a directory; links and the like are not needed.
fn extract(archive: &Path, directory: &Path) -> Result<(), Error> {
    let shown = archive.display().to_string();
    let failed = |error: std::io::Error| Error::unpack(&shown, error);
    let mut tar = tar::Archive::new(layer::decompressed(archive)?);
    for entry in tar.entries().map_err(failed)? {
        let mut entry = entry.map_err(failed)?;
        if entry.header().entry_type() != EntryType::Regular {
            continue;
        }
        let name = entry.path().map_err(failed)?.display().to_string();
        let path = inside(directory, &name)?;
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(Error::io(parent))?;
        }
        let size = entry.header().size().map_err(failed)?;
        let mut file = std::fs::File::create(&path).map_err(Error::io(&path))?;
        let copied = std::io::copy(&mut entry, &mut file).map_err(failed)?;
        if copied != size {
            return Err(Error::unpack(&shown, format!("it is truncated in `{name}`")));
        }
    }
    Ok(())
}

/// The path of an archive's entry in `directory`; names that lead elsewhere are refused.
fn inside(directory: &Path, name: &str) -> Result<PathBuf, Error> {
    let mut path = directory.to_path_buf();
    for component in Path::new(name).components() {
        match component {
            Component::Normal(part) => path.push(part),
            Component::CurDir => {}
            _ => return Err(Error::unpack(name, "the name leads out of the archive")),
        }
    }
    Ok(path)
}

fn document<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, Error> {
    let file = std::fs::File::open(path).map_err(Error::io(path))?;
    let mut bytes = Vec::new();
    file.take(DOCUMENT_BYTES_MAX).read_to_end(&mut bytes).map_err(Error::io(path))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    serde_json::from_slice(&bytes).map_err(|error| Error::unpack(&name, error))
}

fn blob<'a>(blobs: &'a BTreeMap<String, PathBuf>, digest: &str) -> Result<&'a PathBuf, Error> {
    checked_digest(digest)?;
    blobs.get(digest).ok_or_else(|| Error::unpack(digest, "the archive does not hold it"))
}

/// The manifest itself, or that of this machine's platform in a nested index.
fn manifest_for_this_machine(
    descriptor: &Descriptor,
    blobs: &BTreeMap<String, PathBuf>,
) -> Result<Descriptor, Error> {
    if !descriptor.media_type().to_string().contains("index")
        && !descriptor.media_type().to_string().contains("list")
    {
        return Ok(descriptor.clone());
    }
    let index: ImageIndex = document(blob(blobs, descriptor.digest().as_ref())?)?;
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let fits = |candidate: &&Descriptor| {
        candidate.platform().as_ref().is_none_or(|platform| {
            platform.os().to_string() == "linux" && platform.architecture().to_string() == architecture
        })
    };
    index.manifests().iter().find(fits).cloned().ok_or_else(|| {
        Error::unpack(descriptor.digest().as_ref(), format!("it holds no image for linux/{architecture}"))
    })
}

fn names_of(descriptor: &Descriptor, digest: &str) -> Result<Vec<String>, Error> {
    let annotations = descriptor.annotations().clone().unwrap_or_default();
    let full = annotations.get("io.containerd.image.name");
    let short = annotations.get("org.opencontainers.image.ref.name");
    match (full, short) {
        (Some(name), _) => Ok(vec![whole(name)?]),
        // A bare tag says nothing about the repository.
        (None, Some(name)) if name.contains(['/', ':']) => Ok(vec![whole(name)?]),
        _ => Ok(vec![unnamed(digest)]),
    }
}

fn unnamed(digest: &str) -> String {
    format!("localhost/imported@{digest}")
}

/// A reference with everything that it leaves out: `busybox` is `docker.io/library/busybox:latest`.
fn whole(name: &str) -> Result<String, Error> {
    oci_client::Reference::from_str(name)
        .map(|reference| reference.whole())
        .map_err(|error| Error::Reference { reference: name.to_owned(), what: error.to_string() })
}
