//! Kubernetes quantities (`500m`, `1Gi`, `2e3`) as whole numbers.
//! Only what limits and downward values need: exact up to 10^27, rounding up as Kubernetes does.
//! Source: the documentation of `resource.Quantity` in the Kubernetes API.

/// The quantity in whole units, rounded up; `None` when it is not a quantity or does not fit.
#[must_use]
pub fn whole_units(text: &str) -> Option<i64> {
    scaled(text, 1)
}

/// The quantity in thousandths, rounded up: `1` is 1000, `500m` is 500.
#[must_use]
pub fn milli_units(text: &str) -> Option<i64> {
    scaled(text, 1000)
}

/// `text` times `scale`, rounded up.
fn scaled(text: &str, scale: i128) -> Option<i64> {
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let number_len = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at(number_len);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty())
        || fraction.contains('.')
        || whole.len() + fraction.len() > 27
    {
        return None;
    }
    let digits: i128 = format!("{whole}{fraction}").parse().ok()?;
    let fraction_len = u32::try_from(fraction.len()).ok()?;
    let (multiplier, divisor) = suffix_factor(suffix)?;
    let numerator = digits.checked_mul(multiplier)?.checked_mul(scale)?;
    let denominator = divisor.checked_mul(10_i128.checked_pow(fraction_len)?)?;
    let signed = if negative { -numerator } else { numerator };
    let rounded_up = signed.div_euclid(denominator) + i128::from(signed.rem_euclid(denominator) != 0);
    i64::try_from(rounded_up).ok()
}

/// What a suffix multiplies and divides by.
fn suffix_factor(suffix: &str) -> Option<(i128, i128)> {
    let binary = |power: u32| Some((1_i128 << (10 * power), 1));
    let decimal = |power: u32| Some((10_i128.pow(power), 1));
    match suffix {
        "" => Some((1, 1)),
        "n" => Some((1, 1_000_000_000)),
        "u" => Some((1, 1_000_000)),
        "m" => Some((1, 1_000)),
        "k" => decimal(3),
        "M" => decimal(6),
        "G" => decimal(9),
        "T" => decimal(12),
        "P" => decimal(15),
        "E" => decimal(18),
        "Ki" => binary(1),
        "Mi" => binary(2),
        "Gi" => binary(3),
        "Ti" => binary(4),
        "Pi" => binary(5),
        "Ei" => binary(6),
        _ => {
            let exponent: i32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
            let factor = 10_i128.checked_pow(exponent.unsigned_abs())?;
            Some(if exponent >= 0 { (factor, 1) } else { (1, factor) })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{milli_units, whole_units};

    #[test]
    fn quantities_become_whole_numbers_rounded_up() {
        for (text, whole, milli) in [
            ("0", Some(0), Some(0)),
            ("1", Some(1), Some(1000)),
            ("500m", Some(1), Some(500)),
            ("1.5", Some(2), Some(1500)),
            (".5", Some(1), Some(500)),
            ("1Ki", Some(1024), Some(1_024_000)),
            ("1.5Gi", Some(1_610_612_736), Some(1_610_612_736_000)),
            ("1k", Some(1000), Some(1_000_000)),
            ("2e3", Some(2000), Some(2_000_000)),
            ("1E-3", Some(1), Some(1)),
            ("100n", Some(1), Some(1)),
            ("-500m", Some(0), Some(-500)),
            ("1E", Some(1_000_000_000_000_000_000), None),
            ("", None, None),
            ("abc", None, None),
            ("1.2.3", None, None),
            ("1Zi", None, None),
            ("99999999999999999999999999999", None, None),
        ] {
            assert_eq!((whole_units(text), milli_units(text)), (whole, milli), "{text}");
        }
    }
}
