//! References to Tasks, Pipelines and StepActions.

use crate::apis::Errors;
use crate::names;
use crate::tekton::v1::Param;

use super::param::given_params;

/// Checks a reference by its parts; paths are relative to it.
pub(super) fn reference(name: Option<&str>, resolver: Option<&str>, params: &[Param]) -> Errors {
    let mut errors = Errors::none();
    match (name, resolver) {
        (None, None) if params.is_empty() => errors.add(Errors::missing_field(&["name"])),
        (Some(name), None) if params.is_empty() => errors.add(plain_name(name)),
        (name, resolver) => {
            if !params.is_empty() {
                if name.is_some() {
                    errors.add(Errors::multiple_one_of(&["name", "params"]));
                }
                if resolver.is_none() {
                    errors.add(Errors::missing_field(&["resolver"]));
                }
                errors.add(given_params(params));
            }
            if let (Some(name), Some(_)) = (name, resolver) {
                errors.add(if is_url_like(name) {
                    concise_syntax()
                } else {
                    Errors::invalid_value("invalid URI for request", "name")
                });
            }
        }
    }
    errors
}

fn plain_name(name: &str) -> Errors {
    if is_url_like(name) {
        return concise_syntax().also(Errors::missing_field(&["resolver"]));
    }
    let problems = names::qualified_name_problems(name);
    if problems.is_empty() { Errors::none() } else { Errors::invalid_value(problems.join(","), "name") }
}

fn concise_syntax() -> Errors {
    let message =
        "feature flag enable-concise-resolver-syntax should be set to true to use concise resolver syntax";
    Errors::generic(message, &[""])
}

/// Whether a name has the form of a URL, such as `https://...`.
fn is_url_like(name: &str) -> bool {
    name.match_indices(":/").any(|(index, _)| {
        name[..index].bytes().last().is_some_and(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
    })
}
