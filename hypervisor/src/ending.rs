// SPDX-License-Identifier: MIT OR Apache-2.0
//! The end after a failure, be it at boot, of dom0 or our own: halt for good with `noreboot`, else restart after a time in
//! which somebody may read the console.
#![forbid(unsafe_code)]

use core::fmt;
use core::sync::atomic::{AtomicBool, Ordering};

use crate::console;
use crate::time::system::now_ns;
use crate::x86::power::{self, ResetRegister};
use crate::x86::{apic, instr, percpu, pit};

/// Time to read what was printed.
const DELAY_SECONDS: u64 = 5;
/// The longest count of the PIT, and how often that is to be waited for without a clock.
const PIT_COUNT: u16 = u16::MAX;
const PIT_ROUNDS: u64 = DELAY_SECONDS * pit::HZ / PIT_COUNT as u64;

static NOREBOOT: AtomicBool = AtomicBool::new(false);
static RESET: spin::Once<ResetRegister> = spin::Once::new();
static STOPPING: AtomicBool = AtomicBool::new(false);

/// Sets whether a failure halts the machine instead of restarting it (`noreboot`).
pub(crate) fn set_noreboot(noreboot: bool) {
    NOREBOOT.store(noreboot, Ordering::Relaxed);
}

/// Sets what ACPI says resets the machine. Once.
pub(crate) fn set_reset_register(register: ResetRegister) {
    RESET.call_once(|| register);
}

/// Restarts the machine now.
pub(crate) fn restart() -> ! {
    stop_other_cpus();
    power::reset(RESET.get().copied())
}

/// Stops this CPU and all others for good.
pub(crate) fn halt() -> ! {
    stop_other_cpus();
    loop {
        instr::cli_hlt();
    }
}

/// Says how it ends, then ends it: `what` is a word or two about what failed.
pub(crate) fn after_failure(what: fmt::Arguments<'_>) -> ! {
    stop_other_cpus();
    if NOREBOOT.load(Ordering::Relaxed) {
        console::write_fmt_panic(format_args!("(XEN) {what}: the machine is halted, as \"noreboot\" asks for\n"));
        halt();
    }
    console::write_fmt_panic(format_args!("(XEN) {what}: the machine restarts in {DELAY_SECONDS} seconds\n"));
    wait();
    power::reset(RESET.get().copied())
}

/// Is the machine being stopped, so that a CPU that gets an NMI shall halt?
pub(crate) fn is_stopping() -> bool {
    STOPPING.load(Ordering::Acquire)
}

/// The other CPUs halt at once, whatever they hold: only [`console::write_fmt_panic`] may be used to print from now on.
fn stop_other_cpus() {
    if !STOPPING.swap(true, Ordering::AcqRel) && percpu::all().nth(1).is_some() {
        apic::send_nmi_all_but_self();
    }
}

fn wait() {
    let start = now_ns();
    if start != 0 {
        while now_ns().saturating_sub(start) < DELAY_SECONDS * 1_000_000_000 {
            instr::pause();
        }
        return;
    }
    // No clock yet. Without a PIT either the rounds are over at once, which serves nobody worse than a hang.
    for _ in 0..PIT_ROUNDS {
        if pit::measure_tsc(PIT_COUNT, 1_000_000).is_none() {
            return;
        }
    }
}
