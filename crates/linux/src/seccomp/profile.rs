//! stub
use oci_spec::runtime::LinuxSeccomp;
/// The default profile for `linux.seccomp`.
#[must_use]
pub fn oci_profile() -> LinuxSeccomp {
    LinuxSeccomp::default()
}
