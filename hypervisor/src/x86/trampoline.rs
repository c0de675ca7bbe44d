// SPDX-License-Identifier: MIT OR Apache-2.0
//! The start-up code of application processors and the mailbox it reads.
//!
//! `boot/trampoline.S` calls `extern "C" fn ap_entry(cpu_index: u64) -> !` on the new CPU's own stack, with the hypervisor's page
//! tables loaded, interrupts off and no usable GDT or IDT yet.
// UNSAFETY: assembly, and symbols it shares with Rust.
#![expect(unsafe_code, reason = "assembly and its symbols")]

use core::sync::atomic::{AtomicU64, Ordering};

use crate::x86::instr;
use crate::x86::percpu::CpuLocal;

#[cfg(target_os = "none")]
core::arch::global_asm!(include_str!("../boot/trampoline.S"), options(att_syntax));

// One mailbox: CPUs are started one after another. Written before the SIPI, which orders it.
#[unsafe(no_mangle)]
static AP_CR3: AtomicU64 = AtomicU64::new(0);
#[unsafe(no_mangle)]
static AP_STACK: AtomicU64 = AtomicU64::new(0);
#[unsafe(no_mangle)]
static AP_INDEX: AtomicU64 = AtomicU64::new(0);
/// Set by the new CPU once it has read the others.
#[unsafe(no_mangle)]
static AP_TAKEN: AtomicU64 = AtomicU64::new(0);

/// Fills the mailbox for the next CPU: it starts on its block's stack and on the page tables this CPU runs on.
pub(crate) fn post(local: &'static CpuLocal) {
    AP_CR3.store(instr::read_cr3(), Ordering::Relaxed);
    AP_STACK.store(local.stack_top(), Ordering::Relaxed);
    AP_INDEX.store(u64::from(local.id().raw()), Ordering::Relaxed);
    AP_TAKEN.store(0, Ordering::SeqCst);
}

/// Whether the CPU last posted for has read the mailbox and runs in the image.
pub(crate) fn is_taken() -> bool {
    AP_TAKEN.load(Ordering::Acquire) != 0
}

/// The code to copy to a page below 1 MiB; shorter than a page.
#[cfg(target_os = "none")]
pub(crate) fn code() -> &'static [u8] {
    unsafe extern "C" {
        static trampoline_start: u8;
        static trampoline_end: u8;
    }
    let (start, end) = (&raw const trampoline_start, &raw const trampoline_end);
    // SAFETY: both symbols bound one read-only section of the image.
    unsafe { core::slice::from_raw_parts(start, end.addr() - start.addr()) }
}

/// The host has no real mode to start CPUs in.
#[cfg(not(target_os = "none"))]
pub(crate) fn code() -> &'static [u8] {
    &[]
}
