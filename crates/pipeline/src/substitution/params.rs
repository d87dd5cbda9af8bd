//! The values of params: given ones, defaults that may refer to other params, and what is wrong with them.
//! It knows nothing of runs; lists of declared and given params come in, values or names of wrong ones go out.
//! Invariant: a given value always beats a default.
//! Source: Tekton's `reconciler/pipelinerun/resources/apply.go` and `reconciler/taskrun/validate_taskrun.go`.

use std::collections::{BTreeMap, BTreeSet};

use api::tekton::v1::{Param, ParamSpec, ParamType, ParamValue};

use super::references::expressions;
use super::text::Replacements;

/// How deep a default may lead through other defaults; Tekton's limit.
const REFERENCE_DEPTH_MAX: usize = 10;

/// The type of a declared param: as declared, else by its properties or default, else string.
pub(crate) fn kind_of(spec: &ParamSpec) -> ParamType {
    match (&spec.kind, &spec.default) {
        (Some(kind), _) => kind.clone(),
        (None, _) if !spec.properties.is_empty() => ParamType::Object,
        (None, Some(default)) => default.kind(),
        (None, None) => ParamType::String,
    }
}

/// Adds all the keys under which a param's value can be named.
fn insert(replacements: &mut Replacements, name: &str, value: &ParamValue) {
    let keys = [
        format!("params.{name}"),
        format!("params[\"{name}\"]"),
        format!("params['{name}']"),
        format!("inputs.params.{name}"),
    ];
    for key in keys {
        match value {
            ParamValue::String(text) => {
                replacements.strings.insert(key, text.clone());
            }
            ParamValue::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    replacements.strings.insert(format!("{key}[{index}]"), item.clone());
                }
                replacements.arrays.insert(key, items.clone());
            }
            ParamValue::Object(fields) => {
                for (field, text) in fields {
                    replacements.strings.insert(format!("{key}.{field}"), text.clone());
                }
                replacements.objects.insert(key, fields.clone());
            }
        }
    }
}

/// The values of given params alone.
pub(crate) fn replacements_of_params<'a>(given: impl IntoIterator<Item = &'a Param>) -> Replacements {
    let mut replacements = Replacements::default();
    for param in given {
        insert(&mut replacements, &param.name, &param.value);
    }
    replacements
}

/// The values of all params: given ones, and defaults for the rest. Keys that a given object lacks come from its
/// default.
///
/// # Errors
/// Tekton's sentence about a default that refers to itself or to nothing.
pub(crate) fn resolve_params(specs: &[ParamSpec], given: &[Param]) -> Result<Replacements, String> {
    let mut replacements = replacements_of_params(given);
    let given: BTreeMap<&str, &ParamValue> =
        given.iter().map(|param| (param.name.as_str(), &param.value)).collect();
    let mut resolver = Defaults { texts: BTreeMap::new(), visiting: BTreeSet::new() };
    for spec in specs {
        if let (Some(ParamValue::String(text)), false) =
            (&spec.default, given.contains_key(spec.name.as_str()))
        {
            resolver.texts.insert(format!("params.{}", spec.name), text);
        }
    }
    for key in resolver.texts.keys().cloned().collect::<Vec<_>>() {
        resolver.resolve(&key, &mut replacements, 0)?;
    }
    for spec in specs {
        let Some(default) = &spec.default else { continue };
        let value = match (default, given.get(spec.name.as_str())) {
            (ParamValue::Object(defaults), Some(ParamValue::Object(fields))) => {
                let mut all = replaced_fields(defaults, &replacements);
                all.extend((*fields).clone());
                ParamValue::Object(all)
            }
            (ParamValue::String(_), _) | (_, Some(_)) => continue,
            (ParamValue::Array(items), None) => {
                ParamValue::Array(items.iter().flat_map(|item| replacements.scope().expand(item)).collect())
            }
            (ParamValue::Object(fields), None) => ParamValue::Object(replaced_fields(fields, &replacements)),
        };
        insert(&mut replacements, &spec.name, &value);
    }
    Ok(replacements)
}

/// A default of type string that names a param which has no value.
pub(crate) fn undefined_reference(specs: &[ParamSpec], values: &Replacements) -> Option<String> {
    specs.iter().find_map(|spec| {
        let default = spec.default.as_ref()?.as_string()?;
        let mut named = expressions(default).filter(|expression| expression.starts_with("params."));
        let undefined = named.find(|key| values.scope().string(key).is_none())?;
        let own = format!("params.{}", spec.name);
        Some(format!("parameter resolution failed: param {own:?} references undefined param {undefined:?}"))
    })
}

fn replaced_fields(fields: &BTreeMap<String, String>, by: &Replacements) -> BTreeMap<String, String> {
    fields.iter().map(|(key, text)| (key.clone(), by.scope().replace(text))).collect()
}

/// Defaults of type string that are not resolved yet, by key, and those on the way to the one being resolved.
struct Defaults<'a> {
    texts: BTreeMap<String, &'a String>,
    visiting: BTreeSet<String>,
}

impl Defaults<'_> {
    fn resolve(&mut self, key: &str, into: &mut Replacements, depth: usize) -> Result<(), String> {
        let Some(text) = self.texts.get(key).copied() else {
            return Ok(());
        };
        if into.strings.contains_key(key) {
            return Ok(());
        }
        if !self.visiting.insert(key.to_owned()) {
            return Err(format!(
                "parameter resolution failed: circular dependency detected in param {key:?}"
            ));
        }
        if depth > REFERENCE_DEPTH_MAX {
            return Err(format!(
                "parameter resolution failed: maximum recursion depth ({REFERENCE_DEPTH_MAX}) exceeded for param {key:?}"
            ));
        }
        for reference in expressions(text).filter(|expression| expression.starts_with("params.")) {
            self.resolve(reference, into, depth + 1)?;
        }
        self.visiting.remove(key);
        let name = key.strip_prefix("params.").unwrap_or(key);
        let value = ParamValue::String(into.scope().replace(text));
        insert(into, name, &value);
        Ok(())
    }
}

/// The names of declared params that have neither a value nor a default.
pub(crate) fn missing_params<'a>(specs: &'a [ParamSpec], given: &[Param]) -> Vec<&'a str> {
    let names: BTreeSet<&str> = given.iter().map(|param| param.name.as_str()).collect();
    let missing = specs.iter().filter(|spec| spec.default.is_none() && !names.contains(spec.name.as_str()));
    missing.map(|spec| spec.name.as_str()).collect()
}

/// The names of given params whose value is not of the declared type. Where `references` may still stand for another
/// type, text with a variable fits every type.
pub(crate) fn wrong_types<'a>(specs: &[ParamSpec], given: &'a [Param], references: bool) -> Vec<&'a str> {
    let kinds: BTreeMap<&str, ParamType> =
        specs.iter().map(|spec| (spec.name.as_str(), kind_of(spec))).collect();
    let wrong = given.iter().filter(|param| {
        let fits_any =
            references && param.value.as_string().is_some_and(|text| expressions(text).next().is_some());
        kinds.get(param.name.as_str()).is_some_and(|kind| *kind != param.value.kind() && !fits_any)
    });
    wrong.map(|param| param.name.as_str()).collect()
}

/// The keys that given or default objects lack, by param.
pub(crate) fn missing_keys<'a>(specs: &'a [ParamSpec], given: &[Param]) -> BTreeMap<&'a str, Vec<&'a str>> {
    let given: BTreeMap<&str, &ParamValue> =
        given.iter().map(|param| (param.name.as_str(), &param.value)).collect();
    let mut missing = BTreeMap::new();
    for spec in specs.iter().filter(|spec| kind_of(spec) == ParamType::Object) {
        let objects = [spec.default.as_ref(), given.get(spec.name.as_str()).copied()];
        let provided: Vec<_> = objects
            .into_iter()
            .flatten()
            .filter_map(|value| if let ParamValue::Object(fields) = value { Some(fields) } else { None })
            .collect();
        let keys: Vec<&str> = spec
            .properties
            .keys()
            .map(String::as_str)
            .filter(|key| !provided.iter().any(|fields| fields.contains_key(*key)))
            .collect();
        if !provided.is_empty() && !keys.is_empty() {
            missing.insert(spec.name.as_str(), keys);
        }
    }
    missing
}

/// All `$(params.name[index])` in a text: the whole reference, the name and the index.
pub(crate) fn array_index_references(text: &str) -> Vec<(&str, &str, usize)> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find("$(params") {
        let after = &rest[start + "$(params".len()..];
        if let Some((name, index, length)) = leading_index(after) {
            let whole = &rest[start..start + "$(params".len() + length];
            found.push((whole, name, index));
        }
        rest = after;
    }
    found
}

fn leading_index(text: &str) -> Option<(&str, usize, usize)> {
    let (name, after) = if let Some(rest) = text.strip_prefix('.') {
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "_.-".contains(c)))?;
        rest.split_at(end)
    } else if let Some(rest) = text.strip_prefix("[\"") {
        rest.split_once("\"]")?
    } else {
        text.strip_prefix("['")?.split_once("']")?
    };
    let (digits, rest) = after.strip_prefix('[')?.split_once("])")?;
    let index = digits.parse().ok()?;
    Some((name, index, text.len() - rest.len()))
}

/// The references to elements beyond the end of their arrays, sorted and without repetition.
pub(crate) fn out_of_bounds<'a>(
    texts: impl IntoIterator<Item = &'a str>,
    specs: &[ParamSpec],
    given: &[Param],
) -> Vec<String> {
    let mut lengths = BTreeMap::new();
    let defaults = specs.iter().filter_map(|spec| Some((spec.name.as_str(), spec.default.as_ref()?)));
    for (name, value) in defaults.chain(given.iter().map(|param| (param.name.as_str(), &param.value))) {
        if let ParamValue::Array(items) = value {
            lengths.insert(name, items.len());
        }
    }
    let references = texts.into_iter().flat_map(array_index_references);
    let beyond =
        references.filter(|(_, name, index)| lengths.get(name).is_some_and(|length| index >= length));
    beyond.map(|(whole, _, _)| whole.to_owned()).collect::<BTreeSet<_>>().into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn specs(json: &str) -> Vec<ParamSpec> {
        serde_json::from_str(json).unwrap()
    }

    fn params(json: &str) -> Vec<Param> {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn defaults_follow_each_other_in_any_order() {
        let specs = specs(
            r#"[{"name":"image","default":"$(params.registry)/$(params.repo):$(params.tag)"},
                {"name":"tag","default":"v1"},{"name":"registry","default":"gcr.io"},{"name":"repo"},
                {"name":"args","type":"array","default":["IMAGE=$(params.image)","x"]}]"#,
        );
        let values = resolve_params(&specs, &params(r#"[{"name":"repo","value":"app"}]"#)).unwrap();
        assert_eq!(
            values.scope().replace("$(params.image) $(params.args[0])"),
            "gcr.io/app:v1 IMAGE=gcr.io/app:v1"
        );
    }

    #[test]
    fn a_default_that_leads_to_itself_is_refused() {
        let specs = specs(r#"[{"name":"a","default":"$(params.b)"},{"name":"b","default":"$(params.a)"}]"#);
        assert_eq!(
            resolve_params(&specs, &[]).unwrap_err(),
            "parameter resolution failed: circular dependency detected in param \"params.a\""
        );
    }

    #[test]
    fn a_given_object_is_completed_from_its_default() {
        let specs = specs(
            r#"[{"name":"o","type":"object","properties":{"a":{},"b":{}},"default":{"a":"1","b":"2"}}]"#,
        );
        let given = params(r#"[{"name":"o","value":{"b":"3"}}]"#);
        let values = resolve_params(&specs, &given).unwrap();
        assert_eq!(values.scope().replace("$(params.o.a)$(params.o.b)"), "13");
        assert!(missing_keys(&specs, &given).is_empty());
    }

    #[test]
    fn what_is_wrong_with_params_is_named() {
        let specs = specs(
            r#"[{"name":"a"},{"name":"l","type":"array"},
                {"name":"o","type":"object","properties":{"k":{},"m":{}}},{"name":"d","default":"x"}]"#,
        );
        let given = params(
            r#"[{"name":"l","value":"text"},{"name":"o","value":{"k":"v"}},{"name":"extra","value":"1"}]"#,
        );
        assert_eq!(missing_params(&specs, &given), ["a"]);
        assert_eq!(wrong_types(&specs, &given, true), ["l"]);
        assert_eq!(missing_keys(&specs, &given), BTreeMap::from([("o", vec!["m"])]));
        let reference = params(r#"[{"name":"l","value":"$(tasks.a.results.b[*])"}]"#);
        assert!(wrong_types(&specs, &reference, true).is_empty());
        assert_eq!(wrong_types(&specs, &reference, false), ["l"]);
    }

    #[test]
    fn an_index_beyond_the_end_is_named() {
        let specs = specs(r#"[{"name":"l","type":"array","default":["a","b"]}]"#);
        let texts =
            ["$(params.l[1]) $(params.l[2])", "$(params[\"l\"][7])", "$(params.l[*]) $(params.other[9])"];
        assert_eq!(out_of_bounds(texts, &specs, &[]), ["$(params.l[2])", "$(params[\"l\"][7])"]);
    }
}
