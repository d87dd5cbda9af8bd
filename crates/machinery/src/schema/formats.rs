//! The formats of strings and numbers that schemas name.
//! Invariant: a format that is not known constrains nothing, as in Kubernetes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use base64::Engine;
use serde_json::{Number, Value};

/// A known format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    DateTime,
    Date,
    Duration,
    Byte,
    Uuid,
    Ipv4,
    Ipv6,
    Cidr,
    Mac,
    Int32,
    Int64,
    Quantity,
}

impl Format {
    pub(crate) fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "date-time" => Format::DateTime,
            "date" => Format::Date,
            "duration" => Format::Duration,
            "byte" => Format::Byte,
            "uuid" | "uuid3" | "uuid4" | "uuid5" => Format::Uuid,
            "ipv4" => Format::Ipv4,
            "ipv6" => Format::Ipv6,
            "cidr" => Format::Cidr,
            "mac" => Format::Mac,
            "int32" => Format::Int32,
            "int64" => Format::Int64,
            "quantity" => Format::Quantity,
            _ => return None,
        })
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Format::DateTime => "date-time",
            Format::Date => "date",
            Format::Duration => "duration",
            Format::Byte => "byte",
            Format::Uuid => "uuid",
            Format::Ipv4 => "ipv4",
            Format::Ipv6 => "ipv6",
            Format::Cidr => "cidr",
            Format::Mac => "mac",
            Format::Int32 => "int32",
            Format::Int64 => "int64",
            Format::Quantity => "quantity",
        }
    }

    /// Whether a value has the format; values of other types do.
    pub(crate) fn admits(self, value: &Value) -> bool {
        match value {
            Value::String(text) => self.admits_text(text),
            Value::Number(number) => self.admits_number(number),
            _ => true,
        }
    }

    fn admits_text(self, text: &str) -> bool {
        match self {
            Format::DateTime => is_rfc3339(text),
            Format::Date => text.parse::<jiff::civil::Date>().is_ok(),
            Format::Duration => types::GoDuration::parse(text).is_ok(),
            Format::Byte => {
                let folded: String = text.chars().filter(|c| !matches!(c, '\n' | '\r')).collect();
                base64::engine::general_purpose::STANDARD.decode(folded).is_ok()
            }
            Format::Uuid => is_uuid(text),
            Format::Ipv4 => text.parse::<Ipv4Addr>().is_ok(),
            Format::Ipv6 => text.parse::<Ipv6Addr>().is_ok(),
            Format::Cidr => is_cidr(text),
            Format::Mac => is_mac(text),
            Format::Quantity => is_quantity(text),
            Format::Int32 | Format::Int64 => true,
        }
    }

    fn admits_number(self, number: &Number) -> bool {
        let whole = |number: &Number| number.as_i64().or_else(|| whole_float(number));
        match self {
            Format::Int32 => whole(number).is_some_and(|n| i32::try_from(n).is_ok()),
            Format::Int64 => whole(number).is_some(),
            _ => true,
        }
    }
}

fn whole_float(number: &Number) -> Option<i64> {
    let float = number.as_f64()?;
    // Up to 2^53 every whole float is exact; beyond it the text was not the number that it would become.
    (float.fract() == 0.0 && float.abs() <= 9_007_199_254_740_992.0).then_some(float as i64)
}

/// A date and time with a zone, `T` between them, as Go's `time.RFC3339` reads it.
fn is_rfc3339(text: &str) -> bool {
    let shaped = text.is_ascii() && text.as_bytes().get(10) == Some(&b'T') && !text.contains('[');
    shaped && text.parse::<jiff::Timestamp>().is_ok()
}

fn is_uuid(text: &str) -> bool {
    let hex: String = text.chars().filter(|c| *c != '-').collect();
    hex.len() == 32 && hex.bytes().all(|b| b.is_ascii_hexdigit())
}

fn is_cidr(text: &str) -> bool {
    let Some((address, bits)) = text.split_once('/') else { return false };
    let bits: Option<u8> = bits.parse().ok();
    match address.parse::<IpAddr>() {
        Ok(IpAddr::V4(_)) => bits.is_some_and(|bits| bits <= 32),
        Ok(IpAddr::V6(_)) => bits.is_some_and(|bits| bits <= 128),
        Err(_) => false,
    }
}

fn is_mac(text: &str) -> bool {
    let parts: Vec<&str> = text.split([':', '-']).collect();
    matches!(parts.len(), 6 | 8 | 20)
        && parts.iter().all(|p| p.len() == 2 && u8::from_str_radix(p, 16).is_ok())
}

/// A number with an optional SI, binary or decimal exponent suffix, such as `1500m`, `2Gi`, `1e3`.
fn is_quantity(text: &str) -> bool {
    const SUFFIXES: [&str; 16] =
        ["", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let end = unsigned.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(unsigned.len());
    let (number, suffix) = unsigned.split_at(end);
    let digits = number.bytes().filter(u8::is_ascii_digit).count();
    let exponent = |text: &str| {
        let power = text.strip_prefix(['e', 'E']).unwrap_or_default();
        let power = power.strip_prefix(['+', '-']).unwrap_or(power);
        !power.is_empty() && power.bytes().all(|b| b.is_ascii_digit())
    };
    digits > 0 && number.matches('.').count() <= 1 && (SUFFIXES.contains(&suffix) || exponent(suffix))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn formats_admit_what_kubernetes_admits() {
        for (format, value, admitted) in [
            (Format::DateTime, json!("2026-01-02T03:04:05Z"), true),
            (Format::DateTime, json!("2026-01-02T03:04:05.123456+02:00"), true),
            (Format::DateTime, json!("2026-01-02 03:04:05Z"), false),
            (Format::DateTime, json!("2026-01-02T03:04:05"), false),
            (Format::DateTime, json!("yesterday"), false),
            (Format::Byte, json!("aGVsbG8="), true),
            (Format::Byte, json!("a b"), false),
            (Format::Quantity, json!("1500m"), true),
            (Format::Quantity, json!("-.5Gi"), true),
            (Format::Quantity, json!("1e3"), true),
            (Format::Quantity, json!("1E"), true),
            (Format::Quantity, json!("1 Gi"), false),
            (Format::Quantity, json!(""), false),
            (Format::Quantity, json!("1.2.3"), false),
            (Format::Int32, json!(2_147_483_647), true),
            (Format::Int32, json!(2_147_483_648_u64), false),
            (Format::Int64, json!(1.0), true),
            (Format::Uuid, json!("123e4567-e89b-12d3-a456-426614174000"), true),
            (Format::Cidr, json!("10.0.0.0/33"), false),
            (Format::Duration, json!("1h30m"), true),
            (Format::Duration, json!("soon"), false),
        ] {
            assert_eq!(format.admits(&value), admitted, "{format:?} {value}");
        }
    }
}
