//! What is decided while the steps of a Task run: references to results of earlier steps, `when`, and the
//! termination messages that carry results.
//! It reads no files: the executor brings the content of results.
//! Invariant: a text without a reference stays as it is, byte for byte.
//! Source: Tekton's documentation of step results and of `when` in steps; clients read the messages.

mod message;
mod references;

pub use crate::tekton::{StepDirs, step_dirs};
pub use message::{Outcome, message};
pub use references::{ReferenceError, Results, allows, expand_list, expand_text};
