//! JSON patch.
//! Invariant: operations are applied in order to a copy; the first that fails ends it.
//! Source: RFC 6902, and `github.com/evanphx/json-patch` where Kubernetes is more lenient.

use serde_json::Value;

use super::{JSON_PATCH_COPY_BYTES_MAX, JSON_PATCH_OPERATIONS_MAX, PatchError};

pub(super) fn apply(mut object: Value, operations: &Value) -> Result<Value, PatchError> {
    let malformed = |text: &str| PatchError::Malformed(format!("error decoding patch: {text}"));
    let operations =
        operations.as_array().ok_or_else(|| malformed("a JSON patch is a list of operations"))?;
    if operations.len() > JSON_PATCH_OPERATIONS_MAX {
        return Err(PatchError::TooLarge(format!(
            "The allowed maximum operations in a JSON patch is {JSON_PATCH_OPERATIONS_MAX}, got {}",
            operations.len()
        )));
    }
    let mut copied = 0;
    for operation in operations {
        let text = |key: &str| operation.get(key).and_then(Value::as_str);
        let need = |key: &str| text(key).ok_or_else(|| malformed(&format!("an operation lacks {key:?}")));
        let (op, path) = (need("op")?, Pointer::parse(need("path")?)?);
        let value =
            || operation.get("value").cloned().ok_or_else(|| malformed("an operation lacks \"value\""));
        match op {
            "add" => add(&mut object, &path, value()?, op)?,
            "remove" => {
                remove(&mut object, &path, op)?;
            }
            "replace" => replace(&mut object, &path, value()?)?,
            "test" => test(&object, &path, operation.get("value").unwrap_or(&Value::Null))?,
            "move" => {
                let moved = remove(&mut object, &Pointer::parse(need("from")?)?, op)?;
                add(&mut object, &path, moved, op)?;
            }
            "copy" => {
                let from = Pointer::parse(need("from")?)?;
                let found = from.find(&object).ok_or_else(|| missing(op, &from))?.clone();
                copied += found.to_string().len();
                if copied > JSON_PATCH_COPY_BYTES_MAX {
                    return Err(PatchError::TooLarge(format!(
                        "Unable to complete the copy, the accumulated size increase of copy is {copied}, exceeding the \
                         limit {JSON_PATCH_COPY_BYTES_MAX}"
                    )));
                }
                add(&mut object, &path, found, op)?;
            }
            other => return Err(PatchError::Unprocessable(format!("Unexpected kind: {other}"))),
        }
    }
    Ok(object)
}

/// A JSON pointer (RFC 6901).
struct Pointer {
    text: String,
    keys: Vec<String>,
}

impl Pointer {
    fn parse(text: &str) -> Result<Self, PatchError> {
        let rest = match text.strip_prefix('/') {
            Some(rest) => rest,
            None if text.is_empty() => return Ok(Self { text: String::new(), keys: Vec::new() }),
            None => {
                return Err(PatchError::Malformed(format!(
                    "error decoding patch: the path {text:?} lacks a slash"
                )));
            }
        };
        let keys = rest.split('/').map(|key| key.replace("~1", "/").replace("~0", "~")).collect();
        Ok(Self { text: text.to_owned(), keys })
    }

    fn find<'a>(&self, object: &'a Value) -> Option<&'a Value> {
        self.keys.iter().try_fold(object, |at, key| match at {
            Value::Object(fields) => fields.get(key),
            Value::Array(items) => items.get(index(key)?),
            _ => None,
        })
    }

    /// The value that holds the last key, and that key.
    fn parent<'a, 'b>(&'b self, object: &'a mut Value) -> Option<(&'a mut Value, &'b str)> {
        let (last, keys) = self.keys.split_last()?;
        let parent = keys.iter().try_fold(object, |at, key| match at {
            Value::Object(fields) => fields.get_mut(key),
            Value::Array(items) => items.get_mut(index(key)?),
            _ => None,
        })?;
        Some((parent, last))
    }
}

fn index(key: &str) -> Option<usize> {
    let plain = key == "0" || (!key.starts_with('0') && key.bytes().all(|b| b.is_ascii_digit()));
    plain.then(|| key.parse().ok()).flatten()
}

fn add(object: &mut Value, path: &Pointer, value: Value, op: &str) -> Result<(), PatchError> {
    if path.keys.is_empty() {
        *object = value;
        return Ok(());
    }
    match path.parent(object) {
        Some((Value::Object(fields), key)) => {
            fields.insert(key.to_owned(), value);
            Ok(())
        }
        Some((Value::Array(items), "-")) => {
            items.push(value);
            Ok(())
        }
        Some((Value::Array(items), key)) => match index(key).filter(|at| *at <= items.len()) {
            Some(at) => {
                items.insert(at, value);
                Ok(())
            }
            None => Err(out_of_bounds(op, path)),
        },
        _ => Err(missing(op, path)),
    }
}

fn remove(object: &mut Value, path: &Pointer, op: &str) -> Result<Value, PatchError> {
    match path.parent(object) {
        Some((Value::Object(fields), key)) => fields.remove(key).ok_or_else(|| missing(op, path)),
        Some((Value::Array(items), key)) => match index(key).filter(|at| *at < items.len()) {
            Some(at) => Ok(items.remove(at)),
            None => Err(out_of_bounds(op, path)),
        },
        _ => Err(missing(op, path)),
    }
}

fn replace(object: &mut Value, path: &Pointer, value: Value) -> Result<(), PatchError> {
    if path.keys.is_empty() {
        *object = value;
        return Ok(());
    }
    match path.parent(object) {
        Some((Value::Object(fields), key)) => {
            fields.insert(key.to_owned(), value);
            Ok(())
        }
        Some((Value::Array(items), key)) => match index(key).and_then(|at| items.get_mut(at)) {
            Some(item) => {
                *item = value;
                Ok(())
            }
            None => Err(out_of_bounds("replace", path)),
        },
        _ => Err(missing("replace", path)),
    }
}

fn test(object: &Value, path: &Pointer, wanted: &Value) -> Result<(), PatchError> {
    if same(path.find(object).unwrap_or(&Value::Null), wanted) {
        return Ok(());
    }
    Err(PatchError::Unprocessable(format!("testing value {} failed: test failed", path.text)))
}

/// Equality of values; numbers are compared as numbers, not as texts.
fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(l), Value::Number(r)) => l == r || (l.as_f64().is_some() && l.as_f64() == r.as_f64()),
        (Value::Array(l), Value::Array(r)) => l.len() == r.len() && l.iter().zip(r).all(|(l, r)| same(l, r)),
        (Value::Object(l), Value::Object(r)) => {
            l.len() == r.len()
                && l.iter().all(|(key, value)| r.get(key).is_some_and(|other| same(value, other)))
        }
        _ => left == right,
    }
}

fn missing(op: &str, path: &Pointer) -> PatchError {
    PatchError::Unprocessable(format!(
        "{op} operation does not apply: doc is missing path: {:?}: missing value",
        path.text
    ))
}

fn out_of_bounds(op: &str, path: &Pointer) -> PatchError {
    PatchError::Unprocessable(format!("{op} operation does not apply: {:?}: index out of bounds", path.text))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::json_patch;
    use super::*;

    #[test]
    fn operations_do_what_they_say() {
        for (object, operations, result) in [
            (
                json!({"a": 1}),
                json!([{"op": "add", "path": "/b", "value": {"c": 2}}]),
                json!({"a": 1, "b": {"c": 2}}),
            ),
            (
                json!({"a": [1, 3]}),
                json!([{"op": "add", "path": "/a/1", "value": 2}]),
                json!({"a": [1, 2, 3]}),
            ),
            (json!({"a": [1]}), json!([{"op": "add", "path": "/a/-", "value": 2}]), json!({"a": [1, 2]})),
            (json!({"a": 1, "b": 2}), json!([{"op": "remove", "path": "/a"}]), json!({"b": 2})),
            (json!({"a": 1}), json!([{"op": "replace", "path": "/b", "value": 2}]), json!({"a": 1, "b": 2})),
            (
                json!({"a/b": {"~": 1}}),
                json!([{"op": "replace", "path": "/a~1b/~0", "value": 2}]),
                json!({"a/b": {"~": 2}}),
            ),
            (
                json!({"a": {"b": 1}, "c": {}}),
                json!([{"op": "move", "from": "/a/b", "path": "/c/d"}]),
                json!({"a": {}, "c": {"d": 1}}),
            ),
            (
                json!({"a": [1]}),
                json!([{"op": "copy", "from": "/a/0", "path": "/b"}]),
                json!({"a": [1], "b": 1}),
            ),
            (json!({"a": 1}), json!([{"op": "test", "path": "/a", "value": 1.0}]), json!({"a": 1})),
            (json!({"a": 1}), json!([{"op": "test", "path": "/z", "value": null}]), json!({"a": 1})),
            (json!({"a": 1}), json!([{"op": "replace", "path": "", "value": {}}]), json!({})),
        ] {
            let mut patched = object.clone();
            json_patch(&mut patched, &operations).unwrap();
            assert_eq!(patched, result, "{operations}");
        }
    }

    #[test]
    fn what_does_not_fit_leaves_the_object_alone() {
        let fits = json!({"op": "add", "path": "/new", "value": 1});
        for (operation, error) in [
            (json!({"op": "test", "path": "/a", "value": 2}), "testing value /a failed: test failed"),
            (
                json!({"op": "remove", "path": "/x"}),
                "remove operation does not apply: doc is missing path: \"/x\": missing value",
            ),
            (
                json!({"op": "add", "path": "/x/y", "value": 1}),
                "add operation does not apply: doc is missing path: \"/x/y\": missing value",
            ),
            (
                json!({"op": "add", "path": "/l/3", "value": 1}),
                "add operation does not apply: \"/l/3\": index out of bounds",
            ),
            (json!({"op": "jump", "path": "/a"}), "Unexpected kind: jump"),
        ] {
            let mut object = json!({"a": 1, "l": [1]});
            let result = json_patch(&mut object, &json!([fits, operation]));
            assert_eq!(result, Err(PatchError::Unprocessable(error.to_owned())));
            assert_eq!(object, json!({"a": 1, "l": [1]}));
        }
        let mut object = json!({});
        assert!(matches!(json_patch(&mut object, &json!({})), Err(PatchError::Malformed(_))));
        assert!(matches!(json_patch(&mut object, &json!([{"op": "add"}])), Err(PatchError::Malformed(_))));
    }

    #[test]
    fn a_patch_has_limits() {
        let mut object = json!({"a": "x".repeat(1 << 20)});
        let many: Vec<Value> = vec![json!({"op": "test", "path": "/z"}); JSON_PATCH_OPERATIONS_MAX + 1];
        assert!(matches!(json_patch(&mut object, &many.into()), Err(PatchError::TooLarge(_))));
        let copies: Vec<Value> =
            (0..4).map(|n| json!({"op": "copy", "from": "/a", "path": format!("/{n}")})).collect();
        assert!(matches!(json_patch(&mut object, &copies.into()), Err(PatchError::TooLarge(_))));
    }
}
