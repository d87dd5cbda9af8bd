//! Images that the tests build from Debian's busybox: imported, and pulled from a registry on loopback.

use std::path::Path;
use std::process::Command;

use crate::process::{psvc, shown};

/// An archive as `docker save` writes it, with busybox and a user of its own.
fn busybox_archive(directory: &Path, tag: &str) -> std::path::PathBuf {
    let layer = directory.join("rootfs");
    for name in ["bin", "etc", "tmp"] {
        std::fs::create_dir_all(layer.join(name)).unwrap();
    }
    std::fs::copy("/bin/busybox", layer.join("bin/busybox")).expect("Debian's busybox-static");
    for applet in ["sh", "echo", "cat", "id", "sleep"] {
        std::os::unix::fs::symlink("busybox", layer.join("bin").join(applet)).unwrap();
    }
    std::fs::write(layer.join("etc/passwd"), "root:x:0:0::/:/bin/sh\nbuilder:x:1000:1000::/home:/bin/sh\n")
        .unwrap();
    let tar = |arguments: &[&str]| {
        assert!(Command::new("tar").current_dir(directory).args(arguments).status().unwrap().success());
    };
    tar(&["--owner=0", "--group=0", "--numeric-owner", "-C", "rootfs", "-cf", "layer.tar", "."]);
    let sum = Command::new("sha256sum").arg(directory.join("layer.tar")).output().unwrap();
    let diff_id: String = String::from_utf8(sum.stdout).unwrap().chars().take(64).collect();
    let config = format!(
        r#"{{"architecture":"{}","os":"linux","config":{{"User":"builder","Env":["PATH=/bin","FROM_IMAGE=yes"],"Entrypoint":["/bin/sh","-c"],"Cmd":["echo from the command of the image as $(id -un)"],"WorkingDir":"/tmp"}},"rootfs":{{"type":"layers","diff_ids":["sha256:{diff_id}"]}}}}"#,
        if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" }
    );
    std::fs::write(directory.join("config.json"), config).unwrap();
    let manifest = format!(r#"[{{"Config":"config.json","RepoTags":["{tag}"],"Layers":["layer.tar"]}}]"#);
    std::fs::write(directory.join("manifest.json"), manifest).unwrap();
    tar(&["-cf", "image.tar", "manifest.json", "config.json", "layer.tar"]);
    directory.join("image.tar")
}

#[test]
fn an_imported_image_gives_entrypoint_environment_user_and_directory() {
    let data = tempfile::tempdir().unwrap();
    let archive = busybox_archive(data.path(), "test/busybox:1");
    let output = psvc(data.path(), &["image", "import", archive.to_str().unwrap()]);
    assert!(output.status.success(), "{}", shown(&output));
    let output = psvc(data.path(), &["image", "list"]);
    assert!(
        String::from_utf8_lossy(&output.stdout).contains("docker.io/test/busybox:1"),
        "{}",
        shown(&output)
    );

    let file = data.path().join("task.yaml");
    let text = "apiVersion: tekton.dev/v1\nkind: TaskRun\nmetadata: {name: image}\nspec:\n  taskSpec:\n    steps:\n      - {name: own, image: test/busybox:1}\n      - {name: mine, image: test/busybox:1, script: 'echo $FROM_IMAGE in $PWD as $(id -u)'}\n";
    std::fs::write(&file, text).unwrap();
    let output = psvc(data.path(), &["run", file.to_str().unwrap()]);
    let log = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(log.contains("from the command of the image as builder"), "{}", shown(&output));
    assert!(log.contains("yes in /tmp as 1000"), "{}", shown(&output));

    let output = psvc(data.path(), &["image", "prune", "--all"]);
    assert!(output.status.success(), "{}", shown(&output));
}

#[test]
fn an_image_that_cannot_be_pulled_fails_the_run_with_the_reason() {
    let data = tempfile::tempdir().unwrap();
    let file = data.path().join("task.yaml");
    let text = "apiVersion: tekton.dev/v1\nkind: TaskRun\nmetadata: {name: image}\nspec:\n  taskSpec:\n    steps: [{name: s, image: '127.0.0.1:9/no/such:1', script: 'true'}]\n";
    std::fs::write(&file, text).unwrap();
    let output = psvc(data.path(), &["run", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(5), "{}", shown(&output));
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(error.contains("TaskRunImagePullFailed") && error.contains("127.0.0.1:9"), "{}", shown(&output));
}
