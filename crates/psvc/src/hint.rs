//! What to write instead: fields that a message names, and the nearest field that exists.
//! Pure text work over the served schemas.

use serde_json::Value;

/// The field paths that a message mentions, the longest first.
pub(crate) fn fields(message: &str) -> Vec<String> {
    let separators = |c: char| c.is_whitespace() || matches!(c, ',' | '"' | '\'' | '`' | '(' | ')');
    let mut found: Vec<String> = message
        .split(separators)
        .map(|word| word.trim_end_matches([':', '.', ';']))
        .filter(|word| {
            let head = word.split(['.', '[']).next().unwrap_or_default();
            matches!(head, "spec" | "metadata" | "data" | "status" | "stringData" | "apiVersion" | "kind")
        })
        .map(str::to_owned)
        .collect();
    found.sort_by_key(|path| std::cmp::Reverse(path.len()));
    found
}

/// `spec.tasks[build].params` with the index of the item of that name in place of the name.
pub(crate) fn indexed(path: &str, object: &Value) -> String {
    let mut written = String::new();
    let mut here = Some(object);
    for part in parts(path) {
        match part {
            Part::Field(name) => {
                if !written.is_empty() {
                    written.push('.');
                }
                written.push_str(name);
                here = here.and_then(|value| value.get(name));
            }
            Part::Item(key) => {
                let items = here.and_then(Value::as_array);
                let named = items.and_then(|items| items.iter().position(|item| item["name"] == key));
                let index = key.parse().ok().or(named);
                written.push_str(&index.map_or_else(|| format!("[{key}]"), |index| format!("[{index}]")));
                here = items.and_then(|items| items.get(index?));
            }
        }
    }
    written
}

enum Part<'a> {
    Field(&'a str),
    Item(&'a str),
}

fn parts(path: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    for dotted in path.split('.') {
        let mut pieces = dotted.split('[');
        if let Some(field) = pieces.next().filter(|field| !field.is_empty()) {
            parts.push(Part::Field(field));
        }
        parts.extend(pieces.map(|piece| Part::Item(piece.trim_end_matches(']'))));
    }
    parts
}

/// What to write, when the message lets it be known.
pub(crate) fn for_message(message: &str, object: &Value) -> Option<String> {
    if let Some((_, rest)) = message.split_once("unknown field \"") {
        let path = rest.split('"').next()?;
        let (parent, field) = path.rsplit_once('.').unwrap_or(("", path));
        let known = fields_of(object, parent)?;
        let nearest = known.iter().min_by_key(|known| distance(known, field))?;
        return Some(if distance(nearest, field) <= 3.min(field.len() / 2 + 1) {
            format!("write `{nearest}` in place of `{field}`")
        } else {
            format!("remove `{field}`, or use one of: {}", known.join(", "))
        });
    }
    if message.contains("missing field(s)") {
        return Some("add the field that is named".to_owned());
    }
    if message.contains("expected exactly one, got neither") {
        return Some("give one of the fields that are named".to_owned());
    }
    if message.contains("non-existent variable") {
        return Some("declare the parameter, result or workspace, or correct its name".to_owned());
    }
    None
}

/// The names of the fields that an object may have at a path, by the schema of its kind.
fn fields_of(object: &Value, path: &str) -> Option<Vec<String>> {
    let group_version = types::GroupVersion::parse(object["apiVersion"].as_str()?);
    let kind = object["kind"].as_str()?;
    let mut resources = api::resources().iter();
    let resource =
        resources.find(|resource| resource.group == group_version.group && resource.kind == kind)?;
    let version = resource.versions.iter().find(|version| version.name == group_version.version)?;
    let root = (version.schema)();
    let mut here = &root;
    for part in parts(path) {
        here = resolved(here, &root);
        here = match part {
            Part::Field(name) => here.get("properties")?.get(name)?,
            Part::Item(_) => here.get("items")?,
        };
    }
    let properties = resolved(here, &root).get("properties")?.as_object()?;
    Some(properties.keys().cloned().collect())
}

/// Follows references, and the one real alternative of an optional value.
fn resolved<'a>(mut schema: &'a Value, root: &'a Value) -> &'a Value {
    // Schemas are not deeper than this in a row; a cycle ends here too.
    for _ in 0..16 {
        if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            match root.pointer(reference.trim_start_matches('#')) {
                Some(target) => schema = target,
                None => return schema,
            }
        } else if let Some(only) = ["anyOf", "allOf", "oneOf"]
            .iter()
            .filter_map(|word| schema.get(*word)?.as_array())
            .flat_map(|list| list.iter())
            .find(|alternative| alternative["type"] != "null")
        {
            schema = only;
        } else {
            return schema;
        }
    }
    schema
}

/// The number of single-character edits between two words (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut previous: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut current = vec![i + 1];
        for (j, to) in b.iter().enumerate() {
            let replaced = previous[j] + usize::from(from != *to);
            current.push(replaced.min(previous[j + 1] + 1).min(current[j] + 1));
        }
        previous = current;
    }
    previous[b.len()]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_with_names_become_paths_with_indices() {
        let object = json!({ "spec": { "tasks": [{ "name": "a" }, { "name": "b", "params": [] }] } });
        assert_eq!(indexed("spec.tasks[b].params", &object), "spec.tasks[1].params");
        assert_eq!(indexed("spec.tasks[0].name", &object), "spec.tasks[0].name");
        assert_eq!(indexed("spec.tasks[zzz]", &object), "spec.tasks[zzz]");
    }

    #[test]
    fn fields_are_found_in_messages() {
        let message = "missing field(s): spec.steps[0].image, spec.x";
        assert_eq!(fields(message), ["spec.steps[0].image", "spec.x"]);
        assert_eq!(fields("strict decoding error: unknown field \"spec.foo\""), ["spec.foo"]);
    }

    #[test]
    fn distances_count_single_edits() {
        for (a, b, expected) in [("image", "imag", 1), ("image", "imgae", 2), ("", "abc", 3), ("x", "x", 0)] {
            assert_eq!(distance(a, b), expected, "{a} {b}");
        }
    }
}
