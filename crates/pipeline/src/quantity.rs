//! Quantities of resources, as far as dividing one over several steps needs it.
//! Source: Kubernetes' `resource.Quantity`, Tekton's `computeresources/tasklevel`.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

const THOUSANDTHS: i128 = 1_000;

/// The share of one of `parts`, rounded down to a thousandth, or to a whole for memory and disk. Text that is not a
/// quantity stays as it is: the API server says what is wrong with it.
pub(crate) fn divided(quantity: &Quantity, resource: &str, parts: usize) -> Quantity {
    let parts = i128::try_from(parts.max(1)).unwrap_or(1);
    let Some((thousandths, binary)) = parse(&quantity.0) else {
        return quantity.clone();
    };
    let whole_only = matches!(resource, "memory" | "ephemeral-storage");
    let share =
        if whole_only { thousandths / THOUSANDTHS / parts * THOUSANDTHS } else { thousandths / parts };
    Quantity(print(share, binary))
}

/// Whether one quantity is more than another; unreadable ones are never.
pub(crate) fn exceeds(one: &Quantity, other: &Quantity) -> bool {
    matches!((parse(&one.0), parse(&other.0)), (Some((one, _)), Some((other, _))) if one > other)
}

/// The value in thousandths, and whether it is written with binary suffixes.
fn parse(text: &str) -> Option<(i128, bool)> {
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let (scale, binary) = match suffix {
        "m" => (1, false),
        "" => (THOUSANDTHS, false),
        "k" => (THOUSANDTHS * 1_000, false),
        "M" => (THOUSANDTHS * 1_000_i128.pow(2), false),
        "G" => (THOUSANDTHS * 1_000_i128.pow(3), false),
        "T" => (THOUSANDTHS * 1_000_i128.pow(4), false),
        "Ki" => (THOUSANDTHS * 1_024, true),
        "Mi" => (THOUSANDTHS * 1_024_i128.pow(2), true),
        "Gi" => (THOUSANDTHS * 1_024_i128.pow(3), true),
        "Ti" => (THOUSANDTHS * 1_024_i128.pow(4), true),
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if number.len() > 18 || (whole.is_empty() && fraction.is_empty()) {
        return None;
    }
    let digits: i128 = format!("{whole}{fraction}").parse().ok()?;
    let places = 10_i128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    Some((digits.checked_mul(scale)? / places, binary))
}

fn print(thousandths: i128, binary: bool) -> String {
    if thousandths % THOUSANDTHS != 0 {
        return format!("{thousandths}m");
    }
    let (base, suffixes) =
        if binary { (1_024, ["Ki", "Mi", "Gi", "Ti"]) } else { (1_000, ["k", "M", "G", "T"]) };
    let mut value = thousandths / THOUSANDTHS;
    let mut suffix = "";
    for larger in suffixes {
        if value == 0 || value % base != 0 {
            break;
        }
        value /= base;
        suffix = larger;
    }
    format!("{value}{suffix}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantity_is_shared_in_its_own_notation() {
        for (text, resource, parts, share) in [
            ("2", "cpu", 2, "1"),
            ("500m", "cpu", 2, "250m"),
            ("1", "cpu", 3, "333m"),
            ("2Mi", "memory", 2, "1Mi"),
            ("256Mi", "memory", 2, "128Mi"),
            ("1Gi", "memory", 3, "357913941"),
            ("1.5", "cpu", 1, "1500m"),
            ("10k", "pods", 2, "5k"),
            ("nonsense", "cpu", 2, "nonsense"),
        ] {
            assert_eq!(divided(&Quantity(text.to_owned()), resource, parts).0, share, "{text}");
        }
    }

    #[test]
    fn quantities_compare_across_notations() {
        let q = |text: &str| Quantity(text.to_owned());
        assert!(exceeds(&q("2"), &q("1500m")) && exceeds(&q("1Gi"), &q("1G")) && !exceeds(&q("x"), &q("1")));
    }
}
