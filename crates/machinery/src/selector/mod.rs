//! Which objects a list, watch or deletion means: label selectors and field selectors.
//! Parsing and matching only; which fields a kind lets select is its row in the table.
//! Invariant: a selector that parsed matches in the same way as its canonical text.
//! Start at [`LabelSelector::parse`] for queries, [`LabelSelector::from_object`] for selectors inside objects.

mod fields;
mod labels;

pub use fields::{FieldSelector, FieldTerm};
pub use labels::{LabelSelector, Operator, Requirement};

/// Why a selector cannot be understood, in the words that answer 400.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SelectorError(pub String);
