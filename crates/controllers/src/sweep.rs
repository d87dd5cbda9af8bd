//! Going through everything in a namespace or a cluster, whatever its kind.
//! Used where an owner, a namespace or a workspace goes and takes its content along.

use api::table::Resource;
use client::{Cluster, DeleteOptions, ListOptions, ResourceType};

use crate::error::Error;
use crate::sighting::Seen;

/// Objects in one page.
const PAGE: usize = 500;

/// Every resource with a storage of its own, in its preferred version.
pub(crate) fn resources() -> impl Iterator<Item = &'static Resource> {
    api::resources().iter().filter(|row| row.stored_with.is_none())
}

/// Where a resource is served.
pub(crate) fn served(row: &'static Resource) -> ResourceType {
    ResourceType::of_static(row.group, row.versions.first().map_or("", |version| version.name), row.plural)
}

/// Gives every object of a resource in a namespace, or in all of them, to `each`.
pub(crate) async fn visit(
    cluster: &Cluster,
    row: &'static Resource,
    namespace: Option<&str>,
    mut each: impl FnMut(Seen),
) -> Result<(), Error> {
    let objects = cluster.resource::<Seen>(served(row), namespace);
    let mut options = ListOptions { limit: PAGE, ..ListOptions::default() };
    loop {
        let page = objects.list(&options).await?;
        page.items.into_iter().for_each(&mut each);
        options.continue_token = page.continue_token;
        if options.continue_token.is_none() {
            return Ok(());
        }
    }
}

/// Asks for the deletion of every object of a resource in a namespace, or of all without one, and counts what
/// was there. Objects that are being deleted already are counted only.
pub(crate) async fn remove_all(
    cluster: &Cluster,
    row: &'static Resource,
    namespace: Option<&str>,
) -> Result<usize, Error> {
    let mut found = Vec::new();
    let mut count = 0;
    visit(cluster, row, namespace, |seen| {
        count += 1;
        if !seen.is_deleting() {
            found.push((seen.metadata.namespace, seen.metadata.name, seen.metadata.uid));
        }
    })
    .await?;
    for (namespace, name, uid) in found {
        let namespace = row.namespaced.then_some(namespace.as_str());
        let objects = cluster.resource::<Seen>(served(row), namespace);
        objects.delete_if_there(&name, &DeleteOptions::of_uid(uid)).await?;
    }
    Ok(count)
}
