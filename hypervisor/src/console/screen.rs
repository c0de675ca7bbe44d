// SPDX-License-Identifier: MIT OR Apache-2.0
//! The VGA text screen: copies what [`Screen`] shows into video memory.
#![forbid(unsafe_code)]

use alloc::vec::Vec;
use core::sync::atomic::{AtomicU16, Ordering};

use hypercalls::frame::Mfn;

use crate::console::vga_text::Screen;
use crate::mm::map;

/// Cells in a page.
const PAGE_CELLS: u64 = 2048;
/// Video memory in text mode lies below this machine address, hence always in the direct map.
const LOW_MEMORY: u64 = 1 << 20;

/// A text screen in video memory.
#[derive(Debug)]
pub(crate) struct VgaScreen {
    screen: Screen,
    /// What video memory holds: it is slow, so cells that stay the same are not written.
    shown: Vec<u16>,
    columns: usize,
    /// Machine address of the first cell.
    address: u64,
}

fn cell(address: u64, index: usize) -> Option<&'static AtomicU16> {
    let number = address / 2 + index as u64;
    map::words16(Mfn::new(number / PAGE_CELLS)).get((number % PAGE_CELLS) as usize)
}

impl VgaScreen {
    /// Takes a screen of character cells at a machine address and clears it; `None` if no video memory answers there.
    /// Allocates.
    pub(crate) fn open(address: u64, columns: usize, rows: usize) -> Option<Self> {
        let cells = columns.checked_mul(rows)?;
        let end = address.checked_add(cells as u64 * 2)?;
        if cells == 0 || !address.is_multiple_of(2) || end > LOW_MEMORY {
            return None;
        }
        let first = cell(address, 0)?;
        let before = first.load(Ordering::Relaxed);
        first.store(!before, Ordering::Relaxed);
        if first.load(Ordering::Relaxed) != !before {
            return None;
        }
        let screen = Screen::new(columns, rows);
        // Unlike any blank, so that the first pass writes every cell.
        let mut this = Self { screen, shown: alloc::vec![u16::MAX; cells], columns, address };
        this.draw(0, rows);
        Some(this)
    }

    /// Shows text.
    pub(crate) fn write(&mut self, text: &[u8]) {
        let rows = self.screen.write(text);
        self.draw(rows.start, rows.end);
    }

    /// Where the next character goes: row and column.
    pub(crate) fn cursor(&self) -> (usize, usize) {
        self.screen.cursor()
    }

    fn draw(&mut self, start: usize, end: usize) {
        for row in start..end {
            let base = row * self.columns;
            for (index, wanted) in (base..).zip(self.screen.row(row)) {
                let Some(shown) = self.shown.get_mut(index).filter(|shown| **shown != *wanted) else { continue };
                *shown = *wanted;
                if let Some(cell) = cell(self.address, index) {
                    cell.store(*wanted, Ordering::Relaxed);
                }
            }
        }
    }
}
