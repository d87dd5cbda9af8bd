//! Names of the objects that runs make: a child's name follows from its parent alone.
//! No randomness and no lookups here; whoever creates the object finds it again under the same name.
//! Invariant: equal input gives an equal name of at most 63 characters, byte for byte as Tekton's.
//! Source: Knative's `kmeta.ChildName`, Tekton's `names` and `volumeclaim` packages.

use md5::{Digest as _, Md5};
use sha2::Sha256;

/// The longest name, in bytes, that a label value and a host name allow.
const NAME_LENGTH_MAX: usize = 63;
/// An MD5 sum in hexadecimal digits.
const MD5_LENGTH: usize = 32;
/// How much of a parent's name is kept next to a hash.
const HEAD_LENGTH: usize = NAME_LENGTH_MAX - MD5_LENGTH;

/// The name of a child: `parent` + `suffix`, shortened with a hash where it would pass 63 bytes.
#[must_use]
pub(crate) fn child_name(parent: &str, suffix: &str) -> String {
    if parent.len() + suffix.len() <= NAME_LENGTH_MAX {
        return format!("{parent}{suffix}");
    }
    if suffix.len() < HEAD_LENGTH {
        let head = prefix(parent, HEAD_LENGTH - suffix.len());
        return format!("{head}{}{suffix}", md5_hex(parent));
    }
    let mut name = format!("{}{}", prefix(parent, HEAD_LENGTH), md5_hex(&format!("{parent}{suffix}")));
    let room = NAME_LENGTH_MAX.saturating_sub(name.len());
    name.push_str(prefix(suffix, room));
    trim_to_alphanumeric(&mut name);
    name
}

/// At most 63 bytes of `base`, without trailing characters that a name may not end in.
#[must_use]
pub(crate) fn restrict_length(base: &str) -> String {
    let mut name = prefix(base, NAME_LENGTH_MAX).to_owned();
    trim_to_alphanumeric(&mut name);
    name
}

/// The name of the TaskRun of a task of a PipelineRun.
#[must_use]
pub(crate) fn task_run(pipeline_run: &str, pipeline_task: &str) -> String {
    child_name(pipeline_run, &format!("-{pipeline_task}"))
}

/// The name of the Pod of an attempt of a TaskRun; `retries` attempts came before it.
#[must_use]
pub(crate) fn pod(task_run: &str, retries: usize) -> String {
    match retries {
        0 => child_name(task_run, "-pod"),
        retries => child_name(task_run, &format!("-pod-retry{retries}")),
    }
}

/// The name of a step, for its container: `step-<name>`, or `step-unnamed-<index>`.
#[must_use]
pub(crate) fn step_container(name: &str, index: usize) -> String {
    format!("step-{}", step(name, index))
}

/// The name of a step without a prefix: its own, or `unnamed-<index>`.
#[must_use]
pub(crate) fn step(name: &str, index: usize) -> String {
    if name.is_empty() { format!("unnamed-{index}") } else { name.to_owned() }
}

/// The name of the claim made from a `volumeClaimTemplate`, from the template's own name (or empty), the
/// workspace and the uid of the run that owns it.
#[must_use]
pub(crate) fn volume_claim(template: &str, workspace: &str, owner_uid: &str) -> String {
    let template = if template.is_empty() { "pvc" } else { template };
    let identity = hex::encode(Sha256::digest(format!("{workspace}{owner_uid}")));
    format!("{template}-{}", &identity[..10])
}

/// The name of the volume that a workspace is mounted from: `ws-` and five digits.
#[must_use]
pub(crate) fn workspace_volume(workspace: &str) -> String {
    const DIGITS: usize = 5;
    let sum = workspace
        .bytes()
        .fold(0x811c_9dc5_u32, |sum, byte| (sum ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    let mut digits = format!("{sum:x}");
    digits.truncate(DIGITS);
    format!("ws-{digits:0<DIGITS$}")
}

fn md5_hex(text: &str) -> String {
    hex::encode(Md5::digest(text.as_bytes()))
}

/// The first `length` bytes, less if a character would be cut.
fn prefix(text: &str, length: usize) -> &str {
    let mut end = length.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

fn trim_to_alphanumeric(name: &mut String) {
    let length = name.trim_end_matches(|c: char| !c.is_ascii_alphanumeric()).len();
    name.truncate(length);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_name_is_parent_and_suffix() {
        assert_eq!(task_run("run", "build"), "run-build");
        assert_eq!(pod("run-build", 0), "run-build-pod");
        assert_eq!(pod("run-build", 2), "run-build-pod-retry2");
        assert_eq!(step_container("compile", 0), "step-compile");
        assert_eq!(step_container("", 3), "step-unnamed-3");
    }

    #[test]
    fn a_long_name_keeps_its_suffix_behind_a_hash() {
        // The values of Knative's own test table.
        let parent = "a".repeat(63);
        assert_eq!(
            child_name(&parent, "-deployment"),
            format!("{}{}-deployment", "a".repeat(20), md5_hex(&parent))
        );
        assert_eq!(child_name("asdf", "-deployment"), "asdf-deployment");
        assert_eq!(child_name(&parent, "-deployment").len(), 63);
        let long = child_name(&"f".repeat(63), &"z".repeat(40));
        assert_eq!(long.len(), 63);
        assert!(long.starts_with(&"f".repeat(31)), "{long}");
        let ends_in_dashes = child_name("short", &"-".repeat(62));
        assert_eq!(ends_in_dashes, format!("short{}", md5_hex(&format!("short{}", "-".repeat(62)))));
    }

    #[test]
    fn a_claim_and_a_volume_are_named_by_hash() {
        assert_eq!(volume_claim("", "shared", "uid-1").len(), "pvc-".len() + 10);
        assert!(volume_claim("data", "shared", "uid-1").starts_with("data-"));
        assert_ne!(volume_claim("", "shared", "uid-1"), volume_claim("", "shared", "uid-2"));
        assert_eq!(workspace_volume("custom"), "ws-20573");
    }

    #[test]
    fn a_name_of_many_bytes_is_cut_between_characters() {
        assert!(child_name(&"ä".repeat(40), "-pod").len() <= 63);
        assert_eq!(restrict_length("abc-.-"), "abc");
    }
}
