//! The built-in kinds of Kubernetes that the pipeline service serves; their types are those of `k8s-openapi`.
//! Defaulting and validation work on JSON, so that fields of newer clients survive.
//! Invariant: texts of errors and defaults are Kubernetes' own; source: `k8s.io/kubernetes/pkg/apis/core`.

mod claim;
mod config;
mod event;
mod namespace;
mod object;
mod pod;
mod pod_columns;
mod pod_defaults;
mod pod_validation;

pub(crate) use claim::PERSISTENT_VOLUME_CLAIM;
pub(crate) use config::{CONFIG_MAP, SECRET};
pub(crate) use event::{EVENT, EVENTS_EVENT};
pub(crate) use namespace::{NAMESPACE, SERVICE_ACCOUNT};
pub(crate) use object::{default_text, name_errors};
pub(crate) use pod::POD;
