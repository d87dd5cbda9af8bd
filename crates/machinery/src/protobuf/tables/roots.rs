//! The kinds that bodies may name, with their messages.

use super::{meta, objects, pod};
use crate::protobuf::shape::Message;

/// Version, kind and message.
pub(in crate::protobuf) static ROOTS: &[(&str, &str, &Message)] = &[
    ("v1", "Binding", &objects::BINDING),
    ("v1", "ConfigMap", &objects::CONFIG_MAP),
    ("v1", "Event", &objects::EVENT),
    ("v1", "Namespace", &objects::NAMESPACE),
    ("v1", "PersistentVolumeClaim", &objects::PERSISTENT_VOLUME_CLAIM),
    ("v1", "Pod", &pod::POD),
    ("v1", "Secret", &objects::SECRET),
    ("v1", "ServiceAccount", &objects::SERVICE_ACCOUNT),
    ("coordination.k8s.io/v1", "Lease", &objects::LEASE),
    ("events.k8s.io/v1", "Event", &objects::EVENTS_EVENT),
];

/// The message of a kind. `DeleteOptions` are of every version: clients write that of the kind they delete.
pub(in crate::protobuf) fn message(api_version: &str, kind: &str) -> Option<&'static Message> {
    if kind == "DeleteOptions" {
        return Some(&meta::DELETE_OPTIONS);
    }
    ROOTS
        .iter()
        .find(|(version, name, _)| (*version, *name) == (api_version, kind))
        .map(|(.., message)| *message)
}
