//! What the Pod's volumes are made of on this machine.
//! Nothing is written here: contents of ConfigMaps, Secrets and the Pod's own fields become [`FileEntry`]s.
//! Invariant: paths inside of a volume are relative and never contain `..`.

use std::path::{Component, Path, PathBuf};

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{
    ConfigMap, DownwardAPIVolumeFile, EmptyDirVolumeSource, HostPathVolumeSource, KeyToPath,
    PersistentVolumeClaimVolumeSource, ProjectedVolumeSource, Secret, Volume as PodVolume, VolumeProjection,
};

use crate::downward;
use crate::environment::{missing_config_map, missing_secret};
use crate::input::Input;
use crate::plan::{FileEntry, PlanError, Volume, VolumeKind};
use crate::quantity::whole_units;

/// The annotation of a claim that stands for a host directory.
const HOST_PATH_ANNOTATION: &str = "pipelineservice.io/host-path";
/// Permission bits of files of volumes that set none.
const DEFAULT_FILE_MODE: i32 = 0o644;

/// Plans all volumes of the Pod.
pub(crate) fn volumes(input: &Input<'_>, group: Option<u32>) -> Result<Vec<Volume>, PlanError> {
    let volumes = input.pod.spec.as_ref().and_then(|spec| spec.volumes.as_ref());
    volumes.into_iter().flatten().map(|volume| one_volume(input, volume, group)).collect()
}

fn one_volume(input: &Input<'_>, volume: &PodVolume, group: Option<u32>) -> Result<Volume, PlanError> {
    let name = &volume.name;
    let own_path = input.pod_dir.join("volumes").join(name);
    let set_up_failed = |error: PlanError| PlanError {
        message: format!("MountVolume.SetUp failed for volume \"{name}\" : {}", error.message),
        ..error
    };
    let planned = |path, kind| Volume { name: name.clone(), path, kind, group, sub_paths: Vec::new() };
    let files = |files: Result<Vec<FileEntry>, PlanError>| {
        files.map(|files| planned(own_path.clone(), VolumeKind::Files(files))).map_err(set_up_failed)
    };
    if let Some(source) = &volume.empty_dir {
        Ok(planned(own_path, empty_dir(source).map_err(set_up_failed)?))
    } else if let Some(source) = &volume.config_map {
        let optional = source.optional == Some(true);
        let mode = source.default_mode;
        files(config_map_files(input, &source.name, source.items.as_deref(), (optional, mode)))
    } else if let Some(source) = &volume.secret {
        let secret = source.secret_name.as_deref().unwrap_or_default();
        let optional = source.optional == Some(true);
        files(secret_files(input, secret, source.items.as_deref(), (optional, source.default_mode)))
    } else if let Some(source) = &volume.downward_api {
        files(downward_files(input, source.items.as_deref().unwrap_or_default(), source.default_mode))
    } else if let Some(source) = &volume.projected {
        files(projected_files(input, source))
    } else if let Some(source) = &volume.persistent_volume_claim {
        let (path, kind) = claim(input, source)?;
        // A host directory keeps its owner: changing it would change the user's own files.
        let group = if matches!(kind, VolumeKind::Claim) { group } else { None };
        Ok(Volume { group, ..planned(path, kind) })
    } else if let Some(source) = &volume.host_path {
        let (path, kind) = host_path(input, name, source)?;
        Ok(Volume { group: None, ..planned(path, kind) })
    } else {
        Err(PlanError::never(format!(
            "volume \"{name}\" is of a kind that this node does not support: use emptyDir, configMap, secret, \
             downwardAPI, projected, persistentVolumeClaim or hostPath"
        )))
    }
}

fn empty_dir(source: &EmptyDirVolumeSource) -> Result<VolumeKind, PlanError> {
    let limit = match &source.size_limit {
        Some(limit) => {
            Some(whole_units(&limit.0).and_then(|bytes| u64::try_from(bytes).ok()).ok_or_else(|| {
                PlanError::never(format!("emptyDir.sizeLimit {} is not a quantity", limit.0))
            })?)
        }
        None => None,
    };
    match source.medium.as_deref() {
        None | Some("") => Ok(VolumeKind::Directory { size_limit_bytes: limit.filter(|bytes| *bytes > 0) }),
        Some("Memory") => Ok(VolumeKind::Memory { size_limit_bytes: limit.filter(|bytes| *bytes > 0) }),
        Some(other) => Err(PlanError::never(format!("emptyDir.medium {other} is not supported"))),
    }
}

type OptionalAndMode = (bool, Option<i32>);

fn config_map_files(
    input: &Input<'_>,
    name: &str,
    items: Option<&[KeyToPath]>,
    (optional, mode): OptionalAndMode,
) -> Result<Vec<FileEntry>, PlanError> {
    match input.objects.config_maps.get(name) {
        Some(config_map) => {
            let missing =
                |key: &str| PlanError::missing(format!("references non-existent config key: {key}"));
            pick(&config_map_data(config_map), items, (optional, mode), missing)
        }
        None if optional => Ok(Vec::new()),
        None => Err(missing_config_map(name)),
    }
}

fn secret_files(
    input: &Input<'_>,
    name: &str,
    items: Option<&[KeyToPath]>,
    (optional, mode): OptionalAndMode,
) -> Result<Vec<FileEntry>, PlanError> {
    match input.objects.secrets.get(name) {
        Some(secret) => {
            let missing =
                |key: &str| PlanError::missing(format!("references non-existent secret key: {key}"));
            pick(&secret_data(secret), items, (optional, mode), missing)
        }
        None if optional => Ok(Vec::new()),
        None => Err(missing_secret(name)),
    }
}

fn config_map_data(config_map: &ConfigMap) -> Vec<(&str, &[u8])> {
    let text = config_map.data.iter().flatten().map(|(key, value)| (key.as_str(), value.as_bytes()));
    let binary = config_map.binary_data.iter().flatten();
    text.chain(binary.map(|(key, ByteString(value))| (key.as_str(), value.as_slice()))).collect()
}

fn secret_data(secret: &Secret) -> Vec<(&str, &[u8])> {
    let data = secret.data.iter().flatten();
    data.map(|(key, ByteString(value))| (key.as_str(), value.as_slice())).collect()
}

/// The chosen keys as files; all of them when no items are named.
fn pick(
    data: &[(&str, &[u8])],
    items: Option<&[KeyToPath]>,
    (optional, mode): OptionalAndMode,
    missing: impl Fn(&str) -> PlanError,
) -> Result<Vec<FileEntry>, PlanError> {
    let Some(items) = items.filter(|items| !items.is_empty()) else {
        return data.iter().map(|(key, value)| file(key, mode, value)).collect();
    };
    let mut files = Vec::with_capacity(items.len());
    for item in items {
        match data.iter().find(|(key, _)| *key == item.key) {
            Some((_, value)) => files.push(file(&item.path, item.mode.or(mode), value)?),
            None if optional => {}
            None => return Err(missing(&item.key)),
        }
    }
    Ok(files)
}

fn downward_files(
    input: &Input<'_>,
    items: &[DownwardAPIVolumeFile],
    mode: Option<i32>,
) -> Result<Vec<FileEntry>, PlanError> {
    let containers = input.pod.spec.as_ref().map_or(&[][..], |spec| &spec.containers);
    let value = |item: &DownwardAPIVolumeFile| match (&item.field_ref, &item.resource_field_ref) {
        (Some(selector), _) => downward::field(input.pod, input.machine, selector),
        (None, Some(selector)) => downward::resource(containers, None, input.machine, selector),
        (None, None) => Err(PlanError::never(format!("downwardAPI item {} names no field", item.path))),
    };
    items.iter().map(|item| file(&item.path, item.mode.or(mode), value(item)?.as_bytes())).collect()
}

fn projected_files(input: &Input<'_>, source: &ProjectedVolumeSource) -> Result<Vec<FileEntry>, PlanError> {
    let mut files = Vec::new();
    for projection in source.sources.iter().flatten() {
        files.extend(projection_files(input, projection, source.default_mode)?);
    }
    Ok(files)
}

fn projection_files(
    input: &Input<'_>,
    projection: &VolumeProjection,
    mode: Option<i32>,
) -> Result<Vec<FileEntry>, PlanError> {
    if let Some(source) = &projection.config_map {
        let optional = source.optional == Some(true);
        config_map_files(input, &source.name, source.items.as_deref(), (optional, mode))
    } else if let Some(source) = &projection.secret {
        let optional = source.optional == Some(true);
        secret_files(input, &source.name, source.items.as_deref(), (optional, mode))
    } else if let Some(source) = &projection.downward_api {
        downward_files(input, source.items.as_deref().unwrap_or_default(), mode)
    } else if projection.service_account_token.is_some() {
        Err(PlanError::never("projected serviceAccountToken sources are not supported yet"))
    } else {
        Err(PlanError::never(
            "a projected source is not supported: use configMap, secret or downwardAPI sources",
        ))
    }
}

fn claim(
    input: &Input<'_>,
    source: &PersistentVolumeClaimVolumeSource,
) -> Result<(PathBuf, VolumeKind), PlanError> {
    let name = &source.claim_name;
    let Some(claim) = input.objects.claims.get(name) else {
        return Err(PlanError::missing(format!("persistentvolumeclaim \"{name}\" not found")));
    };
    let annotations = claim.metadata.annotations.as_ref();
    if let Some(path) = annotations.and_then(|annotations| annotations.get(HOST_PATH_ANNOTATION)) {
        if !input.machine.permissions.host_paths {
            return Err(PlanError::never(format!(
                "persistentvolumeclaim \"{name}\" stands for a host directory, which this node does not allow: \
                 only `psvc run` does"
            )));
        }
        return Ok((absolute(path)?, VolumeKind::HostPath { expected: "Directory".to_owned() }));
    }
    let uid = claim.metadata.uid.as_deref().filter(|uid| is_plain_name(uid));
    let uid =
        uid.ok_or_else(|| PlanError::missing(format!("persistentvolumeclaim \"{name}\" has no uid")))?;
    Ok((input.machine.claims_dir.join(uid), VolumeKind::Claim))
}

fn host_path(
    input: &Input<'_>,
    name: &str,
    source: &HostPathVolumeSource,
) -> Result<(PathBuf, VolumeKind), PlanError> {
    if !input.machine.permissions.host_paths {
        return Err(PlanError::never(format!(
            "volume \"{name}\" is a hostPath, which this node does not allow: only `psvc run` does"
        )));
    }
    let expected = source.type_.clone().unwrap_or_default();
    Ok((absolute(&source.path)?, VolumeKind::HostPath { expected }))
}

fn absolute(path: &str) -> Result<PathBuf, PlanError> {
    let path = Path::new(path);
    if path.is_absolute() && !path.components().any(|part| part == Component::ParentDir) {
        Ok(path.to_owned())
    } else {
        Err(PlanError::never(format!("host path {} is not an absolute path without `..`", path.display())))
    }
}

fn file(path: &str, mode: Option<i32>, content: &[u8]) -> Result<FileEntry, PlanError> {
    let mode = u32::try_from(mode.unwrap_or(DEFAULT_FILE_MODE)).unwrap_or_default() & 0o777;
    Ok(FileEntry { path: relative(path)?, mode, content: content.to_owned() })
}

/// Checks that a path stays inside of the directory that it is joined to.
pub(crate) fn relative(path: &str) -> Result<PathBuf, PlanError> {
    let mut clean = PathBuf::new();
    for part in Path::new(path).components() {
        match part {
            Component::Normal(part) => clean.push(part),
            Component::CurDir => {}
            _ => {
                return Err(PlanError::never(format!("path {path:?} must be relative and not contain `..`")));
            }
        }
    }
    Ok(clean)
}

fn is_plain_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}
