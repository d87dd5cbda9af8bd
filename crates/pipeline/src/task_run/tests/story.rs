//! A TaskRun and its Pod, with plans carried out as a controller would, and told as text.

use std::fmt::Write as _;

use api::tekton::v1::TaskRun;
use expect_test::Expect;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{Pod, PodStatus};
use serde_json::{Value, json};

use super::super::{Observed, Plan, decide, pod_name};
use crate::plan::{Action, Lookup, Requeue};

fn start() -> Timestamp {
    "2026-01-01T10:00:00Z".parse().unwrap()
}

/// A TaskRun and its Pod, with the plans carried out as a controller would.
pub(super) struct Story {
    pub(super) observed: Observed,
    pub(super) now: Timestamp,
    pub(super) pods_made: usize,
    pub(super) told: String,
}

impl Story {
    pub(super) fn of(spec: Value) -> Self {
        let run: TaskRun = serde_json::from_value(json!({
            "apiVersion": "tekton.dev/v1", "kind": "TaskRun",
            "metadata": {
                "name": "run", "namespace": "ns", "uid": "uid-1", "creationTimestamp": "2026-01-01T10:00:00Z",
                "annotations": { "pipeline.tekton.dev/release": crate::metadata::RELEASE_VALUE },
            },
            "spec": spec,
        }))
        .unwrap();
        let (pod, service_account) = (Lookup::Missing, Lookup::Missing);
        let observed = Observed { run, pod, service_account, ..Observed::default() };
        Self { observed, now: start(), pods_made: 0, told: String::new() }
    }

    pub(super) fn script(script: &str) -> Self {
        Self::of(json!({ "taskSpec": { "steps": [{ "name": "s", "image": "busybox", "script": script }] } }))
    }

    pub(super) fn steps(names: &[&str]) -> Self {
        let steps: Vec<Value> =
            names.iter().map(|name| json!({ "name": name, "image": "i", "command": ["c"] })).collect();
        Self::of(json!({ "taskSpec": { "steps": steps } }))
    }

    pub(super) fn decide(&mut self) -> Plan {
        let plan = decide(&self.observed, self.now);
        self.tell(&plan);
        self.carry_out(&plan);
        plan
    }

    /// Decides until nothing changes, as watches would cause it.
    pub(super) fn settle(mut self) -> Self {
        for _ in 0..10 {
            if self.decide().changes_nothing() {
                return self;
            }
        }
        panic!("plans never end:\n{}", self.told);
    }

    fn carry_out(&mut self, plan: &Plan) {
        for action in &plan.actions {
            match action {
                Action::CreatePod(pod) => {
                    self.pods_made += 1;
                    let mut pod = pod.clone();
                    pod.metadata.uid = Some(format!("pod-uid-{}", self.pods_made));
                    self.observed.pod = Lookup::Found(*pod);
                }
                Action::DeletePod { .. } => self.observed.pod = Lookup::Missing,
                _ => {}
            }
        }
        let metadata = &mut self.observed.run.metadata;
        metadata.labels.get_or_insert_default().extend(plan.metadata.labels.clone());
        metadata.annotations.get_or_insert_default().extend(plan.metadata.annotations.clone());
        if let Some(status) = &plan.status {
            let json = serde_json::to_value(status).unwrap();
            self.observed.run.status = Some(serde_json::from_value(json).unwrap());
        }
        let wanted = pod_name(&self.observed.run);
        if self.observed.pod.found().is_some_and(|pod| pod.metadata.name.as_deref() != Some(&wanted)) {
            self.observed.pod = Lookup::Missing;
        }
    }

    fn tell(&mut self, plan: &Plan) {
        for need in &plan.needs {
            writeln!(self.told, "needs {need:?}").unwrap();
        }
        for action in &plan.actions {
            let verb = match action {
                Action::DeletePod { .. } => "delete",
                _ => "create",
            };
            writeln!(self.told, "{verb} {} {}", action.kind(), action.name()).unwrap();
        }
        if !plan.metadata.is_empty() {
            writeln!(self.told, "label {:?} annotate {:?}", plan.metadata.labels, plan.metadata.annotations)
                .unwrap();
        }
        if let Some(status) = &plan.status {
            let condition = &status.conditions[0];
            let message = condition.message.as_deref().unwrap_or_default();
            writeln!(
                self.told,
                "status {} {}: {message}",
                condition.status,
                condition.reason.as_deref().unwrap_or_default()
            )
            .unwrap();
        }
        for event in &plan.events {
            writeln!(self.told, "event {} {}", event.kind.as_str(), event.reason).unwrap();
        }
        if let Requeue::At(at) = plan.requeue {
            writeln!(self.told, "again after {:#}", at.duration_since(self.now)).unwrap();
        }
    }

    /// Time passes.
    pub(super) fn after(mut self, seconds: i64) -> Self {
        self.now += SignedDuration::from_secs(seconds);
        self
    }

    /// The node reports a phase, and steps such as `a: running; b: exit 1; c: waiting ImagePullBackOff no such image`.
    pub(super) fn pod_is(mut self, phase: &str, steps: &str) -> Self {
        let Lookup::Found(pod) = &mut self.observed.pod else { panic!("there is no Pod") };
        pod.status = Some(pod_status(phase, steps));
        self.settle()
    }

    /// The node reports the end of the only step `s` with this termination message.
    pub(super) fn ends_with(mut self, exit_code: i32, message: &Value) -> Self {
        let Lookup::Found(pod) = &mut self.observed.pod else { panic!("there is no Pod") };
        let phase = if exit_code == 0 { "Succeeded" } else { "Failed" };
        pod.status = serde_json::from_value(json!({ "phase": phase, "containerStatuses": [{
            "name": "step-s", "image": "i", "imageID": "i@sha256:1", "ready": false, "restartCount": 0,
            "state": { "terminated": { "exitCode": exit_code, "reason": "Completed", "message": message.to_string(),
                                       "startedAt": "2026-01-01T10:00:01Z", "finishedAt": "2026-01-01T10:00:09Z" } },
        }] }))
        .unwrap();
        self.settle()
    }

    pub(super) fn change(mut self, change: impl FnOnce(&mut Observed)) -> Self {
        change(&mut self.observed);
        self.settle()
    }

    pub(super) fn pod(&self) -> &Pod {
        self.observed.pod.found().unwrap()
    }

    pub(super) fn status(&self) -> Value {
        serde_json::to_value(&self.observed.run.status).unwrap()
    }

    #[track_caller]
    pub(super) fn told(&self, expected: &Expect) {
        expected.assert_eq(&self.told);
    }
}

fn pod_status(phase: &str, steps: &str) -> PodStatus {
    let containers: Vec<Value> = steps
        .split(';')
        .filter_map(|step| step.split_once(':'))
        .map(|(name, state)| {
            let words: Vec<&str> = state.trim().splitn(3, ' ').collect();
            let state = match words.as_slice() {
                ["running"] => json!({ "running": { "startedAt": "2026-01-01T10:00:02Z" } }),
                ["exit", code] => json!({ "terminated": { "exitCode": code.parse::<i32>().unwrap() } }),
                ["exit", code, reason] => {
                    json!({ "terminated": { "exitCode": code.parse::<i32>().unwrap(), "reason": reason } })
                }
                ["waiting", reason] => json!({ "waiting": { "reason": reason } }),
                ["waiting", reason, message] => {
                    json!({ "waiting": { "reason": reason, "message": message } })
                }
                other => panic!("what is {other:?}?"),
            };
            json!({ "name": format!("step-{}", name.trim()), "image": "i", "imageID": "", "ready": false,
                    "restartCount": 0, "state": state })
        })
        .collect();
    serde_json::from_value(json!({ "phase": phase, "containerStatuses": containers })).unwrap()
}
