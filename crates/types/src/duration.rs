//! Durations in the text form of Go's `time.ParseDuration` and `Duration.String`.
//! Tekton's time limits are written so: `1h30m`, `90s`, `1.5h`; they print as `1h30m0s`.
//! Source: the documentation of Go's `time` package.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// A signed span of time in nanoseconds that reads and prints as Go does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GoDuration {
    nanoseconds: i64,
}

const NANOSECONDS_PER_SECOND: i64 = 1_000_000_000;
const NANOSECONDS_PER_MINUTE: i64 = 60 * NANOSECONDS_PER_SECOND;
const NANOSECONDS_PER_HOUR: i64 = 60 * NANOSECONDS_PER_MINUTE;

impl GoDuration {
    /// No time at all; Tekton reads it as "no limit".
    pub const ZERO: Self = Self { nanoseconds: 0 };

    /// A duration of whole seconds.
    #[must_use]
    pub const fn from_seconds(seconds: i64) -> Self {
        Self { nanoseconds: seconds.saturating_mul(NANOSECONDS_PER_SECOND) }
    }

    /// A duration of whole minutes.
    #[must_use]
    pub const fn from_minutes(minutes: i64) -> Self {
        Self { nanoseconds: minutes.saturating_mul(NANOSECONDS_PER_MINUTE) }
    }

    /// A duration of nanoseconds.
    #[must_use]
    pub const fn from_nanoseconds(nanoseconds: i64) -> Self {
        Self { nanoseconds }
    }

    /// The length in nanoseconds.
    #[must_use]
    pub const fn nanoseconds(self) -> i64 {
        self.nanoseconds
    }

    /// Whether this is exactly zero.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.nanoseconds == 0
    }

    /// The same length as a [`Duration`]; negative lengths become zero.
    #[must_use]
    pub fn to_std(self) -> Duration {
        Duration::from_nanos(u64::try_from(self.nanoseconds).unwrap_or(0))
    }

    /// The difference, saturating at the ends of the range.
    #[must_use]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self { nanoseconds: self.nanoseconds.saturating_sub(other.nanoseconds) }
    }

    /// The sum, saturating at the ends of the range.
    #[must_use]
    pub const fn saturating_add(self, other: Self) -> Self {
        Self { nanoseconds: self.nanoseconds.saturating_add(other.nanoseconds) }
    }

    /// Parses Go's form: an optional sign, then numbers with a unit (`ns`, `us`, `µs`, `ms`, `s`, `m`, `h`).
    ///
    /// # Errors
    /// [`InvalidDuration`] in the words of Go's own error.
    pub fn parse(text: &str) -> Result<Self, InvalidDuration> {
        let invalid = || InvalidDuration::Invalid(text.to_owned());
        let (negative, mut rest) = match text.as_bytes().first() {
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            _ => (false, text),
        };
        if rest == "0" {
            return Ok(Self::ZERO);
        }
        if rest.is_empty() {
            return Err(invalid());
        }
        let mut total: i128 = 0;
        while !rest.is_empty() {
            let number_len = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
            let (number, after) = rest.split_at(number_len);
            let unit_len = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
            let (unit, next) = after.split_at(unit_len);
            if !number.bytes().any(|b| b.is_ascii_digit()) {
                return Err(invalid());
            }
            if unit.is_empty() {
                return Err(InvalidDuration::MissingUnit(text.to_owned()));
            }
            let scale = unit_nanoseconds(unit).ok_or_else(|| InvalidDuration::UnknownUnit {
                unit: unit.to_owned(),
                text: text.to_owned(),
            })?;
            total = total.checked_add(scaled(number, scale).ok_or_else(invalid)?).ok_or_else(invalid)?;
            rest = next;
        }
        let signed = if negative { -total } else { total };
        i64::try_from(signed).map(|nanoseconds| Self { nanoseconds }).map_err(|_| invalid())
    }
}

fn unit_nanoseconds(unit: &str) -> Option<i64> {
    Some(match unit {
        "ns" => 1,
        "us" | "\u{b5}s" | "\u{3bc}s" => 1_000,
        "ms" => 1_000_000,
        "s" => NANOSECONDS_PER_SECOND,
        "m" => NANOSECONDS_PER_MINUTE,
        "h" => NANOSECONDS_PER_HOUR,
        _ => return None,
    })
}

/// `number` times `scale`, in whole nanoseconds, rounding toward zero; `None` when it cannot fit.
fn scaled(number: &str, scale: i64) -> Option<i128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if fraction.contains('.') || whole.len() > 20 {
        return None;
    }
    let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let mut value = whole.checked_mul(i128::from(scale))?;
    let mut place = i128::from(scale);
    let mut remainder: i128 = 0;
    // 18 digits are more than a nanosecond of an hour can show.
    for (index, digit) in fraction.bytes().take(18).enumerate() {
        remainder = remainder * 10 + i128::from(digit - b'0');
        place = i128::from(scale) * remainder / 10_i128.pow(u32::try_from(index).ok()? + 1);
    }
    if !fraction.is_empty() {
        value += place;
    }
    Some(value)
}

impl fmt::Display for GoDuration {
    /// Prints as Go's `Duration.String`: `1h30m0s`, `1.5s`, `250ms`, `0s`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let magnitude = self.nanoseconds.unsigned_abs();
        if magnitude == 0 {
            return f.write_str("0s");
        }
        if self.nanoseconds < 0 {
            f.write_str("-")?;
        }
        if magnitude < NANOSECONDS_PER_SECOND.unsigned_abs() {
            let (unit, scale) = match magnitude {
                0..1_000 => ("ns", 1),
                1_000..1_000_000 => ("\u{b5}s", 1_000),
                _ => ("ms", 1_000_000),
            };
            return write!(f, "{}{unit}", with_fraction(magnitude, scale));
        }
        let hours = magnitude / NANOSECONDS_PER_HOUR.unsigned_abs();
        let minutes = magnitude / NANOSECONDS_PER_MINUTE.unsigned_abs() % 60;
        let seconds = magnitude % NANOSECONDS_PER_MINUTE.unsigned_abs();
        if hours > 0 {
            write!(f, "{hours}h")?;
        }
        if hours > 0 || minutes > 0 {
            write!(f, "{minutes}m")?;
        }
        write!(f, "{}s", with_fraction(seconds, NANOSECONDS_PER_SECOND.unsigned_abs()))
    }
}

fn with_fraction(value: u64, scale: u64) -> Cow<'static, str> {
    let fraction = value % scale;
    if fraction == 0 {
        return Cow::Owned((value / scale).to_string());
    }
    let width = scale.ilog10() as usize;
    let digits = format!("{fraction:0width$}");
    Cow::Owned(format!("{}.{}", value / scale, digits.trim_end_matches('0')))
}

impl Serialize for GoDuration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for GoDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(D::Error::custom)
    }
}

impl schemars::JsonSchema for GoDuration {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        Cow::Borrowed("GoDuration")
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string" })
    }
}

/// Text that is not a duration, in the words of Go's `time.ParseDuration`.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDuration {
    /// No number where one must stand, or out of range.
    #[error("time: invalid duration {0:?}")]
    Invalid(String),
    /// A number without a unit.
    #[error("time: missing unit in duration {0:?}")]
    MissingUnit(String),
    /// A unit that Go does not know.
    #[error("time: unknown unit {unit:?} in duration {text:?}")]
    UnknownUnit {
        /// The unit as written.
        unit: String,
        /// The whole text.
        text: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_prints_as_go_does() {
        for (text, printed) in [
            ("0", "0s"),
            ("0s", "0s"),
            ("90s", "1m30s"),
            ("1h", "1h0m0s"),
            ("1h0m0s", "1h0m0s"),
            ("1.5h", "1h30m0s"),
            ("1h15m30.918273645s", "1h15m30.918273645s"),
            ("250ms", "250ms"),
            ("1.5us", "1.5\u{b5}s"),
            ("1ns", "1ns"),
            ("-1m", "-1m0s"),
            (".5s", "500ms"),
            ("2562047h47m16.854775807s", "2562047h47m16.854775807s"),
        ] {
            assert_eq!(GoDuration::parse(text).unwrap().to_string(), printed, "{text}");
        }
    }

    #[test]
    fn refuses_what_go_refuses_in_its_words() {
        for (text, error) in [
            ("", "time: invalid duration \"\""),
            ("3", "time: missing unit in duration \"3\""),
            ("3x", "time: unknown unit \"x\" in duration \"3x\""),
            ("s", "time: invalid duration \"s\""),
            (".s", "time: invalid duration \".s\""),
            ("1.2.3s", "time: invalid duration \"1.2.3s\""),
            ("9999999999h", "time: invalid duration \"9999999999h\""),
        ] {
            assert_eq!(GoDuration::parse(text).unwrap_err().to_string(), error);
        }
    }
}
