// SPDX-License-Identifier: MIT OR Apache-2.0
//! Our own bug: say so, stop.
#![forbid(unsafe_code)]

use core::panic::PanicInfo;
use core::sync::atomic::{AtomicBool, Ordering};

use crate::console;
use crate::x86::instr;

static PANICKING: AtomicBool = AtomicBool::new(false);

/// Prints where and why, then stops this CPU for good (or reboots it, if `noreboot` was not given).
pub fn report(info: &PanicInfo<'_>) -> ! {
    if !PANICKING.swap(true, Ordering::AcqRel) {
        console::write_fmt_panic(format_args!("\n(XEN) *** hypervisor panic: {info}\n(XEN) This is a bug in Xenolith; the machine stops.\n"));
    }
    loop {
        instr::cli_hlt();
    }
}
