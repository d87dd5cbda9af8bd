//! Patterns of schemas, which are Go regular expressions, on our engine.
//! Invariant: `\d`, `\w`, `\s` and `\b` mean ASCII as in Go, and matching takes linear time.

use regex_automata::meta::Regex;
use serde_json::Value;

/// A compiled pattern with its text.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    pub(crate) text: String,
    regex: Regex,
}

/// The most bytes of compiled program for one pattern.
const PROGRAM_BYTES_MAX: usize = 10 * (1 << 20);

impl Pattern {
    pub(super) fn of(keyword: Option<&Value>) -> Result<Option<Self>, String> {
        match keyword.and_then(Value::as_str) {
            None | Some("") => Ok(None),
            Some(text) => Self::new(text).map(Some),
        }
    }

    fn new(text: &str) -> Result<Self, String> {
        let config = Regex::config().nfa_size_limit(Some(PROGRAM_BYTES_MAX));
        Regex::builder()
            .configure(config)
            .build(&from_go(text))
            .map(|regex| Self { text: text.to_owned(), regex })
            .map_err(|_| format!("could not compile the pattern {text:?}"))
    }

    pub(crate) fn matches(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }
}

/// Rewrites what Go and our engine read differently.
fn from_go(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    let mut in_class = false;
    while let Some(c) = rest.next() {
        match c {
            '\\' => match rest.next() {
                Some('d') => out.push_str("[0-9]"),
                Some('D') => out.push_str("[^0-9]"),
                Some('w') => out.push_str("[0-9A-Za-z_]"),
                Some('W') => out.push_str("[^0-9A-Za-z_]"),
                Some('s') => out.push_str(r"[\t\n\f\r ]"),
                Some('S') => out.push_str(r"[^\t\n\f\r ]"),
                Some('b') if !in_class => out.push_str(r"(?-u:\b)"),
                Some('Q') => {
                    while let Some(literal) = rest.next() {
                        if literal == '\\' && rest.peek() == Some(&'E') {
                            rest.next();
                            break;
                        }
                        push_literal(&mut out, literal);
                    }
                }
                Some(other) => {
                    out.push('\\');
                    out.push(other);
                }
                None => out.push('\\'),
            },
            '[' if in_class && rest.peek() != Some(&':') => out.push_str(r"\["),
            '[' => {
                in_class = true;
                out.push('[');
                if rest.peek() == Some(&'^') {
                    rest.next();
                    out.push('^');
                }
                if rest.peek() == Some(&']') {
                    rest.next();
                    out.push_str(r"\]");
                }
            }
            ']' => {
                in_class = false;
                out.push(']');
            }
            '&' | '~' if in_class => {
                out.push('\\');
                out.push(c);
            }
            '{' if !in_class && !is_repetition(&rest.clone().collect::<String>()) => out.push_str(r"\{"),
            c => out.push(c),
        }
    }
    out
}

/// Whether what follows an opening brace makes it a repetition.
fn is_repetition(rest: &str) -> bool {
    let Some((inside, _)) = rest.split_once('}') else { return false };
    let (low, high) = inside.split_once(',').unwrap_or((inside, ""));
    !low.is_empty() && low.chars().chain(high.chars()).all(|c| c.is_ascii_digit())
}

fn push_literal(out: &mut String, c: char) {
    if c.is_ascii_punctuation() {
        out.push('\\');
    }
    out.push(c);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_go() {
        for (pattern, text, matches) in [
            (r"^\d+$", "123", true),
            (r"^\d+$", "١٢٣", false),
            (r"^[\w.]+$", "a.b_c", true),
            (r"^\w$", "é", false),
            (r"a{,3}", "a{,3}", true),
            (r"^a{2}$", "aa", true),
            (r"^\Qa.b[\E$", "a.b[", true),
            (r"^[[:alpha:]]+$", "abc", true),
            (r"^[a[]+$", "[a", true),
            (r"^[]a]$", "]", true),
            (r"^$", "", true),
            (r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*", "example.com", true),
        ] {
            assert_eq!(Pattern::new(pattern).unwrap().matches(text), matches, "{pattern} {text}");
        }
        assert!(Pattern::new("(").is_err());
    }
}
