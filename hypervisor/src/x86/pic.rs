// SPDX-License-Identifier: MIT OR Apache-2.0
//! The two 8259 interrupt controllers: remapped out of the exception range and masked for good.
#![forbid(unsafe_code)]

use super::instr::outb;

const MASTER: u16 = 0x20;
const SLAVE: u16 = 0xa0;

/// Vectors a stray 8259 interrupt would use, master then slave: 16 from here, which nothing else may own.
pub(crate) const SPURIOUS_BASE: u8 = 0xe0;

/// Initialises both chips and masks every line. A line that floats can still raise the spurious vectors 7 and 15 above the base.
pub(crate) fn mask_all() {
    outb(MASTER + 1, 0xff);
    outb(SLAVE + 1, 0xff);
    // ICW1: edge, cascade, ICW4 follows; ICW2: vector base; ICW3: slave on line 2; ICW4: 8086 mode.
    for (port, base, wiring) in [(MASTER, SPURIOUS_BASE, 4), (SLAVE, SPURIOUS_BASE + 8, 2)] {
        outb(port, 0x11);
        outb(port + 1, base);
        outb(port + 1, wiring);
        outb(port + 1, 0x01);
        outb(port + 1, 0xff);
    }
}
