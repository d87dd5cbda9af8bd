//! `$(steps.<step>.results.<result>)` with `[*]`, `[<index>]` and `.<key>`, resolved when a step is about to start.

use api::step_plan::PlannedWhen;
use serde_json::Value;

/// Reads a result of an earlier step: (step, result) to the file's content; `None` when there is no such file.
pub type Results<'a> = dyn FnMut(&str, &str) -> Option<String> + 'a;

/// A reference that cannot be resolved.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// The step wrote no such result.
    #[error("step \"{step}\" has no result \"{result}\", which {reference} refers to")]
    Missing {
        /// The step.
        step: String,
        /// The result.
        result: String,
        /// The whole reference.
        reference: String,
    },
    /// The result is not the array or object that the reference takes it for, or lacks the element.
    #[error("{reference} does not fit the value of the result")]
    Unfit {
        /// The whole reference.
        reference: String,
    },
    /// An array stands where only a text fits.
    #[error("{reference} is an array and must be a whole argument of its own")]
    NotAlone {
        /// The whole reference.
        reference: String,
    },
}

/// One reference found in a text.
#[derive(Debug, PartialEq, Eq)]
struct Reference<'a> {
    whole: &'a str,
    step: &'a str,
    result: &'a str,
    part: Part<'a>,
}

#[derive(Debug, PartialEq, Eq)]
enum Part<'a> {
    Whole,
    All,
    Index(usize),
    Key(&'a str),
}

/// Resolves references in a list of arguments; an array that is a whole argument becomes several.
///
/// # Errors
/// The first [`ReferenceError`].
pub fn expand_list(list: &[String], results: &mut Results<'_>) -> Result<Vec<String>, ReferenceError> {
    let mut out = Vec::with_capacity(list.len());
    for text in list {
        match find(text, 0) {
            Some((0, reference)) if reference.whole == text && reference.part == Part::All => {
                out.extend(array(&reference, results)?);
            }
            _ => out.push(expand_text(text, results)?),
        }
    }
    Ok(out)
}

/// Resolves references inside of a text.
///
/// # Errors
/// The first [`ReferenceError`].
pub fn expand_text(text: &str, results: &mut Results<'_>) -> Result<String, ReferenceError> {
    let mut out = String::new();
    let mut position = 0;
    while let Some((at, reference)) = find(text, position) {
        out.push_str(&text[position..at]);
        out.push_str(&value(&reference, results)?);
        position = at + reference.whole.len();
    }
    out.push_str(&text[position..]);
    Ok(out)
}

/// Whether all conditions hold.
///
/// # Errors
/// A [`ReferenceError`], or an operator other than `in` and `notin`, which validation refuses.
pub fn allows(conditions: &[PlannedWhen], results: &mut Results<'_>) -> Result<bool, ReferenceError> {
    for condition in conditions {
        let input = expand_text(&condition.input, results)?;
        let values = expand_list(&condition.values, results)?;
        let found = values.contains(&input);
        if found == (condition.operator == "notin") {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The first reference at or after `from`, and where it is.
fn find(text: &str, from: usize) -> Option<(usize, Reference<'_>)> {
    const OPENING: &str = "$(steps.";
    let mut position = from;
    while let Some(at) = text[position..].find(OPENING).map(|at| position + at) {
        let end = text[at..].find(')').map(|end| at + end + 1)?;
        if let Some(reference) = parse(&text[at..end]) {
            return Some((at, reference));
        }
        position = at + OPENING.len();
    }
    None
}

fn parse(whole: &str) -> Option<Reference<'_>> {
    let inner = whole.strip_prefix("$(steps.")?.strip_suffix(')')?;
    let (step, rest) = inner.split_once(".results.")?;
    let (result, part) = if let Some((result, index)) = rest.split_once('[') {
        let part = match index.strip_suffix(']')? {
            "*" => Part::All,
            number => Part::Index(number.parse().ok()?),
        };
        (result, part)
    } else if let Some((result, key)) = rest.split_once('.') {
        (result, Part::Key(key))
    } else {
        (rest, Part::Whole)
    };
    let is_name = |text: &str| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    (is_name(step) && is_name(result)).then_some(Reference { whole, step, result, part })
}

fn content(reference: &Reference<'_>, results: &mut Results<'_>) -> Result<String, ReferenceError> {
    results(reference.step, reference.result).ok_or_else(|| ReferenceError::Missing {
        step: reference.step.to_owned(),
        result: reference.result.to_owned(),
        reference: reference.whole.to_owned(),
    })
}

fn array(reference: &Reference<'_>, results: &mut Results<'_>) -> Result<Vec<String>, ReferenceError> {
    let content = content(reference, results)?;
    serde_json::from_str(&content).map_err(|_| unfit(reference))
}

fn unfit(reference: &Reference<'_>) -> ReferenceError {
    ReferenceError::Unfit { reference: reference.whole.to_owned() }
}

fn value(reference: &Reference<'_>, results: &mut Results<'_>) -> Result<String, ReferenceError> {
    let content = content(reference, results)?;
    let element = match reference.part {
        Part::Whole => return Ok(content),
        Part::All => return Err(ReferenceError::NotAlone { reference: reference.whole.to_owned() }),
        Part::Index(index) => parsed(&content).and_then(|value| value.get(index).cloned()),
        Part::Key(key) => parsed(&content).and_then(|value| value.get(key).cloned()),
    };
    match element {
        Some(Value::String(text)) => Ok(text),
        _ => Err(unfit(reference)),
    }
}

fn parsed(content: &str) -> Option<Value> {
    serde_json::from_str(content).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lookup(step: &str, result: &str) -> Option<String> {
        let value = match (step, result) {
            ("a", "text") => "hello",
            ("a", "list") => r#"["x","y"]"#,
            ("a", "map") => r#"{"k":"v"}"#,
            _ => return None,
        };
        Some(value.to_owned())
    }

    fn expand(text: &str) -> String {
        match expand_list(&[text.to_owned()], &mut lookup) {
            Ok(list) => list.join("|"),
            Err(error) => format!("error: {error}"),
        }
    }

    #[test]
    fn references_to_step_results_are_replaced_and_all_else_stays() {
        for (input, expected) in [
            ("plain", "plain"),
            ("<$(steps.a.results.text)>", "<hello>"),
            ("$(steps.a.results.text)$(steps.a.results.text)", "hellohello"),
            ("$(steps.a.results.list[*])", "x|y"),
            ("$(steps.a.results.list[1])", "y"),
            ("$(steps.a.results.map.k)", "v"),
            ("$(steps.a.exitCode.path)", "$(steps.a.exitCode.path)"),
            ("$(steps.a.results.text", "$(steps.a.results.text"),
            ("$(steps.$(steps.a.results.text)", "$(steps.hello"),
            ("$(params.x)", "$(params.x)"),
            (
                "$(steps.b.results.text)",
                "error: step \"b\" has no result \"text\", which $(steps.b.results.text) refers to",
            ),
            (
                "$(steps.a.results.list[7])",
                "error: $(steps.a.results.list[7]) does not fit the value of the result",
            ),
            (
                "a $(steps.a.results.list[*])",
                "error: $(steps.a.results.list[*]) is an array and must be a whole argument of its own",
            ),
        ] {
            assert_eq!(expand(input), expected, "{input}");
        }
    }

    #[test]
    fn all_conditions_must_hold() {
        let condition = |input: &str, operator: &str, values: &[&str]| PlannedWhen {
            input: input.to_owned(),
            operator: operator.to_owned(),
            values: values.iter().map(|&value| value.to_owned()).collect(),
        };
        let yes = condition("$(steps.a.results.text)", "in", &["hello", "x"]);
        let no = condition("x", "notin", &["$(steps.a.results.list[*])"]);
        assert_eq!(allows(&[], &mut lookup), Ok(true));
        assert_eq!(allows(std::slice::from_ref(&yes), &mut lookup), Ok(true));
        assert_eq!(allows(&[yes, no], &mut lookup), Ok(false));
    }
}
