//! System call filters: one default profile, and two forms of it.
mod bpf;
mod profile;
mod table;

pub(crate) use bpf::compile;
pub use profile::oci_profile;
