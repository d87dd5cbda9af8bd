//! Writes the status of one Pod, and removes its object when it was deleted.
//! Invariant: writes of one Pod happen one after the other, and never touch another Pod of the same name.

use std::time::Duration;

use client::{Api, DeleteOptions, Error, Patch, PatchOptions};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Pod, PodCondition, PodStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use sandbox::PodRef;
use serde_json::json;

/// First wait after a failed request; doubled each time.
const RETRY_FIRST: Duration = Duration::from_millis(100);
/// Longest wait.
const RETRY_MAX: Duration = Duration::from_secs(10);

/// What became of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// It is in the API.
    Yes,
    /// The Pod does not exist any more.
    Gone,
    /// The server will never take it.
    Refused,
}

/// Writes a status; goes on trying while the server cannot be reached.
pub(crate) async fn write(api: Api<Pod>, name: String, uid: String, status: PodStatus) -> Written {
    let body = json!({ "metadata": { "uid": uid }, "status": status });
    let patch = Patch::Merge(body);
    let mut wait = RETRY_FIRST;
    loop {
        match api.patch(&name, &patch, &PatchOptions::status()).await {
            Ok(_) => return Written::Yes,
            // Another Pod of the same name answers with a conflict about the uid.
            Err(Error::NotFound(_) | Error::Conflict(_)) => return Written::Gone,
            Err(error @ (Error::Invalid(_) | Error::Forbidden(_))) => {
                tracing::error!(
                    pod = name,
                    "the status of a Pod was refused: {}",
                    crate::shim::chain(&error)
                );
                return Written::Refused;
            }
            Err(error) => {
                tracing::debug!(pod = name, "could not write a status: {}", crate::shim::chain(&error));
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(RETRY_MAX);
            }
        }
    }
}

/// Says of an unbound Pod that no node can run it, as Kubernetes' scheduler does.
pub(crate) async fn unschedulable(api: &Api<Pod>, pod: &PodRef, message: &str, at: Timestamp) -> Written {
    let condition = PodCondition {
        type_: "PodScheduled".to_owned(),
        status: "False".to_owned(),
        reason: Some("Unschedulable".to_owned()),
        message: Some(message.to_owned()),
        last_transition_time: Some(Time(Timestamp::from_second(at.as_second()).unwrap_or(at))),
        ..PodCondition::default()
    };
    let phase = Some("Pending".to_owned());
    let status = PodStatus { phase, conditions: Some(vec![condition]), ..PodStatus::default() };
    write(api.clone(), pod.name.clone(), pod.uid.clone(), status).await
}

/// Whether a Pod's status says already that it cannot run, and why.
pub(crate) fn says_unschedulable(pod: &Pod, message: &str) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.into_iter().flatten().any(|condition| {
        condition.type_ == "PodScheduled"
            && condition.status == "False"
            && condition.message.as_deref() == Some(message)
    })
}

/// Removes the object of a Pod that was deleted and has stopped.
pub(crate) async fn remove(api: &Api<Pod>, name: &str, uid: &str) {
    let options = DeleteOptions::of_uid(uid).within(0);
    let mut wait = RETRY_FIRST;
    loop {
        match api.delete_if_there(name, &options).await {
            Ok(_) => return,
            Err(error @ (Error::Invalid(_) | Error::Forbidden(_))) => {
                tracing::error!(
                    pod = name,
                    "the removal of a Pod was refused: {}",
                    crate::shim::chain(&error)
                );
                return;
            }
            Err(error) => {
                tracing::debug!(pod = name, "could not remove a Pod: {}", crate::shim::chain(&error));
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(RETRY_MAX);
            }
        }
    }
}
