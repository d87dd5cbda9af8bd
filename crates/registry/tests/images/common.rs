//! Images that the tests build: layers as tar streams, a configuration and a manifest.

use std::io::Write as _;
use std::path::Path;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// One image with its blobs.
pub(crate) struct BuiltImage {
    /// Manifest first, then configuration and layers: digest and bytes.
    pub(crate) blobs: Vec<(String, Vec<u8>)>,
    /// The manifest.
    pub(crate) manifest: Value,
}

/// A layer of files (`name`, `content`); a name that ends in `/` is a directory, `a -> b` a symbolic link.
pub(crate) fn layer(entries: &[(&str, &str)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o755);
        header.set_mtime(1_700_000_000);
        header.set_uid(0);
        header.set_gid(0);
        if let Some((link, target)) = name.split_once(" -> ") {
            header.set_entry_type(tar::EntryType::Symlink);
            header.set_size(0);
            builder.append_link(&mut header, link, target).unwrap();
        } else if name.ends_with('/') {
            header.set_entry_type(tar::EntryType::Directory);
            header.set_size(0);
            builder.append_data(&mut header, name, &[][..]).unwrap();
        } else {
            header.set_size(content.len() as u64);
            // `append_data` refuses `..`; hostile layers are made by writing the name's bytes.
            let bytes = name.as_bytes();
            header.as_old_mut().name[..bytes.len()].copy_from_slice(bytes);
            header.set_cksum();
            builder.append(&header, content.as_bytes()).unwrap();
        }
    }
    builder.into_inner().unwrap()
}

/// An image of layers, the lowest first, each compressed with gzip.
pub(crate) fn image(layers: &[Vec<u8>]) -> BuiltImage {
    let diff_ids: Vec<String> = layers.iter().map(|layer| digest(layer)).collect();
    let config = json!({
        "architecture": if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" },
        "os": "linux",
        "config": { "Env": ["PATH=/bin"], "Cmd": ["sh"], "WorkingDir": "/work" },
        "rootfs": { "type": "layers", "diff_ids": diff_ids },
    });
    let config = config.to_string().into_bytes();
    let mut blobs = vec![(digest(&config), config.clone())];
    let mut descriptors = Vec::new();
    for layer in layers {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(layer).unwrap();
        let compressed = encoder.finish().unwrap();
        descriptors.push(json!({
            "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
            "digest": digest(&compressed),
            "size": compressed.len(),
        }));
        blobs.push((digest(&compressed), compressed));
    }
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": digest(&config),
            "size": config.len(),
        },
        "layers": descriptors,
    });
    let bytes = manifest.to_string().into_bytes();
    blobs.insert(0, (digest(&bytes), bytes));
    BuiltImage { blobs, manifest }
}

/// Writes an OCI image layout as a tar file.
pub(crate) fn write_layout(image: &BuiltImage, name: &str, path: &Path) {
    let (manifest_digest, manifest) = &image.blobs[0];
    let index = json!({
        "schemaVersion": 2,
        "manifests": [{
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": manifest_digest,
            "size": manifest.len(),
            "annotations": { "org.opencontainers.image.ref.name": name },
        }],
    });
    let mut builder = tar::Builder::new(std::fs::File::create(path).unwrap());
    let mut add = |name: &str, bytes: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, bytes).unwrap();
    };
    add("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#);
    add("index.json", index.to_string().as_bytes());
    for (digest, bytes) in &image.blobs {
        add(&format!("blobs/sha256/{}", digest.trim_start_matches("sha256:")), bytes);
    }
    builder.finish().unwrap();
}

pub(crate) fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}
