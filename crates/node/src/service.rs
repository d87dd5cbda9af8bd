//! The dispatcher: it watches the Pods of all clusters, decides which this machine runs, and gives each a worker.
//! Invariant: there is at most one worker for a Pod, and never more Pods with slots than the options allow.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::Arc;

use archive::LogStore;
use client::{CLUSTER_ANNOTATION, Client, Followed, Watcher, WatcherOptions};
use k8s_openapi::api::core::v1::Pod;
use parking_lot::Mutex;
use sandbox::{PodRef, placement};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

use crate::claims;
use crate::error::Error;
use crate::ids::IdPool;
use crate::images::Images;
use crate::machine;
use crate::options::Options;
use crate::pod_dir::Directories;
use crate::queue::{Queue, Waiting};
use crate::status_writer;
use crate::worker::{Outcome, Shared, View, Worker};

/// A node that is set up but does not run yet.
pub struct Service {
    shared: Arc<Shared>,
}

impl Service {
    /// Prepares the node's directories.
    ///
    /// # Errors
    /// [`Error`] when they cannot be made.
    pub fn new(options: Options, client: Client, images: Arc<dyn Images>) -> Result<Self, Error> {
        let directories = Directories::create(&options)?;
        let logs = LogStore::open(&options.logs_dir).map_err(Error::Logs)?;
        let machine = machine::read(&options, &directories);
        let slots = Arc::new(Semaphore::new(options.pods_max.max(1)));
        let ids = Mutex::new(IdPool::default());
        let client = client.named("psvc-node");
        let facts = machine::facts(&options.name);
        let shared = Shared { options, facts, directories, machine, client, images, logs, ids, slots };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Runs Pods until `shutdown` is ready. Pods that run then are killed or left to their shims, as
    /// [`Options::kill_with_parent`] says.
    ///
    /// # Errors
    /// Only what makes the node as a whole useless; whatever concerns one Pod becomes its status.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send) -> Result<(), Error> {
        let shared = self.shared;
        let mut pods = Watcher::<Pod>::new(shared.client.all_clusters().all(), WatcherOptions::default());
        let mut claims = claims::Sweeper::new(&shared);
        let (stop, stopped) = watch::channel(false);
        let mut dispatcher = Dispatcher::new(Arc::clone(&shared), stopped);
        dispatcher.recover().await;
        tokio::pin!(shutdown);
        loop {
            let slot = Arc::clone(&shared.slots).acquire_owned();
            tokio::select! {
                biased;
                () = &mut shutdown => break,
                Some(ended) = dispatcher.workers.join_next() => dispatcher.worker_ended(ended),
                followed = pods.next() => match followed {
                    Ok(followed) => dispatcher.followed(followed),
                    Err(error) => tracing::warn!("could not watch Pods: {}", crate::shim::chain(&error)),
                },
                slot = slot, if !dispatcher.queue.is_empty() => if let Ok(slot) = slot {
                    dispatcher.start_next(slot);
                },
                () = claims.next() => {}
            }
        }
        // Whoever waits for a slot now would start a Pod that nobody follows.
        shared.slots.close();
        let _ = stop.send(true);
        while dispatcher.workers.join_next().await.is_some() {}
        Ok(())
    }
}

/// A Pod that a worker has.
struct Active {
    view: watch::Sender<View>,
}

struct Dispatcher {
    shared: Arc<Shared>,
    stopped: watch::Receiver<bool>,
    queue: Queue,
    /// By uid.
    active: BTreeMap<String, Active>,
    workers: JoinSet<(String, Outcome)>,
    /// The uids of a listing that is going on.
    listed: Option<BTreeSet<String>>,
}

impl Dispatcher {
    fn new(shared: Arc<Shared>, stopped: watch::Receiver<bool>) -> Self {
        Self {
            shared,
            stopped,
            queue: Queue::default(),
            active: BTreeMap::new(),
            workers: JoinSet::new(),
            listed: None,
        }
    }

    /// Takes over what an earlier dispatcher has left.
    async fn recover(&mut self) {
        for record in self.shared.directories.records() {
            if let Some(number) = record.id_range {
                self.shared.ids.lock().note(number);
            }
            let pods =
                self.shared.client.cluster(&record.pod.cluster).namespaced::<Pod>(&record.pod.namespace);
            let found = loop {
                match pods.find(&record.pod.name).await {
                    Ok(found) => break found,
                    Err(error) => {
                        tracing::warn!(
                            "could not look up a Pod that runs here: {}",
                            crate::shim::chain(&error)
                        );
                        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
                    }
                }
            };
            let uid = record.pod.uid.clone();
            let same = found.filter(|pod| pod.metadata.uid.as_deref() == Some(uid.as_str())).map(Arc::new);
            let view = same.clone().map_or(View::Gone, View::Here);
            let pod = same.unwrap_or_default();
            let worker = self.worker(record.pod.clone(), &pod, view);
            self.workers.spawn(async move { (uid, worker.attach(record).await) });
        }
    }

    /// A worker for a Pod that has none.
    fn worker(&mut self, pod_ref: PodRef, pod: &Pod, view: View) -> Worker {
        let (sender, receiver) = watch::channel(view);
        self.active.insert(pod_ref.uid.clone(), Active { view: sender });
        Worker::new(Arc::clone(&self.shared), pod_ref, pod, receiver, self.stopped.clone())
    }

    fn followed(&mut self, followed: Followed<Pod>) {
        match followed {
            Followed::Restarted => self.listed = Some(BTreeSet::new()),
            Followed::Existing(pod) => {
                if let (Some(listed), Some(uid)) = (&mut self.listed, &pod.metadata.uid) {
                    listed.insert(uid.clone());
                }
                self.consider(Arc::new(pod));
            }
            Followed::Complete => {
                let Some(listed) = self.listed.take() else { return };
                self.queue.retain(|uid| listed.contains(uid));
                for (_, active) in self.active.iter().filter(|(uid, _)| !listed.contains(*uid)) {
                    active.view.send_replace(View::Gone);
                }
            }
            Followed::Created(pod) | Followed::Changed(pod) => self.consider(Arc::new(pod)),
            Followed::Gone(pod) => {
                let Some(pod_ref) = reference(&pod) else { return };
                self.queue.remove(&pod_ref.cluster, &pod_ref.uid);
                if let Some(active) = self.active.get(&pod_ref.uid) {
                    active.view.send_replace(View::Gone);
                }
            }
        }
    }

    /// Decides what a Pod means for this machine.
    fn consider(&mut self, pod: Arc<Pod>) {
        let Some(pod_ref) = reference(&pod) else { return };
        if let Some(active) = self.active.get(&pod_ref.uid) {
            active.view.send_replace(View::Here(pod));
            return;
        }
        match verdict(&pod, &self.shared.options.name) {
            Verdict::Wait if is_unbound(&pod) && self.cannot_run(&pod_ref, &pod) => {}
            Verdict::Wait => {
                let (cluster, uid) = (pod_ref.cluster, pod_ref.uid);
                self.queue.put(Waiting { cluster, uid, pod });
            }
            Verdict::Ignore => self.queue.remove(&pod_ref.cluster, &pod_ref.uid),
            Verdict::Remove => {
                let uid = pod_ref.uid.clone();
                let worker = self.worker(pod_ref, &pod, View::Here(Arc::clone(&pod)));
                self.workers.spawn(async move { (uid, worker.remove().await) });
            }
            Verdict::Lost => {
                let uid = pod_ref.uid.clone();
                let worker = self.worker(pod_ref, &pod, View::Here(Arc::clone(&pod)));
                let message = "this Pod was running, but nothing of it is left on the node";
                self.workers.spawn(async move { (uid, worker.fail(message).await) });
            }
        }
    }

    /// Whether an unbound Pod can never run here; its status then says why, once.
    fn cannot_run(&mut self, pod_ref: &PodRef, pod: &Arc<Pod>) -> bool {
        let Some(message) = placement::misfit(pod, &self.shared.facts) else { return false };
        if !status_writer::says_unschedulable(pod, &message) {
            let uid = pod_ref.uid.clone();
            let worker = self.worker(pod_ref.clone(), pod, View::Here(Arc::clone(pod)));
            self.workers.spawn(async move { (uid, worker.unschedulable(&message).await) });
        }
        true
    }

    fn start_next(&mut self, slot: OwnedSemaphorePermit) {
        let Some(Waiting { pod, .. }) = self.queue.take() else { return };
        let Some(pod_ref) = reference(&pod) else { return };
        let uid = pod_ref.uid.clone();
        let worker = self.worker(pod_ref, &pod, View::Here(Arc::clone(&pod)));
        self.workers.spawn(async move { (uid, worker.run(pod, slot).await) });
    }

    fn worker_ended(&mut self, ended: Result<(String, Outcome), tokio::task::JoinError>) {
        let (uid, outcome) = match ended {
            Ok(ended) => ended,
            Err(error) => {
                tracing::error!("the worker of a Pod failed: {error}");
                return;
            }
        };
        let Some(active) = self.active.remove(&uid) else { return };
        let View::Here(pod) = active.view.borrow().clone() else { return };
        // What arrived while the worker was busy may call for another one.
        let deleted = pod.metadata.deletion_timestamp.is_some();
        if outcome == Outcome::NotClaimed || (outcome == Outcome::Done && deleted && is_over(&pod)) {
            self.consider(pod);
        }
    }
}

/// What a Pod means for this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// It is to run here as soon as there is a place.
    Wait,
    /// It is not ours, or over.
    Ignore,
    /// It is over and deleted, and ours.
    Remove,
    /// It runs here according to its status, but it does not.
    Lost,
}

fn verdict(pod: &Pod, node_name: &str) -> Verdict {
    let spec = pod.spec.as_ref();
    let bound_to = spec.and_then(|spec| spec.node_name.as_deref()).filter(|name| !name.is_empty());
    let deleted = pod.metadata.deletion_timestamp.is_some();
    let gated =
        spec.is_some_and(|spec| spec.scheduling_gates.as_ref().is_some_and(|gates| !gates.is_empty()));
    let begun = pod.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Running");
    match bound_to {
        None if deleted || gated || is_over(pod) => Verdict::Ignore,
        None => Verdict::Wait,
        Some(name) if name != node_name => Verdict::Ignore,
        Some(_) if is_over(pod) => {
            if deleted {
                Verdict::Remove
            } else {
                Verdict::Ignore
            }
        }
        Some(_) if begun => Verdict::Lost,
        Some(_) if deleted => Verdict::Remove,
        Some(_) => Verdict::Wait,
    }
}

fn is_unbound(pod: &Pod) -> bool {
    pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()).is_none_or(str::is_empty)
}

fn is_over(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Succeeded" | "Failed"))
}

/// The names of a Pod; `None` for one without them, which no server sends.
fn reference(pod: &Pod) -> Option<PodRef> {
    let meta = &pod.metadata;
    Some(PodRef {
        cluster: meta.annotations.as_ref()?.get(CLUSTER_ANNOTATION)?.clone(),
        namespace: meta.namespace.clone()?,
        name: meta.name.clone()?,
        uid: meta.uid.clone()?,
    })
}
