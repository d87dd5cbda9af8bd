//! What a container sees of files: layers, binds, the view of the machine, and links that lead astray.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use linux::mount::{self, Bind};
use linux::overlay::Overlay;
use linux::privileges::{Privileges, UserIsolation};
use linux::userns::{FIRST_POD_ID, IdRange, UserNamespace, in_initial_namespace};
use linux::{hostview, process::Ended};
use serde_json::json;

use super::{Bundle, busybox_root, chain};

pub(super) const CASES: &[(&str, bool, fn())] = &[
    ("layers are stacked in order, and writes leave them alone", true, layers),
    ("layers with the image's owners are right inside a user namespace", false, mapped_layers),
    ("a mapped volume keeps the owners of the disk and of the container", false, mapped_volume),
    ("a read-only bind is read-only below other mounts too", true, readonly_bind),
    ("links in the image cannot lead a mount out of it", true, links_stay_inside),
    ("a mount on a link to nothing makes what it leads to, inside", true, dangling_link),
    ("a read-only root takes no files but mounts do", true, readonly_root),
    ("the devices are there, and nodes of the image do nothing", true, devices),
    ("the view of the machine is read-only and hides what runs", true, machine_view),
    ("more layers than the kernel's options hold are stacked", true, many_layers),
    ("what the machine offers is found out", true, detected),
];

fn overlay(bundle: &Bundle, layers: &[&str]) -> Overlay {
    Overlay {
        layers: layers.iter().map(|name| bundle.path().join(name)).collect(),
        scratch: bundle.path().join("scratch"),
    }
}

fn layers() {
    let bundle = Bundle::script("cat /etc/which /only-below; echo changed > /etc/which; cat /etc/which");
    busybox_root(&bundle.path().join("base"));
    fs::write(bundle.path().join("base/etc/which"), "base\n").unwrap();
    fs::write(bundle.path().join("base/only-below"), "below\n").unwrap();
    fs::create_dir_all(bundle.path().join("top/etc")).unwrap();
    fs::write(bundle.path().join("top/etc/which"), "top\n").unwrap();
    overlay(&bundle, &["base", "top"]).mount(&bundle.root(), None).unwrap();
    assert_eq!(bundle.output(), "top\nbelow\nchanged\n");
    mount::unmount(&bundle.root()).unwrap();
    assert_eq!(fs::read_to_string(bundle.path().join("top/etc/which")).unwrap(), "top\n");
    assert_eq!(fs::read_to_string(bundle.path().join("scratch/upper/etc/which")).unwrap(), "changed\n");
}

fn mapped_layers() {
    let script =
        "stat -c %u /bin/busybox /etc/passwd /home; touch /etc/passwd /new; stat -c %u /etc/passwd /new /";
    let bundle = Bundle::script(script).in_user_namespace();
    let base = bundle.path().join("base");
    busybox_root(&base);
    fs::create_dir(base.join("home")).unwrap();
    std::os::unix::fs::chown(base.join("home"), Some(1000), Some(1000)).unwrap();
    let userns = UserNamespace::create(IdRange::for_pod(FIRST_POD_ID, 7)).unwrap();
    overlay(&bundle, &["base"]).mount(&bundle.root(), Some(&userns)).unwrap();
    assert_eq!(bundle.output(), "0\n0\n1000\n0\n0\n0\n");
    mount::unmount(&bundle.root()).unwrap();
    assert_eq!(fs::metadata(base.join("etc/passwd")).unwrap().uid(), 0);
    fs::remove_dir_all(bundle.path().join("scratch")).unwrap();
}

fn mapped_volume() {
    let mut bundle = Bundle::script("stat -c %u /data /data/old; touch /data/new").in_user_namespace();
    let (disk, staged) = (bundle.path().join("disk"), bundle.path().join("staged"));
    fs::create_dir(&disk).unwrap();
    fs::create_dir(&staged).unwrap();
    fs::write(disk.join("old"), "").unwrap();
    let userns = UserNamespace::create(IdRange::for_pod(FIRST_POD_ID, 7)).unwrap();
    let bind =
        Bind { source: &disk, target: &staged, recursive: false, readonly: false, idmap: Some(&userns) };
    bind.mount().unwrap();
    bundle.bind(&staged, "/data", &[]);
    assert_eq!(bundle.output(), "0\n0\n");
    assert_eq!(fs::metadata(disk.join("new")).unwrap().uid(), 0);
    mount::unmount(&staged).unwrap();
}

fn readonly_bind() {
    let mut bundle = Bundle::script("touch /data/x; touch /data/below/x");
    let below = bundle.path().join("data/below");
    fs::create_dir_all(&below).unwrap();
    mount::tmpfs(&below, "mode=777").unwrap();
    let data = bundle.path().join("data");
    bundle.bind(&data, "/data", &["rbind", "ro"]);
    let outcome = bundle.run().unwrap();
    assert_eq!(outcome.err.matches("Read-only file system").count(), 2, "{outcome:?}");
    mount::unmount(&below).unwrap();
}

fn links_stay_inside() {
    let mut bundle = Bundle::script("cat /away/tmp/marker/file");
    let outside = bundle.path().join("outside");
    fs::create_dir_all(&outside).unwrap();
    symlink("../../../../../..", bundle.root().join("away")).unwrap();
    symlink(&outside, bundle.root().join("absolute")).unwrap();
    let volume = bundle.path().join("volume");
    fs::create_dir(&volume).unwrap();
    fs::write(volume.join("file"), "inside\n").unwrap();
    bundle.bind(&volume, "/away/tmp/marker", &[]);
    assert_eq!(bundle.output(), "inside\n");
    assert!(bundle.root().join("tmp/marker").exists());
    bundle.bind(&volume, "/absolute/marker", &[]);
    assert_eq!(bundle.output(), "inside\n");
    assert!(!outside.join("marker").exists());
    assert!(bundle.root().join(outside.strip_prefix("/").unwrap()).join("marker").exists());
}

fn dangling_link() {
    let mut bundle = Bundle::script("cat /etc/resolv.conf; cat /loop/x");
    symlink("../run/resolve/stub.conf", bundle.root().join("etc/resolv.conf")).unwrap();
    symlink("loop", bundle.root().join("loop")).unwrap();
    let file = bundle.path().join("file");
    fs::write(&file, "nameserver\n").unwrap();
    bundle.bind(&file, "/etc/resolv.conf", &[]);
    assert_eq!(bundle.run().unwrap().out, "nameserver\n");
    bundle.bind(&file, "/loop/x", &[]);
    let error = chain(&bundle.run().unwrap_err());
    assert!(error.contains("Too many levels of symbolic links"), "{error}");
}

fn readonly_root() {
    let mut bundle = Bundle::script("touch /x; touch /dev/shm/x && echo shm");
    bundle.config["root"]["readonly"] = json!(true);
    let outcome = bundle.run().unwrap();
    assert_eq!(outcome.out, "shm\n");
    assert!(outcome.err.contains("/x: Read-only file system"), "{outcome:?}");
}

fn devices() {
    let script = "head -c 8 /dev/zero | wc -c; echo x > /dev/null; head -c 4 /dev/urandom | wc -c; \
                  readlink /dev/stdout; readlink /dev/ptmx; mknod /tmp/disk b 1 0 && cat /tmp/disk; true";
    let outcome = Bundle::script(script).run().unwrap();
    assert_eq!(outcome.out, "8\n4\n/proc/self/fd/1\npts/ptmx\n", "{outcome:?}");
    assert!(
        outcome.err.contains("Permission denied") || outcome.err.contains("not permitted"),
        "{outcome:?}"
    );
}

fn machine_view() {
    let mut bundle = Bundle::program(&[
        "/bin/sh",
        "-c",
        "ls /proc/1/comm /usr/bin/env; ls /run /tmp; echo x > /etc/hostname; echo x > /usr/x; ls /hidden; touch /workspace/x && echo ok",
    ]);
    bundle.config["process"]["env"] = json!(["PATH=/usr/bin:/bin"]);
    let hidden = bundle.path().to_owned();
    hostview::mount(&bundle.root(), &[hidden], None).unwrap();
    let outcome = bundle.run().unwrap();
    assert_eq!(outcome.exit.ended, Ended::Code(0), "{outcome:?}");
    assert_eq!(outcome.out, "/proc/1/comm\n/usr/bin/env\n/run:\n\n/tmp:\nok\n", "{outcome:?}");
    assert_eq!(outcome.err.matches("Read-only file system").count(), 2, "{outcome:?}");
    mount::unmount(&bundle.root()).unwrap();
    if !in_initial_namespace() {
        return;
    }
    let mut bundle = Bundle::program(&[
        "/bin/sh",
        "-c",
        "id -u; cat /etc/shadow; cat /etc/hostname > /dev/null && echo read",
    ]);
    bundle.config["process"]["env"] = json!(["PATH=/usr/bin:/bin"]);
    let mut bundle = bundle.in_user_namespace();
    let userns = UserNamespace::create(IdRange::for_pod(FIRST_POD_ID, 7)).unwrap();
    let view = bundle.path().join("view");
    fs::create_dir(&view).unwrap();
    bundle.config["root"]["path"] = json!("view");
    hostview::mount(&view, &[], Some(&userns)).unwrap();
    let outcome = bundle.run().unwrap();
    assert_eq!(outcome.out, "0\nread\n", "{outcome:?}");
    assert!(outcome.err.contains("shadow: Permission denied"), "{outcome:?}");
    mount::unmount(&view).unwrap();
}

fn many_layers() {
    let bundle = Bundle::script("ls /from | wc -l");
    busybox_root(&bundle.path().join("base"));
    let mut names = vec!["base".to_owned()];
    for index in 0..100 {
        let name = format!("layer-with-a-name-as-long-as-a-digest-usually-is-in-practice-{index}");
        let directory = bundle.path().join(&name).join("from");
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join(index.to_string()), "").unwrap();
        names.push(name);
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    overlay(&bundle, &names).mount(&bundle.root(), None).unwrap();
    assert_eq!(bundle.output(), "100\n");
    mount::unmount(&bundle.root()).unwrap();
}

fn detected() {
    let directory = tempfile::tempdir_in("/tmp").unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let found = Privileges::detect(directory.path());
    assert!(!found.fatal, "{found:?}");
    match found.isolation {
        UserIsolation::NamespacePerPod => assert!(in_initial_namespace() && found.problems.is_empty()),
        UserIsolation::Rootless { ids: 1 } => assert_eq!(found.problems.len(), 1),
        UserIsolation::Rootless { .. } => assert!(found.problems.is_empty()),
        UserIsolation::None => assert_eq!(found.problems.len(), 1),
    }
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}
