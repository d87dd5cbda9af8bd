//! Replacement in param values, which may change their type, and in `when` expressions.
//! Source: Tekton's `ParamValue.ApplyReplacements` and `WhenExpressions.ReplaceVariables`.

use api::tekton::v1::{ParamValue, WhenExpression};
use serde_json::Value;

use super::text::{Scope, isolated};

/// The value with variables replaced. Text that is one reference to an array or object becomes that array or object.
pub(crate) fn replace_value(value: &ParamValue, scope: Scope<'_>) -> ParamValue {
    match value {
        ParamValue::String(text) => {
            let key = isolated(text);
            if let Some(items) = key.and_then(|key| scope.array(key)) {
                return ParamValue::Array(items.to_vec());
            }
            if let Some(fields) = key.and_then(|key| scope.object(key)) {
                return ParamValue::Object(fields.clone());
            }
            ParamValue::String(scope.replace(text))
        }
        ParamValue::Array(items) => {
            ParamValue::Array(items.iter().flat_map(|item| scope.expand(item)).collect())
        }
        ParamValue::Object(fields) => {
            ParamValue::Object(fields.iter().map(|(key, text)| (key.clone(), scope.replace(text))).collect())
        }
    }
}

/// Replaces in `when` expressions; a whole array becomes its elements in `values`, and JSON in `input`.
pub(crate) fn replace_when(when: &mut [WhenExpression], scope: Scope<'_>) {
    for expression in when {
        if let Some(input) = &mut expression.input {
            match isolated(input).filter(|key| key.ends_with("[*]")).and_then(|key| scope.array(key)) {
                Some(items) => *input = Value::from(items).to_string(),
                None => scope.replace_in(input),
            }
        }
        expression.values = expression.values.iter().flat_map(|value| scope.expand(value)).collect();
        if let Some(cel) = &mut expression.cel {
            scope.replace_in(cel);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::substitution::Replacements;

    fn values() -> Replacements {
        let mut values =
            Replacements::of_strings([("params.s", "text"), ("params.l[1]", "b"), ("params.o.k", "v")]);
        values.arrays.insert("params.l".to_owned(), vec!["a".to_owned(), "b".to_owned()]);
        values.objects.insert("params.o".to_owned(), [("k".to_owned(), "v".to_owned())].into());
        values
    }

    #[test]
    fn a_value_takes_the_type_of_what_it_names_alone() {
        for (value, replaced) in [
            (r#""$(params.s)""#, r#""text""#),
            (r#""$(params.l[*])""#, r#"["a","b"]"#),
            (r#""$(params.l)""#, r#"["a","b"]"#),
            (r#""$(params.l[1])""#, r#""b""#),
            (r#""$(params.o[*])""#, r#"{"k":"v"}"#),
            (r#""$(params.o.k)!""#, r#""v!""#),
            (r#"["x","$(params.l[*])","$(params.s)"]"#, r#"["x","a","b","text"]"#),
            (r#"{"k":"$(params.s)"}"#, r#"{"k":"text"}"#),
            (r#""$(params.s[*])""#, r#""$(params.s[*])""#),
        ] {
            let value: ParamValue = serde_json::from_str(value).unwrap();
            assert_eq!(replace_value(&value, values().scope()).to_json().to_string(), replaced);
        }
    }

    #[test]
    fn an_array_becomes_json_as_input_and_elements_as_values() {
        let mut when = vec![WhenExpression {
            input: Some("$(params.l[*])".to_owned()),
            values: vec!["$(params.l[*])".to_owned(), "$(params.s)".to_owned()],
            ..WhenExpression::default()
        }];
        replace_when(&mut when, values().scope());
        assert_eq!(when[0].input.as_deref(), Some(r#"["a","b"]"#));
        assert_eq!(when[0].values, ["a", "b", "text"]);
    }
}
