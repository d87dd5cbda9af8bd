//! Objects of every served group: plain data with schema, defaulting, validation and version conversion.
//! No I/O and no decisions about runs: those are `pipeline`'s. Serving them is `apiserver`'s.
//! Invariant: a kind is served if, and only if, it is a row of [`table`].
//! Start at [`table`] for what is served, at [`step_plan`] for what a node is told about a Pod.

pub mod field;
pub mod step_plan;
pub mod table;
pub mod tekton;
