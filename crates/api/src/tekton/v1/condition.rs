//! The conditions of runs, in the form of Knative, where `severity` exists and the time may be absent.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::filled;

use crate::tekton::open_enum::open_enum;

open_enum! {
    /// Whether a condition holds.
    #[derive(Default)]
    pub enum ConditionStatus {
        /// It holds: the run succeeded.
        True = "True",
        /// It does not hold: the run failed.
        False = "False",
        /// Not known yet: the run goes on.
        #[default]
        Unknown = "Unknown",
    }
}

/// One aspect of the state of an object; the condition `Succeeded` of a run comes first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// Which aspect, such as `Succeeded`.
    #[serde(rename = "type", default)]
    pub kind: String,
    /// `True`, `False` or `Unknown`.
    #[serde(default)]
    pub status: ConditionStatus,
    /// How bad it is when the condition does not hold; absent means `Error`.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub severity: Option<String>,
    /// When `status` changed last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_transition_time: Option<Time>,
    /// Why, as one word for programs.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Why, for people.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}
