//! What this machine's kernel does for us: namespaces, mounts, control groups, pidfds, and the OCI runtime on top.
//! Knows nothing of Pods, Tekton or the API: it executes what `sandbox` planned and `node` asks for.
//! Invariants: the only crate with `unsafe`, all of it in [`sys`]; everything is synchronous; what creates processes
//! or changes namespaces ([`runtime::Runtime::start`], [`mount::private_namespace`], [`userns::enter`]) wants a
//! process with one thread and says so otherwise.
//! Start at [`runtime`]; the machine's abilities are in [`privileges`] and [`cgroup`].

pub mod capability;
pub mod cgroup;
mod error;
pub mod hostview;
pub mod mount;
pub mod netns;
pub mod overlay;
pub mod privileges;
pub mod process;
pub mod runtime;
pub mod seccomp;
mod sys;
pub mod userns;
pub mod watch;

pub use error::{Error, Result};
