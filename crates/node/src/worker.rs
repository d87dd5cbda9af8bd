//! One Pod from its claim to its last status. Everything that can go wrong ends in that status.
//! Invariant: a Pod's slot is held only while it prepares quickly or runs; its directory outlives its last write.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use archive::{LogKey, LogStore};
use client::{Api, Client, Patch, PatchOptions};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use parking_lot::Mutex;
use sandbox::placement::NodeFacts;
use sandbox::{Machine, PodPlan, PodRef};
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::Instant;
use types::ClusterId;

use crate::ids::{IdPool, first_id};
use crate::images::Images;
use crate::journal::{Followed, Follower};
use crate::options::Options;
use crate::pod_dir::{self, Directories, Record, Shim, attach_shim, start_shim};
use crate::preparation::{Blocked, Preparation, Ready, Retry};
use crate::shim::{Job, StopRequest, request_stop};
use crate::status::Observed;
use crate::status_writer::{self, Written};

/// How long preparing may take before the Pod gives its slot back and says that it is being created.
const PREPARING_QUICKLY: Duration = Duration::from_millis(150);
/// How long a change is kept back so that those right after it go into the same write. The last one never waits.
const STATUS_DELAY: Duration = Duration::from_millis(20);
/// How long a shim may take to end after its last event.
const SHIM_END: Duration = Duration::from_secs(10);

/// What all workers share.
pub(crate) struct Shared {
    pub(crate) options: Options,
    pub(crate) directories: Directories,
    pub(crate) machine: Machine,
    /// What this machine offers to Pods that choose.
    pub(crate) facts: NodeFacts,
    pub(crate) client: Client,
    pub(crate) images: Arc<dyn Images>,
    pub(crate) logs: LogStore,
    pub(crate) ids: Mutex<IdPool>,
    pub(crate) slots: Arc<Semaphore>,
}

/// What the API says of a Pod.
#[derive(Clone, Debug)]
pub(crate) enum View {
    /// It exists.
    Here(Arc<Pod>),
    /// It does not exist any more.
    Gone,
}

/// How a worker came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The Pod is over, or gone.
    Done,
    /// Somebody else changed the Pod first: look at it again.
    NotClaimed,
    /// The node stops; the Pod goes on without it.
    Left,
}

/// Works on one Pod.
pub(crate) struct Worker {
    shared: Arc<Shared>,
    pod_ref: PodRef,
    api: Api<Pod>,
    dir: PathBuf,
    observed: Observed,
    view: watch::Receiver<View>,
    stop: watch::Receiver<bool>,
    gone: bool,
    /// The number of the range of user ids.
    ids: Option<u32>,
}

impl Worker {
    pub(crate) fn new(
        shared: Arc<Shared>,
        pod_ref: PodRef,
        pod: &Pod,
        view: watch::Receiver<View>,
        stop: watch::Receiver<bool>,
    ) -> Self {
        let api = shared.client.cluster(&pod_ref.cluster).namespaced(&pod_ref.namespace);
        let dir = shared.directories.pod(&pod_ref.uid);
        let observed = Observed::new(pod, Timestamp::now());
        Self { shared, pod_ref, api, dir, observed, view, stop, gone: false, ids: None }
    }

    /// Claims the Pod unless it is ours already, and runs it.
    pub(crate) async fn run(mut self, pod: Arc<Pod>, slot: OwnedSemaphorePermit) -> Outcome {
        let mut slot = Some(slot);
        let bound = pod.spec.as_ref().is_some_and(|spec| spec.node_name.is_some());
        let shared = Arc::clone(&self.shared);
        let pod_ref = self.pod_ref.clone();
        let dir = self.dir.clone();
        let preparation = Preparation {
            client: &shared.client,
            images: &shared.images,
            machine: &shared.machine,
            allow_host_image: shared.options.allow_host_image,
            pod_ref: &pod_ref,
            pod: &pod,
            pod_dir: &dir,
        };
        // Reading what the Pod needs does not depend on who runs it, so both happen at once.
        let mut first: Pin<Box<dyn Future<Output = _> + Send + '_>> = Box::pin(preparation.run());
        let mut tried = None;
        if !bound {
            let claim = self.claim(&pod);
            tokio::pin!(claim);
            let claimed = loop {
                tokio::select! {
                    biased;
                    claimed = &mut claim => break claimed,
                    result = &mut first, if tried.is_none() => tried = Some(result),
                }
            };
            if !claimed {
                return Outcome::NotClaimed;
            }
        }
        let ready = match self.until_ready(&preparation, (first, tried), &mut slot).await {
            Ok(ready) => ready,
            Err(outcome) => return outcome,
        };
        let slot = match slot {
            Some(slot) => slot,
            None => match Arc::clone(&self.shared.slots).acquire_owned().await {
                Ok(slot) => slot,
                Err(_) => return Outcome::Left,
            },
        };
        self.start(ready, slot).await
    }

    /// Takes over a Pod that an earlier dispatcher has started.
    pub(crate) async fn attach(mut self, record: Record) -> Outcome {
        self.ids = record.id_range;
        for identity in &record.containers {
            self.observed.set_image(&identity.name, &identity.image_id);
        }
        self.observed.set_started_at(record.started_at);
        match attach_shim(&self.dir) {
            Ok(shim) => self.follow(shim, None).await,
            Err(error) => {
                let message = format!("could not take over the process that runs this Pod: {error}");
                self.observed.lose("Error", &message, Timestamp::now());
                self.finish().await
            }
        }
    }

    /// Fails a Pod of ours that was running and of which nothing is left.
    pub(crate) async fn fail(mut self, message: &str) -> Outcome {
        self.observed.lose("Error", message, Timestamp::now());
        self.finish().await
    }

    /// Removes the object of a Pod that is over and was deleted.
    pub(crate) async fn remove(self) -> Outcome {
        status_writer::remove(&self.api, &self.pod_ref.name, &self.pod_ref.uid).await;
        Outcome::Done
    }

    /// Says in the Pod's status that it cannot run here.
    pub(crate) async fn unschedulable(self, message: &str) -> Outcome {
        status_writer::unschedulable(&self.api, &self.pod_ref, message, Timestamp::now()).await;
        Outcome::Left
    }

    async fn claim(&self, pod: &Pod) -> bool {
        let patch = Patch::Merge(json!({
            "metadata": { "uid": self.pod_ref.uid, "resourceVersion": pod.metadata.resource_version },
            "spec": { "nodeName": self.shared.options.name },
        }));
        match self.api.patch(&self.pod_ref.name, &patch, &PatchOptions::default()).await {
            Ok(_) => true,
            Err(client::Error::Conflict(_) | client::Error::NotFound(_)) => false,
            Err(error) => {
                tracing::warn!(
                    pod = self.pod_ref.name,
                    "could not claim a Pod: {}",
                    crate::shim::chain(&error)
                );
                false
            }
        }
    }

    /// Tries until the Pod can start. An error is the worker's outcome.
    async fn until_ready<'p>(
        &mut self,
        preparation: &'p Preparation<'p>,
        (first, mut tried): (PreparationFuture<'p>, Option<Result<Ready, Blocked>>),
        slot: &mut Option<OwnedSemaphorePermit>,
    ) -> Result<Ready, Outcome> {
        let mut trying = first;
        let mut failures: u32 = 0;
        loop {
            let result = match tried.take() {
                Some(result) => result,
                None => self.wait_for(&mut trying, slot).await?,
            };
            let blocked = match result {
                Ok(ready) => {
                    for (container, image_id) in &ready.image_ids {
                        self.observed.set_image(container, image_id);
                    }
                    self.observed.creating();
                    return Ok(ready);
                }
                Err(blocked) => blocked,
            };
            *slot = None;
            self.observed.set_waiting(blocked.container.as_deref(), blocked.reason, &blocked.message);
            self.write_now().await;
            if let Some((reason, message)) = &blocked.then {
                self.pause(Some(Duration::from_secs(1))).await?;
                self.observed.set_waiting(blocked.container.as_deref(), reason, message);
                self.write_now().await;
            }
            self.pause(wait_before_retry(blocked.retry, failures)).await?;
            failures += 1;
            trying = Box::pin(preparation.run());
        }
    }

    /// Waits for one try; says that the Pod is being created when that takes long.
    async fn wait_for(
        &mut self,
        trying: &mut PreparationFuture<'_>,
        slot: &mut Option<OwnedSemaphorePermit>,
    ) -> Result<Result<Ready, Blocked>, Outcome> {
        if let Ok(result) = tokio::time::timeout(PREPARING_QUICKLY, &mut *trying).await {
            return Ok(result);
        }
        *slot = None;
        self.write_now().await;
        tokio::select! {
            result = &mut *trying => Ok(result),
            ended = wait_for_end(&mut self.view, &mut self.stop) => Err(self.never_started(ended).await),
        }
    }

    /// Waits before the next try, or for ever. An error is the worker's outcome.
    async fn pause(&mut self, wait: Option<Duration>) -> Result<(), Outcome> {
        let waited = async {
            match wait {
                Some(wait) => tokio::time::sleep(wait).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = waited => Ok(()),
            ended = wait_for_end(&mut self.view, &mut self.stop) => Err(self.never_started(ended).await),
        }
    }

    /// Ends the work on a Pod that has not started.
    async fn never_started(&self, ended: WaitEnd) -> Outcome {
        match ended {
            WaitEnd::Gone => Outcome::Done,
            WaitEnd::Stop => Outcome::Left,
            WaitEnd::Deleted => {
                status_writer::remove(&self.api, &self.pod_ref.name, &self.pod_ref.uid).await;
                Outcome::Done
            }
        }
    }

    async fn write_now(&mut self) -> Written {
        let status = self.observed.status(&self.shared.machine.host_ip, Timestamp::now());
        status_writer::write(self.api.clone(), self.pod_ref.name.clone(), self.pod_ref.uid.clone(), status)
            .await
    }

    /// Starts the shim and follows it.
    async fn start(mut self, ready: Ready, slot: OwnedSemaphorePermit) -> Outcome {
        match self.start_shim(ready.plan).await {
            Ok(shim) => self.follow(shim, Some(slot)).await,
            Err(message) => {
                drop(slot);
                self.observed.lose("Error", &message, Timestamp::now());
                self.finish().await
            }
        }
    }

    async fn start_shim(&mut self, plan: PodPlan) -> Result<Shim, String> {
        let options = &self.shared.options;
        if plan.user_namespace {
            let number = self.shared.ids.lock().take();
            self.ids = Some(number.ok_or("there is no free range of user ids for this Pod")?);
        }
        let logs = self.log_paths(plan.containers.iter().map(|container| container.name.as_str()))?;
        let mut hidden = options.hidden_dirs.clone();
        hidden.extend([options.data_dir.clone(), options.logs_dir.clone()]);
        let record = Record {
            pod: self.pod_ref.clone(),
            started_at: self.observed.started_at(),
            containers: self.observed.identities(),
            id_range: self.ids,
        };
        let job = Job {
            plan,
            runtime: options.oci_runtime.to_string(),
            first_id: self.ids.map(first_id),
            kill_with_parent: options.kill_with_parent,
            logs,
            hidden,
        };
        let (dir, command) = (self.dir.clone(), options.shim_command.clone());
        let started = tokio::task::spawn_blocking(move || {
            // A directory without a record is what is left of a start that did not come far.
            pod_dir::remove(&dir);
            pod_dir::make(&dir).and_then(|()| start_shim(&dir, &record, &job, &command))
        });
        match started.await {
            Ok(Ok(shim)) => Ok(shim),
            Ok(Err(error)) => Err(format!("could not start the process that runs this Pod: {error}")),
            Err(error) => Err(format!("could not start the process that runs this Pod: {error}")),
        }
    }

    fn log_paths<'a>(
        &self,
        containers: impl Iterator<Item = &'a str>,
    ) -> Result<BTreeMap<String, PathBuf>, String> {
        let PodRef { cluster, namespace, name, uid } = &self.pod_ref;
        let cluster = ClusterId::parse(cluster).map_err(|error| error.to_string())?;
        let path = |container: &str| {
            let key = LogKey {
                cluster: cluster.clone(),
                namespace: namespace.clone(),
                pod: name.clone(),
                pod_uid: uid.clone(),
                container: container.to_owned(),
            };
            let path = self.shared.logs.path(&key).map_err(|error| error.to_string())?;
            std::path::absolute(path).map_err(|error| error.to_string())
        };
        containers.map(|container| Ok((container.to_owned(), path(container)?))).collect()
    }

    /// Follows a shim to its end, and writes what it reports.
    async fn follow(mut self, shim: Shim, slot: Option<OwnedSemaphorePermit>) -> Outcome {
        let Shim { events, control, mut child, lifeline } = shim;
        let mut follower = match Follower::new(&self.dir, events) {
            Ok(follower) => follower,
            Err(error) => {
                let message = format!("could not follow the process that runs this Pod: {error}");
                self.observed.lose("Error", &message, Timestamp::now());
                return self.finish().await;
            }
        };
        if self.until_finished(&mut follower, &control).await == Outcome::Left {
            return Outcome::Left;
        }
        drop(slot);
        let outcome = self.finish_with(async {
            let end = async {
                while !matches!(follower.next().await, Ok(Followed::Ended) | Err(_)) {}
                if let Some(child) = &mut child {
                    let _ = child.wait().await;
                }
            };
            let _ = tokio::time::timeout(SHIM_END, end).await;
        });
        let outcome = outcome.await;
        drop(lifeline);
        outcome
    }

    async fn until_finished(&mut self, follower: &mut Follower, control: &std::fs::File) -> Outcome {
        let mut write: Option<Pin<Box<dyn Future<Output = Written> + Send>>> = None;
        let mut write_at: Option<Instant> = None;
        self.pass_deletion_on(control);
        while !self.observed.is_finished() {
            tokio::select! {
                followed = follower.next() => {
                    self.take_in(followed);
                    write_at = write_at.or(Some(Instant::now() + STATUS_DELAY));
                }
                changed = self.view.changed() => {
                    if changed.is_err() {
                        return Outcome::Left;
                    }
                    self.pass_deletion_on(control);
                }
                _ = self.stop.changed() => {
                    if !self.shared.options.kill_with_parent {
                        return Outcome::Left;
                    }
                    let _ = request_stop(control, StopRequest { grace_seconds: 0 });
                }
                written = async { match &mut write { Some(write) => write.await, None => std::future::pending().await } } => {
                    write = None;
                    self.gone |= written == Written::Gone;
                    if self.gone {
                        let _ = request_stop(control, StopRequest { grace_seconds: 0 });
                    }
                }
                () = async { match write_at { Some(at) => tokio::time::sleep_until(at).await, None => std::future::pending().await } },
                    if write.is_none() && !self.gone =>
                {
                    write_at = None;
                    let status = self.observed.status(&self.shared.machine.host_ip, Timestamp::now());
                    let (name, uid) = (self.pod_ref.name.clone(), self.pod_ref.uid.clone());
                    write = Some(Box::pin(status_writer::write(self.api.clone(), name, uid, status)));
                }
            }
        }
        if let Some(write) = write {
            self.gone |= write.await == Written::Gone;
        }
        Outcome::Done
    }

    fn take_in(&mut self, followed: std::io::Result<Followed>) {
        let lost = match followed {
            Ok(Followed::Events(events)) => {
                events.into_iter().for_each(|event| self.observed.apply(event));
                return;
            }
            Ok(Followed::Ended) => {
                "the process that ran this Pod ended unexpectedly: it was killed, or the machine restarted"
                    .to_owned()
            }
            Err(error) => format!("could not follow the process that ran this Pod: {error}"),
        };
        self.observed.lose("Error", &lost, Timestamp::now());
    }

    /// Asks the shim to stop when the Pod was deleted.
    fn pass_deletion_on(&mut self, control: &std::fs::File) {
        let grace_seconds = match &*self.view.borrow_and_update() {
            View::Gone => Some(0),
            View::Here(pod) => deletion_grace_seconds(pod),
        };
        self.gone |= matches!(&*self.view.borrow(), View::Gone);
        if let Some(grace_seconds) = grace_seconds
            && let Err(error) = request_stop(control, StopRequest { grace_seconds })
        {
            tracing::warn!(pod = self.pod_ref.name, "could not ask a Pod's process to stop: {error}");
        }
    }

    async fn finish(self) -> Outcome {
        self.finish_with(async {}).await
    }

    /// Writes the last status, removes the object if it was deleted, and cleans up after `shim_end`.
    async fn finish_with(mut self, shim_end: impl Future<Output = ()>) -> Outcome {
        let names = self.observed.identities();
        if self.observed.was_cut_short()
            && let Ok(paths) = self.log_paths(names.iter().map(|identity| identity.name.as_str()))
        {
            for path in paths.values() {
                let _ = archive::ensure_ended(path, Timestamp::now());
            }
        }
        if !self.gone {
            self.gone = self.write_now().await == Written::Gone;
        }
        let deleted =
            matches!(&*self.view.borrow(), View::Here(pod) if deletion_grace_seconds(pod).is_some());
        if deleted && !self.gone {
            status_writer::remove(&self.api, &self.pod_ref.name, &self.pod_ref.uid).await;
        }
        shim_end.await;
        let (dir, uid) = (self.dir.clone(), self.pod_ref.uid.clone());
        let cut_short = self.observed.was_cut_short();
        let cleaning = tokio::task::spawn_blocking(move || {
            if cut_short {
                crate::shim::kill_leftovers(&uid, names.iter().map(|identity| identity.name.as_str()));
            }
            pod_dir::remove(&dir);
        });
        let _ = cleaning.await;
        if let Some(number) = self.ids {
            self.shared.ids.lock().give_back(number);
        }
        Outcome::Done
    }
}

type PreparationFuture<'p> = Pin<Box<dyn Future<Output = Result<Ready, Blocked>> + Send + 'p>>;

/// Why a Pod that does not run yet never will.
#[derive(Clone, Copy, Debug)]
enum WaitEnd {
    Gone,
    Deleted,
    Stop,
}

async fn wait_for_end(view: &mut watch::Receiver<View>, stop: &mut watch::Receiver<bool>) -> WaitEnd {
    loop {
        match &*view.borrow_and_update() {
            View::Gone => return WaitEnd::Gone,
            View::Here(pod) if deletion_grace_seconds(pod).is_some() => return WaitEnd::Deleted,
            View::Here(_) => {}
        }
        if *stop.borrow_and_update() {
            return WaitEnd::Stop;
        }
        tokio::select! {
            changed = view.changed() => if changed.is_err() { return WaitEnd::Stop },
            changed = stop.changed() => if changed.is_err() { return WaitEnd::Stop },
        }
    }
}

/// Seconds to stop in, when the Pod was deleted.
fn deletion_grace_seconds(pod: &Pod) -> Option<u64> {
    pod.metadata.deletion_timestamp.as_ref()?;
    let seconds = pod.metadata.deletion_grace_period_seconds.unwrap_or(30);
    Some(u64::try_from(seconds).unwrap_or(0))
}

/// How long to wait before the next try; `None` is for ever.
fn wait_before_retry(retry: Retry, failures: u32) -> Option<Duration> {
    let doubled = |first: u64, most: u64| Duration::from_secs((first << failures.min(10)).min(most));
    match retry {
        Retry::Soon => Some(doubled(1, 10)),
        Retry::Later => Some(doubled(10, 300)),
        Retry::Never => None,
    }
}
