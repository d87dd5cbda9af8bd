//! One node of a compiled schema. Plain data; what is done with it is in the neighbouring modules.
//! Invariant: a [`NodeId`] is an index into the arena it came from; recursion is a repeated id.

use std::collections::BTreeMap;

use serde_json::{Number, Value};

use super::formats::Format;
use super::pattern::Pattern;

/// Index of a node in its arena.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NodeId(pub(crate) usize);

/// What a schema says about one value.
#[derive(Clone, Debug, Default)]
pub(crate) struct Node {
    /// Admitted types; none admit all.
    pub(crate) kinds: Vec<Kind>,
    pub(crate) nullable: bool,
    pub(crate) preserve_unknown: bool,
    /// The value is a whole object with `apiVersion`, `kind`, `metadata`.
    pub(crate) embedded: bool,
    pub(crate) properties: BTreeMap<String, NodeId>,
    pub(crate) required: Vec<String>,
    pub(crate) additional: Option<NodeId>,
    pub(crate) items: Option<NodeId>,
    pub(crate) default: Option<Value>,
    pub(crate) enumeration: Vec<Value>,
    pub(crate) pattern: Option<Pattern>,
    pub(crate) format: Option<Format>,
    pub(crate) limits: Option<Box<Limits>>,
    pub(crate) list: ListKind,
    /// Objects are replaced whole.
    pub(crate) atomic: bool,
    pub(crate) patch: PatchStrategy,
    pub(crate) all_of: Vec<NodeId>,
    pub(crate) any_of: Vec<NodeId>,
    pub(crate) one_of: Vec<NodeId>,
    pub(crate) not: Option<NodeId>,
}

/// A JSON type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Object,
    Array,
    String,
    Integer,
    Number,
    Boolean,
}

/// Bounds of numbers, lengths and sizes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Limits {
    pub(crate) minimum: Option<Number>,
    pub(crate) exclusive_minimum: bool,
    pub(crate) maximum: Option<Number>,
    pub(crate) exclusive_maximum: bool,
    pub(crate) multiple_of: Option<Number>,
    pub(crate) length_min: Option<u64>,
    pub(crate) length_max: Option<u64>,
    pub(crate) items_min: Option<u64>,
    pub(crate) items_max: Option<u64>,
    pub(crate) properties_min: Option<u64>,
    pub(crate) properties_max: Option<u64>,
    pub(crate) unique_items: bool,
}

/// How a list merges under server-side apply.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum ListKind {
    /// Replaced whole.
    #[default]
    Atomic,
    /// Items are unique values.
    Set,
    /// Items are objects, unique by these fields.
    Map(Vec<String>),
}

/// How a field merges under a strategic merge patch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PatchStrategy {
    pub(crate) merge: bool,
    pub(crate) retain_keys: bool,
    pub(crate) merge_key: Option<String>,
}

impl Node {
    /// A node that only offers alternatives.
    pub(crate) fn is_choice(&self) -> bool {
        self.kinds.is_empty()
            && self.properties.is_empty()
            && self.additional.is_none()
            && !(self.any_of.is_empty() && self.one_of.is_empty())
    }

    /// A node that says nothing about what is inside a value.
    pub(crate) fn is_open(&self) -> bool {
        self.preserve_unknown
            && self.properties.is_empty()
            && self.additional.is_none()
            && self.items.is_none()
    }
}

impl Kind {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "object" => Kind::Object,
            "array" => Kind::Array,
            "string" => Kind::String,
            "integer" => Kind::Integer,
            "number" => Kind::Number,
            "boolean" => Kind::Boolean,
            _ => return None,
        })
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Kind::Object => "object",
            Kind::Array => "array",
            Kind::String => "string",
            Kind::Integer => "integer",
            Kind::Number => "number",
            Kind::Boolean => "boolean",
        }
    }

    /// The type that a value has; null has none.
    pub(crate) fn of(value: &Value) -> Option<Self> {
        Some(match value {
            Value::Null => return None,
            Value::Bool(_) => Kind::Boolean,
            Value::Number(number) if is_integer(number) => Kind::Integer,
            Value::Number(_) => Kind::Number,
            Value::String(_) => Kind::String,
            Value::Array(_) => Kind::Array,
            Value::Object(_) => Kind::Object,
        })
    }

    /// Whether a value may stand where this type is asked for; an integer is a number.
    pub(crate) fn admits(self, value: &Value) -> bool {
        match Kind::of(value) {
            Some(kind) => kind == self || (kind == Kind::Integer && self == Kind::Number),
            None => false,
        }
    }
}

/// Whether a number is whole; `1.0` and `1e3` are.
pub(crate) fn is_integer(number: &Number) -> bool {
    number.is_i64() || number.is_u64() || number.as_f64().is_some_and(|float| float.fract() == 0.0)
}
