//! Checks a value against a schema and words what is wrong as Kubernetes does.
//! Invariant: errors come in the order of the fields; a value of the wrong type has that error only.
//! Source: `k8s.io/kube-openapi` `validation`, `k8s.io/apiextensions-apiserver` `apiserver/validation`, `listtype`.

use std::collections::BTreeSet;

use api::field::FieldError;
use serde_json::{Map, Number, Value, json};

use super::Structural;
use super::formats::Format;
use super::node::{Kind, Limits, ListKind, Node};

/// The most errors reported for one object.
const ERRORS_MAX: usize = 100;

pub(super) fn validate(schema: &Structural, object: &Value) -> Vec<FieldError> {
    let mut checker = Checker { schema, path: String::new(), wrong: Vec::new() };
    checker.value(object, schema.root());
    checker.wrong.truncate(ERRORS_MAX);
    checker.wrong
}

struct Checker<'a> {
    schema: &'a Structural,
    path: String,
    wrong: Vec<FieldError>,
}

impl Checker<'_> {
    fn value(&mut self, value: &Value, node: &Node) {
        if value.is_null() && node.nullable || self.wrong.len() >= ERRORS_MAX {
            return;
        }
        if !node.kinds.is_empty() && !node.kinds.iter().any(|kind| kind.admits(value)) {
            return self.wrong_type(value, node);
        }
        self.enumeration(value, node);
        if let Some(format) = node.format.filter(|format| !format.admits(value)) {
            self.wrong_format(value, format);
        }
        match value {
            Value::String(text) => self.text(text, node),
            Value::Number(number) => self.number(number, node),
            Value::Array(items) => self.array(items, node),
            Value::Object(fields) => self.object(fields, node),
            _ => {}
        }
        self.combinations(value, node);
    }

    fn object(&mut self, fields: &Map<String, Value>, node: &Node) {
        for key in node.required.iter().filter(|key| !fields.contains_key(*key)) {
            let field = self.child(key);
            self.wrong.push(FieldError {
                reason: "FieldValueRequired",
                field,
                message: "Required value".to_owned(),
            });
        }
        if let Some(limits) = &node.limits {
            let count = fields.len() as u64;
            if let Some(max) = limits.properties_max.filter(|max| count > *max) {
                self.too_many(count, max);
            }
            if let Some(min) = limits.properties_min.filter(|min| count < *min) {
                let what = format!("should have at least {min} properties");
                self.invalid(&count.to_string(), &what);
            }
        }
        for (key, value) in fields {
            if let Some(inner) = self.schema.field(node, key) {
                self.inside(|path| push_key(path, key), |checker| checker.value(value, inner));
            }
        }
    }

    fn array(&mut self, items: &[Value], node: &Node) {
        if let Some(limits) = &node.limits {
            let count = items.len() as u64;
            if let Some(max) = limits.items_max.filter(|max| count > *max) {
                self.too_many(count, max);
            }
            if let Some(min) = limits.items_min.filter(|min| count < *min) {
                self.invalid(&count.to_string(), &format!("should have at least {min} items"));
            }
            if limits.unique_items && !duplicates(items.iter().map(Value::to_string)).is_empty() {
                self.invalid(&Value::from(items.to_vec()).to_string(), "shouldn't contain duplicates");
            }
        }
        self.list(items, node);
        let Some(inner) = self.schema.items(node) else { return };
        for (index, item) in items.iter().enumerate() {
            self.inside(|path| path.push_str(&format!("[{index}]")), |checker| checker.value(item, inner));
        }
    }

    /// Uniqueness of sets, and of the keys of list maps.
    fn list(&mut self, items: &[Value], node: &Node) {
        let identities: Vec<Value> = match &node.list {
            ListKind::Atomic => return,
            ListKind::Set => items.to_vec(),
            ListKind::Map(keys) => {
                let inner = self.schema.items(node);
                items.iter().map(|item| Value::Object(identity(self.schema, inner, item, keys))).collect()
            }
        };
        for index in duplicates(identities.iter().map(Value::to_string)) {
            self.wrong.push(FieldError {
                reason: "FieldValueDuplicate",
                field: format!("{}[{index}]", self.path),
                message: format!("Duplicate value: {}", identities[index]),
            });
        }
    }

    fn text(&mut self, text: &str, node: &Node) {
        if let Some(limits) = &node.limits {
            let count = text.chars().count() as u64;
            if let Some(max) = limits.length_max.filter(|max| count > *max) {
                let unit = if max == 1 { "byte" } else { "bytes" };
                self.wrong.push(FieldError {
                    reason: "FieldValueTooLong",
                    field: self.path.clone(),
                    message: format!("Too long: may not be more than {max} {unit}"),
                });
            }
            if let Some(min) = limits.length_min.filter(|min| count < *min) {
                self.invalid(&json!(text).to_string(), &format!("should be at least {min} chars long"));
            }
        }
        if let Some(pattern) = node.pattern.as_ref().filter(|pattern| !pattern.matches(text)) {
            self.invalid(&json!(text).to_string(), &format!("should match '{}'", pattern.text));
        }
    }

    fn number(&mut self, number: &Number, node: &Node) {
        let Some(limits) = &node.limits else { return };
        for what in wrong_bounds(number, limits) {
            self.invalid(&number.to_string(), &what);
        }
    }

    fn enumeration(&mut self, value: &Value, node: &Node) {
        if node.enumeration.is_empty() || node.enumeration.contains(value) {
            return;
        }
        let quoted = |value: &Value| match value {
            Value::String(text) => format!("{text:?}"),
            other => format!("{:?}", other.to_string()),
        };
        let supported = node.enumeration.iter().map(quoted).collect::<Vec<_>>().join(", ");
        self.wrong.push(FieldError {
            reason: "FieldValueNotSupported",
            field: self.path.clone(),
            message: format!("Unsupported value: {value}: supported values: {supported}"),
        });
    }

    fn combinations(&mut self, value: &Value, node: &Node) {
        let schema = self.schema;
        for id in &node.all_of {
            self.value(value, schema.node(*id));
        }
        let valid = |id: &super::NodeId| {
            let mut probe = Checker { schema, path: String::new(), wrong: Vec::new() };
            probe.value(value, schema.node(*id));
            probe.wrong.is_empty()
        };
        if !node.any_of.is_empty() && !node.any_of.iter().any(valid) {
            self.no_alternative(value, node, "must validate at least one schema (anyOf)");
        }
        if !node.one_of.is_empty() && node.one_of.iter().filter(|id| valid(id)).count() != 1 {
            self.no_alternative(value, node, "must validate one and only one schema (oneOf)");
        }
        if node.not.as_ref().is_some_and(valid) {
            self.invalid(&json!("").to_string(), "must not validate the schema (not)");
        }
    }

    /// Where the alternatives are of different types, the errors of the one that fits say more.
    fn no_alternative(&mut self, value: &Value, node: &Node, what: &str) {
        let chosen = self.schema.resolve(node, value);
        let before = self.wrong.len();
        if !std::ptr::eq(chosen, node) {
            self.value(value, chosen);
        }
        if self.wrong.len() == before {
            self.invalid(&json!("").to_string(), what);
        }
    }

    fn wrong_type(&mut self, value: &Value, node: &Node) {
        let expected = node.kinds.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(",");
        let actual = Kind::of(value).map_or("null", Kind::as_str);
        let field = self.path.clone();
        self.wrong.push(FieldError {
            reason: "FieldValueTypeInvalid",
            field: self.path.clone(),
            message: format!(
                "Invalid value: {actual:?}: {field} in body must be of type {expected}: {actual:?}"
            ),
        });
    }

    fn wrong_format(&mut self, value: &Value, format: Format) {
        if format == Format::Quantity {
            self.wrong.push(FieldError {
                reason: "FieldValueInvalid",
                field: self.path.clone(),
                message: format!(
                    "Invalid value: {value}: quantities must match the regular expression \
                     '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
                ),
            });
            return;
        }
        let shown = if value.is_string() { format!(": {value}") } else { String::new() };
        let field = self.path.clone();
        self.wrong.push(FieldError {
            reason: "FieldValueTypeInvalid",
            field: self.path.clone(),
            message: format!(
                "Invalid value: {value}: {field} in body must be of type {}{shown}",
                format.as_str()
            ),
        });
    }

    fn too_many(&mut self, count: u64, max: u64) {
        let unit = if max == 1 { "item" } else { "items" };
        self.wrong.push(FieldError {
            reason: "FieldValueTooMany",
            field: self.path.clone(),
            message: format!("Too many: {count}: must have at most {max} {unit}"),
        });
    }

    fn invalid(&mut self, value: &str, what: &str) {
        let field = self.path.clone();
        self.wrong.push(FieldError {
            reason: "FieldValueInvalid",
            field: self.path.clone(),
            message: format!("Invalid value: {value}: {field} in body {what}"),
        });
    }

    fn child(&self, key: &str) -> String {
        let mut path = self.path.clone();
        push_key(&mut path, key);
        path
    }

    fn inside(&mut self, step: impl FnOnce(&mut String), check: impl FnOnce(&mut Self)) {
        let before = self.path.len();
        step(&mut self.path);
        check(self);
        self.path.truncate(before);
    }
}

fn push_key(path: &mut String, key: &str) {
    if !path.is_empty() {
        path.push('.');
    }
    path.push_str(key);
}

/// The key fields of an item of a list map, with their defaults.
pub(crate) fn identity(
    schema: &Structural,
    inner: Option<&Node>,
    item: &Value,
    keys: &[String],
) -> Map<String, Value> {
    let default = |key: &String| {
        let field = inner.and_then(|inner| inner.properties.get(key))?;
        schema.node(*field).default.clone()
    };
    let value = |key: &String| item.get(key).cloned().or_else(|| default(key));
    keys.iter().filter_map(|key| Some((key.clone(), value(key)?))).collect()
}

/// Indexes of the first repetition of each repeated text.
fn duplicates(texts: impl Iterator<Item = String>) -> Vec<usize> {
    let (mut seen, mut reported) = (BTreeSet::new(), BTreeSet::new());
    let mut repeated = Vec::new();
    for (index, text) in texts.enumerate() {
        if !seen.insert(text.clone()) && reported.insert(text) {
            repeated.push(index);
        }
    }
    repeated
}

fn wrong_bounds(number: &Number, limits: &Limits) -> Vec<String> {
    let mut wrong = Vec::new();
    let (Some(value), float) = (number.as_f64(), |bound: &Number| bound.as_f64().unwrap_or_default()) else {
        return wrong;
    };
    if let Some(min) = &limits.minimum {
        match limits.exclusive_minimum {
            true if value <= float(min) => wrong.push(format!("should be greater than {min}")),
            false if value < float(min) => wrong.push(format!("should be greater than or equal to {min}")),
            _ => {}
        }
    }
    if let Some(max) = &limits.maximum {
        match limits.exclusive_maximum {
            true if value >= float(max) => wrong.push(format!("should be less than {max}")),
            false if value > float(max) => wrong.push(format!("should be less than or equal to {max}")),
            _ => {}
        }
    }
    if let Some(factor) = limits.multiple_of.as_ref().filter(|factor| float(factor) > 0.0)
        && (value / float(factor)).fract() != 0.0
    {
        wrong.push(format!("should be a multiple of {factor}"));
    }
    wrong
}
