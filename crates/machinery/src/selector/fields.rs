//! Field selectors: `=`, `==` and `!=` on a few named fields.
//! Invariant: a field that an object lacks compares as the empty string.
//! Source: `k8s.io/apimachinery` `fields/selector.go`.

use std::fmt;

use serde_json::Value;

use super::SelectorError;

/// All terms must hold; none match everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldSelector {
    terms: Vec<FieldTerm>,
}

/// One term.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldTerm {
    /// The field's path, such as `metadata.name`.
    pub field: String,
    /// Whether the field must have (or must not have) the value.
    pub equal: bool,
    /// The value.
    pub value: String,
}

impl FieldSelector {
    /// Parses a query parameter such as `metadata.name=a,status.phase!=Running`.
    ///
    /// # Errors
    /// A part has no operator, or an escape sequence is unknown.
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        let mut terms = Vec::new();
        for part in split_unescaped(text).into_iter().filter(|part| !part.is_empty()) {
            let (field, equal, value) = split_term(part).ok_or_else(|| {
                SelectorError(format!("invalid selector: '{text}'; can't understand '{part}'"))
            })?;
            terms.push(FieldTerm { field: field.to_owned(), equal, value: unescape(value)? });
        }
        Ok(Self { terms })
    }

    /// Refuses fields that may not be selected on: answer 400 with the text. `metadata.name` and
    /// `metadata.namespace` always may.
    ///
    /// # Errors
    /// A term names another field.
    pub fn only(self, selectable: &[&str]) -> Result<Self, SelectorError> {
        let known = |field: &str| {
            let same = |path: &&str| path.strip_prefix('.').unwrap_or(path) == field;
            matches!(field, "metadata.name" | "metadata.namespace") || selectable.iter().any(same)
        };
        match self.terms.iter().find(|term| !known(&term.field)) {
            Some(term) => Err(SelectorError(format!("field label not supported: {}", term.field))),
            None => Ok(self),
        }
    }

    /// The terms, in the order written.
    #[must_use]
    pub fn terms(&self) -> &[FieldTerm] {
        &self.terms
    }

    /// Whether every object matches.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.terms.is_empty()
    }

    /// The value that a field must have, if a term says so: a list by `metadata.name` is a get.
    #[must_use]
    pub fn exact(&self, field: &str) -> Option<&str> {
        self.terms.iter().find(|term| term.equal && term.field == field).map(|term| term.value.as_str())
    }

    /// Whether an object matches.
    #[must_use]
    pub fn matches(&self, object: &Value) -> bool {
        self.terms.iter().all(|term| (field_text(object, &term.field) == term.value) == term.equal)
    }
}

impl fmt::Display for FieldSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |term: &FieldTerm| {
            let value = term.value.replace('\\', "\\\\").replace(',', "\\,").replace('=', "\\=");
            format!("{}{}{value}", term.field, if term.equal { "=" } else { "!=" })
        };
        f.write_str(&self.terms.iter().map(text).collect::<Vec<_>>().join(","))
    }
}

fn field_text(object: &Value, path: &str) -> String {
    let value = path.split('.').filter(|key| !key.is_empty()).try_fold(object, |at, key| at.get(key));
    match value {
        Some(Value::String(text)) => text.clone(),
        None | Some(Value::Null) => String::new(),
        Some(other) => other.to_string(),
    }
}

fn split_unescaped(text: &str) -> Vec<&str> {
    let (mut parts, mut start, mut escaped) = (Vec::new(), 0, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            ',' => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

/// Splits at the first operator that is not escaped.
fn split_term(part: &str) -> Option<(&str, bool, &str)> {
    let at = part.find(['=', '!'])?;
    let (field, rest) = part.split_at(at);
    if let Some(value) = rest.strip_prefix("!=") {
        return Some((field, false, value));
    }
    let value = rest.strip_prefix("==").or_else(|| rest.strip_prefix('='))?;
    Some((field, true, value))
}

fn unescape(value: &str) -> Result<String, SelectorError> {
    let mut text = String::new();
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some(c @ ('\\' | ',' | '=')) => text.push(c),
                other => {
                    let sequence: String = std::iter::once('\\').chain(other).collect();
                    return Err(SelectorError(format!(
                        "invalid field selector: invalid escape sequence: {sequence}"
                    )));
                }
            },
            ',' | '=' => {
                return Err(SelectorError(format!(
                    "invalid field selector: unescaped character in value: {}",
                    u32::from(c)
                )));
            }
            c => text.push(c),
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn terms_match_by_path_and_absent_fields_are_empty() {
        let object =
            json!({"metadata": {"name": "a"}, "status": {"phase": "Running"}, "spec": {"n": 3, "on": true}});
        for (query, matches) in [
            ("", true),
            ("metadata.name=a", true),
            ("metadata.name==a", true),
            ("metadata.name!=a", false),
            ("metadata.name=a,status.phase!=Failed", true),
            ("status.reason=", true),
            ("status.reason!=x", true),
            ("spec.n=3,spec.on=true", true),
        ] {
            assert_eq!(FieldSelector::parse(query).unwrap().matches(&object), matches, "{query}");
        }
    }

    #[test]
    fn escapes_are_undone_and_printed_again() {
        let selector = FieldSelector::parse("a=x\\,y\\=z\\\\").unwrap();
        assert_eq!(selector.exact("a"), Some("x,y=z\\"));
        assert_eq!(selector.to_string(), "a=x\\,y\\=z\\\\");
    }

    #[test]
    fn bad_selectors_are_refused_in_the_words_of_kubernetes() {
        for (query, text) in [
            ("a", "invalid selector: 'a'; can't understand 'a'"),
            ("a=b=c", "invalid field selector: unescaped character in value: 61"),
            ("a=\\x", "invalid field selector: invalid escape sequence: \\x"),
        ] {
            assert_eq!(FieldSelector::parse(query).unwrap_err().0, text);
        }
        let unknown = FieldSelector::parse("spec.x=1").unwrap().only(&["status.phase"]);
        assert_eq!(unknown.unwrap_err().0, "field label not supported: spec.x");
        assert!(
            FieldSelector::parse("status.phase=x,metadata.name=y").unwrap().only(&[".status.phase"]).is_ok()
        );
    }
}
