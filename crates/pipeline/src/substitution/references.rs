//! Finding variables in text and in definitions, and reading references to results.
//! It finds only; whether a variable exists is for `admission` and the runs.
//! Source: Tekton's `resultref` and `substitution` packages.

use std::collections::BTreeSet;

use api::tekton::v1::{ParamValue, PipelineTask, Step, TaskSpec, WhenExpression};
use k8s_openapi::api::core::v1::EnvVar;

/// A reference to a result of a task of a Pipeline.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ResultRef {
    /// The task that has the result.
    pub(crate) task: String,
    /// The result's name.
    pub(crate) result: String,
    /// The element of an array that is meant.
    pub(crate) index: Option<usize>,
}

/// The insides of all `$(...)` in a text, as far as they are names with an optional `[index]` or `[*]`.
pub(crate) fn expressions(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        loop {
            rest = &rest[rest.find("$(")? + 2..];
            if let Some(expression) = leading_expression(rest) {
                rest = &rest[expression.len() + 1..];
                return Some(expression);
            }
        }
    })
}

fn leading_expression(text: &str) -> Option<&str> {
    let name = text.find(|c: char| !(c.is_ascii_alphanumeric() || "_.-".contains(c)))?;
    let index = match text[name..].strip_prefix('[') {
        Some(after) if after.starts_with("*]") => 3,
        Some(after) => {
            let digits = after.bytes().take_while(u8::is_ascii_digit).count();
            if digits == 0 || !after[digits..].starts_with(']') {
                return None;
            }
            digits + 2
        }
        None => 0,
    };
    let end = name + index;
    (name > 0 && text[end..].starts_with(')')).then(|| &text[..end])
}

/// All expressions in a param's value.
pub(crate) fn param_expressions(value: &ParamValue) -> Vec<&str> {
    match value {
        ParamValue::String(text) => expressions(text).collect(),
        ParamValue::Array(items) => items.iter().flat_map(|item| expressions(item)).collect(),
        ParamValue::Object(fields) => fields.values().flat_map(|text| expressions(text)).collect(),
    }
}

/// All expressions in a `when` expression.
pub(crate) fn when_expressions(when: &WhenExpression) -> Vec<&str> {
    let texts = when.input.iter().chain(&when.cel).chain(&when.values);
    texts.flat_map(|text| expressions(text)).collect()
}

/// All expressions in the fields of a step that may refer to results of tasks.
pub(crate) fn step_expressions(step: &Step) -> Vec<&str> {
    let single = [&step.name, &step.image, &step.image_pull_policy, &step.script, &step.working_dir];
    let texts =
        single.into_iter().flatten().chain(&step.command).chain(&step.args).chain(env_texts(&step.env));
    texts.flat_map(|text| expressions(text)).collect()
}

fn env_texts(env: &[EnvVar]) -> impl Iterator<Item = &String> {
    env.iter().flat_map(|variable| {
        let source = variable.value_from.as_ref();
        let secret = source.and_then(|source| source.secret_key_ref.as_ref());
        let config = source.and_then(|source| source.config_map_key_ref.as_ref());
        let keys = secret.map(|secret| &secret.key).into_iter().chain(config.map(|config| &config.key));
        let names = secret.map(|secret| &secret.name).into_iter().chain(config.map(|config| &config.name));
        variable.value.iter().chain(keys).chain(names)
    })
}

/// Whether an expression has the form of a reference to a result, right or wrong in its details.
pub(crate) fn looks_like_result_ref(expression: &str) -> bool {
    let parts: Vec<&str> = expression.split('.').collect();
    parts.len() >= 4 && matches!(parts[0], "tasks" | "finally") && parts[2] == "results"
}

/// The references to results among expressions; others are passed over.
pub(crate) fn result_refs<'a>(expressions: impl IntoIterator<Item = &'a str>) -> Vec<ResultRef> {
    expressions.into_iter().filter_map(parse_result_ref).collect()
}

fn parse_result_ref(expression: &str) -> Option<ResultRef> {
    if !looks_like_result_ref(expression) {
        return None;
    }
    let parts: Vec<&str> = expression.split('.').collect();
    let (result, index) = match parts.len() {
        4 => match parts[3].split_once('[') {
            Some((result, index)) => (result, index.trim_end_matches(']').parse().ok()),
            None => (parts[3], None),
        },
        5 => (parts[3], None),
        _ => return None,
    };
    Some(ResultRef { task: parts[1].to_owned(), result: result.to_owned(), index })
}

/// All references to results in the places of a Pipeline's task where they make an edge of the graph.
pub(crate) fn result_refs_of(task: &PipelineTask) -> Vec<ResultRef> {
    let mut found = Vec::new();
    for param in all_params(task) {
        found.extend(result_refs(param_expressions(param)));
    }
    for when in &task.when {
        found.extend(result_refs(when_expressions(when)));
    }
    if let Some(embedded) = &task.task_spec {
        for step in &embedded.task_spec.steps {
            found.extend(result_refs(step_expressions(step)));
        }
    }
    found
}

fn all_params(task: &PipelineTask) -> impl Iterator<Item = &ParamValue> {
    let matrix = task.matrix.iter().flat_map(|matrix| {
        matrix.params.iter().chain(matrix.include.iter().flat_map(|include| include.params.iter()))
    });
    task.params.iter().chain(matrix).map(|param| &param.value)
}

/// Step and result of `$(steps.<step>.results.<result>)`, wherever it stands in the text.
pub(crate) fn step_result(text: &str) -> Option<(&str, &str)> {
    let after = &text[text.find("$(steps.")? + "$(steps.".len()..];
    let (step, after) = after.split_once(".results.")?;
    let (result, _) = after.split_once(')')?;
    Some((step, result))
}

/// The names that follow `prefix` in all `$(<prefix>.name)`, `$(<prefix>["name"])` and `$(<prefix>['name'])`, without
/// a key of an object.
///
/// # Errors
/// Tekton's sentence about a name with more than two parts.
pub(crate) fn extract<'a>(text: &'a str, prefix: &str) -> Result<Vec<&'a str>, String> {
    let mut found = Vec::new();
    for inside in whole_variables(text, prefix) {
        match inside {
            (true, name) if name.contains('.') => {
                if name.split('.').count() > 2 {
                    return Err(format!(
                        "Invalid referencing of parameters in \"{text}\"! Only two dot-separated components after the prefix \"{prefix}\" are allowed."
                    ));
                }
                found.push(name.split('.').next().unwrap_or_default());
            }
            (_, name) => found.push(name),
        }
    }
    Ok(found)
}

/// All that follows `prefix` in the variables of a text, and whether it was written with a dot.
pub(crate) fn whole_variables<'a>(text: &'a str, prefix: &str) -> Vec<(bool, &'a str)> {
    let open = format!("$({prefix}");
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find(&open) {
        rest = &rest[start + open.len()..];
        let line = rest.split('\n').next().unwrap_or_default();
        let inside = [(".", ")"), ("[\"", "\"])"), ("['", "'])")].into_iter().find_map(|(before, after)| {
            let (name, _) = line.strip_prefix(before)?.split_once(after)?;
            Some((before == ".", name, before.len() + name.len() + after.len()))
        });
        if let Some((dotted, name, length)) = inside {
            found.push((dotted, name));
            rest = &rest[length..];
        }
    }
    found
}

/// The names of workspaces whose variables a Task uses in its steps or step template.
pub(crate) fn used_workspaces(spec: &TaskSpec) -> BTreeSet<String> {
    let mut texts: Vec<&String> = Vec::new();
    for step in &spec.steps {
        texts.extend(step.script.iter().chain(&step.working_dir).chain(&step.command).chain(&step.args));
        texts.extend(step.env.iter().filter_map(|variable| variable.value.as_ref()));
    }
    if let Some(template) = &spec.step_template {
        texts.extend(template.working_dir.iter().chain(&template.command).chain(&template.args));
        texts.extend(template.env.iter().filter_map(|variable| variable.value.as_ref()));
    }
    let names = texts.into_iter().flat_map(|text| extract(text, "workspaces").unwrap_or_default());
    names.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_names_with_an_optional_index() {
        for (text, found) in [
            ("", ""),
            ("$(params.a)", "params.a"),
            ("x$(params.a)y$(tasks.b.results.c[*])", "params.a tasks.b.results.c[*]"),
            ("$(a[12]) $(a[]) $(a[x]) $(a b) $()", "a[12]"),
            ("$(params[\"x\"])", ""),
            ("$(echo $(params.a))", "params.a"),
            ("$(params.a", ""),
        ] {
            assert_eq!(expressions(text).collect::<Vec<_>>().join(" "), found, "{text}");
        }
    }

    #[test]
    fn references_to_results_are_read_by_their_parts() {
        for (expression, read) in [
            ("tasks.a.results.b", "a b None"),
            ("tasks.a.results.b[2]", "a b Some(2)"),
            ("tasks.a.results.b[*]", "a b None"),
            ("tasks.a.results.b.key", "a b None"),
            ("finally.a.results.b", "a b None"),
            ("tasks.a.results.b.key.more", ""),
            ("tasks.a.status", ""),
            ("params.a.results.b", ""),
        ] {
            let refs = result_refs([expression]);
            let text =
                refs.first().map(|r| format!("{} {} {:?}", r.task, r.result, r.index)).unwrap_or_default();
            assert_eq!(text, read, "{expression}");
        }
    }

    #[test]
    fn names_are_found_in_all_three_notations() {
        assert_eq!(
            extract("$(params.a) $(params[\"b.c\"]) $(params['d']) $(params.o.k)", "params").unwrap(),
            ["a", "b.c", "d", "o"]
        );
        assert_eq!(extract("$(params.a[0])$(params.b[*])", "params").unwrap(), ["a[0]", "b[*]"]);
        assert_eq!(extract("$(params.o.k)", "params.o").unwrap(), ["k"]);
        assert!(
            extract("$(params.a.b.c)", "params")
                .unwrap_err()
                .starts_with("Invalid referencing of parameters in")
        );
        assert!(extract("$(paramsx.a) $(params.a\n)", "params").unwrap().is_empty());
    }
}
