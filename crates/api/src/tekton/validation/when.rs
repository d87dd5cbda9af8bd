//! `when` expressions of tasks and steps.

use crate::apis::Errors;
use crate::tekton::v1::{WhenExpression, WhenOperator};

/// Checks a list of conditions; paths begin with `when`.
pub(super) fn when_expressions(expressions: &[WhenExpression]) -> Errors {
    let checked = expressions.iter().enumerate().map(|(index, one)| expression(one).via_index(index));
    checked.collect::<Errors>().via_field("when")
}

fn expression(when: &WhenExpression) -> Errors {
    let has_fields = when.input.is_some() || when.operator.is_some() || !when.values.is_empty();
    if let Some(cel) = &when.cel {
        if has_fields {
            let input = when.input.as_deref().unwrap_or_default();
            let operator = when.operator.as_ref().map(WhenOperator::as_str).unwrap_or_default();
            let message = format!(
                "cel and input+operator+values cannot be set in one WhenExpression: {{{input} {operator} [{}] {cel}}}",
                when.values.join(" ")
            );
            return Errors::generic(message, &[""]);
        }
        return Errors::none();
    }
    if !has_fields {
        return Errors::missing_field(&[""]);
    }
    match &when.operator {
        Some(WhenOperator::In | WhenOperator::NotIn) => {}
        other => {
            let word = other.as_ref().map(WhenOperator::as_str).unwrap_or_default();
            return Errors::invalid_value(
                format_args!("operator {word:?} is not recognized. valid operators: in,notin"),
                "",
            );
        }
    }
    if when.values.is_empty() {
        return Errors::invalid_value("expecting non-empty values field", "");
    }
    Errors::none()
}
