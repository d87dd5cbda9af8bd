//! Errors about fields in the grammar of Knative's `apis.FieldError`, which Tekton's users read and search for.
//! Built from small constructors, moved outwards by `via_*`, merged and sorted when printed.
//! Invariant: printing does not depend on the order in which errors were found.

use std::collections::BTreeMap;
use std::fmt;

use crate::field::Rejection;

/// No, one or several errors about fields of one object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Errors {
    problems: Vec<Problem>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Problem {
    message: String,
    paths: Vec<String>,
    details: String,
}

impl Errors {
    /// No error.
    #[must_use]
    pub const fn none() -> Self {
        Self { problems: Vec::new() }
    }

    /// Any message about any paths.
    #[must_use]
    pub fn generic(message: impl Into<String>, paths: &[&str]) -> Self {
        let paths = paths.iter().map(|&path| path.to_owned()).collect();
        Self { problems: vec![Problem { message: message.into(), paths, details: String::new() }] }
    }

    /// `missing field(s): <paths>`.
    #[must_use]
    pub fn missing_field(paths: &[&str]) -> Self {
        Self::generic("missing field(s)", paths)
    }

    /// `must not set the field(s): <paths>`.
    #[must_use]
    pub fn disallowed_fields(paths: &[&str]) -> Self {
        Self::generic("must not set the field(s)", paths)
    }

    /// `expected exactly one, got neither: <paths>`.
    #[must_use]
    pub fn missing_one_of(paths: &[&str]) -> Self {
        Self::generic("expected exactly one, got neither", paths)
    }

    /// `expected exactly one, got both: <paths>`.
    #[must_use]
    pub fn multiple_one_of(paths: &[&str]) -> Self {
        Self::generic("expected exactly one, got both", paths)
    }

    /// `invalid value: <value>: <path>`.
    #[must_use]
    pub fn invalid_value(value: impl fmt::Display, path: &str) -> Self {
        Self::generic(format!("invalid value: {value}"), &[path])
    }

    /// `invalid key name "<key>": <path>`.
    #[must_use]
    pub fn invalid_key_name(key: &str, path: &str) -> Self {
        Self::generic(format!("invalid key name {key:?}"), &[path])
    }

    /// `expected <lower> <= <value> <= <upper>: <path>`.
    #[must_use]
    pub fn out_of_bounds(
        value: impl fmt::Display,
        lower: impl fmt::Display,
        upper: impl fmt::Display,
        path: &str,
    ) -> Self {
        Self::generic(format!("expected {lower} <= {value} <= {upper}"), &[path])
    }

    /// The same errors with an explanation on a line of its own.
    #[must_use]
    pub fn with_details(mut self, details: impl Into<String>) -> Self {
        let details = details.into();
        for problem in &mut self.problems {
            problem.details.clone_from(&details);
        }
        self
    }

    /// Whether there is no error.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.problems.is_empty()
    }

    /// Adds errors to these.
    pub fn add(&mut self, other: Self) {
        self.problems.extend(other.problems);
    }

    /// These errors and others.
    #[must_use]
    pub fn also(mut self, other: Self) -> Self {
        self.add(other);
        self
    }

    /// Moves every path below a field.
    #[must_use]
    pub fn via_field(mut self, field: &str) -> Self {
        for path in self.problems.iter_mut().flat_map(|problem| &mut problem.paths) {
            *path = join(field, path);
        }
        self
    }

    /// Moves every path below an item of a list: `[3]`.
    #[must_use]
    pub fn via_index(self, index: usize) -> Self {
        self.via_field(&format!("[{index}]"))
    }

    /// Moves every path below an item of a list that is known by its name: `[build]`.
    #[must_use]
    pub fn via_key(self, key: &str) -> Self {
        self.via_field(&format!("[{key}]"))
    }

    /// [`Self::via_index`], then [`Self::via_field`].
    #[must_use]
    pub fn via_field_index(self, field: &str, index: usize) -> Self {
        self.via_index(index).via_field(field)
    }

    /// [`Self::via_key`], then [`Self::via_field`].
    #[must_use]
    pub fn via_field_key(self, field: &str, key: &str) -> Self {
        self.via_key(key).via_field(field)
    }

    /// The answer of Tekton's validating webhook to an object with these errors.
    ///
    /// # Errors
    /// [`Rejection::Webhook`] if there is any error.
    pub fn into_result(self) -> Result<(), Rejection> {
        if self.is_empty() {
            return Ok(());
        }
        Err(Rejection::Webhook(format!(
            "admission webhook \"validation.webhook.pipeline.tekton.dev\" denied the request: validation failed: {self}"
        )))
    }
}

impl FromIterator<Self> for Errors {
    fn from_iter<T: IntoIterator<Item = Self>>(errors: T) -> Self {
        errors.into_iter().fold(Self::none(), Self::also)
    }
}

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut merged: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
        for problem in &self.problems {
            let paths = merged.entry((&problem.message, &problem.details)).or_default();
            for path in &problem.paths {
                if !paths.contains(&path.as_str()) {
                    paths.push(path);
                }
            }
        }
        for (index, ((message, details), paths)) in merged.iter_mut().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            paths.sort_unstable();
            write!(f, "{message}: {}", paths.join(", "))?;
            if !details.is_empty() {
                write!(f, "\n{details}")?;
            }
        }
        Ok(())
    }
}

/// `spec` and `tasks` give `spec.tasks`; `tasks` and `[0].name` give `tasks[0].name`.
fn join(prefix: &str, path: &str) -> String {
    match (prefix, path) {
        ("", rest) | (rest, "") => rest.to_owned(),
        (prefix, path) if path.starts_with('[') => format!("{prefix}{path}"),
        (prefix, path) => format!("{prefix}.{path}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_print_merged_and_sorted_whatever_their_order() {
        let errors = Errors::invalid_value("x", "type")
            .via_field_index("params", 1)
            .also(Errors::missing_field(&["steps"]))
            .also(Errors::missing_field(&["name"]).via_field_key("tasks", "build"))
            .also(Errors::missing_field(&["steps"]))
            .also(
                Errors::generic("must be short", &[""])
                    .via_field_index("workspaces", 0)
                    .with_details("Like this."),
            )
            .via_field("spec");
        assert_eq!(
            errors.to_string(),
            "invalid value: x: spec.params[1].type\n\
             missing field(s): spec.steps, spec.tasks[build].name\n\
             must be short: spec.workspaces[0]\nLike this."
        );
    }

    #[test]
    fn an_object_without_errors_is_accepted_and_one_with_errors_gets_the_webhooks_words() {
        assert_eq!(Errors::none().into_result(), Ok(()));
        assert_eq!(
            Errors::missing_one_of(&["taskRef", "taskSpec"]).via_field("spec").into_result(),
            Err(Rejection::Webhook(
                "admission webhook \"validation.webhook.pipeline.tekton.dev\" denied the request: validation failed: \
                 expected exactly one, got neither: spec.taskRef, spec.taskSpec"
                    .to_owned()
            ))
        );
    }
}
