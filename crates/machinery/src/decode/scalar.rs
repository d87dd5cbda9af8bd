//! What a plain YAML scalar means: YAML 1.1 as Kubernetes' Go YAML reads it.
//! Invariant: quoted and block scalars never come here; they are strings.

use serde_json::{Number, Value};

/// The meaning of a plain scalar.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Plain {
    Value(Value),
    /// `.inf` and `.nan`, which JSON cannot say.
    NotFinite,
}

pub(super) fn resolve(text: &str) -> Plain {
    Plain::Value(match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            Value::Bool(true)
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            Value::Bool(false)
        }
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" | "-.inf" | "-.Inf" | "-.INF" | ".nan"
        | ".NaN" | ".NAN" => return Plain::NotFinite,
        _ => number(text).map_or_else(|| Value::String(text.to_owned()), Value::Number),
    })
}

/// An integer in base 2, 8, 10 or 16, or a float; decimal text is kept where JSON admits it.
fn number(text: &str) -> Option<Number> {
    if !matches!(text.as_bytes().first(), Some(b'0'..=b'9' | b'+' | b'-' | b'.')) {
        return None;
    }
    let plain = text.replace('_', "");
    let (sign, digits) = match plain.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", plain.strip_prefix('+').unwrap_or(&plain)),
    };
    if let Some(value) = based(digits) {
        return in_range(sign, value);
    }
    is_float(digits).then(|| json_float(sign, digits)).flatten()
}

/// A number with a base prefix: `0x1f`, `0b11`, `0o17`, `017`.
fn based(digits: &str) -> Option<u64> {
    let radix = |prefixes: [&str; 2], radix: u32| {
        let rest = prefixes.iter().find_map(|prefix| digits.strip_prefix(prefix))?;
        let plain = !rest.is_empty() && rest.chars().all(|c| c.is_digit(radix));
        plain.then(|| u64::from_str_radix(rest, radix).ok()).flatten()
    };
    radix(["0x", "0X"], 16)
        .or_else(|| radix(["0b", "0B"], 2))
        .or_else(|| radix(["0o", "0O"], 8))
        .or_else(|| radix(["0", "0"], 8))
}

fn in_range(sign: &str, value: u64) -> Option<Number> {
    if sign.is_empty() {
        return Some(Number::from(value));
    }
    i64::try_from(-i128::from(value)).ok().map(Number::from)
}

/// Digits with at most one point and an optional exponent.
fn is_float(digits: &str) -> bool {
    let (mantissa, exponent) = match digits.find(['e', 'E']) {
        Some(at) => (&digits[..at], Some(&digits[at + 1..])),
        None => (digits, None),
    };
    let all_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let exponent_fits = exponent.is_none_or(|power| {
        let power = power.strip_prefix(['+', '-']).unwrap_or(power);
        !power.is_empty() && all_digits(power)
    });
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    exponent_fits && all_digits(whole) && all_digits(fraction) && !(whole.is_empty() && fraction.is_empty())
}

/// The same number as JSON writes it: no leading zeros, no bare point.
fn json_float(sign: &str, digits: &str) -> Option<Number> {
    let (mantissa, exponent) = digits.split_at(digits.find(['e', 'E']).unwrap_or(digits.len()));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let whole = match whole.trim_start_matches('0') {
        "" => "0",
        rest => rest,
    };
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{sign}{whole}{point}{fraction}{exponent}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_mean_what_they_mean_to_kubernetes() {
        for (text, json) in [
            ("0644", "420"),
            ("644", "644"),
            ("0o17", "15"),
            ("0x1F", "31"),
            ("-0x10", "-16"),
            ("0b101", "5"),
            ("1_000", "1000"),
            ("+5", "5"),
            ("1.10", "1.10"),
            (".5", "0.5"),
            ("1.", "1"),
            ("1e3", "1e+3"),
            ("0123456789", "123456789"),
            ("0123e4", "123e+4"),
            ("18446744073709551615", "18446744073709551615"),
            ("123456789012345678901234567890", "123456789012345678901234567890"),
            ("yes", "true"),
            ("On", "true"),
            ("n", "false"),
            ("NO", "false"),
            ("~", "null"),
            ("", "null"),
            ("yEs", "\"yEs\""),
            ("1.2.3", "\"1.2.3\""),
            ("1:30", "\"1:30\""),
            ("2026-01-02", "\"2026-01-02\""),
            ("0x", "\"0x\""),
            ("1e", "\"1e\""),
            ("-", "\"-\""),
            (".", "\".\""),
            ("v1", "\"v1\""),
            ("08h", "\"08h\""),
        ] {
            match resolve(text) {
                Plain::Value(value) => assert_eq!(value.to_string(), json, "{text}"),
                Plain::NotFinite => panic!("{text} is finite"),
            }
        }
        assert_eq!(resolve("-.Inf"), Plain::NotFinite);
    }
}
