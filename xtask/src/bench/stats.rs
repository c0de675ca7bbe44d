// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is said of several values of one measurement.

/// The middle one; of an even number the mean of the middle two; of none no number.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match (sorted.get(middle.wrapping_sub(1)), sorted.get(middle)) {
        (Some(low), Some(high)) if sorted.len().is_multiple_of(2) => f64::midpoint(*low, *high),
        (_, Some(value)) => *value,
        _ => f64::NAN,
    }
}

/// From the least to the greatest, as a share of the median; of fewer than two values nothing.
pub(crate) fn spread(values: &[f64]) -> f64 {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if values.len() < 2 { 0.0 } else { (most - least) / median(values) }
}

/// The geometric mean of positive numbers; of none no number.
pub(crate) fn geometric_mean(values: &[f64]) -> f64 {
    let count = values.iter().fold(0.0, |count, _| count + 1.0);
    (values.iter().map(|value| value.ln()).sum::<f64>() / count).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-9
    }

    #[test]
    fn the_median_is_in_the_middle() {
        assert!(near(median(&[3.0, 1.0, 2.0]), 2.0));
        assert!(near(median(&[4.0, 1.0, 2.0, 3.0]), 2.5));
        assert!(near(median(&[7.0]), 7.0));
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn the_spread_is_relative() {
        assert!(near(spread(&[90.0, 100.0, 110.0]), 0.2));
        assert!(near(spread(&[5.0]), 0.0));
        assert!(near(spread(&[]), 0.0));
    }

    #[test]
    fn ratios_are_averaged_by_their_logarithms() {
        assert!(near(geometric_mean(&[0.5, 2.0]), 1.0));
        assert!(near(geometric_mean(&[0.25]), 0.25));
        assert!(geometric_mean(&[]).is_nan());
    }
}
