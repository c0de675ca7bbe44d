// SPDX-License-Identifier: MIT OR Apache-2.0
//! Rows as a table for people.

use super::row::{Exception, Limit, Row};
use super::stats;
use std::fmt::Write;

/// A table of `rows` of one group, ours beside `peer`, with a line of sums.
pub(crate) fn table(rows: &[Row], peer: &str) -> String {
    let width = rows.iter().map(|row| row.name.len()).max().unwrap_or(0).max(3);
    let mut text = String::new();
    // Writing to a string cannot fail.
    let mut line = |words: std::fmt::Arguments<'_>| {
        let _ = writeln!(text, "{words}");
    };
    line(format_args!(
        "{:width$}  {:>13}  {:>11}  {:>11}  {:>6}  {:>8}  {:>7}",
        "row", "unit", "xenolith", peer, "ratio", "at most", "spread"
    ));
    for row in rows {
        let most = match row.limit {
            None => "-".into(),
            Some(Limit::Ratio(most)) => format!("{most:.2}"),
            Some(Limit::Value(most)) => format!("{} {}", number(most), row.unit),
        };
        let mark = match row.is_over() {
            _ if row.is_wrong() => "  OVER",
            true => "  over (see below)",
            false => "",
        };
        line(format_args!(
            "{:width$}  {:>13}  {:>11}  {:>11}  {:>6.3}  {most:>8}  {:>6.1}%{mark}",
            row.name,
            row.unit,
            number(row.our_median()),
            number(row.peer_median()),
            row.ratio(),
            row.spread() * 100.0,
        ));
    }
    for row in rows.iter().filter(|row| row.is_over()) {
        if let Some(Exception { at_most, why, .. }) = row.exception {
            line(format_args!("{}: up to {at_most}: {why}", row.name));
        }
    }
    let ratios: Vec<f64> = rows.iter().map(Row::ratio).filter(|ratio| ratio.is_finite()).collect();
    let over = rows.iter().filter(|row| row.is_over()).count();
    line(format_args!(
        "{} rows, geometric mean of ratios {:.3}, {over} over what is allowed",
        rows.len(),
        stats::geometric_mean(&ratios)
    ));
    text
}

/// About four digits.
pub(crate) fn number(value: f64) -> String {
    match value.abs() {
        _ if value.is_nan() => "-".into(),
        size if size >= 100.0 && value.fract() == 0.0 => format!("{value:.0}"),
        size if size >= 1000.0 => format!("{value:.0}"),
        size if size >= 100.0 => format!("{value:.1}"),
        size if size >= 10.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, ours: f64, excused: bool) -> Row {
        Row {
            group: "g",
            name: name.into(),
            unit: "us".into(),
            ours: vec![ours],
            peer: vec![100.0],
            limit: Some(Limit::Ratio(0.5)),
            exception: excused.then_some(Exception { row: "", at_most: 0.8, why: "physics" }),
        }
    }

    #[test]
    fn rows_over_their_limit_are_marked() {
        let text = table(&[row("a", 40.0, false), row("b", 60.0, false), row("c", 70.0, true)], "xen");
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[1].ends_with("0.0%"), "{text}");
        assert!(lines[2].ends_with("OVER"), "{text}");
        assert!(lines[3].ends_with("(see below)"), "{text}");
        assert_eq!(lines[4], "c: up to 0.8: physics");
        assert!(lines[5].ends_with("2 over what is allowed"), "{text}");
    }

    #[test]
    fn numbers_have_four_digits() {
        let shown: Vec<String> = [12345.6, 123.45, 123.0, 12.345, 0.5, f64::NAN].into_iter().map(number).collect();
        assert_eq!(shown, ["12346", "123.5", "123", "12.35", "0.500", "-"]);
    }
}
