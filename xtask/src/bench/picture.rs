// SPDX-License-Identifier: MIT OR Apache-2.0
//! Rows as a picture: one bar each, as long as the ratio, in an SVG file.

use super::row::{Limit, Row};
use std::fmt::Write;

const ROW: usize = 22;
const LEFT: f64 = 260.0;
/// Pixels for a ratio of 1.
const UNIT: f64 = 360.0;
/// Longer bars are cut, and say so by their number.
const LONGEST: f64 = 2.0;
const WIDTH: f64 = LEFT + UNIT * LONGEST + 90.0;

/// Bars of `rows`, headed by `title`; a line marks the peer's cost, a notch what is allowed.
pub(crate) fn svg(rows: &[Row], title: &str) -> String {
    let height = ROW * (rows.len() + 3);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" font-family=\"sans-serif\" \
         font-size=\"13\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    // Writing to a string cannot fail.
    let mut line = |words: std::fmt::Arguments<'_>| {
        let _ = writeln!(text, "{words}");
    };
    line(format_args!("<text x=\"10\" y=\"20\" font-size=\"15\">{}</text>", escape(title)));
    let bottom = ROW * (rows.len() + 2);
    for tick in [0.0, 0.5, 1.0, 1.5, 2.0] {
        let x = LEFT + tick * UNIT;
        let (colour, dash) = if tick == 1.0 { ("#444", "none") } else { ("#ccc", "3 3") };
        line(format_args!(
            "<line x1=\"{x}\" x2=\"{x}\" y1=\"{ROW}\" y2=\"{bottom}\" stroke=\"{colour}\" stroke-dasharray=\"{dash}\"/>\
             <text x=\"{x}\" y=\"{}\" text-anchor=\"middle\" fill=\"#444\">{tick}</text>",
            bottom + 16
        ));
    }
    for (number, row) in rows.iter().enumerate() {
        let ratio = row.ratio();
        let top = ROW * (number + 1) + 8;
        let base = top + 13;
        let name = escape(&row.name);
        line(format_args!("<text x=\"{}\" y=\"{base}\" text-anchor=\"end\">{name}</text>", LEFT - 8.0));
        if !ratio.is_finite() {
            line(format_args!("<text x=\"{}\" y=\"{base}\" fill=\"#b00\">not measured</text>", LEFT + 8.0));
            continue;
        }
        let length = ratio.clamp(0.0, LONGEST) * UNIT;
        let colour = match (row.is_over(), row.is_wrong()) {
            (false, _) => "#3a7d44",
            (true, false) => "#d99a2b",
            (true, true) => "#b3392f",
        };
        line(format_args!(
            "<rect x=\"{LEFT}\" y=\"{top}\" width=\"{length:.1}\" height=\"16\" fill=\"{colour}\"/>\
             <text x=\"{:.1}\" y=\"{base}\">{ratio:.2}</text>",
            LEFT + length + 6.0
        ));
        if let Some(Limit::Ratio(most)) = row.limit {
            let x = LEFT + most.min(LONGEST) * UNIT;
            line(format_args!("<rect x=\"{:.1}\" y=\"{top}\" width=\"2\" height=\"16\" fill=\"black\"/>", x - 1.0));
        }
    }
    text.push_str("</svg>\n");
    text
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, ours: Vec<f64>) -> Row {
        Row {
            group: "g",
            name: name.into(),
            unit: "us".into(),
            ours,
            peer: vec![100.0],
            limit: Some(Limit::Ratio(0.5)),
            exception: None,
        }
    }

    #[test]
    fn bars_are_as_long_as_the_ratio() {
        let text = svg(&[row("a", vec![25.0]), row("b<c", vec![700.0]), row("d", vec![])], "x & y");
        assert!(text.contains("x &amp; y") && text.contains("b&lt;c"), "{text}");
        assert!(text.contains("width=\"90.0\" height=\"16\" fill=\"#3a7d44\""), "{text}");
        // Cut at twice the peer's cost, with the true number beside it.
        assert!(text.contains("width=\"720.0\" height=\"16\" fill=\"#b3392f\"") && text.contains(">7.00<"), "{text}");
        assert!(text.contains("not measured"), "{text}");
    }
}
