//! Sets of fields, as managed fields record them (`fieldsV1`).
//! Invariant: no child is empty, so an empty set has neither members nor children.
//! Source: `sigs.k8s.io/structured-merge-diff` `fieldpath`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::{Map, Value};

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    /// A field of an object.
    Field(String),
    /// An item of a list map, by its key fields as JSON.
    Key(String),
    /// An item of a set, as JSON.
    Value(String),
    /// An item by its position.
    Index(usize),
}

/// Fields of an object, each owned by itself, not with what is inside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Fields {
    members: BTreeSet<Step>,
    children: BTreeMap<Step, Fields>,
}

impl Fields {
    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty() && self.children.is_empty()
    }

    pub(super) fn insert(&mut self, path: &[Step]) {
        match path {
            [] => {}
            [last] => {
                self.members.insert(last.clone());
            }
            [first, rest @ ..] => self.children.entry(first.clone()).or_default().insert(rest),
        }
    }

    /// A set of paths of field names.
    pub(super) fn of(paths: &[&[&str]]) -> Self {
        let mut set = Self::default();
        for path in paths {
            let steps: Vec<Step> = path.iter().map(|name| Step::Field((*name).to_owned())).collect();
            set.insert(&steps);
        }
        set
    }

    pub(super) fn has(&self, step: &Step) -> bool {
        self.members.contains(step)
    }

    pub(super) fn below(&self, step: &Step) -> Option<&Fields> {
        self.children.get(step)
    }

    pub(super) fn union(&self, other: &Self) -> Self {
        let mut both = self.clone();
        both.members.extend(other.members.iter().cloned());
        for (step, child) in &other.children {
            let merged = both.children.get(step).map_or_else(|| child.clone(), |own| own.union(child));
            both.children.insert(step.clone(), merged);
        }
        both
    }

    pub(super) fn intersection(&self, other: &Self) -> Self {
        let shared = |(step, child): (&Step, &Fields)| {
            Some((step.clone(), child.intersection(other.children.get(step)?)))
        };
        Self {
            members: self.members.intersection(&other.members).cloned().collect(),
            children: self
                .children
                .iter()
                .filter_map(shared)
                .filter(|(_, child)| !child.is_empty())
                .collect(),
        }
    }

    /// The fields that the other does not have.
    pub(super) fn difference(&self, other: &Self) -> Self {
        let left = |(step, child): (&Step, &Fields)| {
            let rest = other.children.get(step).map_or_else(|| child.clone(), |gone| child.difference(gone));
            (!rest.is_empty()).then(|| (step.clone(), rest))
        };
        Self {
            members: self.members.difference(&other.members).cloned().collect(),
            children: self.children.iter().filter_map(left).collect(),
        }
    }

    /// The fields that neither the other has, nor are inside of one that it has.
    pub(super) fn without_all_of(&self, other: &Self) -> Self {
        let left = |(step, child): (&Step, &Fields)| {
            if other.members.contains(step) {
                return None;
            }
            let rest =
                other.children.get(step).map_or_else(|| child.clone(), |gone| child.without_all_of(gone));
            (!rest.is_empty()).then(|| (step.clone(), rest))
        };
        Self {
            members: self.members.difference(&other.members).cloned().collect(),
            children: self.children.iter().filter_map(left).collect(),
        }
    }

    /// The same set with more members: `keep` says which steps to a child count as members themselves.
    pub(super) fn with_members(
        &self,
        keep: &dyn Fn(&Step) -> bool,
        inside: &dyn Fn(&Step, &Fields) -> Fields,
    ) -> Self {
        let mut members = self.members.clone();
        members.extend(self.children.keys().filter(|step| keep(step)).cloned());
        let children =
            self.children.iter().map(|(step, child)| (step.clone(), inside(step, child))).collect();
        Self { members, children }
    }

    /// All paths, members of one level before what is inside of them.
    pub(super) fn paths(&self) -> Vec<Vec<Step>> {
        let mut all: Vec<Vec<Step>> = self.members.iter().map(|step| vec![step.clone()]).collect();
        for (step, child) in &self.children {
            all.extend(child.paths().into_iter().map(|rest| [vec![step.clone()], rest].concat()));
        }
        all
    }

    /// The set as `fieldsV1` holds it.
    pub(super) fn to_value(&self) -> Value {
        let mut fields: Map<String, Value> = Map::new();
        for step in &self.members {
            fields.insert(step.encode(), Value::Object(Map::new()));
        }
        for (step, child) in &self.children {
            let mut inner = child.to_value();
            if self.members.contains(step)
                && let Some(inner) = inner.as_object_mut()
            {
                inner.insert(".".to_owned(), Value::Object(Map::new()));
            }
            fields.insert(step.encode(), inner);
        }
        Value::Object(fields)
    }

    /// Reads a set from `fieldsV1`; nothing if it is malformed.
    pub(super) fn from_value(value: &Value) -> Option<Self> {
        let mut set = Self::default();
        for (key, inner) in value.as_object()? {
            if key == "." {
                continue;
            }
            let (step, inner) = (Step::decode(key)?, inner.as_object()?);
            if inner.is_empty() || inner.contains_key(".") {
                set.members.insert(step.clone());
            }
            let child = Self::from_value(&Value::Object(inner.clone()))?;
            if !child.is_empty() {
                set.children.insert(step, child);
            }
        }
        Some(set)
    }
}

impl Step {
    fn encode(&self) -> String {
        match self {
            Step::Field(name) => format!("f:{name}"),
            Step::Key(json) => format!("k:{json}"),
            Step::Value(json) => format!("v:{json}"),
            Step::Index(index) => format!("i:{index}"),
        }
    }

    fn decode(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once(':')?;
        let canonical = || serde_json::from_str::<Value>(rest).ok().map(|value| value.to_string());
        match kind {
            "f" => Some(Step::Field(rest.to_owned())),
            "k" => canonical().map(Step::Key),
            "v" => canonical().map(Step::Value),
            "i" => rest.parse().ok().map(Step::Index),
            _ => None,
        }
    }
}

impl fmt::Display for Step {
    /// As conflicts name it: `.spec`, `[name="a"]`, `[="x"]`, `[0]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Field(name) => write!(f, ".{name}"),
            Step::Key(json) => {
                let keys: Map<String, Value> = serde_json::from_str(json).unwrap_or_default();
                let parts: Vec<String> = keys.iter().map(|(key, value)| format!("{key}={value}")).collect();
                write!(f, "[{}]", parts.join(","))
            }
            Step::Value(json) => write!(f, "[={json}]"),
            Step::Index(index) => write!(f, "[{index}]"),
        }
    }
}

/// A path as conflicts name it.
pub(super) fn display(path: &[Step]) -> String {
    path.iter().map(ToString::to_string).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn set(value: Value) -> Fields {
        Fields::from_value(&value).expect("well-formed")
    }

    #[test]
    fn a_set_is_written_as_it_is_read() {
        let value = json!({"f:a": {}, "f:b": {".": {}, "k:{\"name\":\"x\"}": {".": {}, "f:c": {}}, "v:\"y\"": {}, "i:3": {}}});
        assert_eq!(set(value.clone()).to_value(), value);
        let paths: Vec<String> = set(value).paths().iter().map(|path| display(path)).collect();
        assert_eq!(paths, [".a", ".b", ".b[name=\"x\"]", ".b[=\"y\"]", ".b[3]", ".b[name=\"x\"].c"]);
        assert_eq!(Fields::from_value(&json!({"x": {}})), None);
    }

    #[test]
    fn sets_add_and_subtract() {
        let a = set(json!({"f:a": {".": {}, "f:b": {}, "f:c": {}}}));
        let b = set(json!({"f:a": {"f:b": {}, "f:d": {}}}));
        assert_eq!(a.difference(&b).to_value(), json!({"f:a": {".": {}, "f:c": {}}}));
        assert_eq!(a.intersection(&b).to_value(), json!({"f:a": {"f:b": {}}}));
        assert_eq!(a.union(&b).to_value(), json!({"f:a": {".": {}, "f:b": {}, "f:c": {}, "f:d": {}}}));
        assert!(a.difference(&a).is_empty());
        assert!(a.without_all_of(&set(json!({"f:a": {}}))).is_empty());
        assert_eq!(a.difference(&set(json!({"f:a": {}}))).to_value(), json!({"f:a": {"f:b": {}, "f:c": {}}}));
    }
}
