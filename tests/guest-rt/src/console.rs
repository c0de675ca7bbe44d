// SPDX-License-Identifier: MIT OR Apache-2.0
//! The console of the initial domain: `CONSOLEIO_write`.
#![forbid(unsafe_code)]

use core::fmt::{self, Write};

use crate::{abi, hypercall};

/// A line under construction: one hypercall per line keeps lines whole among the hypervisor's own.
struct Line {
    bytes: [u8; 256],
    used: usize,
}

impl Line {
    fn flush(&mut self) {
        if self.used > 0 {
            write_bytes(&self.bytes[..self.used]);
            self.used = 0;
        }
    }
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            if self.used == self.bytes.len() {
                self.flush();
            }
            self.bytes[self.used] = byte;
            self.used += 1;
        }
        Ok(())
    }
}

/// Writes formatted text.
pub fn print(text: fmt::Arguments<'_>) {
    let mut line = Line { bytes: [0; 256], used: 0 };
    // Line never fails, and there is nowhere to report a formatting error to.
    if line.write_fmt(text).is_err() {
        line.used = 0;
    }
    line.flush();
}

/// Writes bytes; returns what the hypercall returned.
pub fn write_bytes(bytes: &[u8]) -> i64 {
    hypercall::call(abi::HC_CONSOLE_IO, [abi::CONSOLEIO_WRITE, bytes.len() as u64, bytes.as_ptr() as u64, 0, 0])
}
