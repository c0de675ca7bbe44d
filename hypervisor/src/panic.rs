// SPDX-License-Identifier: MIT OR Apache-2.0
//! Our own bug: say what and where, stop everything.
#![forbid(unsafe_code)]

use core::panic::PanicInfo;
use core::sync::atomic::{AtomicBool, Ordering};

use crate::console::write_fmt_panic;
use crate::x86::{instr, own_stack, percpu};
use crate::{config, ending};

/// Words of the stack that are printed.
const STACK_WORDS: usize = 64;
/// Words of the stack searched for return addresses, and how many of these are printed.
const SEARCHED_WORDS: usize = 1024;
const RETURN_ADDRESSES: usize = 40;

static PANICKING: AtomicBool = AtomicBool::new(false);

/// Prints where and why with this CPU's stack, stops all CPUs, and halts or restarts the machine (`noreboot`).
pub fn report(info: &PanicInfo<'_>) -> ! {
    if PANICKING.swap(true, Ordering::AcqRel) {
        // A second one, on another CPU or in the report itself: the first goes on, if it can.
        loop {
            instr::cli_hlt();
        }
    }
    let cpu = percpu::this();
    write_fmt_panic(format_args!(
        "\n(XEN) ----[ Xenolith {} (Xen 4.17{}) ]----\n",
        env!("CARGO_PKG_VERSION"),
        config::EXTRA_VERSION
    ));
    let number = cpu.id().raw();
    match info.location() {
        Some(location) => {
            write_fmt_panic(format_args!("(XEN) CPU {number}: panic at {location}: {}\n", info.message()));
        }
        None => write_fmt_panic(format_args!("(XEN) CPU {number}: panic: {}\n", info.message())),
    }
    write_fmt_panic(format_args!(
        "(XEN) cr0: {:016x}   cr2: {:016x}   cr3: {:016x}   cr4: {:016x}\n",
        instr::read_cr0(),
        instr::read_cr2(),
        instr::read_cr3(),
        instr::read_cr4()
    ));
    print_stack();
    ending::after_failure(format_args!("This is a bug in Xenolith"))
}

fn print_stack() {
    let here = own_stack::pointer();
    write_fmt_panic(format_args!("(XEN) Stack from {here:016x}:"));
    for (index, word) in own_stack::words(here).take(STACK_WORDS).enumerate() {
        let lead = if index % 4 == 0 { "\n(XEN)   " } else { "" };
        write_fmt_panic(format_args!("{lead} {word:016x}"));
    }
    write_fmt_panic(format_args!("\n(XEN) Words on it that may be return addresses:\n"));
    for word in
        own_stack::words(here).take(SEARCHED_WORDS).filter(|word| own_stack::is_code(*word)).take(RETURN_ADDRESSES)
    {
        write_fmt_panic(format_args!("(XEN)    [<{word:016x}>]\n"));
    }
}
