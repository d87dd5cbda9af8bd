//! Importing archives, and what a hostile or damaged one may not do.

use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::Path;
use std::sync::Arc;

use crate::common::{image, layer, write_layout};
use registry::{ImageStore, PullPolicy, Registries};

fn store(directory: &Path) -> Arc<ImageStore> {
    Arc::new(ImageStore::open(directory.join("images"), Registries::none()).unwrap())
}

#[tokio::test]
async fn an_imported_image_is_ready_without_a_registry_and_survives_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let lower = layer(&[("bin/", ""), ("bin/sh", "#!shell"), ("etc/gone", "old"), ("dir/a", "1")]);
    let upper =
        layer(&[("etc/.wh.gone", ""), ("dir/.wh..wh..opq", ""), ("dir/b", "2"), ("sh -> /bin/sh", "")]);
    let archive = directory.path().join("image.tar");
    write_layout(&image(&[lower, upper]), "test/busybox:1", &archive);

    let imported = store(directory.path()).import(&archive).unwrap();
    assert_eq!(imported[0].reference, "docker.io/test/busybox:1");

    let image = store(directory.path()).resolve("test/busybox:1", PullPolicy::Always, None).await.unwrap();
    assert!(image.id.starts_with("docker.io/test/busybox@sha256:"), "{}", image.id);
    let [lower, upper] = image.layers.as_slice() else { panic!("{:?}", image.layers) };
    assert_eq!(std::fs::read_to_string(lower.join("bin/sh")).unwrap(), "#!shell");
    assert_eq!(std::fs::metadata(lower.join("bin/sh")).unwrap().mode() & 0o7777, 0o755);
    assert!(std::fs::symlink_metadata(upper.join("etc/gone")).unwrap().file_type().is_char_device());
    let mut opaque = [0; 4];
    let length = rustix::fs::getxattr(upper.join("dir"), "user.overlay.opaque", &mut opaque[..]).unwrap();
    assert_eq!(&opaque[..length], b"y");
    assert_eq!(std::fs::read_link(upper.join("sh")).unwrap(), Path::new("/bin/sh"));
    let config = image.config.config().clone().unwrap();
    assert_eq!(config.cmd().clone().unwrap(), ["sh"]);
}

#[test]
fn a_layer_cannot_write_outside_its_directory() {
    let directory = tempfile::tempdir().unwrap();
    let outside = directory.path().join("outside");
    std::fs::create_dir(&outside).unwrap();
    let target = outside.display().to_string();
    let link = format!("escape -> {target}");
    let relative = "up -> ../../../../../../..";
    for (name, entries) in [
        ("a name that leads upward", vec![("../../evil", "x")]),
        ("an absolute symbolic link", vec![(link.as_str(), ""), ("escape/evil", "x")]),
        ("a relative symbolic link", vec![(relative, ""), ("up/tmp/registry-evil", "x")]),
    ] {
        let archive = directory.path().join("hostile.tar");
        write_layout(&image(&[layer(&entries)]), "test/hostile:1", &archive);
        // Refused, or kept inside: both are safe.
        let _either = store(directory.path()).import(&archive);
        assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 0, "{name} wrote outside");
        assert!(
            !directory.path().join("evil").exists() && !Path::new("/tmp/registry-evil").exists(),
            "{name}"
        );
    }
}

#[test]
fn a_truncated_or_damaged_archive_is_refused_and_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let archive = directory.path().join("image.tar");
    let mut built = image(&[layer(&[("file", "content")])]);
    write_layout(&built, "test/image:1", &archive);
    let whole = std::fs::read(&archive).unwrap();
    for length in [0, 100, whole.len() / 3, whole.len() / 2] {
        std::fs::write(&archive, &whole[..length]).unwrap();
        let store = store(directory.path());
        assert!(store.import(&archive).is_err(), "{length} bytes of {} were accepted", whole.len());
        assert_eq!(store.list().unwrap(), []);
    }
    built.blobs.last_mut().unwrap().1[20] ^= 1;
    write_layout(&built, "test/image:1", &archive);
    let error = store(directory.path()).import(&archive).unwrap_err().to_string();
    assert!(error.contains("is damaged: expected sha256:"), "{error}");
    std::fs::write(&archive, b"not an archive at all").unwrap();
    assert!(store(directory.path()).import(&archive).is_err());
}

#[test]
fn pruning_removes_what_no_reference_needs() {
    let directory = tempfile::tempdir().unwrap();
    let store = store(directory.path());
    let archive = directory.path().join("image.tar");
    for content in ["first", "second"] {
        write_layout(&image(&[layer(&[("file", content)])]), "test/image:1", &archive);
        store.import(&archive).unwrap();
    }
    let pruned = store.prune(false).unwrap();
    assert_eq!((pruned.layers, pruned.blobs), (1, 2));
    assert_eq!(store.list().unwrap().len(), 1);
    let pruned = store.prune(true).unwrap();
    assert_eq!((pruned.layers, pruned.blobs), (1, 2));
    assert_eq!(store.list().unwrap(), []);
}
