//! Who a container runs as: the security contexts over the image's user, names looked up in the image's files.
//! Invariant: a name that the image does not know is an error, never root.
//! Source: `SecurityContext` in the Kubernetes API; the image specification for `config.User`.

use k8s_openapi::api::core::v1::{Container, PodSecurityContext, SecurityContext};

use crate::input::Image;
use crate::plan::PlanError;

/// User, groups and home directory of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProcessUser {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) groups: Vec<u32>,
    pub(crate) home: String,
}

/// Decides who `container` runs as.
pub(crate) fn process_user(
    container: &Container,
    pod: Option<&PodSecurityContext>,
    image: &Image,
) -> Result<ProcessUser, PlanError> {
    let own = container.security_context.as_ref();
    let wanted_uid = own.and_then(|own| own.run_as_user).or(pod.and_then(|pod| pod.run_as_user));
    let wanted_gid = own.and_then(|own| own.run_as_group).or(pod.and_then(|pod| pod.run_as_group));
    let image_user =
        image.config.config().as_ref().and_then(|config| config.user().clone()).unwrap_or_default();
    let (image_name, image_group) = match image_user.split_once(':') {
        Some((user, group)) => (user, Some(group)),
        None => (image_user.as_str(), None),
    };
    refuse_root(container, own, pod, (wanted_uid, image_name))?;

    let name = wanted_uid.map_or_else(|| image_name.to_owned(), |uid| uid.to_string());
    let entry = Entry::find(&image.passwd, &name);
    let uid = match (&entry, name.parse::<u32>()) {
        (_, Ok(uid)) => uid,
        (Some(entry), _) => entry.uid,
        (None, _) if name.is_empty() => 0,
        (None, _) => {
            return Err(PlanError::never(format!(
                "unable to find user {name}: no matching entries in passwd file"
            )));
        }
    };
    let from_image = wanted_uid.is_none().then_some(image_group).flatten().filter(|group| !group.is_empty());
    let gid = match (wanted_gid, from_image) {
        (Some(gid), _) => id(gid, "runAsGroup")?,
        (None, Some(group)) => group_id(&image.group, group)?,
        (None, None) => entry.as_ref().map_or(0, |entry| entry.gid),
    };
    let groups = supplementary_groups(pod, image, entry.as_ref(), gid)?;
    let home = entry.map(|entry| entry.home).filter(|home| !home.is_empty());
    let root_home = || if uid == 0 { "/root" } else { "/" }.to_owned();
    Ok(ProcessUser { uid, gid, groups, home: home.unwrap_or_else(root_home) })
}

/// Refuses root where the Pod says that it must not be, in the kubelet's words.
fn refuse_root(
    container: &Container,
    own: Option<&SecurityContext>,
    pod: Option<&PodSecurityContext>,
    (wanted_uid, image_user): (Option<i64>, &str),
) -> Result<(), PlanError> {
    let must_not_be_root =
        own.and_then(|own| own.run_as_non_root).or(pod.and_then(|pod| pod.run_as_non_root)) == Some(true);
    if !must_not_be_root {
        return Ok(());
    }
    let name = &container.name;
    match (wanted_uid, image_user) {
        (Some(0), _) => {
            Err(PlanError::never(format!("container's runAsUser breaks non-root policy (container: {name})")))
        }
        (Some(_), _) => Ok(()),
        (None, "" | "0") => Err(PlanError::never(format!(
            "container has runAsNonRoot and image will run as root (container: {name})"
        ))),
        (None, user) if user.parse::<u32>().is_err() => Err(PlanError::never(format!(
            "container has runAsNonRoot and image has non-numeric user ({user}), cannot verify user is non-root \
             (container: {name})"
        ))),
        (None, _) => Ok(()),
    }
}

/// The Pod's groups, and those that the image's group file puts the user in.
fn supplementary_groups(
    pod: Option<&PodSecurityContext>,
    image: &Image,
    entry: Option<&Entry>,
    gid: u32,
) -> Result<Vec<u32>, PlanError> {
    let mut groups = Vec::new();
    let strict = pod.and_then(|pod| pod.supplemental_groups_policy.as_deref()) == Some("Strict");
    if let Some(entry) = entry.filter(|_| !strict) {
        groups.extend(groups_of(&image.group, &entry.name));
    }
    for group in pod.iter().flat_map(|pod| pod.supplemental_groups.iter().flatten()) {
        groups.push(id(*group, "supplementalGroups")?);
    }
    if let Some(group) = fs_group(pod)? {
        groups.push(group);
    }
    groups.sort_unstable();
    groups.dedup();
    // The primary group counts anyway; and where there is only one id, no list can be set at all.
    groups.retain(|group| *group != gid);
    Ok(groups)
}

/// The group that volumes belong to.
pub(crate) fn fs_group(pod: Option<&PodSecurityContext>) -> Result<Option<u32>, PlanError> {
    pod.and_then(|pod| pod.fs_group).map(|group| id(group, "fsGroup")).transpose()
}

fn id(number: i64, field: &str) -> Result<u32, PlanError> {
    u32::try_from(number)
        .map_err(|_| PlanError::never(format!("securityContext.{field} {number} is not an id")))
}

/// A line of a passwd file.
struct Entry {
    name: String,
    uid: u32,
    gid: u32,
    home: String,
}

impl Entry {
    /// The entry of a user by name or by number; the name wins.
    fn find(passwd: &str, user: &str) -> Option<Self> {
        let user = if user.is_empty() { "0" } else { user };
        let entries = || passwd.lines().filter_map(Self::parse);
        let number = user.parse::<u32>().ok();
        entries()
            .find(|entry| entry.name == user)
            .or_else(|| entries().find(|entry| Some(entry.uid) == number))
    }

    fn parse(line: &str) -> Option<Self> {
        let mut fields = line.split(':');
        let name = fields.next()?.to_owned();
        let uid = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        let home = fields.nth(1).unwrap_or_default().to_owned();
        Some(Self { name, uid, gid, home })
    }
}

/// Lines of a group file: name, number, members.
fn group_entries(file: &str) -> impl Iterator<Item = (&str, u32, &str)> {
    file.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let gid = fields.nth(1)?.parse().ok()?;
        Some((name, gid, fields.next().unwrap_or_default()))
    })
}

fn groups_of<'a>(file: &'a str, user: &'a str) -> impl Iterator<Item = u32> + 'a {
    group_entries(file)
        .filter(move |(_, _, members)| members.split(',').any(|member| member.trim() == user))
        .map(|(_, gid, _)| gid)
}

fn group_id(file: &str, group: &str) -> Result<u32, PlanError> {
    if let Ok(gid) = group.parse() {
        return Ok(gid);
    }
    group_entries(file).find(|(name, _, _)| *name == group).map(|(_, gid, _)| gid).ok_or_else(|| {
        PlanError::never(format!("unable to find group {group}: no matching entries in group file"))
    })
}
