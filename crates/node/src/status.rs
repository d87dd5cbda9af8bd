//! The status of a Pod as a kubelet would write it, from what is known of its containers. Pure.
//! Invariant: the same knowledge gives the same status; times of conditions change only when conditions do.
//! Source: the Pod lifecycle in the Kubernetes documentation, and the kubelet's reasons and messages.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{
    Container, ContainerState, ContainerStateRunning, ContainerStateTerminated, ContainerStateWaiting,
    ContainerStatus, HostIP, Pod, PodCondition, PodIP, PodStatus,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde::{Deserialize, Serialize};

use crate::shim::{End, Event};

/// All that is known of a Pod's run.
#[derive(Clone, Debug)]
pub(crate) struct Observed {
    started_at: Timestamp,
    containers: Vec<Seen>,
    /// Set when the Pod is over; why, when it is not its containers' doing.
    finished: Option<Option<(String, String)>>,
    conditions: BTreeMap<String, (String, Timestamp)>,
}

/// What stays the same of a container's status.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    /// The container's name.
    pub(crate) name: String,
    /// The image as the Pod has it.
    pub(crate) image: String,
    /// The image with its digest; empty until it is known.
    pub(crate) image_id: String,
}

/// What is known of one container.
#[derive(Clone, Debug)]
struct Seen {
    identity: Identity,
    id: String,
    state: State,
    last: Option<End>,
    restarts: i32,
}

#[derive(Clone, Debug)]
enum State {
    Waiting { reason: String, message: String },
    Running { at: Timestamp },
    Ended(End),
}

/// The time as the API has it: whole seconds.
fn time(at: Timestamp) -> Time {
    Time(Timestamp::from_second(at.as_second()).unwrap_or(at))
}

impl Observed {
    /// A Pod that the node has just taken on.
    pub(crate) fn new(pod: &Pod, started_at: Timestamp) -> Self {
        let seen = |container: &Container| Seen {
            identity: Identity {
                name: container.name.clone(),
                image: container.image.clone().unwrap_or_default(),
                image_id: String::new(),
            },
            id: String::new(),
            state: State::Waiting { reason: "ContainerCreating".to_owned(), message: String::new() },
            last: None,
            restarts: 0,
        };
        let containers = pod.spec.iter().flat_map(|spec| &spec.containers).map(seen).collect();
        let mut observed = Self { started_at, containers, finished: None, conditions: BTreeMap::new() };
        for condition in pod.status.iter().flat_map(|status| status.conditions.iter().flatten()) {
            if let Some(Time(at)) = condition.last_transition_time {
                observed.conditions.insert(condition.type_.clone(), (condition.status.clone(), at));
            }
        }
        observed
    }

    /// When the node took the Pod on.
    pub(crate) fn started_at(&self) -> Timestamp {
        self.started_at
    }

    /// Notes when an earlier dispatcher took the Pod on.
    pub(crate) fn set_started_at(&mut self, at: Timestamp) {
        self.started_at = at;
    }

    /// Notes which image a container has.
    pub(crate) fn set_image(&mut self, container: &str, image_id: &str) {
        if let Some(seen) = self.find(container) {
            seen.identity.image_id = image_id.to_owned();
        }
    }

    /// What stays the same of the containers.
    pub(crate) fn identities(&self) -> Vec<Identity> {
        self.containers.iter().map(|seen| seen.identity.clone()).collect()
    }

    /// Notes why a container, or all of them, cannot start yet.
    pub(crate) fn set_waiting(&mut self, container: Option<&str>, reason: &str, message: &str) {
        let wait = |seen: &mut Seen| {
            seen.state = State::Waiting { reason: reason.to_owned(), message: message.to_owned() };
        };
        match container {
            Some(name) => {
                self.creating();
                self.find(name).into_iter().for_each(wait);
            }
            None => self.containers.iter_mut().for_each(wait),
        }
    }

    /// Notes that nothing hinders the containers (any more).
    pub(crate) fn creating(&mut self) {
        for seen in &mut self.containers {
            seen.state = State::Waiting { reason: "ContainerCreating".to_owned(), message: String::new() };
        }
    }

    /// Takes an event of the shim in.
    pub(crate) fn apply(&mut self, event: Event) {
        match event {
            Event::Started { container, id, at } => {
                if let Some(seen) = self.find(&container) {
                    if let State::Ended(end) = &seen.state {
                        seen.last = Some(end.clone());
                    }
                    seen.restarts += i32::from(seen.last.is_some());
                    seen.id = id;
                    seen.state = State::Running { at };
                }
            }
            Event::Ended { container, end } => {
                if let Some(seen) = self.find(&container) {
                    seen.state = State::Ended(end);
                }
            }
            Event::BackingOff { container, seconds } => {
                if let Some(seen) = self.find(&container) {
                    if let State::Ended(end) = &seen.state {
                        seen.last = Some(end.clone());
                    }
                    seen.state = State::Waiting {
                        reason: "CrashLoopBackOff".to_owned(),
                        message: format!("back-off {seconds}s restarting failed container={container}"),
                    };
                }
            }
            Event::Finished { why } => {
                if why.is_some() {
                    self.end_all(128, "Error", "", Timestamp::now());
                }
                self.finished = Some(why);
            }
        }
    }

    /// Ends containers that have not ended.
    fn end_all(&mut self, exit_code: i32, reason: &str, message: &str, now: Timestamp) {
        for seen in &mut self.containers {
            let started_at = match &seen.state {
                State::Running { at } => *at,
                State::Waiting { .. } => now,
                State::Ended(_) => continue,
            };
            seen.state = State::Ended(End {
                id: seen.id.clone(),
                exit_code,
                reason: reason.to_owned(),
                message: message.to_owned(),
                started_at,
                finished_at: now,
            });
        }
    }

    /// Ends a Pod whose shim has vanished: nobody can say how its containers ended.
    pub(crate) fn lose(&mut self, reason: &str, message: &str, now: Timestamp) {
        let text = "The container could not be located when the pod was terminated";
        self.end_all(137, "ContainerStatusUnknown", text, now);
        self.finished = Some(Some((reason.to_owned(), message.to_owned())));
    }

    /// Whether the Pod ended otherwise than by its containers.
    pub(crate) fn was_cut_short(&self) -> bool {
        matches!(self.finished, Some(Some(_)))
    }

    /// Whether the Pod is over.
    pub(crate) fn is_finished(&self) -> bool {
        self.finished.is_some()
    }

    fn find(&mut self, container: &str) -> Option<&mut Seen> {
        self.containers.iter_mut().find(|seen| seen.identity.name == container)
    }

    fn phase(&self) -> &'static str {
        let succeeded = |seen: &Seen| matches!(&seen.state, State::Ended(end) if end.exit_code == 0);
        match &self.finished {
            Some(Some(_)) => "Failed",
            Some(None) if self.containers.iter().all(succeeded) => "Succeeded",
            Some(None) => "Failed",
            None if self.containers.iter().any(Seen::has_begun) => "Running",
            None => "Pending",
        }
    }

    /// The status to write.
    pub(crate) fn status(&mut self, host_ip: &str, now: Timestamp) -> PodStatus {
        let phase = self.phase();
        let running = phase == "Running";
        let statuses = self.containers.iter().map(|seen| seen.status(running)).collect();
        let (reason, message) = match &self.finished {
            Some(Some((reason, message))) => (Some(reason.clone()), Some(message.clone())),
            _ => (None, None),
        };
        let has_address = phase != "Pending";
        PodStatus {
            phase: Some(phase.to_owned()),
            conditions: Some(self.conditions(phase, now)),
            host_ip: Some(host_ip.to_owned()),
            host_ips: Some(vec![HostIP { ip: host_ip.to_owned() }]),
            pod_ip: has_address.then(|| POD_IP.to_owned()),
            pod_ips: has_address.then(|| vec![PodIP { ip: POD_IP.to_owned() }]),
            start_time: Some(time(self.started_at)),
            container_statuses: Some(statuses),
            reason,
            message,
            ..PodStatus::default()
        }
    }

    fn conditions(&mut self, phase: &str, now: Timestamp) -> Vec<PodCondition> {
        let unready: Vec<&str> = self
            .containers
            .iter()
            .filter(|seen| !matches!(seen.state, State::Running { .. }))
            .map(|seen| seen.identity.name.as_str())
            .collect();
        let ready = unready.is_empty() && phase == "Running";
        let (why, text) = match phase {
            "Succeeded" => (Some("PodCompleted"), None),
            "Failed" => (Some("PodFailed"), None),
            _ if ready => (None, None),
            _ => (
                Some("ContainersNotReady"),
                Some(format!("containers with unready status: [{}]", unready.join(" "))),
            ),
        };
        let initialized = (phase == "Succeeded").then_some("PodCompleted");
        let created = phase == "Running";
        let list = [
            ("PodReadyToStartContainers", created, None, None),
            ("Initialized", true, initialized, None),
            ("Ready", ready, why, text.clone()),
            ("ContainersReady", ready, why, text),
            ("PodScheduled", true, None, None),
        ];
        list.into_iter()
            .map(|(kind, holds, reason, message)| {
                let status = if holds { "True" } else { "False" };
                PodCondition {
                    type_: kind.to_owned(),
                    status: status.to_owned(),
                    reason: reason.map(str::to_owned),
                    message,
                    last_transition_time: Some(time(self.transition(kind, status, now))),
                    ..PodCondition::default()
                }
            })
            .collect()
    }

    /// When a condition came to have its status.
    fn transition(&mut self, kind: &str, status: &str, now: Timestamp) -> Timestamp {
        match self.conditions.get(kind) {
            Some((old, at)) if old == status => *at,
            _ => {
                self.conditions.insert(kind.to_owned(), (status.to_owned(), now));
                now
            }
        }
    }
}

/// The address of every Pod: they use the machine's network, or have only a loopback interface.
const POD_IP: &str = "127.0.0.1";

impl Seen {
    fn has_begun(&self) -> bool {
        !matches!(self.state, State::Waiting { .. }) || self.last.is_some()
    }

    fn status(&self, pod_runs: bool) -> ContainerStatus {
        let running = matches!(self.state, State::Running { .. });
        let state = match &self.state {
            // A step that waits for its turn is not hindered by anything.
            State::Waiting { reason, .. } if pod_runs && reason == "ContainerCreating" => ContainerState {
                waiting: Some(ContainerStateWaiting::default()),
                ..ContainerState::default()
            },
            State::Waiting { reason, message } => ContainerState {
                waiting: Some(ContainerStateWaiting {
                    reason: Some(reason.clone()),
                    message: Some(message.clone()).filter(|message| !message.is_empty()),
                }),
                ..ContainerState::default()
            },
            State::Running { at } => ContainerState {
                running: Some(ContainerStateRunning { started_at: Some(time(*at)) }),
                ..ContainerState::default()
            },
            State::Ended(end) => terminated(end),
        };
        ContainerStatus {
            name: self.identity.name.clone(),
            image: self.identity.image.clone(),
            image_id: self.identity.image_id.clone(),
            container_id: container_id(&self.id),
            ready: running,
            started: Some(running),
            restart_count: self.restarts,
            state: Some(state),
            last_state: Some(self.last.as_ref().map(terminated).unwrap_or_default()),
            ..ContainerStatus::default()
        }
    }
}

fn container_id(id: &str) -> Option<String> {
    (!id.is_empty()).then(|| format!("psvc://{id}"))
}

fn terminated(end: &End) -> ContainerState {
    ContainerState {
        terminated: Some(ContainerStateTerminated {
            container_id: container_id(&end.id),
            exit_code: end.exit_code,
            reason: Some(end.reason.clone()),
            message: Some(end.message.clone()).filter(|message| !message.is_empty()),
            started_at: Some(time(end.started_at)),
            finished_at: Some(time(end.finished_at)),
            signal: None,
        }),
        ..ContainerState::default()
    }
}
