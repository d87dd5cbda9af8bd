//! Small operations on JSON objects that defaulting and validation share.

use serde_json::{Map, Value};

use crate::field::FieldError;
use crate::names;

/// Sets a field if it is absent, `null` or empty text.
pub(crate) fn default_text(object: &mut Map<String, Value>, field: &str, value: &str) {
    if matches!(object.get(field), None | Some(Value::Null))
        || object.get(field).and_then(Value::as_str) == Some("")
    {
        object.insert(field.to_owned(), Value::from(value));
    }
}

/// Sets a field if it is absent or `null`.
pub(super) fn default_value(object: &mut Map<String, Value>, field: &str, value: impl Into<Value>) {
    if matches!(object.get(field), None | Some(Value::Null)) {
        object.insert(field.to_owned(), value.into());
    }
}

/// The object in a field, made if it is not there; `None` if the field holds something else.
pub(super) fn object_field<'a>(
    object: &'a mut Map<String, Value>,
    field: &str,
) -> Option<&'a mut Map<String, Value>> {
    default_value(object, field, Map::new());
    object.get_mut(field).and_then(Value::as_object_mut)
}

/// The items of a list in a field, as far as they are objects.
pub(super) fn object_items<'a>(
    object: &'a mut Map<String, Value>,
    field: &str,
) -> impl Iterator<Item = &'a mut Map<String, Value>> {
    object.get_mut(field).and_then(Value::as_array_mut).into_iter().flatten().filter_map(Value::as_object_mut)
}

/// Checks `metadata.name` by a rule for names; a name that is still to be generated is not checked.
pub(crate) fn name_errors(object: &Value, rule: fn(&str) -> Option<String>) -> Vec<FieldError> {
    let metadata = &object["metadata"];
    let name = metadata["name"].as_str().unwrap_or_default();
    if name.is_empty() {
        let generated = metadata["generateName"].as_str().is_some_and(|prefix| !prefix.is_empty());
        return if generated {
            Vec::new()
        } else {
            vec![FieldError::required("metadata.name", "name or generateName is required")]
        };
    }
    rule(name).map(|problem| FieldError::invalid("metadata.name", name, problem)).into_iter().collect()
}

/// Names of objects in general: DNS subdomains.
pub(super) fn subdomain_name_errors(object: &Value) -> Vec<FieldError> {
    name_errors(object, names::dns_subdomain_problem)
}

/// What is wrong with a quantity such as `500m` or `1Gi`, if anything.
///
/// Source: the grammar in `k8s.io/apimachinery/pkg/api/resource`.
pub(crate) fn quantity_problem(text: &str) -> Option<&'static str> {
    const PROBLEM: &str =
        "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let digits_len = unsigned.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(unsigned.len());
    let (number, suffix) = unsigned.split_at(digits_len);
    if !number.bytes().any(|b| b.is_ascii_digit()) || number.matches('.').count() > 1 {
        return Some(PROBLEM);
    }
    let known = ["", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
    let exponent = suffix.strip_prefix(['e', 'E']).is_some_and(|power| {
        let power = power.strip_prefix(['+', '-']).unwrap_or(power);
        !power.is_empty() && power.bytes().all(|b| b.is_ascii_digit())
    });
    if known.contains(&suffix) || exponent { None } else { Some(PROBLEM) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_have_a_number_and_a_known_suffix() {
        for good in ["1", "0.5", "500m", "1Gi", "12e6", "1E", "2E3", "-1", "100k"] {
            assert_eq!(quantity_problem(good), None, "{good}");
        }
        for bad in ["", "Gi", "1GB", "1.2.3", "1e", "a1", "1 Gi"] {
            assert!(quantity_problem(bad).is_some(), "{bad}");
        }
    }
}
