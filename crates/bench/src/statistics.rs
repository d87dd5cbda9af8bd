//! Percentiles of measured durations.

use std::time::Duration;

/// Milliseconds at a percentile (0 to 100) of the samples, with two decimals.
pub(crate) fn percentile_ms(samples: &mut [Duration], percentile: usize) -> f64 {
    samples.sort_unstable();
    let index = (samples.len().saturating_sub(1)) * percentile / 100;
    let milliseconds = samples.get(index).map_or(0.0, |sample| sample.as_secs_f64() * 1e3);
    rounded(milliseconds)
}

/// Two decimals are more than these figures are worth.
pub(crate) fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}
