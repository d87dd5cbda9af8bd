//! Strategic merge patch: lists merge by the keys that the schema names, and directives in the patch delete,
//! replace and order.
//! Invariant: no directive (`$patch`, `$retainKeys`, ...) is ever left in the result.
//! Source: `k8s.io/apimachinery` `util/strategicpatch`.

use serde_json::{Map, Value};

use super::PatchError;
use crate::schema::{Node, Structural};

const PATCH: &str = "$patch";
const RETAIN_KEYS: &str = "$retainKeys";
const DELETE_PREFIX: &str = "$deleteFromPrimitiveList/";
const ORDER_PREFIX: &str = "$setElementOrder/";

pub(super) fn apply(schema: &Structural, object: &Value, patch: &Value) -> Result<Value, PatchError> {
    let (Value::Object(fields), Value::Object(changes)) = (object, patch) else {
        return Err(malformed("invalid JSON document"));
    };
    Merger { schema }.object(fields.clone(), changes, Some(schema.root())).map(Value::Object)
}

struct Merger<'a> {
    schema: &'a Structural,
}

impl<'a> Merger<'a> {
    fn object(
        &self,
        mut fields: Map<String, Value>,
        patch: &Map<String, Value>,
        node: Option<&'a Node>,
    ) -> Result<Map<String, Value>, PatchError> {
        match patch.get(PATCH).map(Value::as_str) {
            None => {}
            Some(Some("replace")) => return Ok(without_directives(patch)),
            Some(Some("delete")) => return Ok(Map::new()),
            Some(other) => {
                return Err(malformed(&format!("unknown patch type: {}", other.unwrap_or("not a text"))));
            }
        }
        if let Some(keys) = patch.get(RETAIN_KEYS) {
            retain(&mut fields, patch, keys)?;
        }
        for (key, change) in patch {
            if let Some(name) = key.strip_prefix(DELETE_PREFIX) {
                delete_values(&mut fields, name, change)?;
            }
        }
        for (key, change) in patch.iter().filter(|(key, _)| !key.starts_with('$')) {
            let inner = node.and_then(|node| self.schema.field(node, key));
            let order = patch.get(&format!("{ORDER_PREFIX}{key}"));
            self.field(&mut fields, key, change, Context { node: inner, parent: node, order })?;
        }
        for (key, order) in patch {
            let Some(name) = key.strip_prefix(ORDER_PREFIX).filter(|name| !patch.contains_key(*name)) else {
                continue;
            };
            let inner = node.and_then(|node| self.schema.field(node, name));
            if let Some(Value::Array(items)) = fields.get_mut(name) {
                let live = items.clone();
                let key = inner.and_then(|inner| inner.patch.merge_key.as_deref());
                *items = in_order(std::mem::take(items), order_list(order)?, &live, key);
            }
        }
        Ok(fields)
    }

    fn field(
        &self,
        fields: &mut Map<String, Value>,
        key: &str,
        change: &Value,
        context: Context<'a, '_>,
    ) -> Result<(), PatchError> {
        if change.is_null() {
            fields.remove(key);
            return Ok(());
        }
        let live = fields.remove(key);
        let merged = match (live, change) {
            (Some(Value::Object(live)), Value::Object(change)) => {
                context.known(key)?;
                Some(Value::Object(self.object(live, change, context.node)?))
            }
            (Some(Value::Array(live)), Value::Array(change)) => {
                context.known(key)?;
                Some(Value::Array(self.list(live, change, &context)?))
            }
            (None, Value::Array(change)) if context.merges() => {
                Some(Value::Array(self.list(Vec::new(), change, &context)?))
            }
            (_, change) => without_directive(change),
        };
        if let Some(merged) = merged {
            fields.insert(key.to_owned(), merged);
        }
        Ok(())
    }

    fn list(
        &self,
        live: Vec<Value>,
        patch: &[Value],
        context: &Context<'a, '_>,
    ) -> Result<Vec<Value>, PatchError> {
        if !context.merges() {
            return Ok(patch.iter().filter_map(without_directive).collect());
        }
        let key = context.node.and_then(|node| node.patch.merge_key.as_deref());
        let order = context.order.map(order_list).transpose()?;
        let Some(key) = key else {
            let mut merged = live.clone();
            merged.extend(patch.iter().filter(|value| !live.contains(value)).cloned());
            return Ok(in_order(merged, order.unwrap_or(patch), &live, None));
        };
        let (mut merged, mut ordinary) = (live.clone(), Vec::new());
        let mut replaced = false;
        for item in patch {
            let fields = item.as_object().ok_or_else(|| malformed("expected a map in a list of maps"))?;
            match fields.get(PATCH).map(Value::as_str) {
                None => ordinary.push(item),
                Some(Some("delete")) => {
                    let gone = fields.get(key).ok_or_else(|| no_key(item, key))?;
                    merged.retain(|live| live.get(key) != Some(gone));
                }
                Some(Some("replace")) => replaced = true,
                Some(other) => {
                    let other = other.unwrap_or("not a text");
                    return Err(malformed(&format!("unknown patch type: {other} in map: {item}")));
                }
            }
        }
        if replaced {
            return Ok(ordinary.into_iter().filter_map(without_directive).collect());
        }
        let inner = context.node.and_then(|node| self.schema.items(node));
        for item in &ordinary {
            let wanted = item.get(key).ok_or_else(|| no_key(item, key))?;
            match merged.iter_mut().find(|live| live.get(key) == Some(wanted)) {
                Some(found) => {
                    if let (Value::Object(fields), Value::Object(change)) = (found.take(), item) {
                        *found = Value::Object(self.object(fields, change, inner)?);
                    }
                }
                None => merged.extend(without_directive(item)),
            }
        }
        let by_patch: Vec<Value> = ordinary.into_iter().cloned().collect();
        Ok(in_order(merged, order.unwrap_or(&by_patch), &live, Some(key)))
    }
}

/// What is known about a field that is being merged.
struct Context<'a, 'b> {
    node: Option<&'a Node>,
    parent: Option<&'a Node>,
    /// The field's `$setElementOrder`.
    order: Option<&'b Value>,
}

impl Context<'_, '_> {
    fn merges(&self) -> bool {
        self.node.is_some_and(|node| node.patch.merge)
    }

    /// Refuses fields that a closed schema does not have.
    fn known(&self, key: &str) -> Result<(), PatchError> {
        match (self.node, self.parent) {
            (None, Some(parent)) if !parent.preserve_unknown => {
                Err(malformed(&format!("unable to find api field {key:?}")))
            }
            _ => Ok(()),
        }
    }
}

/// Keeps the fields that `$retainKeys` names, and checks that the patch sets no other.
fn retain(
    fields: &mut Map<String, Value>,
    patch: &Map<String, Value>,
    keys: &Value,
) -> Result<(), PatchError> {
    let bad = || malformed("invalid patch format of retainKeys");
    let keys: Vec<&str> = keys.as_array().ok_or_else(bad)?.iter().filter_map(Value::as_str).collect();
    let mut set = patch.iter().filter(|(key, value)| !key.starts_with('$') && !value.is_null());
    if set.any(|(key, _)| !keys.contains(&key.as_str())) {
        return Err(bad());
    }
    fields.retain(|key, _| keys.contains(&key.as_str()));
    Ok(())
}

fn delete_values(fields: &mut Map<String, Value>, name: &str, gone: &Value) -> Result<(), PatchError> {
    let gone = gone.as_array().ok_or_else(|| malformed("invalid patch format of primitive list"))?;
    if let Some(Value::Array(items)) = fields.get_mut(name) {
        items.retain(|item| !gone.contains(item));
    }
    Ok(())
}

fn order_list(order: &Value) -> Result<&[Value], PatchError> {
    let list = order.as_array().ok_or_else(|| malformed("invalid patch format of setElementOrder list"))?;
    Ok(list)
}

/// Items in the wanted order; those that it does not name keep their live order around them.
fn in_order(items: Vec<Value>, order: &[Value], live: &[Value], key: Option<&str>) -> Vec<Value> {
    let same = |left: &Value, right: &Value| match key {
        Some(key) => left.get(key).is_some() && left.get(key) == right.get(key),
        None => left == right,
    };
    let position = |item: &Value, list: &[Value]| list.iter().position(|other| same(item, other));
    let (mut named, mut others): (Vec<_>, Vec<_>) =
        items.into_iter().partition(|item| position(item, order).is_some());
    named.sort_by_key(|item| position(item, order));
    others.sort_by_key(|item| position(item, live).unwrap_or(usize::MAX));
    let mut result = Vec::with_capacity(named.len() + others.len());
    let (mut named, mut others) = (named.into_iter().peekable(), others.into_iter().peekable());
    while let Some(next) = named.peek() {
        let before = |other: &Value| match (position(other, live), position(next, live)) {
            (Some(other), Some(next)) => other < next,
            _ => false,
        };
        match others.next_if(|other| before(other)) {
            Some(other) => result.push(other),
            None => result.extend(named.next()),
        }
    }
    result.extend(others);
    result
}

/// A value as it enters the object: without directives and nulls; nothing, if it is itself a directive.
fn without_directive(value: &Value) -> Option<Value> {
    match value {
        Value::Object(fields) if fields.get(PATCH).is_some_and(|word| word != "replace") => None,
        Value::Object(fields) => Some(Value::Object(without_directives(fields))),
        Value::Array(items) => Some(items.iter().filter_map(without_directive).collect()),
        other => Some(other.clone()),
    }
}

fn without_directives(fields: &Map<String, Value>) -> Map<String, Value> {
    fields
        .iter()
        .filter(|(key, value)| !key.starts_with('$') && !value.is_null())
        .filter_map(|(key, value)| Some((key.clone(), without_directive(value)?)))
        .collect()
}

fn no_key(item: &Value, key: &str) -> PatchError {
    malformed(&format!("map: {item} does not contain declared merge key: {key}"))
}

fn malformed(text: &str) -> PatchError {
    PatchError::Malformed(text.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::strategic_merge;
    use super::*;
    use crate::schema::tests::pods;

    fn patched(spec: Value, patch: Value) -> Value {
        let mut pod = json!({"metadata": {"name": "a"}, "spec": spec});
        strategic_merge(&pods(), &mut pod, &json!({"spec": patch})).unwrap();
        pod["spec"].take()
    }

    #[test]
    fn lists_merge_by_key_and_keep_their_order() {
        for (spec, patch, result) in [
            (
                json!({"containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "1"}]}),
                json!({"containers": [{"name": "b", "image": "2"}]}),
                json!({"containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "2"}]}),
            ),
            (
                json!({"containers": [{"name": "a"}, {"name": "b"}]}),
                json!({"containers": [{"name": "c"}, {"name": "b", "$patch": "delete"}]}),
                json!({"containers": [{"name": "c"}, {"name": "a"}]}),
            ),
            (
                json!({"containers": [{"name": "a"}, {"name": "b"}]}),
                json!({"$setElementOrder/containers": [{"name": "b"}, {"name": "c"}, {"name": "a"}],
                    "containers": [{"name": "c"}]}),
                json!({"containers": [{"name": "b"}, {"name": "c"}, {"name": "a"}]}),
            ),
            (
                json!({"containers": [{"name": "a"}, {"name": "b"}]}),
                json!({"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]}),
                json!({"containers": [{"name": "b"}, {"name": "a"}]}),
            ),
            (
                json!({"containers": [{"name": "a"}]}),
                json!({"containers": [{"$patch": "replace"}, {"name": "z"}]}),
                json!({"containers": [{"name": "z"}]}),
            ),
            (
                json!({"volumes": [{"name": "v", "emptyDir": {}}]}),
                json!({"volumes": [{"name": "v", "$retainKeys": ["name", "secret"], "secret": {"secretName": "s"}}]}),
                json!({"volumes": [{"name": "v", "secret": {"secretName": "s"}}]}),
            ),
            (
                json!({"tolerations": [{"key": "a"}], "nodeSelector": {"x": "1", "y": "2"}}),
                json!({"tolerations": [{"key": "b"}], "nodeSelector": {"x": null, "z": "3"}}),
                json!({"tolerations": [{"key": "b"}], "nodeSelector": {"y": "2", "z": "3"}}),
            ),
            (
                json!({"securityContext": {"runAsUser": 1}}),
                json!({"securityContext": {"$patch": "replace", "runAsGroup": 2}}),
                json!({"securityContext": {"runAsGroup": 2}}),
            ),
            (
                json!({}),
                json!({"containers": [{"name": "a", "image": null, "env": [{"name": "x", "$patch": "delete"}]}]}),
                json!({"containers": [{"name": "a", "env": []}]}),
            ),
        ] {
            assert_eq!(patched(spec.clone(), patch.clone()), result, "{spec} {patch}");
        }
    }

    #[test]
    fn values_leave_primitive_lists_by_name() {
        let mut pod = json!({"metadata": {"finalizers": ["a", "b"]}});
        let patch = json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"], "finalizers": ["c"],
            "$setElementOrder/finalizers": ["c", "b"]}});
        strategic_merge(&pods(), &mut pod, &patch).unwrap();
        assert_eq!(pod, json!({"metadata": {"finalizers": ["c", "b"]}}));
    }

    #[test]
    fn a_bad_patch_is_refused_and_changes_nothing() {
        let pod = json!({"spec": {"containers": [{"name": "a"}], "x": {}}});
        for (patch, text) in [
            (
                json!({"spec": {"containers": [{"image": "i"}]}}),
                "map: {\"image\":\"i\"} does not contain declared merge key: name",
            ),
            (json!({"spec": {"$patch": "explode"}}), "unknown patch type: explode"),
            (json!({"spec": {"x": {"y": 1}}}), "unable to find api field \"x\""),
            (json!([]), "invalid JSON document"),
            (json!({"spec": {"$retainKeys": ["a"], "b": 1}}), "invalid patch format of retainKeys"),
        ] {
            let mut patched = pod.clone();
            let error = strategic_merge(&pods(), &mut patched, &patch).unwrap_err();
            assert_eq!(error, PatchError::Malformed(text.to_owned()));
            assert_eq!(patched, pod);
        }
    }
}
