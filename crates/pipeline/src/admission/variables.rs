//! Checks of the variables in one text against what is known.
//! Source: Tekton's `substitution` package; the sentences are its.

use std::collections::{BTreeMap, BTreeSet};

use api::apis::Errors;
use api::tekton::v1::{ParamSpec, ParamType};

use crate::substitution::{extract, isolated, kind_of, whole_variables};

/// The params that may be named, by type.
#[derive(Debug, Default)]
pub(super) struct Known<'a> {
    outer: Option<&'a Known<'a>>,
    all: BTreeSet<&'a str>,
    arrays: BTreeSet<&'a str>,
    objects: BTreeMap<&'a str, BTreeSet<&'a str>>,
}

impl<'a> Known<'a> {
    pub(super) fn of(params: &'a [ParamSpec]) -> Self {
        let mut known = Self::default();
        for param in params {
            known.all.insert(&param.name);
            match kind_of(param) {
                ParamType::Array => {
                    known.arrays.insert(&param.name);
                }
                ParamType::Object => {
                    let keys = param.properties.keys().map(String::as_str);
                    known.objects.entry(&param.name).or_default().extend(keys);
                }
                ParamType::String | ParamType::Other(_) => {}
            }
        }
        known
    }

    /// These, and those of an outer scope.
    pub(super) fn within(self, outer: &'a Known<'a>) -> Self {
        Self { outer: Some(outer), ..self }
    }

    fn exists(&self, name: &str) -> bool {
        self.all.contains(name) || self.outer.is_some_and(|outer| outer.exists(name))
    }

    pub(super) fn is_array(&self, name: &str) -> bool {
        self.arrays.contains(name) || self.outer.is_some_and(|outer| outer.is_array(name))
    }

    fn is_object(&self, name: &str) -> bool {
        self.objects.contains_key(name) || self.outer.is_some_and(|outer| outer.is_object(name))
    }

    fn has_key(&self, object: &str, key: &str) -> bool {
        self.objects.get(object).is_some_and(|keys| keys.contains(key))
            || self.outer.is_some_and(|outer| outer.has_key(object, key))
    }

    /// Every param named exists.
    pub(super) fn unknown(&self, text: &str) -> Errors {
        unknown(text, "params", |name| self.exists(name))
    }

    /// Every key of an object named exists, and no object is named as a whole.
    pub(super) fn objects(&self, text: &str) -> Errors {
        let mut errors = Errors::none();
        for (_, name) in whole_variables(text, "params") {
            let (object, key) = name.split_once('.').unwrap_or((name.trim_end_matches("[*]"), ""));
            if !self.is_object(object) {
                continue;
            }
            if key.is_empty() {
                errors.add(Errors::generic(format!("variable type invalid in {text:?}"), &[""]));
            } else if !self.has_key(object, key) {
                errors.add(Errors::generic(format!("non-existent variable in {text:?}"), &[""]));
            }
        }
        errors
    }

    /// No array is named as a whole.
    pub(super) fn no_arrays(&self, text: &str) -> Errors {
        match extract(text, "params") {
            Ok(names) if names.iter().any(|name| self.is_array(name.trim_end_matches("[*]"))) => {
                Errors::generic(format!("variable type invalid in {text:?}"), &[""])
            }
            Ok(_) => Errors::none(),
            Err(message) => Errors::generic(message, &[""]),
        }
    }

    /// An array that is named as a whole stands alone.
    pub(super) fn isolated_arrays(&self, text: &str) -> Errors {
        match extract(text, "params") {
            Ok(names) if isolated(text).is_none() => {
                let found = names.iter().any(|name| self.is_array(name.trim_end_matches("[*]")));
                if found {
                    Errors::generic(format!("variable is not properly isolated in {text:?}"), &[""])
                } else {
                    Errors::none()
                }
            }
            Ok(_) => Errors::none(),
            Err(message) => Errors::generic(message, &[""]),
        }
    }
}

/// Every name behind a prefix exists.
pub(super) fn unknown(text: &str, prefix: &str, exists: impl Fn(&str) -> bool) -> Errors {
    if !text.contains("$(") {
        return Errors::none();
    }
    match extract(text, prefix) {
        Ok(found) if found.iter().all(|name| exists(&without_indexes(name))) => Errors::none(),
        Ok(_) => Errors::generic(format!("non-existent variable in {text:?}"), &[""]),
        Err(message) => Errors::generic(message, &[""]),
    }
}

/// The name without `[1]` or `[*]`.
fn without_indexes(name: &str) -> String {
    let mut out = String::new();
    let mut rest = name;
    while let Some(start) = rest.find('[') {
        let (before, after) = rest.split_at(start);
        out.push_str(before);
        let Some(end) = after.find(']') else {
            out.push_str(after);
            return out;
        };
        let inside = &after[1..end];
        if !inside.trim_end_matches('*').bytes().all(|byte| byte.is_ascii_digit()) {
            out.push_str(&after[..=end]);
        }
        rest = &after[end + 1..];
    }
    out.push_str(rest);
    out
}
