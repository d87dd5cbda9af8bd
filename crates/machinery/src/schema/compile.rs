//! Compiles JSON schema documents into arenas of nodes.
//! Invariant: each definition becomes one node for each way it is referred to, so recursive types end.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::formats::Format;
use super::node::{Kind, Limits, ListKind, Node, NodeId, PatchStrategy};
use super::pattern::Pattern;
use super::{SchemaError, Structural, extensions, object_meta};

/// Keywords that describe and do not constrain.
const DESCRIPTIVE: [&str; 10] = [
    "description",
    "title",
    "deprecated",
    "examples",
    "example",
    "readOnly",
    "writeOnly",
    "$schema",
    "$comment",
    "externalDocs",
];

pub(super) fn compile(schema: &Value) -> Result<Structural, SchemaError> {
    let mut annotated = schema.clone();
    extensions::annotate(&mut annotated);
    let definitions = definitions(&annotated);
    let mut compiler = Compiler { root: &annotated, definitions, nodes: Vec::new(), known: BTreeMap::new() };
    let root = compiler.node(&annotated, "")?;
    compiler.make_object(root)?;
    Ok(Structural { nodes: compiler.nodes, root, any_case: false })
}

/// The definitions of a schema document, wherever they are kept.
fn definitions(schema: &Value) -> Map<String, Value> {
    let mut all = Map::new();
    for pointer in ["/$defs", "/definitions", "/components/schemas"] {
        if let Some(found) = schema.pointer(pointer).and_then(Value::as_object) {
            all.extend(found.iter().map(|(name, schema)| (name.clone(), schema.clone())));
        }
    }
    all
}

struct Compiler<'a> {
    root: &'a Value,
    definitions: Map<String, Value>,
    nodes: Vec<Node>,
    /// Nodes by the text of the reference and of what stands beside it.
    known: BTreeMap<String, NodeId>,
}

impl Compiler<'_> {
    fn node(&mut self, schema: &Value, path: &str) -> Result<NodeId, SchemaError> {
        let Some(fields) = schema.as_object() else {
            return Ok(self.push(Node { preserve_unknown: true, ..Node::default() }));
        };
        if let Some(reference) = fields.get("$ref").and_then(Value::as_str) {
            return self.reference(reference, fields, path);
        }
        if let Some(merged) = without_null(fields) {
            return self.node(&Value::Object(merged), path);
        }
        let id = self.push(Node::default());
        self.nodes[id.0] = self.fill(fields, path)?;
        Ok(id)
    }

    fn push(&mut self, node: Node) -> NodeId {
        self.nodes.push(node);
        NodeId(self.nodes.len() - 1)
    }

    fn reference(
        &mut self,
        reference: &str,
        fields: &Map<String, Value>,
        path: &str,
    ) -> Result<NodeId, SchemaError> {
        let beside: Map<String, Value> = fields
            .iter()
            .filter(|(key, _)| *key != "$ref" && !DESCRIPTIVE.contains(&key.as_str()))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        let identity = format!("{reference} {}", Value::Object(beside.clone()));
        if let Some(id) = self.known.get(&identity) {
            return Ok(*id);
        }
        let target = self.target(reference).ok_or_else(|| SchemaError {
            path: path.to_owned(),
            message: format!("could not find the definition that {reference:?} refers to"),
        })?;
        let mut merged = target.as_object().cloned().unwrap_or_default();
        merged.extend(beside);
        let id = self.push(Node::default());
        self.known.insert(identity, id);
        let inner = self.node(&Value::Object(merged), path)?;
        self.nodes[id.0] = self.nodes[inner.0].clone();
        Ok(id)
    }

    fn target(&self, reference: &str) -> Option<Value> {
        if reference == "#" {
            return Some(self.root.clone());
        }
        let name = ["#/$defs/", "#/definitions/", "#/components/schemas/"]
            .iter()
            .find_map(|prefix| reference.strip_prefix(prefix))?
            .replace("~1", "/")
            .replace("~0", "~");
        self.definitions.get(&name).cloned()
    }

    fn fill(&mut self, fields: &Map<String, Value>, path: &str) -> Result<Node, SchemaError> {
        let flag = |key: &str| fields.get(key).and_then(Value::as_bool).unwrap_or(false);
        let (mut kinds, null) = kinds(fields.get("type"));
        let format = fields.get("format").and_then(Value::as_str).and_then(Format::parse);
        if flag("x-kubernetes-int-or-string") {
            let number = if format == Some(Format::Quantity) { Kind::Number } else { Kind::Integer };
            kinds = vec![number, Kind::String];
        }
        let mut node = Node {
            kinds,
            nullable: null || flag("nullable"),
            preserve_unknown: flag("x-kubernetes-preserve-unknown-fields"),
            embedded: flag("x-kubernetes-embedded-resource"),
            required: strings(fields.get("required")),
            default: fields.get("default").filter(|value| !value.is_null()).cloned(),
            enumeration: enumeration(fields),
            pattern: Pattern::of(fields.get("pattern"))
                .map_err(|message| SchemaError { path: path.to_owned(), message })?,
            format,
            limits: limits(fields),
            list: list_kind(fields),
            atomic: fields.get("x-kubernetes-map-type").and_then(Value::as_str) == Some("atomic"),
            patch: patch_strategy(fields),
            ..Node::default()
        };
        self.children(&mut node, fields, path)?;
        let says_nothing = node.kinds.is_empty() && node.properties.is_empty() && !node.is_choice();
        if says_nothing && node.enumeration.is_empty() && node.all_of.is_empty() && node.additional.is_none()
        {
            node.preserve_unknown = true;
        }
        Ok(node)
    }

    fn children(
        &mut self,
        node: &mut Node,
        fields: &Map<String, Value>,
        path: &str,
    ) -> Result<(), SchemaError> {
        for (key, schema) in fields.get("properties").and_then(Value::as_object).into_iter().flatten() {
            node.properties.insert(key.clone(), self.node(schema, &format!("{path}.{key}"))?);
        }
        match fields.get("additionalProperties") {
            None | Some(Value::Bool(false)) => {}
            Some(schema) => node.additional = Some(self.node(schema, &format!("{path}.*"))?),
        }
        if let Some(items) = fields.get("items") {
            node.items = Some(self.node(items, &format!("{path}[]"))?);
        }
        if node.enumeration.is_empty() || !fields.contains_key("oneOf") {
            node.any_of = self.list(fields.get("anyOf"), path)?;
            node.one_of = self.list(fields.get("oneOf"), path)?;
        }
        node.all_of = self.list(fields.get("allOf"), path)?;
        if let Some(not) = fields.get("not") {
            node.not = Some(self.node(not, path)?);
        }
        if node.embedded {
            self.add_object_fields(node)?;
        }
        Ok(())
    }

    fn list(&mut self, schemas: Option<&Value>, path: &str) -> Result<Vec<NodeId>, SchemaError> {
        schemas
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .map(|schema| self.node(schema, path))
            .collect()
    }

    /// Gives the root the fields that every object has.
    fn make_object(&mut self, root: NodeId) -> Result<(), SchemaError> {
        let mut node = self.nodes[root.0].clone();
        self.add_object_fields(&mut node)?;
        if node.kinds.is_empty() {
            node.kinds = vec![Kind::Object];
        }
        self.nodes[root.0] = node;
        Ok(())
    }

    fn add_object_fields(&mut self, node: &mut Node) -> Result<(), SchemaError> {
        for key in ["apiVersion", "kind"] {
            let text = Node { kinds: vec![Kind::String], ..Node::default() };
            node.properties.entry(key.to_owned()).or_insert_with(|| {
                self.nodes.push(text);
                NodeId(self.nodes.len() - 1)
            });
        }
        let given = node.properties.get("metadata").map(|id| self.nodes[id.0].clone());
        if given.as_ref().is_some_and(|given| given.properties.contains_key("managedFields")) {
            return Ok(());
        }
        let full = self.node(&object_meta::schema(), "metadata")?;
        for (key, constrained) in given.map(|given| given.properties).unwrap_or_default() {
            self.nodes[full.0].properties.insert(key, constrained);
        }
        node.properties.insert("metadata".to_owned(), full);
        Ok(())
    }
}

/// Turns `anyOf: [X, null]` (an `Option`) and `allOf: [X]` into X with what stands beside it.
fn without_null(fields: &Map<String, Value>) -> Option<Map<String, Value>> {
    for key in ["anyOf", "oneOf", "allOf"] {
        let Some(choices) = fields.get(key).and_then(Value::as_array) else { continue };
        let is_null = |schema: &Value| schema.get("type").and_then(Value::as_str) == Some("null");
        let rest: Vec<&Value> = choices.iter().filter(|schema| !is_null(schema)).collect();
        let had_null = rest.len() < choices.len();
        let wraps_one = key == "allOf" && rest.len() == 1 && !fields.contains_key("type");
        if !had_null && !wraps_one {
            continue;
        }
        let mut merged = fields.clone();
        merged.remove(key);
        if had_null {
            merged.insert("nullable".to_owned(), Value::Bool(true));
        }
        match rest.as_slice() {
            [one] => {
                let inner = one.as_object().cloned().unwrap_or_default();
                merged.extend(inner.into_iter().filter(|(key, _)| !DESCRIPTIVE.contains(&key.as_str())));
            }
            many => {
                merged.insert(key.to_owned(), many.iter().map(|schema| (*schema).clone()).collect());
            }
        }
        return Some(merged);
    }
    None
}

fn kinds(kind: Option<&Value>) -> (Vec<Kind>, bool) {
    let names: Vec<&str> = match kind {
        Some(Value::String(name)) => vec![name],
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    (names.iter().filter_map(|name| Kind::parse(name)).collect(), names.contains(&"null"))
}

/// `enum`, `const`, or a `oneOf` of nothing but those.
fn enumeration(fields: &Map<String, Value>) -> Vec<Value> {
    if let Some(values) = fields.get("enum").and_then(Value::as_array) {
        return values.iter().filter(|value| !value.is_null()).cloned().collect();
    }
    if let Some(value) = fields.get("const") {
        return vec![value.clone()];
    }
    let choices = fields.get("oneOf").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let each: Vec<Vec<Value>> =
        choices.iter().map(|choice| choice.as_object().map(enumeration).unwrap_or_default()).collect();
    if each.iter().any(Vec::is_empty) { Vec::new() } else { each.concat() }
}

fn strings(list: Option<&Value>) -> Vec<String> {
    let items = list.and_then(Value::as_array).into_iter().flatten();
    items.filter_map(Value::as_str).map(str::to_owned).collect()
}

fn list_kind(fields: &Map<String, Value>) -> ListKind {
    match fields.get("x-kubernetes-list-type").and_then(Value::as_str) {
        Some("set") => ListKind::Set,
        Some("map") => ListKind::Map(strings(fields.get("x-kubernetes-list-map-keys"))),
        _ => ListKind::Atomic,
    }
}

fn patch_strategy(fields: &Map<String, Value>) -> PatchStrategy {
    let words = fields.get("x-kubernetes-patch-strategy").and_then(Value::as_str).unwrap_or_default();
    PatchStrategy {
        merge: words.split(',').any(|word| word == "merge"),
        retain_keys: words.split(',').any(|word| word == "retainKeys"),
        merge_key: fields.get("x-kubernetes-patch-merge-key").and_then(Value::as_str).map(str::to_owned),
    }
}

fn limits(fields: &Map<String, Value>) -> Option<Box<Limits>> {
    const KEYWORDS: [&str; 12] = [
        "minimum",
        "exclusiveMinimum",
        "maximum",
        "exclusiveMaximum",
        "multipleOf",
        "minLength",
        "maxLength",
        "minItems",
        "maxItems",
        "minProperties",
        "maxProperties",
        "uniqueItems",
    ];
    if !KEYWORDS.iter().any(|keyword| fields.contains_key(*keyword)) {
        return None;
    }
    let number = |key: &str| match fields.get(key) {
        Some(Value::Number(number)) => Some(number.clone()),
        _ => None,
    };
    let size = |key: &str| fields.get(key).and_then(Value::as_u64);
    let flag = |key: &str| fields.get(key).and_then(Value::as_bool).unwrap_or(false);
    let bound = |key: &str, exclusive: &str| number(exclusive).or_else(|| number(key));
    let strict = |exclusive: &str| flag(exclusive) || number(exclusive).is_some();
    Some(Box::new(Limits {
        minimum: bound("minimum", "exclusiveMinimum"),
        exclusive_minimum: strict("exclusiveMinimum"),
        maximum: bound("maximum", "exclusiveMaximum"),
        exclusive_maximum: strict("exclusiveMaximum"),
        multiple_of: number("multipleOf"),
        length_min: size("minLength"),
        length_max: size("maxLength"),
        items_min: size("minItems"),
        items_max: size("maxItems"),
        properties_min: size("minProperties"),
        properties_max: size("maxProperties"),
        unique_items: flag("uniqueItems"),
    }))
}
