//! Removes the fields that a schema does not know, and says which.
//! Invariant: `apiVersion`, `kind` and the known fields of `metadata` stay, at the root and in embedded objects.
//! Source: `k8s.io/apiextensions-apiserver` `schema/pruning`.

use serde_json::Value;

use super::Structural;
use super::node::Node;

pub(super) fn prune(schema: &Structural, object: &mut Value) -> Vec<String> {
    let mut pruner = Pruner { schema, path: String::new(), unknown: Vec::new() };
    pruner.prune(object, schema.root());
    pruner.unknown.sort();
    pruner.unknown
}

struct Pruner<'a> {
    schema: &'a Structural,
    path: String,
    unknown: Vec<String>,
}

impl Pruner<'_> {
    fn prune(&mut self, value: &mut Value, node: &Node) {
        let node = self.schema.resolve(node, value);
        if node.is_open() {
            return;
        }
        match value {
            Value::Object(fields) => {
                let mut gone = Vec::new();
                for (key, value) in fields.iter_mut() {
                    let before = self.path.len();
                    if !self.path.is_empty() {
                        self.path.push('.');
                    }
                    self.path.push_str(key);
                    match self.schema.field(node, key) {
                        Some(inner) => self.prune(value, inner),
                        None if node.preserve_unknown => {}
                        None => {
                            gone.push(key.clone());
                            self.unknown.push(self.path.clone());
                        }
                    }
                    self.path.truncate(before);
                }
                for key in gone {
                    fields.remove(&key);
                }
            }
            Value::Array(items) => {
                let Some(inner) = self.schema.items(node) else { return };
                for (index, item) in items.iter_mut().enumerate() {
                    let before = self.path.len();
                    self.path.push_str(&format!("[{index}]"));
                    self.prune(item, inner);
                    self.path.truncate(before);
                }
            }
            _ => {}
        }
    }
}
