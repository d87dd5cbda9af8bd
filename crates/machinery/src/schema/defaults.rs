//! Fills in defaults, drops nulls that mean absence, and writes quantities as text.
//! Invariant: a value that the user wrote is kept, except a null that the schema does not admit.
//! Source: `k8s.io/apiextensions-apiserver` `schema/defaulting`; quantities as `resource.Quantity` decodes them.

use serde_json::Value;

use super::Structural;
use super::formats::Format;
use super::node::Node;

pub(super) fn default(schema: &Structural, object: &mut Value) {
    fill(schema, object, schema.root());
}

fn fill(schema: &Structural, value: &mut Value, node: &Node) {
    let node = schema.resolve(node, value);
    match value {
        Value::Object(fields) => {
            fields.retain(|key, value| {
                let removed = |inner: &Node| value.is_null() && !inner.nullable && !inner.is_open();
                !schema.field(node, key).is_some_and(removed)
            });
            for (key, id) in &node.properties {
                if let Some(default) = &schema.node(*id).default {
                    fields.entry(key.clone()).or_insert_with(|| default.clone());
                }
            }
            for (key, value) in fields.iter_mut() {
                if let Some(inner) = schema.field(node, key) {
                    fill(schema, value, inner);
                }
            }
        }
        Value::Array(items) => {
            let Some(inner) = schema.items(node) else { return };
            for item in items {
                if let (Value::Null, false, Some(default)) = (&*item, inner.nullable, &inner.default) {
                    *item = default.clone();
                }
                fill(schema, item, inner);
            }
        }
        Value::Number(number) if node.format == Some(Format::Quantity) => {
            *value = Value::String(number.to_string());
        }
        _ => {}
    }
}
