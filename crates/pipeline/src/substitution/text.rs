//! Replacement of `$(key)` in text: one pass, all keys at once, literal, no escapes.
//! Which keys exist is for the callers; text that matches no key stays as it is.
//! Invariant: what a replacement brings in is not looked at again in the same pass.
//! Source: Tekton's `substitution` package.

use std::collections::BTreeMap;

/// Values by key, such as `params.x`, by the three types that a value may have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Replacements {
    /// Single values; elements of arrays and keys of objects are here as well (`params.list[0]`, `params.map.key`).
    pub(crate) strings: BTreeMap<String, String>,
    /// Whole arrays.
    pub(crate) arrays: BTreeMap<String, Vec<String>>,
    /// Whole objects.
    pub(crate) objects: BTreeMap<String, BTreeMap<String, String>>,
}

/// The values that one pass can see: `over` hides `base`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scope<'a> {
    base: &'a Replacements,
    over: Option<&'a Replacements>,
}

impl Replacements {
    /// Only single values.
    pub(crate) fn of_strings<K: Into<String>, V: Into<String>>(
        pairs: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        Self { strings: pairs.into_iter().map(|(k, v)| (k.into(), v.into())).collect(), ..Self::default() }
    }

    /// Whether nothing can be replaced.
    #[must_use]
    pub(crate) fn is_empty(&self) -> bool {
        self.strings.is_empty() && self.arrays.is_empty() && self.objects.is_empty()
    }

    /// These values and no others.
    #[must_use]
    pub(crate) fn scope(&self) -> Scope<'_> {
        Scope { base: self, over: None }
    }

    /// These values, where `over` has none of the same key.
    #[must_use]
    pub(crate) fn under<'a>(&'a self, over: &'a Self) -> Scope<'a> {
        Scope { base: self, over: Some(over) }
    }
}

impl<'a> Scope<'a> {
    /// The single value of a key.
    #[must_use]
    pub(crate) fn string(self, key: &str) -> Option<&'a str> {
        let over = self.over.and_then(|over| over.strings.get(key));
        over.or_else(|| self.base.strings.get(key)).map(String::as_str)
    }

    /// The array of a key, which may end in `[*]`.
    #[must_use]
    pub(crate) fn array(self, key: &str) -> Option<&'a [String]> {
        let key = key.strip_suffix("[*]").unwrap_or(key);
        let over = self.over.and_then(|over| over.arrays.get(key));
        over.or_else(|| self.base.arrays.get(key)).map(Vec::as_slice)
    }

    /// The object of a key, which may end in `[*]`.
    #[must_use]
    pub(crate) fn object(self, key: &str) -> Option<&'a BTreeMap<String, String>> {
        let key = key.strip_suffix("[*]").unwrap_or(key);
        let over = self.over.and_then(|over| over.objects.get(key));
        over.or_else(|| self.base.objects.get(key))
    }

    /// `text` with every known single value in place of its `$(key)`.
    #[must_use]
    pub(crate) fn replace(self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(start) = rest.find("$(") {
            let (before, candidate) = rest.split_at(start);
            out.push_str(before);
            let found = candidate.find(')').and_then(|end| Some((end, self.string(&candidate[2..end])?)));
            let taken = match found {
                Some((end, value)) => {
                    out.push_str(value);
                    end + 1
                }
                None => {
                    out.push_str("$(");
                    2
                }
            };
            rest = &candidate[taken..];
        }
        out.push_str(rest);
        out
    }

    /// Replaces in place; text without references is not copied.
    pub(crate) fn replace_in(self, text: &mut String) {
        if text.contains("$(") {
            *text = self.replace(text);
        }
    }

    /// The elements that a list element stands for: those of the array that it names alone, or itself, replaced.
    #[must_use]
    pub(crate) fn expand(self, element: &str) -> Vec<String> {
        match isolated(element).and_then(|key| self.array(key)) {
            Some(values) => values.to_vec(),
            None => vec![self.replace(element)],
        }
    }
}

/// The key of a text that is one reference and nothing else: `params.x[*]` of `$(params.x[*])`.
#[must_use]
pub(crate) fn isolated(text: &str) -> Option<&str> {
    let key = text.strip_prefix("$(")?.strip_suffix(')')?;
    (!key.is_empty() && !key.contains(['$', '(', ')'])).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values() -> Replacements {
        let mut values = Replacements::of_strings([
            ("params.a", "1"),
            ("params.nested", "$(params.a)"),
            ("params[\"x.y\"]", "dotted"),
            ("params.list[0]", "first"),
        ]);
        values.arrays.insert("params.list".to_owned(), vec!["first".to_owned(), "second".to_owned()]);
        values
    }

    #[test]
    fn known_keys_are_replaced_once_and_the_rest_stays() {
        for (text, replaced) in [
            ("", ""),
            ("plain", "plain"),
            ("$(params.a)", "1"),
            ("a$(params.a)b$(params.a)", "a1b1"),
            ("$(params.nested)", "$(params.a)"),
            ("$(params[\"x.y\"])", "dotted"),
            ("$(params.list[0])", "first"),
            ("$(params.unknown)", "$(params.unknown)"),
            ("$$(params.a)", "$1"),
            ("$(echo $(params.a))", "$(echo 1)"),
            ("$(params.a", "$(params.a"),
            ("ä$(params.a)ö", "ä1ö"),
            ("$(params.list)", "$(params.list)"),
        ] {
            assert_eq!(values().scope().replace(text), replaced, "{text}");
        }
    }

    #[test]
    fn an_isolated_reference_to_an_array_becomes_its_elements() {
        for (element, expanded) in [
            ("$(params.list[*])", vec!["first", "second"]),
            ("$(params.list)", vec!["first", "second"]),
            ("$(params.a)", vec!["1"]),
            ("x-$(params.list[*])", vec!["x-$(params.list[*])"]),
        ] {
            assert_eq!(values().scope().expand(element), expanded, "{element}");
        }
    }

    #[test]
    fn an_inner_scope_hides_the_outer() {
        let (outer, inner) = (values(), Replacements::of_strings([("params.a", "inner")]));
        assert_eq!(outer.under(&inner).replace("$(params.a) $(params.list[0])"), "inner first");
    }
}
