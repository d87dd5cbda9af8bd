//! Server-side apply: who owns which field, and what happens when two want the same.
//! Patches without owners are [`crate::patch`]; defaulting and validating the result is the caller's.
//! Invariant: applying the same configuration twice changes nothing the second time, not even a time.
//! Start at [`apply`] for PATCH with an apply body, [`track_update`] for every other write.

mod fields;
mod managers;
mod ownership;
#[cfg(test)]
mod tests;
mod walk;

use serde_json::{Value, json};

use crate::meta;
use crate::schema::Structural;
use crate::status::Cause;
use fields::Fields;
use managers::Managers;
use ownership::{Change, Conflicts};
use walk::View;

/// The manager that owns what an object had before its first apply.
const BEFORE_FIRST_APPLY: &str = "before-first-apply";
/// Where kubectl's client-side apply keeps what it applied; its server-side apply, by its usual manager, keeps that
/// up to date, so that users can go back.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
const LAST_APPLIED_MANAGER: &str = "kubectl";

/// Who writes, as managed fields record it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Writer<'a> {
    /// The field manager; for updates without one, the part of the user agent before the first slash.
    pub manager: &'a str,
    /// The version in which the object was written, such as `tekton.dev/v1`; objects are given in it.
    pub api_version: &'a str,
    /// The subresource written, such as `status`, or nothing.
    pub subresource: &'a str,
    /// The time, RFC 3339 in seconds, such as `2026-01-01T00:00:00Z`.
    pub time: &'a str,
}

/// The versions of a kind: managed fields of other versions are compared in their own version.
pub trait Versions {
    /// The schema of a version such as `tekton.dev/v1`, if it is served.
    fn schema(&self, api_version: &str) -> Option<&Structural>;
    /// The object in a version, if it can be converted.
    fn convert(&self, object: &Value, api_version: &str) -> Option<Value>;
    /// Top-level fields that an endpoint ignores, and that nobody comes to own through it: `status` for the main
    /// endpoint of a kind with a status subresource, `spec` and `metadata` for that subresource.
    fn ignored(&self, subresource: &str) -> &[&str] {
        let _ = subresource;
        &[]
    }
}

/// A kind of one version.
#[derive(Clone, Copy, Debug)]
pub struct OneVersion<'a> {
    /// The version, such as `v1`.
    pub api_version: &'a str,
    /// Its schema.
    pub schema: &'a Structural,
}

impl Versions for OneVersion<'_> {
    fn schema(&self, api_version: &str) -> Option<&Structural> {
        (api_version == self.api_version).then_some(self.schema)
    }

    fn convert(&self, object: &Value, api_version: &str) -> Option<Value> {
        (api_version == self.api_version).then(|| object.clone())
    }
}

/// Why a configuration cannot be applied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// Others own fields with other values: answer 409 with the text and the causes.
    #[error("{message}")]
    Conflicts {
        /// `Apply failed with 1 conflict: ...`
        message: String,
        /// One for each manager and field, with reason `FieldManagerConflict`.
        causes: Vec<Cause>,
    },
    /// The configuration itself is wrong: answer 400.
    #[error("{0}")]
    Invalid(String),
}

/// Applies a configuration to the live object (none: creates it) and returns the result with its managed
/// fields. Both are in the writer's version. If nothing changes, the result equals the live object.
///
/// # Errors
/// See [`ApplyError`].
pub fn apply(
    versions: &dyn Versions,
    live: Option<&Value>,
    configuration: &Value,
    writer: &Writer<'_>,
    force: bool,
) -> Result<Value, ApplyError> {
    let schema = checked(versions, configuration, writer)?;
    let empty = json!({"apiVersion": writer.api_version, "kind": meta::kind(configuration)});
    let mut before = live.cloned().unwrap_or_else(|| empty.clone());
    let mut managers = managers::decode(&before)
        .ok_or_else(|| ApplyError::Invalid("failed to decode managed fields".to_owned()))?;
    managers::strip(&mut before);
    let ignored = ignored(versions, writer.subresource);
    let first = Writer { manager: BEFORE_FIRST_APPLY, ..*writer };
    let change = Change {
        versions,
        view: View { schema },
        old: &before,
        new: configuration,
        writer,
        ignored: &ignored,
    };
    if live.is_some() && managers.is_empty() {
        Change { old: &empty, new: &before, writer: &first, ..change }.update(&mut managers);
    }
    let mut result = ownership::apply(&change, &mut managers, force).map_err(|error| match error {
        Ok(conflicts) => refused(&conflicts),
        Err(text) => ApplyError::Invalid(format!("failed to create typed patch object: {text}")),
    })?;
    if writer.manager == LAST_APPLIED_MANAGER && meta::annotation(&result, LAST_APPLIED).is_some() {
        let mut applied = configuration.clone();
        meta::remove(&mut applied, &["metadata", "annotations", LAST_APPLIED]);
        meta::set_annotation(&mut result, LAST_APPLIED, &format!("{applied}\n"));
    }
    managers::encode(&mut result, &managers);
    match live {
        Some(live) if same_but_for_times(live, &result) => Ok(live.clone()),
        _ => Ok(result),
    }
}

/// Writes the managed fields of a create, update or patch into `new`; never fails, as a write must not fail
/// for its bookkeeping. Both objects are in the writer's version. Clients clear the fields by sending `[{}]`.
pub fn track_update(versions: &dyn Versions, old: Option<&Value>, new: &mut Value, writer: &Writer<'_>) {
    let of_old = || old.and_then(managers::decode).unwrap_or_default();
    let mut managers = if !writer.subresource.is_empty() {
        of_old()
    } else if managers::is_reset(new) {
        Managers::new()
    } else {
        managers::decode(new).filter(|sent| !sent.is_empty()).unwrap_or_else(of_old)
    };
    managers::strip(new);
    // An object whose fields were cleared is tracked again from its next apply on.
    let tracked = old.is_none() || !managers.is_empty();
    if let Some(schema) = versions.schema(writer.api_version).filter(|_| tracked) {
        let mut before = old
            .cloned()
            .unwrap_or_else(|| json!({"apiVersion": writer.api_version, "kind": meta::kind(new)}));
        managers::strip(&mut before);
        let ignored = ignored(versions, writer.subresource);
        let change = Change { versions, view: View { schema }, old: &before, new, writer, ignored: &ignored };
        change.update(&mut managers);
        managers::cap(&mut managers);
    }
    managers::encode(new, &managers);
}

fn checked<'a>(
    versions: &'a dyn Versions,
    configuration: &Value,
    writer: &Writer<'_>,
) -> Result<&'a Structural, ApplyError> {
    let invalid = |text: String| Err(ApplyError::Invalid(text));
    if writer.manager.is_empty() {
        return invalid(
            "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply \
                        patch"
                .to_owned(),
        );
    }
    if meta::api_version(configuration) != writer.api_version {
        return invalid(format!(
            "Incorrect version specified in apply patch. Specified patch version: {}, expected: {}",
            meta::api_version(configuration),
            writer.api_version
        ));
    }
    if meta::get(configuration, &["metadata", "managedFields"]).is_some_and(|fields| !fields.is_null()) {
        return invalid("metadata.managedFields must be nil".to_owned());
    }
    match versions.schema(writer.api_version) {
        Some(schema) => Ok(schema),
        None => invalid(format!("the version {} is not served", writer.api_version)),
    }
}

fn ignored(versions: &dyn Versions, subresource: &str) -> Fields {
    let names: Vec<[&str; 1]> = versions.ignored(subresource).iter().map(|name| [*name]).collect();
    let paths: Vec<&[&str]> = names.iter().map(|path| path.as_slice()).collect();
    Fields::of(&paths)
}

fn refused(conflicts: &Conflicts) -> ApplyError {
    let causes: Vec<Cause> = conflicts
        .iter()
        .flat_map(|(identity, paths)| {
            paths.iter().map(|path| Cause {
                reason: "FieldManagerConflict".to_owned(),
                message: format!("conflict with {}", identity.display()),
                field: fields::display(path),
            })
        })
        .collect();
    let message = match causes.as_slice() {
        [one] => format!("Apply failed with 1 conflict: {}: {}", one.message, one.field),
        many => {
            let each = conflicts.iter().map(|(identity, paths)| {
                let paths: String =
                    paths.iter().map(|path| format!("\n- {}", fields::display(path))).collect();
                format!("conflicts with {}:{paths}", identity.display())
            });
            format!("Apply failed with {} conflicts: {}", many.len(), each.collect::<Vec<_>>().join("\n"))
        }
    };
    ApplyError::Conflicts { message, causes }
}

/// Whether two objects differ in nothing but the times of their managed fields.
fn same_but_for_times(left: &Value, right: &Value) -> bool {
    let timeless = |object: &Value| {
        let mut managers = managers::decode(object)?;
        let mut object = object.clone();
        managers::strip(&mut object);
        managers.values_mut().for_each(|owned| owned.time.clear());
        Some((object, managers))
    };
    match (timeless(left), timeless(right)) {
        (Some(left), Some(right)) => left == right,
        _ => false,
    }
}
