//! What a container mounts: the kernel's file systems, the Pod's files under `/etc`, `/tekton`, and its volumes.
//! Invariant: parents come before what is mounted below them; what the Pod mounts wins over what we would.

use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1::{Container, VolumeMount};
use oci_spec::runtime::Mount;

use crate::environment::Environment;
use crate::expansion::expand;
use crate::plan::{PlanError, Rootfs, Volume, VolumeKind};
use crate::tekton;
use crate::volumes::relative;

/// What the mounts of one container depend on.
pub(crate) struct MountContext<'a> {
    pub(crate) pod_dir: &'a Path,
    pub(crate) tekton_dir: Option<&'a Path>,
    pub(crate) rootfs: &'a Rootfs,
    /// The file behind the container's `terminationMessagePath`, and that path.
    pub(crate) termination: Option<(&'a Path, &'a str)>,
}

/// All mounts of `container`, the step at `index`; notes the `subPath`s in `volumes`.
pub(crate) fn mounts(
    context: &MountContext<'_>,
    (index, container): (usize, &Container),
    environment: &Environment,
    volumes: &mut [Volume],
) -> Result<Vec<Mount>, PlanError> {
    let mut binds: Vec<Mount> = Vec::new();
    for mount in container.volume_mounts.iter().flatten() {
        binds.push(volume_mount(mount, environment, volumes)?);
    }
    for (source, destination, read_only) in implicit_binds(context, index) {
        let taken = |mount: &Mount| mount.destination() == Path::new(&destination);
        if !binds.iter().any(taken) {
            binds.push(bind(&source, &destination, read_only));
        }
    }
    binds.sort_by_key(|mount| mount.destination().components().count());
    let mut mounts = kernel_mounts();
    mounts.extend(binds);
    Ok(mounts)
}

/// Binds that the Pod does not ask for.
fn implicit_binds(context: &MountContext<'_>, index: usize) -> Vec<(PathBuf, String, bool)> {
    let mut binds = Vec::new();
    // A view of the machine's own files has its own files under /etc.
    if *context.rootfs != Rootfs::Host {
        for name in ["hosts", "hostname", "resolv.conf"] {
            binds.push((context.pod_dir.join("etc").join(name), format!("/etc/{name}"), false));
        }
    }
    if let Some(tekton_dir) = context.tekton_dir {
        binds.extend(tekton::step_mounts(tekton_dir, index));
    }
    if let Some((source, destination)) = context.termination {
        binds.push((source.to_owned(), destination.to_owned(), false));
    }
    binds
}

fn volume_mount(
    mount: &VolumeMount,
    environment: &Environment,
    volumes: &mut [Volume],
) -> Result<Mount, PlanError> {
    let VolumeMount { name, mount_path, .. } = mount;
    if !matches!(mount.mount_propagation.as_deref(), None | Some("" | "None")) {
        return Err(PlanError::never(format!("mountPropagation of volume \"{name}\" is not supported")));
    }
    let volume = volumes.iter_mut().find(|volume| volume.name == *name);
    let volume = volume.ok_or_else(|| PlanError::never(format!("volume \"{name}\" is not declared")))?;
    let sub_path = sub_path(mount, environment)?;
    let source = match sub_path {
        Some(sub_path) => {
            let source = volume.path.join(&sub_path);
            if !volume.sub_paths.contains(&sub_path) {
                volume.sub_paths.push(sub_path);
            }
            source
        }
        None => volume.path.clone(),
    };
    let destination = if mount_path.starts_with('/') { mount_path.clone() } else { format!("/{mount_path}") };
    // Kubernetes mounts what it made of objects read-only, whatever the Pod says.
    let of_files = matches!(volume.kind, VolumeKind::Files(_));
    Ok(bind(&source, &destination, of_files || mount.read_only == Some(true)))
}

/// The `subPath` of a mount, with variables of the container expanded in a `subPathExpr`.
fn sub_path(mount: &VolumeMount, environment: &Environment) -> Result<Option<PathBuf>, PlanError> {
    let text = match (mount.sub_path.as_deref(), mount.sub_path_expr.as_deref()) {
        (Some(plain), _) if !plain.is_empty() => plain.to_owned(),
        (_, Some(expression)) if !expression.is_empty() => {
            let missing = std::cell::Cell::new(false);
            let expanded = expand(expression, |name| {
                let value = environment.get(name);
                missing.set(missing.get() || value.is_none());
                value
            });
            if missing.get() {
                return Err(PlanError::never(format!("missing value for subPathExpr {expression:?}")));
            }
            expanded
        }
        _ => return Ok(None),
    };
    let path = relative(&text)?;
    Ok((!path.as_os_str().is_empty()).then_some(path))
}

fn bind(source: &Path, destination: &str, read_only: bool) -> Mount {
    let access = if read_only { "ro" } else { "rw" };
    mount_of("bind", destination, &source.to_string_lossy(), &["rbind", "rprivate", access])
}

fn mount_of(kind: &str, destination: &str, source: &str, options: &[&str]) -> Mount {
    let mut mount = Mount::default();
    mount.set_destination(PathBuf::from(destination));
    mount.set_typ(Some(kind.to_owned()));
    mount.set_source(Some(PathBuf::from(source)));
    mount.set_options(Some(options.iter().map(|&option| option.to_owned()).collect()));
    mount
}

/// The file systems that every container has. Source: the OCI runtime specification and containerd's defaults.
fn kernel_mounts() -> Vec<Mount> {
    let quiet = ["nosuid", "noexec", "nodev"];
    let with = |more: &[&'static str]| -> Vec<&'static str> { quiet.iter().chain(more).copied().collect() };
    // Only the owner of a network namespace may mount its sysfs, and a container's user namespace never is: the
    // machine's own is shown instead, without a way to change it.
    let sys = mount_of("bind", "/sys", "/sys", &with(&["rbind", "rprivate", "ro"]));
    vec![
        mount_of("proc", "/proc", "proc", &quiet),
        mount_of("tmpfs", "/dev", "tmpfs", &["nosuid", "strictatime", "mode=755", "size=65536k"]),
        mount_of(
            "devpts",
            "/dev/pts",
            "devpts",
            &["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"],
        ),
        mount_of("mqueue", "/dev/mqueue", "mqueue", &quiet),
        mount_of("tmpfs", "/dev/shm", "shm", &with(&["mode=1777", "size=65536k"])),
        sys,
    ]
}
