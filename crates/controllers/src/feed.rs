//! One watch for each resource over all clusters, shared by every controller that wants it.
//! It decodes an event once, asks each controller whose work it is, and queues the keys.
//! Invariant: no object is kept; after a lost connection the listing queues everything again.

use std::sync::Arc;

use client::{Client, Error, Followed, ResourceType, Watcher, WatcherOptions};
use tokio::sync::watch;

use crate::controller::Routed;
use crate::queue::Queue;
use crate::sighting::{Change, Seen};

/// A controller's interest in a resource.
pub(crate) struct Subscriber {
    pub(crate) route: fn(Change, &Seen) -> Vec<Routed>,
    pub(crate) queue: Arc<Queue>,
}

/// One resource, and who wants it.
pub(crate) struct Feed {
    pub(crate) resource: ResourceType,
    pub(crate) subscribers: Vec<Subscriber>,
}

impl Feed {
    /// Follows the resource until `stopping` says true.
    pub(crate) async fn run(self, client: Client, mut stopping: watch::Receiver<bool>) {
        let api = client.all_clusters().resource::<Seen>(self.resource.clone(), None);
        let mut watcher = Watcher::new(api, WatcherOptions::default());
        let follow = async {
            loop {
                match watcher.next().await {
                    Ok(followed) => self.dispatch(followed).await,
                    Err(Error::Expired(_)) => {
                        tracing::debug!(resource = %self.resource.plural, "history is gone; listing again");
                    }
                    Err(error) => {
                        tracing::warn!(resource = %self.resource.plural, "could not follow: {error}");
                    }
                }
            }
        };
        tokio::select! {
            _ = stopping.wait_for(|stop| *stop) => {}
            () = follow => {}
        }
    }

    async fn dispatch(&self, followed: Followed<Seen>) {
        let (change, seen) = match followed {
            Followed::Restarted | Followed::Complete => return,
            Followed::Existing(seen) => (Change::Existing, seen),
            Followed::Created(seen) => (Change::Created, seen),
            Followed::Changed(seen) => (Change::Changed, seen),
            Followed::Gone(seen) => (Change::Gone, seen),
        };
        for subscriber in &self.subscribers {
            for routed in (subscriber.route)(change, &seen) {
                subscriber.queue.has_room().await;
                match routed.revision {
                    Some(revision) => subscriber.queue.add_seen(routed.key, revision),
                    None => subscriber.queue.add_after(routed.key, routed.after),
                }
            }
        }
    }
}
