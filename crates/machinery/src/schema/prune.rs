//! Removes the fields that a schema does not know, and says which; where any case will do, sets the case right first.
//! Invariant: `apiVersion`, `kind` and the known fields of `metadata` stay, at the root and in embedded objects.
//! Source: `k8s.io/apiextensions-apiserver` `schema/pruning`.

use serde_json::{Map, Value};

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
                if self.schema.any_case && !node.preserve_unknown && !self.in_metadata() {
                    respell(fields, node);
                }
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

    /// Whether this is the object's own metadata, which Kubernetes reads case-sensitively.
    fn in_metadata(&self) -> bool {
        self.path.split(['.', '[']).next() == Some("metadata")
    }
}

/// Gives fields that the schema knows in another case only that case; the right spelling wins over others.
fn respell(fields: &mut Map<String, Value>, node: &Node) {
    let known = |key: &str| node.properties.contains_key(key);
    let other = |key: &str| node.properties.keys().find(|name| name.eq_ignore_ascii_case(key));
    let wrong: Vec<(String, String)> = fields
        .keys()
        .filter(|key| node.additional.is_none() && !known(key))
        .filter_map(|key| Some((key.clone(), other(key)?.clone())))
        .collect();
    for (key, name) in wrong {
        if !fields.contains_key(&name)
            && let Some(value) = fields.remove(&key)
        {
            fields.insert(name, value);
        }
    }
}
