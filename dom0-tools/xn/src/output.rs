// SPDX-License-Identifier: MIT OR Apache-2.0
//! What commands print: a table for people or JSON for programs, and nothing at all into a closed pipe.

use crate::error::{Class, Failure};
use serde::Serialize;
use std::fmt;
use std::io::{self, Write};

/// How a command prints: columns or lines for people, or one JSON document (README.md has the schemas).
// The variants have no doc comments, as clap would make a paragraph of help from each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    #[default]
    Table,
    Json,
}

/// The option that every printing command has.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub(crate) struct OutputArgs {
    /// How to print
    #[arg(short = 'o', long = "output", value_enum, value_name = "FORMAT", default_value_t = Format::Table)]
    pub(crate) output: Format,
}

impl OutputArgs {
    /// Prints `value` as JSON, or the text that `table` makes.
    pub(crate) fn print<T: Serialize>(self, value: &T, table: impl FnOnce(&T) -> String) -> Result<(), Failure> {
        match self.output {
            Format::Table => text(&table(value)),
            Format::Json => json(value),
        }
    }

    /// Whether JSON is wanted.
    pub(crate) fn is_json(self) -> bool {
        self.output == Format::Json
    }
}

/// Says something on standard error. Where nobody can read it, nobody need be told: `eprintln!` would end the program.
pub(crate) fn note(what: impl fmt::Display) {
    let _ = writeln!(io::stderr(), "xn: {what}");
}

/// Prints text as it is.
pub(crate) fn text(text: &str) -> Result<(), Failure> {
    bytes(text.as_bytes())
}

/// Prints bytes as they are: the console ring and store values need not be UTF-8.
pub(crate) fn bytes(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).map_err(refused)
}

/// Prints one JSON document and a newline.
pub(crate) fn json<T: Serialize>(value: &T) -> Result<(), Failure> {
    let document = serde_json::to_string_pretty(value).map_err(|why| Failure::new(Class::Failed, why).at("JSON"))?;
    text(&format!("{document}\n"))
}

/// Prints one JSON document on one line: for streams of them.
pub(crate) fn json_line<T: Serialize>(value: &T) -> Result<(), Failure> {
    let document = serde_json::to_string(value).map_err(|why| Failure::new(Class::Failed, why).at("JSON"))?;
    text(&format!("{document}\n"))
}

fn refused(why: io::Error) -> Failure {
    let class = if why.kind() == io::ErrorKind::BrokenPipe { Class::BrokenPipe } else { Class::Failed };
    Failure::new(class, why).at("standard output")
}

/// Where a column's text stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    /// Filled at its right.
    Left,
    /// Filled at its left: numbers.
    Right,
}

/// Columns with a least width each, one space apart; they widen for what is longer.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    columns: Vec<(String, usize, Align)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table of these columns: title, least width, side.
    pub(crate) fn new(columns: &[(&str, usize, Align)]) -> Self {
        let columns = columns.iter().map(|(title, width, align)| ((*title).to_owned(), *width, *align)).collect();
        Self { columns, rows: Vec::new() }
    }

    /// Adds a row, one text for each column.
    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.into());
    }

    /// The same for a row of which the number of cells is only known at run time.
    pub(crate) fn push(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// The text, head line first.
    pub(crate) fn render(&self) -> String {
        let titles: Vec<String> = self.columns.iter().map(|(title, _, _)| title.clone()).collect();
        let lines: Vec<&Vec<String>> = std::iter::once(&titles).chain(&self.rows).collect();
        let width = |at: usize| lines.iter().filter_map(|cells| Some(cells.get(at)?.chars().count())).max();
        let widths: Vec<usize> = (0..titles.len()).map(|at| width(at).unwrap_or_default()).collect();
        let mut text = String::new();
        for line in &lines {
            let mut row = String::new();
            for (at, ((_, least, align), widest)) in self.columns.iter().zip(&widths).enumerate() {
                let width = *widest.max(least);
                let cell = line.get(at).map_or("", String::as_str);
                let cell = match align {
                    Align::Left => format!("{cell:<width$} "),
                    Align::Right => format!("{cell:>width$} "),
                };
                row.push_str(&cell);
            }
            text.push_str(row.trim_end());
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let mut table = Table::new(&[("Name", 6, Align::Left), ("ID", 3, Align::Right)]);
        table.row(["a".into(), "1".into()]);
        table.row(["longer-name".into(), "65535".into()]);
        assert_eq!(table.render(), "Name           ID\na               1\nlonger-name 65535\n");
    }

    #[test]
    fn a_short_row_is_filled() {
        let mut table = Table::new(&[("A", 2, Align::Left), ("B", 2, Align::Left)]);
        table.push(vec!["x".into()]);
        assert_eq!(table.render(), "A  B\nx\n");
    }
}
