//! The kinds of Tekton: `tekton.dev` and `resolution.tekton.dev`.
//! Plain data; what a run does with it is decided in crate `pipeline`.
//! Invariant: every field that Tekton knows is in the structs, so nothing a user writes gets lost.
//! Start at [`v1`], the version that everything inside works with.

mod open_enum;
mod schema_parts;
pub mod v1;
