//! Values seen through a schema: which fields they set, how two differ, how one merges into another.
//! Invariant: all four walks agree on what a leaf is: scalars, atomic lists and objects, and lists without schema.
//! Source: `sigs.k8s.io/structured-merge-diff` `typed`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::fields::{Fields, Step, display};
use crate::schema::{ListKind, Node, Structural, identity};

/// A schema to see values through.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) schema: &'a Structural,
}

/// How two values differ.
#[derive(Clone, Debug, Default)]
pub(super) struct Comparison {
    pub(super) added: Fields,
    pub(super) modified: Fields,
    pub(super) removed: Fields,
}

impl Comparison {
    /// What was added or modified.
    pub(super) fn written(&self) -> Fields {
        self.modified.union(&self.added)
    }

    pub(super) fn without_all_of(&self, fields: &Fields) -> Self {
        Self {
            added: self.added.without_all_of(fields),
            modified: self.modified.without_all_of(fields),
            removed: self.removed.without_all_of(fields),
        }
    }
}

/// What a value is to a walk.
enum Shape<'a> {
    Leaf,
    Object(&'a Map<String, Value>),
    List(&'a [Value]),
}

impl<'a> View<'a> {
    /// The fields that a value sets.
    pub(super) fn fields_of(&self, value: &Value) -> Fields {
        let mut set = Fields::default();
        self.collect(value, Some(self.schema.root()), &mut Vec::new(), &mut set);
        set
    }

    fn collect(&self, value: &Value, node: Option<&'a Node>, path: &mut Vec<Step>, set: &mut Fields) {
        let node = node.map(|node| self.schema.resolve(node, value));
        match shape(value, node) {
            Shape::Leaf => set.insert(path),
            Shape::Object(fields) => {
                for (key, inner) in fields {
                    path.push(Step::Field(key.clone()));
                    self.collect(inner, self.field(node, key), path, set);
                    let known = node.is_some_and(|node| node.properties.contains_key(key));
                    if !known || is_empty(inner) {
                        set.insert(path);
                    }
                    path.pop();
                }
            }
            Shape::List(items) => {
                let (steps, repeated) = self.index(items, node);
                for (item, step) in items.iter().zip(steps) {
                    path.push(step);
                    if !path.last().is_some_and(|step| repeated.contains(step)) {
                        self.collect(item, self.items(node), path, set);
                    }
                    set.insert(path);
                    path.pop();
                }
            }
        }
    }

    /// How the right value differs from the left.
    pub(super) fn compare(&self, left: &Value, right: &Value) -> Comparison {
        let mut comparison = Comparison::default();
        self.differ((Some(left), Some(right)), Some(self.schema.root()), &mut Vec::new(), &mut comparison);
        comparison
    }

    fn differ(
        &self,
        (left, right): (Option<&Value>, Option<&Value>),
        node: Option<&'a Node>,
        path: &mut Vec<Step>,
        out: &mut Comparison,
    ) {
        if left == right {
            return;
        }
        let Some(sample) = right.filter(|value| !value.is_null()).or(left) else { return };
        let node = node.map(|node| self.schema.resolve(node, sample));
        let side = |value: Option<&'_ Value>| value.map_or(0, |value| kind(value, node));
        let (left_kind, right_kind) = (side(left), side(right));
        let leaf = left_kind == LEAF
            || right_kind == LEAF
            || (left_kind != 0 && right_kind != 0 && left_kind != right_kind);
        let empty = |value: Option<&Value>| value.is_none_or(is_empty);
        if leaf || (empty(left) && empty(right)) {
            match (left, right) {
                (None, Some(_)) => out.added.insert(path),
                (Some(_), None) => out.removed.insert(path),
                (Some(left), Some(right)) if left != right => out.modified.insert(path),
                _ => {}
            }
            return;
        }
        if left_kind.max(right_kind) == OBJECT {
            let (lefts, rights) = (left.and_then(Value::as_object), right.and_then(Value::as_object));
            for (key, value) in lefts.into_iter().flatten() {
                path.push(Step::Field(key.clone()));
                let other = rights.and_then(|rights| rights.get(key));
                self.differ((Some(value), other), self.field(node, key), path, out);
                path.pop();
            }
            for (key, value) in rights.into_iter().flatten() {
                if lefts.is_some_and(|lefts| lefts.contains_key(key)) {
                    continue;
                }
                path.push(Step::Field(key.clone()));
                self.differ((None, Some(value)), self.field(node, key), path, out);
                path.pop();
            }
        } else {
            self.differ_lists((left, right), node, path, out);
        }
        match (left, right) {
            (None, Some(_)) => out.added.insert(path),
            (Some(_), None) => out.removed.insert(path),
            _ => {}
        }
    }

    fn differ_lists<'v>(
        &self,
        (left, right): (Option<&'v Value>, Option<&'v Value>),
        node: Option<&'a Node>,
        path: &mut Vec<Step>,
        out: &mut Comparison,
    ) {
        fn items(value: Option<&Value>) -> &[Value] {
            value.and_then(Value::as_array).map_or(&[], Vec::as_slice)
        }
        let (lefts, rights) = (self.by_step(items(left), node), self.by_step(items(right), node));
        let steps: BTreeSet<&Step> = lefts.keys().chain(rights.keys()).collect();
        for step in steps {
            let same = |found: &BTreeMap<Step, Vec<&'v Value>>| found.get(step).cloned().unwrap_or_default();
            let (ls, rs) = (same(&lefts), same(&rights));
            path.push(step.clone());
            match (ls.as_slice(), rs.as_slice()) {
                ([] | [_], [] | [_]) => {
                    self.differ((ls.first().copied(), rs.first().copied()), self.items(node), path, out);
                }
                ([_, _, ..], [_, _, ..]) if ls == rs => {}
                ([_, _, ..], [_, _, ..]) => out.modified.insert(path),
                ([_, _, ..], _) => {
                    self.differ((None, rs.first().copied()), self.items(node), path, out);
                    out.removed.insert(path);
                }
                (_, [_, _, ..]) => {
                    self.differ((ls.first().copied(), None), self.items(node), path, out);
                    out.added.insert(path);
                }
            }
            path.pop();
        }
    }

    fn by_step<'v>(&self, items: &'v [Value], node: Option<&'a Node>) -> BTreeMap<Step, Vec<&'v Value>> {
        let (steps, _) = self.index(items, node);
        let mut found: BTreeMap<Step, Vec<&Value>> = BTreeMap::new();
        for (step, item) in steps.into_iter().zip(items) {
            found.entry(step).or_default().push(item);
        }
        found
    }

    /// The left value with what the right sets.
    ///
    /// # Errors
    /// A list of the right value has two items of one key, or an item without its key.
    pub(super) fn merge(&self, left: &Value, right: &Value) -> Result<Value, String> {
        self.merged(Some(left), right, Some(self.schema.root()), &mut Vec::new())
    }

    fn merged(
        &self,
        left: Option<&Value>,
        right: &Value,
        node: Option<&'a Node>,
        path: &mut Vec<Step>,
    ) -> Result<Value, String> {
        let node = node.map(|node| self.schema.resolve(node, right));
        match (shape(right, node), left) {
            (Shape::Object(rights), left) => {
                let mut out = left.and_then(Value::as_object).cloned().unwrap_or_default();
                for (key, value) in rights {
                    path.push(Step::Field(key.clone()));
                    let merged = self.merged(out.get(key), value, self.field(node, key), path)?;
                    out.insert(key.clone(), merged);
                    path.pop();
                }
                Ok(Value::Object(out))
            }
            (Shape::List(rights), left) => {
                let lefts = left.and_then(Value::as_array).cloned().unwrap_or_default();
                self.merged_lists(&lefts, rights, node, path).map(Value::Array)
            }
            (Shape::Leaf, _) => Ok(right.clone()),
        }
    }

    /// Items in the order of the right list; those of the left alone keep their places between.
    fn merged_lists(
        &self,
        lefts: &[Value],
        rights: &[Value],
        node: Option<&'a Node>,
        path: &mut Vec<Step>,
    ) -> Result<Vec<Value>, String> {
        let (right_steps, repeated) = self.index(rights, node);
        if let Some(step) = repeated.first() {
            return Err(format!("{}: duplicate entries for key {step}", display(path)));
        }
        if right_steps.iter().any(|step| matches!(step, Step::Index(_))) {
            return Err(format!("{}: an item of the list lacks its key fields", display(path)));
        }
        let (left_steps, left_repeated) = self.index(lefts, node);
        let wanted: BTreeSet<&Step> = right_steps.iter().collect();
        let by_step: BTreeMap<&Step, &Value> =
            left_steps.iter().zip(lefts).filter(|(step, _)| !left_repeated.contains(step)).collect();
        let existing: BTreeSet<&Step> = left_steps.iter().collect();
        let mut out = Vec::new();
        let mut emit = |step: &Step, right: &Value, out: &mut Vec<Value>| -> Result<(), String> {
            path.push(step.clone());
            out.push(self.merged(by_step.get(step).copied(), right, self.items(node), path)?);
            path.pop();
            Ok(())
        };
        let mut left = 0;
        for (step, right) in right_steps.iter().zip(rights) {
            // Before an item come those that only the left list has there.
            let shared = existing.contains(step);
            while left < lefts.len() && left_steps[left] != *step {
                let alone = !wanted.contains(&left_steps[left]);
                if alone {
                    out.push(lefts[left].clone());
                } else if !shared {
                    break;
                }
                left += 1;
            }
            left += usize::from(shared);
            emit(step, right, &mut out)?;
        }
        let rest = left_steps.iter().zip(lefts).skip(left);
        out.extend(rest.filter(|(step, _)| !wanted.contains(step)).map(|(_, item)| item.clone()));
        Ok(out)
    }

    /// The value without the fields of a set. An object or list that becomes empty stays, unless it is in the set.
    pub(super) fn remove(&self, value: &Value, gone: &Fields) -> Value {
        self.removed(value, gone, Some(self.schema.root())).unwrap_or_else(|| Value::Object(Map::new()))
    }

    fn removed(&self, value: &Value, gone: &Fields, node: Option<&'a Node>) -> Option<Value> {
        let node = node.map(|node| self.schema.resolve(node, value));
        match shape(value, node) {
            Shape::Leaf => match value {
                Value::Object(_) | Value::Array(_) => None,
                scalar => Some(scalar.clone()),
            },
            Shape::Object(fields) => {
                let mut out = Map::new();
                for (key, inner) in fields {
                    let step = Step::Field(key.clone());
                    let kept = match (gone.has(&step), gone.below(&step)) {
                        (true, _) => None,
                        (false, Some(below)) => self.removed(inner, below, self.field(node, key)),
                        (false, None) => Some(inner.clone()),
                    };
                    out.extend(kept.map(|kept| (key.clone(), kept)));
                }
                Some(Value::Object(out))
            }
            Shape::List(items) => {
                let (steps, _) = self.index(items, node);
                let keep = |(item, step): (&Value, Step)| match (gone.has(&step), gone.below(&step)) {
                    (true, _) => None,
                    (false, Some(below)) => self.removed(item, below, self.items(node)),
                    (false, None) => Some(item.clone()),
                };
                let out: Vec<Value> = items.iter().zip(steps).filter_map(keep).collect();
                Some(Value::Array(out))
            }
        }
    }

    /// The set with the known fields on the way to its members as members.
    pub(super) fn with_named(&self, set: &Fields) -> Fields {
        self.named(set, Some(self.schema.root()))
    }

    fn named(&self, set: &Fields, node: Option<&'a Node>) -> Fields {
        let known = |step: &Step| match step {
            Step::Field(name) => node.is_some_and(|node| node.properties.contains_key(name)),
            _ => false,
        };
        let inside = |step: &Step, child: &Fields| match step {
            Step::Field(name) => self.named(child, self.field(node, name)),
            _ => self.named(child, self.items(node)),
        };
        set.with_members(&known, &inside)
    }

    fn field(&self, node: Option<&'a Node>, key: &str) -> Option<&'a Node> {
        node.and_then(|node| self.schema.field(node, key))
    }

    fn items(&self, node: Option<&'a Node>) -> Option<&'a Node> {
        node.and_then(|node| self.schema.items(node))
    }

    /// The step to each item of a list, and the steps that several items share.
    fn index(&self, items: &[Value], node: Option<&'a Node>) -> (Vec<Step>, BTreeSet<Step>) {
        let inner = self.items(node);
        let step = |(index, item): (usize, &Value)| match node.map(|node| &node.list) {
            Some(ListKind::Map(keys)) => {
                let identity = identity(self.schema, inner, item, keys);
                let whole = item.is_object() && identity.len() == keys.len();
                if whole { Step::Key(Value::Object(identity).to_string()) } else { Step::Index(index) }
            }
            _ => Step::Value(item.to_string()),
        };
        let steps: Vec<Step> = items.iter().enumerate().map(step).collect();
        let (mut seen, mut repeated) = (BTreeSet::new(), BTreeSet::new());
        for step in &steps {
            if !seen.insert(step) {
                repeated.insert(step.clone());
            }
        }
        (steps, repeated)
    }
}

const LEAF: u8 = 1;
const LIST: u8 = 2;
const OBJECT: u8 = 3;

/// What a value is to a walk, as a number; a null is whatever the other side is.
fn kind(value: &Value, node: Option<&Node>) -> u8 {
    match shape(value, node) {
        _ if value.is_null() => 0,
        Shape::Leaf => LEAF,
        Shape::List(_) => LIST,
        Shape::Object(_) => OBJECT,
    }
}

fn shape<'v>(value: &'v Value, node: Option<&Node>) -> Shape<'v> {
    match value {
        Value::Object(fields) if !node.is_some_and(|node| node.atomic) => Shape::Object(fields),
        Value::Array(items) if node.is_some_and(|node| node.list != ListKind::Atomic) => Shape::List(items),
        _ => Shape::Leaf,
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(fields) => fields.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}
