//! YAML documents to values, from the parser's events, so that every scalar is read by Kubernetes' rules and
//! every field keeps its line.
//! Invariant: aliases expand to at most [`ALIAS_COST_MAX`], so a small text cannot become a large value.

use std::collections::HashMap;

use base64::Engine;
use serde_json::{Map, Value};
use serde_saphyr::granit_parser::{Event, Parser, ScalarStyle, Span, Tag};

use super::path::Path;
use super::scalar::{self, Plain};
use super::{DEPTH_MAX, DecodeError, Document};

/// The most that aliases may add to one text: one for each value, and one for each 32 bytes of text.
const ALIAS_COST_MAX: usize = 100_000;

/// Whether the line of each field is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lines {
    Remember,
    Forget,
}

/// Reads all documents, or the first few; empty ones are left out.
pub(super) fn documents(text: &str, lines: Lines, most: Option<usize>) -> Result<Vec<Document>, DecodeError> {
    let mut reader = Reader {
        events: Parser::new_from_str(text),
        document: Document::default(),
        path: Path::default(),
        depth: 0,
        remember: lines == Lines::Remember,
        anchors: HashMap::new(),
        alias_cost: 0,
    };
    let mut documents = Vec::new();
    while let Some((event, _)) = reader.next()? {
        if !matches!(event, Event::DocumentStart(..)) {
            continue;
        }
        reader.document = Document::default();
        reader.anchors.clear();
        let (event, span) = reader.expect()?;
        reader.document.line = span.start.line();
        let value = reader.value(&event, span)?;
        if !value.is_null() {
            documents.push(Document { value, ..std::mem::take(&mut reader.document) });
        }
        if most.is_some_and(|most| documents.len() >= most) {
            break;
        }
    }
    Ok(documents)
}

struct Reader<'a> {
    events: Parser<'a, serde_saphyr::granit_parser::StrInput<'a>>,
    document: Document,
    path: Path,
    depth: usize,
    remember: bool,
    anchors: HashMap<usize, Value>,
    alias_cost: usize,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<Option<(Event<'a>, Span)>, DecodeError> {
        loop {
            match self.events.next() {
                None => return Ok(None),
                Some(Ok((Event::Comment(..), _))) => {}
                Some(Ok(event)) => return Ok(Some(event)),
                Some(Err(error)) => return Err(fail(&error.info(), error.marker().line())),
            }
        }
    }

    fn expect(&mut self) -> Result<(Event<'a>, Span), DecodeError> {
        self.next()?.ok_or_else(|| fail("unexpected end of the document", 0))
    }

    fn value(&mut self, event: &Event<'a>, span: Span) -> Result<Value, DecodeError> {
        let line = span.start.line();
        if self.remember {
            self.document.lines.entry(self.path.to_string()).or_insert(line);
        }
        match event {
            Event::Alias(anchor) => self.alias(*anchor, line),
            Event::Scalar(text, style, anchor, tag) => {
                let value = scalar(text, *style, tag.as_deref(), line)?;
                self.anchor(*anchor, &value);
                Ok(value)
            }
            Event::SequenceStart(_, anchor, _) => {
                let value = self.nested(line, Self::sequence)?;
                self.anchor(*anchor, &value);
                Ok(value)
            }
            Event::MappingStart(_, anchor, _) => {
                let value = self.nested(line, Self::mapping)?;
                self.anchor(*anchor, &value);
                Ok(value)
            }
            _ => Err(fail("did not find expected node content", line)),
        }
    }

    fn nested(
        &mut self,
        line: usize,
        read: fn(&mut Self) -> Result<Value, DecodeError>,
    ) -> Result<Value, DecodeError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(fail("exceeded max depth", line));
        }
        let value = read(self);
        self.depth -= 1;
        value
    }

    fn sequence(&mut self) -> Result<Value, DecodeError> {
        let mut items = Vec::new();
        loop {
            let (event, span) = self.expect()?;
            if matches!(event, Event::SequenceEnd) {
                return Ok(Value::Array(items));
            }
            self.path.push_index(items.len());
            items.push(self.value(&event, span)?);
            self.path.pop();
        }
    }

    fn mapping(&mut self) -> Result<Value, DecodeError> {
        let mut fields = Map::new();
        let mut inherited = Map::new();
        loop {
            let (event, span) = self.expect()?;
            if matches!(event, Event::MappingEnd) {
                for (key, value) in inherited {
                    fields.entry(key).or_insert(value);
                }
                return Ok(Value::Object(fields));
            }
            let line = span.start.line();
            if matches!(&event, Event::Scalar(text, ScalarStyle::Plain, _, None) if text == "<<") {
                let (event, span) = self.expect()?;
                merge(&mut inherited, self.value(&event, span)?, line)?;
                continue;
            }
            let key = self.key(&event, line)?;
            self.path.push_key(&key);
            if self.remember {
                self.document.lines.insert(self.path.to_string(), line);
            }
            let (event, span) = self.expect()?;
            let value = self.value(&event, span)?;
            if fields.insert(key, value).is_some() {
                self.document.duplicates.push(self.path.to_string());
            }
            self.path.pop();
        }
    }

    /// Keys are strings; numbers and booleans become their text.
    fn key(&mut self, event: &Event<'a>, line: usize) -> Result<String, DecodeError> {
        let value = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let value = scalar(text, *style, tag.as_deref(), line)?;
                self.anchor(*anchor, &value);
                value
            }
            Event::Alias(anchor) => self.alias(*anchor, line)?,
            _ => Value::Null,
        };
        match value {
            Value::String(text) => Ok(text),
            Value::Bool(_) | Value::Number(_) => Ok(value.to_string()),
            _ => Err(fail("unsupported map key: keys must be text", line)),
        }
    }

    fn anchor(&mut self, anchor: usize, value: &Value) {
        if anchor != 0 {
            self.anchors.insert(anchor, value.clone());
        }
    }

    fn alias(&mut self, anchor: usize, line: usize) -> Result<Value, DecodeError> {
        let Some(value) = self.anchors.get(&anchor) else {
            return Err(fail("an anchor contains itself", line));
        };
        let (cost, depth) = weigh(value);
        self.alias_cost += cost;
        if self.alias_cost > ALIAS_COST_MAX {
            return Err(fail("document contains excessive aliasing", line));
        }
        if self.depth + depth > DEPTH_MAX {
            return Err(fail("exceeded max depth", line));
        }
        Ok(value.clone())
    }
}

fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>, line: usize) -> Result<Value, DecodeError> {
    let as_text = || Ok(Value::String(text.to_owned()));
    let kind = tag.and_then(|tag| tag.suffix_in_namespace("tag:yaml.org,2002:"));
    match kind.as_deref() {
        Some("str") => return as_text(),
        Some("binary") => {
            let folded: String = text.chars().filter(|c| !c.is_whitespace()).collect();
            let bytes = base64::engine::general_purpose::STANDARD.decode(folded);
            let bytes = bytes.map_err(|_| fail("!!binary value contains invalid base64 data", line))?;
            return Ok(Value::String(String::from_utf8_lossy(&bytes).into_owned()));
        }
        Some("null" | "bool" | "int" | "float") => {}
        _ if style != ScalarStyle::Plain || tag.is_some_and(|tag| tag.original() == "!") => return as_text(),
        _ => {}
    }
    match scalar::resolve(text) {
        Plain::Value(value) => Ok(value),
        Plain::NotFinite => Err(fail(&format!("unsupported value: {text}"), line)),
    }
}

/// Adds what `<<` names: a mapping, or a list of them, of which the first wins.
fn merge(inherited: &mut Map<String, Value>, value: Value, line: usize) -> Result<(), DecodeError> {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                inherited.entry(key).or_insert(value);
            }
            Ok(())
        }
        Value::Array(items) => items.into_iter().try_for_each(|item| match item {
            Value::Object(_) => merge(inherited, item, line),
            _ => Err(fail("map merge requires map or sequence of maps as the value", line)),
        }),
        _ => Err(fail("map merge requires map or sequence of maps as the value", line)),
    }
}

/// What a value costs to copy, and how deep it is.
fn weigh(value: &Value) -> (usize, usize) {
    let sum = |children: &mut dyn Iterator<Item = (usize, &Value)>| {
        children.fold((1, 0), |(cost, depth), (own, child)| {
            let (inner, inner_depth) = weigh(child);
            (cost + own + inner, depth.max(inner_depth))
        })
    };
    match value {
        Value::String(text) => (1 + text.len() / 32, 0),
        Value::Array(items) => {
            let (cost, depth) = sum(&mut items.iter().map(|item| (0, item)));
            (cost, depth + 1)
        }
        Value::Object(fields) => {
            let (cost, depth) = sum(&mut fields.iter().map(|(key, value)| (key.len() / 32, value)));
            (cost, depth + 1)
        }
        _ => (1, 0),
    }
}

fn fail(what: &str, line: usize) -> DecodeError {
    if line == 0 {
        return DecodeError { message: format!("error converting YAML to JSON: yaml: {what}"), line: None };
    }
    DecodeError {
        message: format!("error converting YAML to JSON: yaml: line {line}: {what}"),
        line: Some(line),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::{yaml, yaml_documents};
    use super::*;

    #[test]
    fn scalars_are_read_by_style_tag_and_kubernetes_rules() {
        let text = "mode: 0644\nphone: '0123'\ndone: yes\nword: \"yes\"\nver: 1.10\nnone:\ntext: |\n  a\n  b\n\
                    tagged: !!str 12\nforced: !!int \"3\"\nbin: !!binary aGk=\n1: one\ntrue: t\n";
        assert_eq!(
            yaml(text.as_bytes()).unwrap().value.to_string(),
            r#"{"1":"one","bin":"hi","done":true,"forced":3,"mode":420,"none":null,"phone":"0123","tagged":"12","text":"a\nb\n","true":"t","ver":1.10,"word":"yes"}"#
        );
    }

    #[test]
    fn documents_know_the_lines_of_their_fields() {
        let text = "# first\nkind: A\n---\n---\n\nkind: B\nspec:\n  tasks:\n    - name: x\n      run: y\n    - name: z\n...\n";
        let documents = yaml_documents(text).unwrap();
        assert_eq!(documents.len(), 2);
        assert_eq!((documents[0].line, documents[1].line), (2, 6));
        let lines = &documents[1].lines;
        assert_eq!(lines["spec"], 7);
        assert_eq!(lines["spec.tasks[0].run"], 10);
        assert_eq!(lines["spec.tasks[1]"], 11);
    }

    #[test]
    fn duplicates_are_reported_and_the_last_counts() {
        let decoded = yaml(b"a: 1\nb:\n- c: 1\n  c: 2\na: 3\n").unwrap();
        assert_eq!(decoded.value, json!({"a": 3, "b": [{"c": 2}]}));
        assert_eq!(decoded.duplicates, ["b[0].c", "a"]);
    }

    #[test]
    fn anchors_and_merge_keys_expand() {
        let text = "base: &b {x: 1, w: 2}\nmore: &m {z: 3}\nuse:\n  <<: [*b, *m]\n  w: 9\nlist: [*b]\n";
        assert_eq!(
            yaml(text.as_bytes()).unwrap().value,
            json!({"base": {"x": 1, "w": 2}, "more": {"z": 3}, "use": {"x": 1, "w": 9, "z": 3},
                "list": [{"x": 1, "w": 2}]})
        );
    }

    #[test]
    fn a_bomb_is_refused() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..9 {
            let items = vec![format!("*a{}", level - 1); 10].join(", ");
            text.push_str(&format!("a{level}: &a{level} [{items}]\n"));
        }
        assert!(yaml(text.as_bytes()).unwrap_err().message.contains("excessive aliasing"));
        assert!(yaml("[".repeat(100_000).as_bytes()).is_err());
        assert!(yaml("- ".repeat(200).as_bytes()).is_err());
        assert!(yaml(b"a: &a [*a]").is_err());
    }

    #[test]
    fn errors_name_their_line() {
        let error = yaml(b"a: 1\nb: [1\nc: 2\n").unwrap_err();
        assert!(error.message.starts_with("error converting YAML to JSON: yaml: line "), "{error}");
        assert!(error.line.is_some());
        assert!(yaml(b"a: .inf").unwrap_err().message.ends_with("line 1: unsupported value: .inf"));
    }

    #[test]
    fn a_json_body_is_yaml_too_and_nothing_is_null() {
        assert_eq!(yaml(b" {\"a\":\t1.10}").unwrap().value.to_string(), r#"{"a":1.10}"#);
        assert_eq!(yaml(b"# nothing\n").unwrap().value, Value::Null);
        assert!(yaml_documents("---\n---\n# x\n").unwrap().is_empty());
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "[ -~é\\n]{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[ -~]{1,6}", inner, 0..4)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn json_is_yaml(value in any_json()) {
            let documents = yaml_documents(&value.to_string()).map_err(|error| TestCaseError::fail(error.message))?;
            let read = documents.into_iter().next().map(|document| document.value).unwrap_or_default();
            prop_assert_eq!(read, value);
        }

        #[test]
        fn no_text_makes_it_panic(text in "[a&*<>|!%@`{}:,#\\-\\[\\]\"' \\n~0x.?]{0,40}") {
            let _ = yaml_documents(&text);
        }
    }
}
