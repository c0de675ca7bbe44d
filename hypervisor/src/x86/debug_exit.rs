// SPDX-License-Identifier: MIT OR Apache-2.0
//! QEMU's `isa-debug-exit` device: ends the emulator with a verdict. Absent hardware ignores the write.
#![forbid(unsafe_code)]

use super::instr;

/// The port the test harness gives the device (`-device isa-debug-exit,iobase=0xf4,iosize=4`).
pub(crate) const PORT: u16 = 0xf4;

/// Asks QEMU to exit with status `code * 2 + 1`; the device cannot report zero. Returns when there is no such device.
pub(crate) fn exit(code: u32) {
    instr::outl(PORT, code);
}
