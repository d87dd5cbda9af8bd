//! Objects of every served group: plain data with schema, defaulting, validation and version conversion.
//! No I/O and no decisions about runs: those are `pipeline`'s. Serving them is `apiserver`'s.
//! Invariant: a kind is served if, and only if, it is a row of [`resources`].
//! Start at [`table`] for what a row says, at [`step_plan`] for what a node is told about a Pod.

pub mod apis;
mod columns;
pub mod coordination;
pub mod core;
pub mod field;
pub mod kcp;
mod names;
mod rows;
pub mod schema;
pub mod step_plan;
pub mod table;
pub mod tekton;

pub use rows::resources;
