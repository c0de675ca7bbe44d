// SPDX-License-Identifier: MIT OR Apache-2.0
//! Turns a stream of text into character cells of a VGA text screen.
//!
//! Keeps its own copy of the screen, because reading video memory is slow; after [`Screen::write`] the caller copies the rows
//! that changed. Escape sequences are swallowed: the screen shows what a log would.
#![forbid(unsafe_code)]

use alloc::vec::Vec;
use core::ops::Range;

/// Light grey on black, in the upper byte of a cell.
const ATTRIBUTE: u16 = 0x0700;
const BLANK: u16 = ATTRIBUTE | b' ' as u16;
const TAB: usize = 8;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Escape {
    None,
    /// After ESC.
    Started,
    /// After ESC [, until a final byte.
    Sequence,
}

/// A text screen.
#[derive(Debug)]
pub(crate) struct Screen {
    columns: usize,
    cells: Vec<u16>,
    row: usize,
    column: usize,
    escape: Escape,
}

impl Screen {
    /// A blank screen. Allocates. A screen without cells shows nothing.
    pub(crate) fn new(columns: usize, rows: usize) -> Self {
        let rows = if columns == 0 { 0 } else { rows };
        Self { columns, cells: alloc::vec![BLANK; columns * rows], row: 0, column: 0, escape: Escape::None }
    }

    /// Number of rows.
    pub(crate) fn rows(&self) -> usize {
        self.cells.len().checked_div(self.columns).unwrap_or(0)
    }

    /// A row's cells: the character in the low byte, its colours in the high one.
    pub(crate) fn row(&self, row: usize) -> &[u16] {
        self.cells.chunks_exact(self.columns.max(1)).nth(row).unwrap_or(&[])
    }

    /// Where the next character goes: row and column.
    pub(crate) fn cursor(&self) -> (usize, usize) {
        (self.row, self.column.min(self.columns.saturating_sub(1)))
    }

    /// Shows text. Returns the rows that changed.
    pub(crate) fn write(&mut self, text: &[u8]) -> Range<usize> {
        if self.cells.is_empty() {
            return 0..0;
        }
        let mut dirty = self.row..self.row + 1;
        for byte in text {
            if self.put(*byte) {
                dirty = 0..self.rows();
            }
            dirty = dirty.start.min(self.row)..dirty.end.max(self.row + 1);
        }
        dirty
    }

    /// Shows a byte; `true` if the screen scrolled.
    fn put(&mut self, byte: u8) -> bool {
        match (self.escape, byte) {
            (Escape::None, 0x1b) => self.escape = Escape::Started,
            (Escape::Started, b'[') => self.escape = Escape::Sequence,
            (Escape::Started, _) | (Escape::Sequence, 0x40..=0x7e) => self.escape = Escape::None,
            (Escape::Sequence, _) => {}
            (Escape::None, b'\n') => return self.new_line(),
            (Escape::None, b'\r') => self.column = 0,
            (Escape::None, b'\t') => self.column = (self.column / TAB + 1).saturating_mul(TAB).min(self.columns),
            (Escape::None, 0x08) => self.column = self.column.saturating_sub(1),
            (Escape::None, 0..=0x1f) => {}
            (Escape::None, _) => return self.put_visible(byte),
        }
        false
    }

    fn put_visible(&mut self, byte: u8) -> bool {
        // A full line breaks only when more comes, so that a line of exactly the width leaves no blank line.
        let scrolled = self.column >= self.columns && self.new_line();
        if let Some(cell) = self.cells.get_mut(self.row * self.columns + self.column) {
            *cell = ATTRIBUTE | u16::from(byte);
        }
        self.column += 1;
        scrolled
    }

    /// `true` if the screen scrolled.
    fn new_line(&mut self) -> bool {
        self.column = 0;
        if self.row + 1 < self.rows() {
            self.row += 1;
            return false;
        }
        self.cells.copy_within(self.columns.., 0);
        let bottom = self.cells.len() - self.columns;
        if let Some(last) = self.cells.get_mut(bottom..) {
            last.fill(BLANK);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use proptest::prelude::*;
    use std::string::String;

    fn text(screen: &Screen, row: usize) -> String {
        screen.row(row).iter().map(|cell| char::from(*cell as u8)).collect()
    }

    #[test]
    fn lines_wrap_and_scroll() {
        let mut screen = Screen::new(8, 3);
        assert_eq!(screen.write(b"one\r\ntwo"), 0..2);
        assert_eq!((text(&screen, 0).as_str(), text(&screen, 1).as_str()), ("one     ", "two     "));
        assert_eq!(screen.cursor(), (1, 3));
        assert_eq!(screen.write(b"\x08\x08\x08TWO"), 1..2);
        assert_eq!(screen.write(b"\n12345678"), 1..3);
        assert_eq!(screen.cursor(), (2, 7));
        assert_eq!(screen.write(b"9"), 0..3);
        assert_eq!(
            (text(&screen, 0).as_str(), text(&screen, 1).as_str(), text(&screen, 2).as_str()),
            ("TWO     ", "12345678", "9       ")
        );
        assert_eq!(screen.row(0)[0], 0x0754);
        assert!(screen.row(3).is_empty());
    }

    #[test]
    fn escapes_and_tabs() {
        let mut screen = Screen::new(16, 2);
        screen.write(b"\x1b[1;31mred\x1b[0m\tx\x07\x1b=y");
        assert_eq!(text(&screen, 0), "red     xy      ");
        screen.write(b"\r\t\t\tz");
        assert_eq!(text(&screen, 1), "z               ");
    }

    proptest! {
        #[test]
        fn stays_on_screen(text in prop::collection::vec(any::<u8>(), 0..300), columns in 0usize..20, rows in 0usize..6) {
            let mut screen = Screen::new(columns, rows);
            let before = screen.cells.clone();
            let dirty = screen.write(&text);
            prop_assert!(dirty.end <= screen.rows());
            for row in (0..screen.rows()).filter(|row| !dirty.contains(row)) {
                prop_assert_eq!(screen.row(row), &before[row * columns..(row + 1) * columns]);
            }
            prop_assert!(screen.cells.is_empty() || screen.cursor().0 < rows && screen.cursor().1 < columns);
        }
    }
}
