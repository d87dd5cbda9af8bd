//! Label selectors: the query grammar, and `LabelSelector` objects.
//! Invariant: requirements are sorted by key, and values are sorted and unique, as Kubernetes prints them.
//! Source: `k8s.io/apimachinery` `labels/selector.go`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value;

use super::SelectorError;
use crate::meta;

/// All requirements must hold; none match everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelSelector {
    requirements: Vec<Requirement>,
    nothing: bool,
}

/// One condition on one label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// The label's key.
    pub key: String,
    /// How the values bind.
    pub operator: Operator,
    /// The values.
    pub values: BTreeSet<String>,
}

/// How a requirement's values bind the label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `=`
    Equals,
    /// `==`
    DoubleEquals,
    /// `!=`; also matches objects without the label.
    NotEquals,
    /// `in (...)`
    In,
    /// `notin (...)`; also matches objects without the label.
    NotIn,
    /// The key alone.
    Exists,
    /// `!` and the key.
    DoesNotExist,
    /// `>` an integer.
    GreaterThan,
    /// `<` an integer.
    LessThan,
}

impl LabelSelector {
    /// Parses a query parameter such as `app=x,tier in (a,b),!canary`.
    ///
    /// # Errors
    /// The text does not follow the grammar, or a key or value cannot be a label's.
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        let mut parser = Parser { tokens: tokens(text), at: 0 };
        let mut requirements = Vec::new();
        loop {
            match parser.peek() {
                Token::End => break,
                Token::Word(_) | Token::Symbol("!") => {}
                other => {
                    return Err(fail(format!(
                        "found '{other}', expected: !, identifier, or 'end of string'"
                    )));
                }
            }
            let requirement = parser.requirement();
            requirements.push(
                requirement.map_err(|error| fail(format!("unable to parse requirement: {}", error.0)))?,
            );
            match parser.next() {
                Token::End => break,
                Token::Symbol(",") => {
                    if !matches!(parser.peek(), Token::Word(_) | Token::Symbol("!")) {
                        return Err(fail(format!(
                            "found '{}', expected: identifier after ','",
                            parser.peek()
                        )));
                    }
                }
                other => return Err(fail(format!("found '{other}', expected: ',' or 'end of string'"))),
            }
        }
        Ok(Self::of(requirements))
    }

    /// Reads a `LabelSelector` object with `matchLabels` and `matchExpressions`. No object (null) matches
    /// nothing; an empty one matches everything.
    ///
    /// # Errors
    /// An operator is unknown, or a key or value cannot be a label's.
    pub fn from_object(selector: &Value) -> Result<Self, SelectorError> {
        if selector.is_null() {
            return Ok(Self { requirements: Vec::new(), nothing: true });
        }
        let mut requirements = Vec::new();
        for (key, value) in selector.get("matchLabels").and_then(Value::as_object).into_iter().flatten() {
            let value = value.as_str().unwrap_or_default().to_owned();
            requirements.push(Requirement::new(key, Operator::In, BTreeSet::from([value]))?);
        }
        for expression in meta::list(selector, &["matchExpressions"]) {
            let operator = match meta::text(expression, &["operator"]).unwrap_or_default() {
                "In" => Operator::In,
                "NotIn" => Operator::NotIn,
                "Exists" => Operator::Exists,
                "DoesNotExist" => Operator::DoesNotExist,
                other => return Err(fail(format!("{other:?} is not a valid label selector operator"))),
            };
            let values = meta::list(expression, &["values"]);
            let values = values.iter().filter_map(Value::as_str).map(str::to_owned).collect();
            let key = meta::text(expression, &["key"]).unwrap_or_default();
            requirements.push(Requirement::new(key, operator, values)?);
        }
        Ok(Self::of(requirements))
    }

    /// Whether every object matches.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.requirements.is_empty() && !self.nothing
    }

    /// The requirements, sorted by key.
    #[must_use]
    pub fn requirements(&self) -> &[Requirement] {
        &self.requirements
    }

    /// Whether labels match.
    #[must_use]
    pub fn matches(&self, labels: &BTreeMap<&str, &str>) -> bool {
        !self.nothing && self.requirements.iter().all(|requirement| requirement.matches(labels))
    }

    /// Whether an object's labels match.
    #[must_use]
    pub fn matches_object(&self, object: &Value) -> bool {
        self.is_everything() || self.matches(&meta::labels(object))
    }

    fn of(mut requirements: Vec<Requirement>) -> Self {
        requirements.sort_by(|a, b| a.key.cmp(&b.key));
        Self { requirements, nothing: false }
    }
}

impl Requirement {
    fn new(key: &str, operator: Operator, values: BTreeSet<String>) -> Result<Self, SelectorError> {
        let wrong = meta::qualified_name(key);
        if !wrong.is_empty() {
            return Err(fail(format!("key: Invalid value: {key:?}: {}", wrong.join("; "))));
        }
        let shown = || {
            format!("[]string{{{}}}", values.iter().map(|v| format!("{v:?}")).collect::<Vec<_>>().join(", "))
        };
        match operator {
            Operator::In | Operator::NotIn if values.is_empty() => {
                return Err(fail(format!(
                    "values: Invalid value: {}: for 'in', 'notin' operators, values set can't be empty",
                    shown()
                )));
            }
            Operator::Exists | Operator::DoesNotExist if !values.is_empty() => {
                return Err(fail(format!(
                    "values: Invalid value: {}: values set must be empty for exists and does not exist",
                    shown()
                )));
            }
            Operator::GreaterThan | Operator::LessThan => {
                if let Some(value) = values.iter().find(|value| value.parse::<i64>().is_err()) {
                    return Err(fail(format!(
                        "values[0]: Invalid value: {value:?}: for 'Gt', 'Lt' operators, the value must be an integer"
                    )));
                }
            }
            _ => {}
        }
        for (index, value) in values.iter().enumerate() {
            let wrong = meta::label_value(value);
            if !wrong.is_empty() {
                return Err(fail(format!(
                    "values[{index}][{key}]: Invalid value: {value:?}: {}",
                    wrong.join("; ")
                )));
            }
        }
        Ok(Self { key: key.to_owned(), operator, values })
    }

    fn matches(&self, labels: &BTreeMap<&str, &str>) -> bool {
        let value = labels.get(self.key.as_str());
        let listed = || value.is_some_and(|value| self.values.contains(*value));
        let number = || value.and_then(|value| value.parse::<i64>().ok());
        let bound = || self.values.first().and_then(|value| value.parse::<i64>().ok());
        match self.operator {
            Operator::Equals | Operator::DoubleEquals | Operator::In => listed(),
            Operator::NotEquals | Operator::NotIn => !listed(),
            Operator::Exists => value.is_some(),
            Operator::DoesNotExist => value.is_none(),
            Operator::GreaterThan => matches!((number(), bound()), (Some(n), Some(b)) if n > b),
            Operator::LessThan => matches!((number(), bound()), (Some(n), Some(b)) if n < b),
        }
    }
}

impl fmt::Display for LabelSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<String> = self.requirements.iter().map(ToString::to_string).collect();
        f.write_str(&texts.join(","))
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = &self.key;
        let values = self.values.iter().map(String::as_str).collect::<Vec<_>>().join(",");
        match self.operator {
            Operator::Equals => write!(f, "{key}={values}"),
            Operator::DoubleEquals => write!(f, "{key}=={values}"),
            Operator::NotEquals => write!(f, "{key}!={values}"),
            Operator::In => write!(f, "{key} in ({values})"),
            Operator::NotIn => write!(f, "{key} notin ({values})"),
            Operator::Exists => write!(f, "{key}"),
            Operator::DoesNotExist => write!(f, "!{key}"),
            Operator::GreaterThan => write!(f, "{key}>{values}"),
            Operator::LessThan => write!(f, "{key}<{values}"),
        }
    }
}

/// A piece of a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'a> {
    Word(&'a str),
    Symbol(&'a str),
    End,
}

impl fmt::Display for Token<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Token::Word(text) | Token::Symbol(text) => f.write_str(text),
            Token::End => Ok(()),
        }
    }
}

fn tokens(text: &str) -> Vec<Token<'_>> {
    const SYMBOLS: [&str; 9] = ["==", "!=", "=", "!", "(", ")", ",", ">", "<"];
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        if let Some(symbol) = SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol)) {
            tokens.push(Token::Symbol(symbol));
            rest = &rest[symbol.len()..];
        } else {
            let end =
                rest.find(|c: char| "=!(),><".contains(c) || c.is_ascii_whitespace()).unwrap_or(rest.len());
            tokens.push(Token::Word(&rest[..end]));
            rest = &rest[end..];
        }
        rest = rest.trim_start();
    }
    tokens
}

struct Parser<'a> {
    tokens: Vec<Token<'a>>,
    at: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Token<'a> {
        self.tokens.get(self.at).copied().unwrap_or(Token::End)
    }

    fn next(&mut self) -> Token<'a> {
        let token = self.peek();
        self.at += 1;
        token
    }

    fn requirement(&mut self) -> Result<Requirement, SelectorError> {
        let absent = self.peek() == Token::Symbol("!");
        if absent {
            self.at += 1;
        }
        let key = match self.next() {
            Token::Word(key) => key,
            other => return Err(fail(format!("found '{other}', expected: identifier"))),
        };
        if matches!(self.peek(), Token::End | Token::Symbol(",")) {
            let operator = if absent { Operator::DoesNotExist } else { Operator::Exists };
            return Requirement::new(key, operator, BTreeSet::new());
        }
        if absent {
            return Requirement::new(key, Operator::DoesNotExist, BTreeSet::new());
        }
        let operator = match self.next() {
            Token::Word("in") => Operator::In,
            Token::Word("notin") => Operator::NotIn,
            Token::Symbol("=") => Operator::Equals,
            Token::Symbol("==") => Operator::DoubleEquals,
            Token::Symbol("!=") => Operator::NotEquals,
            Token::Symbol(">") => Operator::GreaterThan,
            Token::Symbol("<") => Operator::LessThan,
            other => {
                return Err(fail(format!("found '{other}', expected: in, notin, =, ==, !=, gt, lt")));
            }
        };
        let values = match operator {
            Operator::In | Operator::NotIn => self.set()?,
            _ => BTreeSet::from([self.value()?.to_owned()]),
        };
        Requirement::new(key, operator, values)
    }

    fn value(&mut self) -> Result<&'a str, SelectorError> {
        match self.peek() {
            Token::End | Token::Symbol(",") => Ok(""),
            Token::Word(value) => {
                self.at += 1;
                Ok(value)
            }
            other @ Token::Symbol(_) => Err(fail(format!("found '{other}', expected: identifier"))),
        }
    }

    /// `(a,b)`; a missing value between commas is the empty value.
    fn set(&mut self) -> Result<BTreeSet<String>, SelectorError> {
        match self.next() {
            Token::Symbol("(") => {}
            other => return Err(fail(format!("found '{other}' expected: '('"))),
        }
        let mut values = BTreeSet::new();
        loop {
            let value = match self.peek() {
                Token::Word(value) => {
                    self.at += 1;
                    value
                }
                Token::Symbol("," | ")") => "",
                other => return Err(fail(format!("found '{other}', expected: ',', ')' or identifier"))),
            };
            values.insert(value.to_owned());
            match self.next() {
                Token::Symbol(",") => {}
                Token::Symbol(")") => return Ok(values),
                other => return Err(fail(format!("found '{other}', expected: ',' or ')'"))),
            }
        }
    }
}

fn fail(text: String) -> SelectorError {
    SelectorError(text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_query_is_read_and_printed_in_canonical_form() {
        for (query, canonical) in [
            ("", ""),
            ("a=b", "a=b"),
            (" b == c , a != d ", "a!=d,b==c"),
            ("x in (foo,,baz),y,z notin ()", "x in (,baz,foo),y,z notin ()"),
            ("in in (in,notin)", "in in (in,notin)"),
            ("!a,b", "!a,b"),
            ("a=", "a="),
            ("a=,b", "a=,b"),
            ("n>3,m<4", "m<4,n>3"),
            ("app.kubernetes.io/name=x_1", "app.kubernetes.io/name=x_1"),
        ] {
            let selector = LabelSelector::parse(query).unwrap();
            assert_eq!(selector.to_string(), canonical, "{query}");
            assert_eq!(LabelSelector::parse(canonical).unwrap(), selector, "{query}");
        }
    }

    #[test]
    fn a_bad_query_is_refused_in_the_words_of_kubernetes() {
        for (query, text) in [
            (",", "found ',', expected: !, identifier, or 'end of string'"),
            ("a,", "found '', expected: identifier after ','"),
            ("a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
            ("a in x", "unable to parse requirement: found 'x' expected: '('"),
            ("a in (x", "unable to parse requirement: found '', expected: ',' or ')'"),
            ("!a=b", "found '=', expected: ',' or 'end of string'"),
            ("a=b c", "found 'c', expected: ',' or 'end of string'"),
            (
                "n>x",
                "unable to parse requirement: values[0]: Invalid value: \"x\": for 'Gt', 'Lt' operators, the value must \
                 be an integer",
            ),
        ] {
            assert_eq!(LabelSelector::parse(query).unwrap_err().0, text, "{query}");
        }
        let key = LabelSelector::parse("-a=b").unwrap_err().0;
        assert!(
            key.starts_with("unable to parse requirement: key: Invalid value: \"-a\": name part must"),
            "{key}"
        );
        let value = LabelSelector::parse("a=-").unwrap_err().0;
        assert!(
            value.starts_with(
                "unable to parse requirement: values[0][a]: Invalid value: \"-\": a valid label must be"
            ),
            "{value}"
        );
    }

    #[test]
    fn matching_follows_the_operators() {
        let labels = BTreeMap::from([("app", "x"), ("n", "5")]);
        for (query, matches) in [
            ("", true),
            ("app=x", true),
            ("app=y", false),
            ("app!=y", true),
            ("gone!=y", true),
            ("app in (x,y)", true),
            ("app notin (x)", false),
            ("gone notin (x)", true),
            ("app", true),
            ("!app", false),
            ("!gone", true),
            ("n>4", true),
            ("n<5", false),
            ("app>1", false),
            ("app=x,gone", false),
        ] {
            assert_eq!(LabelSelector::parse(query).unwrap().matches(&labels), matches, "{query}");
        }
    }

    #[test]
    fn a_selector_object_is_read_as_its_query() {
        let object = json!({"matchLabels": {"app": "x"}, "matchExpressions": [
            {"key": "tier", "operator": "In", "values": ["b", "a"]}, {"key": "old", "operator": "DoesNotExist"}]});
        assert_eq!(LabelSelector::from_object(&object).unwrap().to_string(), "app in (x),!old,tier in (a,b)");
        assert!(LabelSelector::from_object(&json!({})).unwrap().is_everything());
        assert!(!LabelSelector::from_object(&Value::Null).unwrap().matches(&BTreeMap::new()));
        let unknown = json!({"matchExpressions": [{"key": "a", "operator": "Near"}]});
        assert_eq!(
            LabelSelector::from_object(&unknown).unwrap_err().0,
            "\"Near\" is not a valid label selector operator"
        );
    }
}
