//! Structural schemas: what fields an object may have, their defaults and constraints, and how lists merge.
//! Which kinds exist, and rules that a schema cannot say, are `api`'s.
//! Invariant: pruning, and defaulting, twice is the same as once; neither looks at the other's result.
//! Start at [`Structural`]; the table of merge keys for Kubernetes' own types is in `extensions`.

mod compile;
mod defaults;
mod extensions;
mod formats;
mod node;
mod object_meta;
mod pattern;
mod prune;
#[cfg(test)]
pub(crate) mod tests;
mod validate;

use api::field::FieldError;
use serde_json::Value;

pub(crate) use extensions::annotate;
pub(crate) use node::{ListKind, Node, NodeId};
pub(crate) use object_meta::schema as object_meta;
pub(crate) use validate::identity;

/// A compiled schema of a whole object. Compiling costs; keep it and share it.
#[derive(Clone, Debug)]
pub struct Structural {
    nodes: Vec<Node>,
    root: NodeId,
    any_case: bool,
}

/// Why a schema cannot be compiled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message}")]
pub struct SchemaError {
    /// Where in the schema.
    pub path: String,
    /// What is wrong.
    pub message: String,
}

impl Structural {
    /// Compiles a JSON schema of a whole object: `$defs` and `$ref` as schemars makes them, or the
    /// `openAPIV3Schema` of a custom resource definition. `metadata` is always that of Kubernetes.
    ///
    /// # Errors
    /// A `$ref` points nowhere, or a pattern does not compile.
    pub fn compile(schema: &Value) -> Result<Self, SchemaError> {
        compile::compile(schema)
    }

    /// The same schema for objects that Go's `encoding/json` reads in the original: a field may be spelled in any
    /// case outside the object's metadata, and [`Self::prune`] gives it the case of the schema.
    #[must_use]
    pub fn in_any_case(self) -> Self {
        Self { any_case: true, ..self }
    }

    /// Removes unknown fields and returns their paths, such as `spec.tasks[0].x`, sorted.
    pub fn prune(&self, object: &mut Value) -> Vec<String> {
        prune::prune(self, object)
    }

    /// Fills in the defaults of absent fields, removes nulls where null means absent, and writes quantities
    /// that were given as numbers as text. Comes after [`Self::prune`] and before [`Self::validate`].
    pub fn default(&self, object: &mut Value) {
        defaults::default(self, object);
    }

    /// All that is wrong with an object by its schema, in Kubernetes' words.
    #[must_use]
    pub fn validate(&self, object: &Value) -> Vec<FieldError> {
        validate::validate(self, object)
    }

    pub(crate) fn root(&self) -> &Node {
        self.node(self.root)
    }

    pub(crate) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0]
    }

    /// The node for a value where the schema offers alternatives: the first that admits the value's type.
    pub(crate) fn resolve<'a>(&'a self, node: &'a Node, value: &Value) -> &'a Node {
        if !node.is_choice() {
            return node;
        }
        let fits = |node: &&Node| node.kinds.is_empty() || node.kinds.iter().any(|kind| kind.admits(value));
        let mut choices = node.any_of.iter().chain(&node.one_of).map(|id| self.node(*id));
        choices.find(fits).map_or(node, |choice| self.resolve(choice, value))
    }

    /// The node of a field, if the schema knows one.
    pub(crate) fn field<'a>(&'a self, node: &Node, key: &str) -> Option<&'a Node> {
        node.properties.get(key).copied().or(node.additional).map(|id| self.node(id))
    }

    /// The node of a list's items, if the schema knows one.
    pub(crate) fn items<'a>(&'a self, node: &Node) -> Option<&'a Node> {
        node.items.map(|id| self.node(id))
    }
}
