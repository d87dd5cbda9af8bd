//! The part of JSONPath that columns of tables use: fields, indexes, `[*]` and filters on equality.
//! Invariant: finding takes time proportional to the values that the path passes.

use serde_json::Value;

/// A parsed path such as `.status.conditions[?(@.type=="Ready")].status`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonPath(Vec<Step>);

/// Why a text is no path that is understood here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("could not understand the JSON path {0:?}")]
pub struct JsonPathError(pub String);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Field(String),
    /// From the end if negative.
    Index(i64),
    All,
    /// Items of which the path has, or with `false` has not, this value.
    Filter(JsonPath, bool, Value),
}

impl JsonPath {
    /// Parses a path, with or without braces around it.
    ///
    /// # Errors
    /// The text uses what is not supported here.
    pub fn parse(text: &str) -> Result<Self, JsonPathError> {
        let inner = text.trim().strip_prefix('{').and_then(|t| t.strip_suffix('}')).unwrap_or(text.trim());
        let inner = inner.strip_prefix('$').unwrap_or(inner);
        steps(inner).map(Self).ok_or_else(|| JsonPathError(text.to_owned()))
    }

    /// All values that the path leads to, in order.
    #[must_use]
    pub fn find<'a>(&self, value: &'a Value) -> Vec<&'a Value> {
        self.0
            .iter()
            .fold(vec![value], |found, step| found.into_iter().flat_map(|at| step.follow(at)).collect())
    }
}

impl Step {
    fn follow<'a>(&self, value: &'a Value) -> Vec<&'a Value> {
        match self {
            Step::Field(key) => value.get(key).into_iter().collect(),
            Step::Index(index) => value.as_array().and_then(|items| at(items, *index)).into_iter().collect(),
            Step::All => match value {
                Value::Array(items) => items.iter().collect(),
                Value::Object(fields) => fields.values().collect(),
                _ => Vec::new(),
            },
            Step::Filter(path, equal, wanted) => {
                let keep =
                    |item: &&Value| path.find(item).first().is_some_and(|found| *found == wanted) == *equal;
                value.as_array().into_iter().flatten().filter(keep).collect()
            }
        }
    }
}

fn at(items: &[Value], index: i64) -> Option<&Value> {
    let index = if index < 0 { usize::try_from(items.len() as i64 + index) } else { usize::try_from(index) };
    items.get(index.ok()?)
}

fn steps(text: &str) -> Option<Vec<Step>> {
    let (mut steps, mut rest) = (Vec::new(), text);
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('[') {
            let end = closing(after)?;
            steps.push(bracket(&after[..end])?);
            rest = &after[end + 1..];
        } else {
            let after = rest.strip_prefix('.').or_else(|| steps.is_empty().then_some(rest))?;
            let (key, tail) = field(after);
            match key.as_str() {
                "" => return None,
                "*" => steps.push(Step::All),
                _ => steps.push(Step::Field(key)),
            }
            rest = tail;
        }
    }
    Some(steps)
}

/// A field's name up to the next dot or bracket; a backslash takes the next character as it is.
fn field(text: &str) -> (String, &str) {
    let mut name = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => name.extend(chars.next().map(|(_, escaped)| escaped)),
            '.' | '[' => return (name, &text[at..]),
            c => name.push(c),
        }
    }
    (name, "")
}

/// Where the bracket closes, outside of quotes and of brackets inside.
fn closing(text: &str) -> Option<usize> {
    let (mut depth, mut quote) = (0, None);
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '[') => depth += 1,
            (None, ']') if depth == 0 => return Some(at),
            (None, ']') => depth -= 1,
            _ => {}
        }
    }
    None
}

fn bracket(inside: &str) -> Option<Step> {
    let inside = inside.trim();
    if inside == "*" {
        return Some(Step::All);
    }
    if let Some(key) = unquote(inside) {
        return Some(Step::Field(key));
    }
    if let Some(filter) = inside.strip_prefix("?(").and_then(|text| text.strip_suffix(')')) {
        let (left, equal, right) = match filter.split_once("==") {
            Some((left, right)) => (left, true, right),
            None => filter.split_once("!=").map(|(left, right)| (left, false, right))?,
        };
        let path = steps(left.trim().strip_prefix('@')?)?;
        let right = right.trim();
        let wanted = match unquote(right) {
            Some(text) => Value::String(text),
            None => serde_json::from_str(right).ok()?,
        };
        return Some(Step::Filter(JsonPath(path), equal, wanted));
    }
    inside.parse().ok().map(Step::Index)
}

fn unquote(text: &str) -> Option<String> {
    let inner = |quote: char| text.strip_prefix(quote)?.strip_suffix(quote);
    inner('"').or_else(|| inner('\'')).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_find_what_they_name() {
        let object = json!({
            "a": {"b.c": 1, "d": [{"t": "x", "v": 1}, {"t": "y", "v": 2}, {"v": 3}]},
            "m": {"k": "v"},
        });
        for (path, found) in [
            (".a.d[0].v", "[1]"),
            ("{.a.d[-1].v}", "[3]"),
            ("$.a.d[*].v", "[1,2,3]"),
            (".a.b\\.c", "[1]"),
            (".a['b.c']", "[1]"),
            (".a.d[?(@.t==\"y\")].v", "[2]"),
            (".a.d[?(@.t != 'y')].v", "[1,3]"),
            (".a.d[?(@.v==3)].v", "[3]"),
            (".m.*", "[\"v\"]"),
            ("a.d[9]", "[]"),
            (".x.y", "[]"),
        ] {
            let values: Vec<Value> =
                JsonPath::parse(path).unwrap().find(&object).into_iter().cloned().collect();
            assert_eq!(Value::from(values).to_string(), found, "{path}");
        }
        for path in ["..a", ".a[", ".a[?(@.x>1)]", ".a[1:2]", ".a."] {
            assert!(JsonPath::parse(path).is_err(), "{path}");
        }
    }
}
