//! The three kinds of patches that change an object in place of a caller: JSON, merge, strategic merge.
//! Server-side apply is [`crate::apply`].
//! Invariant: a patch that fails leaves the object as it was.
//! Start at [`json_patch`], [`merge_patch`], [`strategic_merge`].

mod json;
mod strategic;

use serde_json::{Map, Value};

use crate::schema::Structural;

/// The most operations in one JSON patch.
pub const JSON_PATCH_OPERATIONS_MAX: usize = 10_000;

/// The most bytes that the `copy` operations of one JSON patch may add: 3 MiB, as a body.
pub const JSON_PATCH_COPY_BYTES_MAX: usize = 3 * (1 << 20);

/// Why a patch does not apply.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatchError {
    /// The patch is malformed: answer 400 with this text.
    #[error("{0}")]
    Malformed(String),
    /// It is well-formed, but does not fit the object (a failed `test`, a missing path): answer 422.
    #[error("{0}")]
    Unprocessable(String),
    /// It is too large: answer 413.
    #[error("{0}")]
    TooLarge(String),
}

/// Applies a JSON patch (RFC 6902, with Kubernetes' leniencies: `replace` of a missing member adds it, `test`
/// against null passes where nothing is).
///
/// # Errors
/// See [`PatchError`]; the object is then unchanged.
pub fn json_patch(object: &mut Value, operations: &Value) -> Result<(), PatchError> {
    *object = json::apply(object.clone(), operations)?;
    Ok(())
}

/// Applies a JSON merge patch (RFC 7386).
pub fn merge_patch(object: &mut Value, patch: &Value) {
    let Value::Object(changes) = patch else {
        *object = patch.clone();
        return;
    };
    if !object.is_object() {
        *object = Value::Object(Map::new());
    }
    let Value::Object(fields) = object else { return };
    for (key, change) in changes {
        if change.is_null() {
            fields.remove(key);
        } else {
            merge_patch(fields.entry(key.clone()).or_insert(Value::Null), change);
        }
    }
}

/// Applies a strategic merge patch by the merge keys of the schema.
///
/// # Errors
/// See [`PatchError`]; the object is then unchanged.
pub fn strategic_merge(schema: &Structural, object: &mut Value, patch: &Value) -> Result<(), PatchError> {
    *object = strategic::apply(schema, object, patch)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_merge_patch_does_what_its_standard_shows() {
        for (object, patch, result) in [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"})),
            (json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"})),
            (json!({"a": [{"b": "c"}]}), json!({"a": [1]}), json!({"a": [1]})),
            (json!({"e": null}), json!({"a": 1}), json!({"e": null, "a": 1})),
            (json!([1, 2]), json!({"a": "b", "c": null}), json!({"a": "b"})),
            (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
            (json!({"a": "foo"}), json!("bar"), json!("bar")),
        ] {
            let mut patched = object.clone();
            merge_patch(&mut patched, &patch);
            assert_eq!(patched, result, "{object} {patch}");
        }
    }

    /// Every leaf of a value by its path; empty objects are leaves.
    fn leaves(value: &Value, path: &str, all: &mut Vec<(String, Value)>) {
        match value {
            Value::Object(fields) if !fields.is_empty() => {
                fields.iter().for_each(|(key, inner)| leaves(inner, &format!("{path}/{key}"), all));
            }
            other => all.push((path.to_owned(), other.clone())),
        }
    }

    fn objects() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![Just(Value::Null), (0i64..3).prop_map(Value::from), Just(json!([1]))];
        leaf.prop_recursive(3, 16, 3, |inner| {
            prop::collection::btree_map("[ab]", inner, 0..3)
                .prop_map(|f| Value::Object(f.into_iter().collect()))
        })
    }

    proptest! {
        #[test]
        fn a_merge_patch_sets_its_leaves_and_keeps_the_rest(object in objects(), patch in objects()) {
            let mut patched = object.clone();
            merge_patch(&mut patched, &patch);
            let mut twice = patched.clone();
            merge_patch(&mut twice, &patch);
            prop_assert_eq!(&twice, &patched);
            let mut wanted = Vec::new();
            leaves(&patch, "", &mut wanted);
            for (path, value) in wanted {
                let is = patched.pointer(&path);
                match value {
                    Value::Null if !path.is_empty() => prop_assert_eq!(is, None),
                    Value::Object(_) => prop_assert!(is.is_some_and(Value::is_object)),
                    value => prop_assert_eq!(is, Some(&value)),
                }
            }
        }
    }
}
