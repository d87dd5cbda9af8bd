//! A node without containers: it claims Pods, plays their steps, and writes the status that a real node writes.
//! What a step does is in its script (see `play`); a step without one succeeds at once.
//! Invariant: a Pod is played at most once, and a Pod whose deletion was asked for is let go.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use api::step_plan::{self, OnError, PlannedStep, RunResult, StepPlan};
use client::{
    CLUSTER_ANNOTATION, Client, DeleteOptions, Followed, Patch, PatchOptions, Watcher, WatcherOptions,
};
use controllers::Clock;
use k8s_openapi::api::core::v1::{
    ContainerState, ContainerStateRunning, ContainerStateTerminated, ContainerStatus, Pod,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use parking_lot::Mutex;
use serde_json::json;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::play;

/// The name that Pods are bound to.
const NODE: &str = "fake";
/// How long the node waits before it repeats a request that failed.
const AGAIN: Duration = Duration::from_millis(100);

/// A node that plays Pods of all workspaces. Dropping it ends the play, as a lost machine would.
pub struct FakeNode {
    tasks: JoinSet<()>,
    stage: Arc<Stage>,
}

struct Stage {
    client: Client,
    clock: Arc<dyn Clock>,
    /// The Pods that are being played, by uid, each with what ends it early.
    playing: Mutex<HashMap<String, Arc<Notify>>>,
    /// For each step that was begun: cluster, namespace, Pod's uid, container.
    begun: Mutex<Vec<(String, String, String, String)>>,
}

impl FakeNode {
    /// Starts a node on the current runtime.
    #[must_use]
    pub fn start(client: Client, clock: Arc<dyn Clock>) -> Self {
        let stage = Arc::new(Stage { client, clock, playing: Mutex::default(), begun: Mutex::default() });
        let mut tasks = JoinSet::new();
        tasks.spawn(follow(Arc::clone(&stage)));
        Self { tasks, stage }
    }

    /// How many Pods are being played.
    #[must_use]
    pub fn playing(&self) -> usize {
        self.stage.playing.lock().len()
    }

    /// How many tasks the node runs: one, as long as it lives.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        !self.tasks.is_empty()
    }

    /// Steps that were begun more than once in one Pod: there must be none.
    #[must_use]
    pub fn begun_twice(&self) -> Vec<String> {
        let mut begun = self.stage.begun.lock().clone();
        begun.sort();
        begun.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| format!("{:?}", pair[0])).collect()
    }
}

async fn follow(stage: Arc<Stage>) {
    let mut watcher = Watcher::<Pod>::new(stage.client.all_clusters().all(), WatcherOptions::default());
    let mut plays = JoinSet::new();
    loop {
        let followed = tokio::select! {
            followed = watcher.next() => followed,
            Some(_) = plays.join_next() => continue,
        };
        let Ok(Followed::Existing(pod) | Followed::Created(pod) | Followed::Changed(pod)) = followed else {
            continue;
        };
        let uid = pod.metadata.uid.clone().unwrap_or_default();
        let known = stage.playing.lock().get(&uid).cloned();
        let ended = matches!(phase(&pod), "Succeeded" | "Failed");
        match (known, pod.metadata.deletion_timestamp.is_some()) {
            (Some(end), true) => end.notify_one(),
            (None, false) if !ended && node_name(&pod).is_empty() => {
                let end = Arc::new(Notify::new());
                stage.playing.lock().insert(uid.clone(), Arc::clone(&end));
                let stage = Arc::clone(&stage);
                plays.spawn(async move {
                    perform(&stage, pod, &end).await;
                    stage.playing.lock().remove(&uid);
                });
            }
            _ => {}
        }
    }
}

/// One Pod from claim to end.
async fn perform(stage: &Stage, pod: Pod, end: &Notify) {
    let Some(place) = Place::of(stage, &pod) else { return };
    let claim = Patch::Merge(json!({
        "metadata": {"resourceVersion": pod.metadata.resource_version}, "spec": {"nodeName": NODE},
    }));
    // A Pod that changed since comes again by the watch, still unclaimed.
    let Ok(pod) = place.pods.patch(&place.name, &claim, &PatchOptions::default()).await else { return };
    let mut show = Show::new(stage, &pod);
    let played = tokio::select! {
        biased;
        () = end.notified() => false,
        () = show.play(&place) => true,
    };
    if !played {
        show.kill();
        place.write_status(&show.status("Failed")).await;
        place.remove().await;
        return;
    }
    let phase = if show.failed { "Failed" } else { "Succeeded" };
    place.write_status(&show.status(phase)).await;
}

/// Where a Pod is.
struct Place {
    pods: client::Api<Pod>,
    name: String,
    uid: String,
}

impl Place {
    fn of(stage: &Stage, pod: &Pod) -> Option<Self> {
        let meta = &pod.metadata;
        let pods = stage.client.cluster(cluster(pod)).namespaced(meta.namespace.as_deref()?);
        Some(Self { pods, name: meta.name.clone()?, uid: meta.uid.clone()? })
    }

    /// Writes a status until it is written or the Pod is gone.
    async fn write_status(&self, status: &serde_json::Value) {
        let patch = Patch::Merge(json!({"status": status}));
        loop {
            match self.pods.patch(&self.name, &patch, &PatchOptions::status()).await {
                Err(client::Error::Transport { .. } | client::Error::Conflict(_)) => {
                    tokio::time::sleep(AGAIN).await
                }
                _ => return,
            }
        }
    }

    async fn remove(&self) {
        let options = DeleteOptions::of_uid(&self.uid).within(0);
        while self.pods.delete_if_there(&self.name, &options).await.is_err() {
            tokio::time::sleep(AGAIN).await;
        }
    }
}

/// A Pod while it is played.
struct Show<'a> {
    stage: &'a Stage,
    place: (String, String, String),
    steps: Vec<PlannedStep>,
    images: Vec<String>,
    states: Vec<ContainerState>,
    attempt: usize,
    failed: bool,
    started: Time,
}

impl<'a> Show<'a> {
    fn new(stage: &'a Stage, pod: &Pod) -> Self {
        let annotations = pod.metadata.annotations.as_ref();
        let plan = annotations.and_then(|all| all.get(step_plan::ANNOTATION));
        let plan = plan.and_then(|text| serde_json::from_str::<StepPlan>(text).ok());
        let containers = pod.spec.as_ref().map_or(&[][..], |spec| &spec.containers);
        let name = pod.metadata.name.as_deref().unwrap_or_default();
        let attempt = name.rsplit_once("-pod-retry").and_then(|(_, number)| number.parse().ok());
        let meta = &pod.metadata;
        Self {
            stage,
            place: (
                cluster(pod).to_owned(),
                meta.namespace.clone().unwrap_or_default(),
                meta.uid.clone().unwrap_or_default(),
            ),
            steps: plan.map(|plan| plan.steps).unwrap_or_default(),
            images: containers.iter().map(|container| container.image.clone().unwrap_or_default()).collect(),
            states: vec![ContainerState::default(); containers.len()],
            attempt: attempt.unwrap_or(0),
            failed: false,
            started: now(stage),
        }
    }

    async fn play(&mut self, place: &Place) {
        let started = ContainerStateRunning { started_at: Some(now(self.stage)) };
        self.states.fill(ContainerState { running: Some(started), ..ContainerState::default() });
        place.write_status(&self.status("Running")).await;
        for index in 0..self.steps.len() {
            self.play_step(index).await;
        }
        if self.steps.is_empty() {
            let state = terminated(self.stage, 0, &[]);
            self.states.fill(state);
        }
    }

    async fn play_step(&mut self, index: usize) {
        let step = self.steps[index].clone();
        if self.failed {
            self.states[index] = terminated(self.stage, 1, &[internal("Reason", "Skipped")]);
            return;
        }
        let (cluster, namespace, uid) = self.place.clone();
        self.stage.begun.lock().push((cluster, namespace, uid, step.container.clone()));
        let act = play::read(step.script.as_deref().unwrap_or_default(), self.attempt);
        let mut entries = vec![internal("StartedAt", &format!("{:.3}", self.stage.clock.now()))];
        let limit = step.timeout.map(types::GoDuration::to_std).filter(|limit| !limit.is_zero());
        let lasts = if act.hangs { Duration::MAX } else { act.lasts };
        if limit.is_some_and(|limit| limit < lasts) {
            tokio::time::sleep(limit.unwrap_or_default()).await;
            entries.push(internal("Reason", "TimeoutExceeded"));
            self.failed = true;
            self.states[index] = terminated(self.stage, 1, &entries);
            return;
        }
        if act.hangs {
            std::future::pending::<()>().await;
        }
        if !lasts.is_zero() {
            tokio::time::sleep(lasts).await;
        }
        let declared = |name: &str| step.results.iter().any(|result| result.name == name);
        entries.extend(act.results.iter().map(|(key, value)| RunResult {
            key: key.clone(),
            value: value.clone(),
            kind: if declared(key) { RunResult::STEP } else { RunResult::TASK },
        }));
        let mut code = act.exit_code;
        if code != 0 && step.on_error == OnError::Continue {
            entries.push(internal("ExitCode", &code.to_string()));
            entries.push(internal("Reason", "Continued"));
            code = 0;
        }
        self.failed = code != 0;
        self.states[index] = terminated(self.stage, code, &entries);
    }

    /// Ends what has not ended.
    fn kill(&mut self) {
        let killed = terminated(self.stage, 137, &[]);
        for state in self.states.iter_mut().filter(|state| state.terminated.is_none()) {
            *state = killed.clone();
        }
    }

    fn status(&self, phase: &str) -> serde_json::Value {
        let statuses: Vec<ContainerStatus> =
            self.states.iter().enumerate().map(|(i, state)| self.container(i, state)).collect();
        json!({"phase": phase, "startTime": self.started, "podIP": "127.0.0.1", "containerStatuses": statuses})
    }

    fn container(&self, index: usize, state: &ContainerState) -> ContainerStatus {
        let name = self.steps.get(index).map_or_else(|| format!("c{index}"), |step| step.container.clone());
        ContainerStatus {
            name,
            image: self.images[index].clone(),
            image_id: format!("{}@sha256:{:064}", self.images[index], 0),
            ready: state.running.is_some(),
            started: Some(state.running.is_some()),
            state: Some(state.clone()),
            ..ContainerStatus::default()
        }
    }
}

fn terminated(stage: &Stage, exit_code: i32, entries: &[RunResult]) -> ContainerState {
    let at = now(stage);
    let message = (!entries.is_empty()).then(|| serde_json::to_string(entries).unwrap_or_default());
    let reason = if exit_code == 0 { "Completed" } else { "Error" };
    ContainerState {
        terminated: Some(ContainerStateTerminated {
            exit_code,
            reason: Some(reason.to_owned()),
            message,
            started_at: Some(at.clone()),
            finished_at: Some(at),
            ..ContainerStateTerminated::default()
        }),
        ..ContainerState::default()
    }
}

fn internal(key: &str, value: &str) -> RunResult {
    RunResult { key: key.to_owned(), value: value.to_owned(), kind: RunResult::INTERNAL }
}

/// Now, in whole seconds, as times in a Pod's status are.
fn now(stage: &Stage) -> Time {
    let now = stage.clock.now();
    Time(jiff::Timestamp::from_second(now.as_second()).unwrap_or(now))
}

fn cluster(pod: &Pod) -> &str {
    let annotations = pod.metadata.annotations.as_ref();
    annotations.and_then(|all| all.get(CLUSTER_ANNOTATION)).map_or("", String::as_str)
}

fn node_name(pod: &Pod) -> &str {
    pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()).unwrap_or_default()
}

fn phase(pod: &Pod) -> &str {
    pod.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or_default()
}
