//! Declared params and results: types, names, defaults.

use std::collections::BTreeMap;

use crate::apis::Errors;
use crate::names;
use crate::tekton::v1::{Param, ParamSpec, ParamType, ParamValue, PropertySpec, StepResult, TaskResult};

use super::read::{duplicate_names_by_key, go_list};

/// The form of names of results.
const RESULT_NAME_DETAILS: &str = "Name must consist of alphanumeric characters, '-', '_', and must start and end with an \
                                   alphanumeric character (e.g. 'MyName',  or 'my-name',  or 'my_name', regex used for \
                                   validation is '^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$')";

/// Checks declared params; paths begin with `params`.
pub(super) fn param_specs(params: &[ParamSpec]) -> Errors {
    let mut errors: Errors = params.iter().map(kind).collect::<Errors>().via_field("params");
    let names = params.iter().map(|param| param.name.as_str()).collect::<Vec<_>>();
    for duplicate in duplicates(&names) {
        errors.add(
            Errors::generic("parameter appears more than once", &[""]).via_field_key("params", duplicate),
        );
    }
    errors.add(params.iter().map(enumeration).collect::<Errors>().via_field("params"));
    errors
}

/// Checks the form of the names of declared params.
pub(super) fn param_names(params: &[ParamSpec]) -> Errors {
    let mut errors = Errors::none();
    let (objects, others): (Vec<_>, Vec<_>) =
        params.iter().partition(|param| param.kind == Some(ParamType::Object));
    let mut bad = others
        .iter()
        .map(|param| param.name.as_str())
        .filter(|name| !is_variable(name, true))
        .collect::<Vec<_>>();
    bad.sort_unstable();
    bad.dedup();
    if !bad.is_empty() {
        let message =
            format!("The format of following array and string variable names is invalid: {}", go_list(bad));
        errors.add(Errors::generic(message, &["params"]).with_details(
            "String/Array Names: \nMust only contain alphanumeric characters, hyphens (-), underscores (_), and dots (.)\n\
             Must begin with a letter or an underscore (_)",
        ));
    }
    let mut bad: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for param in objects {
        let keys = param
            .properties
            .keys()
            .map(String::as_str)
            .filter(|key| !is_variable(key, false))
            .collect::<Vec<_>>();
        if !keys.is_empty() || !is_variable(&param.name, false) {
            bad.insert(&param.name, keys);
        }
    }
    if !bad.is_empty() {
        let printed =
            bad.into_iter().map(|(name, keys)| format!("{name}:{}", go_list(keys))).collect::<Vec<_>>();
        let message = format!("Object param name and key name format is invalid: map[{}]", printed.join(" "));
        errors.add(Errors::generic(message, &["params"]).with_details(
            "Object Names: \nMust only contain alphanumeric characters, hyphens (-), underscores (_) \n\
             Must begin with a letter or an underscore (_)",
        ));
    }
    errors
}

/// Object params must say which keys they have.
pub(super) fn object_properties(params: &[ParamSpec]) -> Errors {
    params
        .iter()
        .filter(|param| param.kind == Some(ParamType::Object) && param.properties.is_empty())
        .map(|param| Errors::missing_field(&[&format!("{}.properties", param.name)]))
        .collect()
}

/// Given params: names must differ, in any case.
pub(super) fn given_params(params: &[Param]) -> Errors {
    duplicate_names_by_key(params.iter().map(|param| param.name.as_str()))
}

/// Params of a task of a Pipeline: names must differ.
pub(super) fn pipeline_task_params(params: &[Param]) -> Errors {
    let mut seen = Vec::new();
    let mut errors = Errors::none();
    for (index, param) in params.iter().enumerate() {
        if seen.contains(&&param.name) {
            let message = format!(
                "parameter names must be unique, the parameter \"{}\" is also defined at",
                param.name
            );
            errors.add(Errors::generic(message, &[&format!("[{index}].name")]));
        }
        seen.push(&param.name);
    }
    errors
}

fn kind(param: &ParamSpec) -> Errors {
    let at = |field: &str| format!("{}.{field}", param.name);
    let kind = param.kind.clone().unwrap_or(ParamType::String);
    if let ParamType::Other(word) = &kind {
        return Errors::invalid_value(word, &at("type"));
    }
    if let Some(default) = &param.default
        && default.kind() != kind
    {
        let message = format!("\"{kind}\" type does not match default value's type: \"{}\"", default.kind());
        return Errors::generic(message, &[&at("type"), &at("default.type")]);
    }
    let keys = bad_properties(&param.properties);
    if keys.is_empty() {
        return Errors::none();
    }
    let message = format!("The value type specified for these keys {} is invalid", go_list(keys));
    Errors::generic(message, &[&at("properties")])
}

fn enumeration(param: &ParamSpec) -> Errors {
    let mut errors = Errors::none();
    if param.allowed.is_empty() {
        return errors;
    }
    if param.kind.as_ref().is_some_and(|kind| *kind != ParamType::String) {
        errors.add(Errors::generic("enum can only be set with string type param", &[""]));
    }
    let values = param.allowed.iter().map(String::as_str).collect::<Vec<_>>();
    for duplicate in duplicates(&values) {
        errors
            .add(Errors::generic(format!("parameter enum value {duplicate} appears more than once"), &[""]));
    }
    if let Some(ParamValue::String(default)) = &param.default
        && !default.is_empty()
        && !param.allowed.contains(default)
    {
        errors.add(Errors::generic(format!("param default value {default} not in the enum list"), &[""]));
    }
    errors.via_key(&param.name)
}

/// Checks one result of a Task.
pub(super) fn task_result(result: &TaskResult) -> Errors {
    if !names::is_name_part(&result.name) {
        return Errors::invalid_key_name(&result.name, "name").with_details(RESULT_NAME_DETAILS);
    }
    let errors = match &result.kind {
        Some(ParamType::Object) => object_result(&result.name, &result.properties, "The"),
        Some(ParamType::Other(word)) => {
            Errors::invalid_value(word, "type").with_details("type must be string")
        }
        Some(ParamType::String | ParamType::Array) | None => Errors::none(),
    };
    errors.also(result_value(result))
}

/// Checks one result of a step.
pub(super) fn step_result(result: &StepResult) -> Errors {
    if !names::is_name_part(&result.name) {
        return Errors::invalid_key_name(&result.name, "name").with_details(RESULT_NAME_DETAILS);
    }
    match &result.kind {
        Some(ParamType::Object) => object_result(&result.name, &result.properties, "the"),
        Some(ParamType::Other(word)) => {
            Errors::invalid_value(word, "type").with_details(format!("invalid type {word}"))
        }
        Some(ParamType::String | ParamType::Array) | None => Errors::none(),
    }
}

fn object_result(name: &str, properties: &BTreeMap<String, PropertySpec>, article: &str) -> Errors {
    let at = format!("{name}.properties");
    if properties.is_empty() {
        return Errors::missing_field(&[&at]);
    }
    let keys = bad_properties(properties);
    if keys.is_empty() {
        return Errors::none();
    }
    let keys = go_list(keys);
    let message =
        format!("{article} value type specified for these keys {keys} is invalid, the type must be string");
    Errors::generic(message, &[&at])
}

/// The value of a result of a Task is the result of a step.
fn result_value(result: &TaskResult) -> Errors {
    let text = match &result.value {
        None => return Errors::none(),
        Some(ParamValue::String(text)) if text.is_empty() => return Errors::none(),
        Some(ParamValue::String(text)) => text,
        Some(other) => {
            let message = format!("Invalid Type. Wanted string but got: \"{}\"", other.kind());
            return Errors::generic(message, &[&format!("{}.type", result.name)]);
        }
    };
    let at = format!("{}.value", result.name);
    let Some((step, name)) = step_result_reference(text) else {
        let message = format!(
            "Could not extract step name and result name. Expected value to look like \
             $(steps.<stepName>.results.<resultName>) but got \"{text}\""
        );
        return Errors::generic(message, &[&at]);
    };
    let mut errors = Errors::none();
    if names::dns_label_problem(step).is_some() {
        errors.add(Errors::generic(format!("invalid extracted step name {step:?}"), &[&at]).with_details(
            "stepName in $(steps.<stepName>.results.<resultName>) must be a valid DNS Label, For more info refer to \
             https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#names",
        ));
    }
    if !names::is_name_part(name) {
        let details = RESULT_NAME_DETAILS.replacen(
            "Name must",
            "resultName in $(steps.<stepName>.results.<resultName>) must",
            1,
        );
        errors.add(
            Errors::generic(format!("invalid extracted result name {name:?}"), &[&at]).with_details(details),
        );
    }
    errors
}

/// The names in the first `$(steps.<step>.results.<result>)` of a text.
fn step_result_reference(text: &str) -> Option<(&str, &str)> {
    let (_, rest) = text.split_once("$(steps.")?;
    let (step, rest) = rest.split_once(".results.")?;
    let (name, _) = rest.split_once(')')?;
    Some((step, name))
}

fn bad_properties(properties: &BTreeMap<String, PropertySpec>) -> Vec<&str> {
    let is_bad =
        |property: &PropertySpec| property.kind.as_ref().is_some_and(|kind| *kind != ParamType::String);
    properties.iter().filter(|(_, property)| is_bad(property)).map(|(key, _)| key.as_str()).collect()
}

/// Whether a name can be used in `$(params.<name>)`; names and keys of objects may have no dots.
fn is_variable(name: &str, dots: bool) -> bool {
    name.bytes().next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-') || (dots && b == b'.'))
}

fn duplicates<'a>(names: &[&'a str]) -> Vec<&'a str> {
    let mut found = names
        .iter()
        .enumerate()
        .filter(|(index, name)| names[..*index].contains(name))
        .map(|(_, name)| *name)
        .collect::<Vec<_>>();
    found.sort_unstable();
    found.dedup();
    found
}
