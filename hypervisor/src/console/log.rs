// SPDX-License-Identifier: MIT OR Apache-2.0
//! The `log` crate's backend: lines with the prefix that Xen's users know.
#![forbid(unsafe_code)]

use log::{LevelFilter, Log, Metadata, Record};

struct ConsoleLog;

impl Log for ConsoleLog {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            super::write_fmt(format_args!("(XEN) {}\n", record.args()));
        }
    }

    fn flush(&self) {}
}

static LOG: ConsoleLog = ConsoleLog;

/// Sends the `log` macros here.
pub(crate) fn init(level: LevelFilter) {
    // Fails only if called twice, which changes nothing.
    let _ = log::set_logger(&LOG);
    log::set_max_level(level);
}
