//! Variables: `$(params.x)`, `$(context.taskRun.name)`, `$(tasks.a.results.b)` and their like.

mod text;

pub(crate) use text::{Replacements, Scope, isolated};
