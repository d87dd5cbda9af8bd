//! Conditions that decide whether a task or step runs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::filled;

use crate::tekton::open_enum::open_enum;

open_enum! {
    /// How a `when` expression compares.
    pub enum WhenOperator {
        /// True if the input is one of the values.
        In = "in",
        /// True if the input is none of the values.
        NotIn = "notin",
    }
}

/// One condition; a task or step with several runs only if all of them hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WhenExpression {
    /// The text that is looked for among `values`; may contain variables.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    /// `in` or `notin`.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub operator: Option<WhenOperator>,
    /// The texts that `input` is compared with; `$(params.list[*])` stands for all items of an array param.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
    /// A condition in the Common Expression Language, in place of the other fields.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub cel: Option<String>,
}
