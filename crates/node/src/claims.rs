//! Removes the directories of PersistentVolumeClaims that do not exist any more.
//! Invariant: a directory is removed only after a whole listing, or the claim's own end, said so.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use client::{Followed, Kind as _, PartialObject, Watcher, WatcherOptions};
use k8s_openapi::api::core::v1::PersistentVolumeClaim;

use crate::pod_dir;
use crate::worker::Shared;

/// Follows claims.
pub(crate) struct Sweeper {
    watcher: Watcher<PartialObject>,
    directory: PathBuf,
    listed: Option<BTreeSet<String>>,
}

impl Sweeper {
    pub(crate) fn new(shared: &Arc<Shared>) -> Self {
        let claims = shared.client.all_clusters().resource(PersistentVolumeClaim::RESOURCE, None);
        Self {
            watcher: Watcher::new(claims, WatcherOptions::default()),
            directory: shared.directories.claims.clone(),
            listed: None,
        }
    }

    /// Waits for the next thing that happens to claims, and acts on it. It may be dropped while it waits.
    pub(crate) async fn next(&mut self) {
        match self.watcher.next().await {
            Ok(Followed::Restarted) => self.listed = Some(BTreeSet::new()),
            Ok(Followed::Existing(claim)) => {
                if let (Some(listed), Some(uid)) = (&mut self.listed, claim.metadata.uid) {
                    listed.insert(uid);
                }
            }
            Ok(Followed::Complete) => self.sweep(),
            Ok(Followed::Created(_) | Followed::Changed(_)) => {}
            Ok(Followed::Gone(claim)) => {
                let uid = claim.metadata.uid.filter(|uid| !uid.is_empty() && !uid.contains(['/', '.']));
                if let Some(uid) = uid {
                    remove(self.directory.join(uid));
                }
            }
            Err(error) => tracing::warn!("could not watch claims: {}", crate::shim::chain(&error)),
        }
    }

    /// Removes directories of claims that the listing did not have.
    fn sweep(&mut self) {
        let Some(listed) = self.listed.take() else { return };
        for entry in std::fs::read_dir(&self.directory).into_iter().flatten().flatten() {
            if !listed.contains(entry.file_name().to_string_lossy().as_ref()) {
                remove(entry.path());
            }
        }
    }
}

/// Removes a directory without keeping anybody waiting.
fn remove(path: PathBuf) {
    if path.exists() {
        drop(tokio::task::spawn_blocking(move || pod_dir::remove(&path)));
    }
}
