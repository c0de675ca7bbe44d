// SPDX-License-Identifier: MIT OR Apache-2.0
//! One wrapper per privileged instruction; nothing here decides anything.
//!
//! A wrapper is a safe function when executing the instruction at the wrong time cannot break Rust's memory model by itself
//! (port reads, flushes, counters, debug registers), and `unsafe` when it replaces something the compiled code stands on (page
//! tables, descriptor tables, control bits). Port writes are safe: a port is a device, and devices are trusted with DMA anyway.
// UNSAFETY: every function is one privileged instruction in inline assembly.
#![expect(unsafe_code, reason = "inline assembly")]

use core::arch::asm;
use core::arch::x86_64::CpuidResult;

macro_rules! port_read {
    ($name:ident, $ty:ty, $text:literal, $reg:tt) => {
        #[doc = concat!("Reads an I/O port (`", $text, "`).")]
        #[inline]
        pub(crate) fn $name(port: u16) -> $ty {
            let value: $ty;
            // SAFETY: reading a port touches no memory of ours.
            unsafe { asm!($text, out($reg) value, in("dx") port, options(nomem, nostack, preserves_flags)) };
            value
        }
    };
}

macro_rules! port_write {
    ($name:ident, $ty:ty, $text:literal, $reg:tt) => {
        #[doc = concat!("Writes an I/O port (`", $text, "`).")]
        #[inline]
        pub(crate) fn $name(port: u16, value: $ty) {
            // SAFETY: a port write commands a device; it is not an access to memory the compiler knows of. No `nomem`: a
            // device may be told to look at memory written just before.
            unsafe { asm!($text, in("dx") port, in($reg) value, options(nostack, preserves_flags)) };
        }
    };
}

port_read!(inb, u8, "in al, dx", "al");
port_read!(inw, u16, "in ax, dx", "ax");
port_read!(inl, u32, "in eax, dx", "eax");
port_write!(outb, u8, "out dx, al", "al");
port_write!(outw, u16, "out dx, ax", "ax");
port_write!(outl, u32, "out dx, eax", "eax");

/// Reads a model-specific register. The register must exist: otherwise #GP, which is a panic in hypervisor code.
#[inline]
pub(crate) fn rdmsr(index: u32) -> u64 {
    let (low, high): (u32, u32);
    // SAFETY: reading an MSR has no effect on memory.
    unsafe {
        asm!("rdmsr", in("ecx") index, out("eax") low, out("edx") high, options(nomem, nostack, preserves_flags))
    };
    u64::from(high) << 32 | u64::from(low)
}

/// Writes a model-specific register.
///
/// # Safety
/// The register exists, the value is legal for it, and the running code does not depend on the old value (entry points, EFER
/// bits and the like).
#[inline]
pub(crate) unsafe fn wrmsr(index: u32, value: u64) {
    let (low, high) = split(value);
    // SAFETY: promised by the caller.
    unsafe { asm!("wrmsr", in("ecx") index, in("eax") low, in("edx") high, options(nostack, preserves_flags)) };
}

/// Executes CPUID for a leaf and subleaf.
#[inline]
pub(crate) fn cpuid(leaf: u32, subleaf: u32) -> CpuidResult {
    core::arch::x86_64::__cpuid_count(leaf, subleaf)
}

/// Reads the time-stamp counter; may be executed early by the CPU.
#[inline]
pub(crate) fn rdtsc() -> u64 {
    // SAFETY: every 64-bit CPU has RDTSC, and it changes nothing.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// Reads the time-stamp counter after all earlier loads have finished, so that two reads are in program order.
#[inline]
pub(crate) fn rdtsc_ordered() -> u64 {
    let (low, high): (u32, u32);
    // SAFETY: a fence and a counter read; no `nomem`, so that the compiler keeps it in order with memory accesses.
    unsafe { asm!("lfence", "rdtsc", out("eax") low, out("edx") high, options(nostack, preserves_flags)) };
    u64::from(high) << 32 | u64::from(low)
}

/// Tells the CPU that this is a spin loop.
#[inline]
pub(crate) fn pause() {
    core::hint::spin_loop();
}

/// Enables interrupts, waits for one, and disables them again. The STI shadow closes the race between the two instructions.
#[inline]
pub(crate) fn sti_hlt_cli() {
    // SAFETY: handlers run on their own saved state and return here; memory may change meanwhile, hence no `nomem`.
    unsafe { asm!("sti", "hlt", "cli", options(nostack)) };
}

/// Stops this CPU until an NMI, with interrupts off; for the end of the world.
#[inline]
pub(crate) fn cli_hlt() {
    // SAFETY: disabling interrupts and halting touch no memory.
    unsafe { asm!("cli", "hlt", options(nomem, nostack)) };
}

/// Writes back and empties all caches (`wbinvd`).
#[inline]
pub(crate) fn wbinvd() {
    // SAFETY: changes where data is, never what it is.
    unsafe { asm!("wbinvd", options(nostack, preserves_flags)) };
}

/// Writes back and drops the cache line of a word (`clflush`).
#[inline]
pub(crate) fn clflush(word: &core::sync::atomic::AtomicU64) {
    // SAFETY: the address is mapped, being that of a reference; this changes where data is, never what it is.
    unsafe { asm!("clflush [{}]", in(reg) word, options(nostack, preserves_flags)) };
}

/// Drops the TLB entries of one linear address, global ones too.
#[inline]
pub(crate) fn invlpg(address: u64) {
    // SAFETY: a flush only makes the CPU read the page tables again.
    unsafe { asm!("invlpg [{}]", in(reg) address, options(nostack, preserves_flags)) };
}

macro_rules! control_register {
    ($read:ident, $write:ident, $reg:tt) => {
        #[doc = concat!("Reads ", $reg, ".")]
        #[inline]
        pub(crate) fn $read() -> u64 {
            let value: u64;
            // SAFETY: a register read. No `nomem`: it must not move across a write to the same register.
            unsafe { asm!(concat!("mov {}, ", $reg), out(reg) value, options(nostack, preserves_flags)) };
            value
        }

        #[doc = concat!("Writes ", $reg, ".")]
        ///
        /// # Safety
        /// The value is legal, and every mapping and mode the running code relies on stays in force.
        #[inline]
        pub(crate) unsafe fn $write(value: u64) {
            // SAFETY: promised by the caller.
            unsafe { asm!(concat!("mov ", $reg, ", {}"), in(reg) value, options(nostack, preserves_flags)) };
        }
    };
}

control_register!(read_cr0, write_cr0, "cr0");
control_register!(read_cr3, write_cr3, "cr3");
control_register!(read_cr4, write_cr4, "cr4");

/// Reads CR2, the address of the last page fault.
#[inline]
pub(crate) fn read_cr2() -> u64 {
    let value: u64;
    // SAFETY: a register read.
    unsafe { asm!("mov {}, cr2", out(reg) value, options(nostack, preserves_flags)) };
    value
}

/// Writes an extended control register.
///
/// # Safety
/// CR4.OSXSAVE is on, the bits are supported, and save areas are large enough for the components switched on.
#[inline]
pub(crate) unsafe fn xsetbv(index: u32, value: u64) {
    let (low, high) = split(value);
    // SAFETY: promised by the caller.
    unsafe { asm!("xsetbv", in("ecx") index, in("eax") low, in("edx") high, options(nostack, preserves_flags)) };
}

macro_rules! segment_base {
    ($read:ident, $write:ident, $read_text:literal, $write_text:literal) => {
        #[doc = concat!("`", $read_text, "`; CR4.FSGSBASE must be on.")]
        #[inline]
        pub(crate) fn $read() -> u64 {
            let value: u64;
            // SAFETY: a register read.
            unsafe { asm!(concat!($read_text, " {}"), out(reg) value, options(nomem, nostack, preserves_flags)) };
            value
        }

        #[doc = concat!("`", $write_text, "`; CR4.FSGSBASE must be on and the address canonical (else #GP).")]
        /// The hypervisor itself addresses nothing by this segment, so any base is harmless to it.
        #[inline]
        pub(crate) fn $write(base: u64) {
            // SAFETY: no compiled code uses FS or GS.
            unsafe { asm!(concat!($write_text, " {}"), in(reg) base, options(nostack, preserves_flags)) };
        }
    };
}

segment_base!(rdfsbase, wrfsbase, "rdfsbase", "wrfsbase");
segment_base!(rdgsbase, wrgsbase, "rdgsbase", "wrgsbase");

/// The operand of LGDT and LIDT.
#[derive(Clone, Copy, Debug)]
#[repr(C, packed(2))]
pub(crate) struct TablePointer {
    /// Size in bytes minus one.
    pub(crate) limit: u16,
    /// Linear address of the first descriptor.
    pub(crate) base: u64,
}

/// Loads the GDT register.
///
/// # Safety
/// The table is mapped, stays so, and holds the descriptors of all loaded selectors.
#[inline]
pub(crate) unsafe fn lgdt(pointer: &TablePointer) {
    // SAFETY: promised by the caller.
    unsafe { asm!("lgdt [{}]", in(reg) pointer, options(nostack, preserves_flags)) };
}

/// Loads the IDT register.
///
/// # Safety
/// The table is mapped, stays so, and its gates lead to entry code.
#[inline]
pub(crate) unsafe fn lidt(pointer: &TablePointer) {
    // SAFETY: promised by the caller.
    unsafe { asm!("lidt [{}]", in(reg) pointer, options(nostack, preserves_flags)) };
}

/// Loads the task register.
///
/// # Safety
/// The selector names an available 64-bit TSS in the current GDT that outlives its use.
#[inline]
pub(crate) unsafe fn ltr(selector: u16) {
    // SAFETY: promised by the caller.
    unsafe { asm!("ltr {:x}", in(reg) selector, options(nostack, preserves_flags)) };
}

/// Loads the LDT register.
///
/// # Safety
/// The selector is null or names an LDT descriptor in the current GDT.
#[inline]
pub(crate) unsafe fn lldt(selector: u16) {
    // SAFETY: promised by the caller.
    unsafe { asm!("lldt {:x}", in(reg) selector, options(nostack, preserves_flags)) };
}

macro_rules! read_debug_register {
    ($read:ident, $reg:tt) => {
        #[doc = concat!("Reads ", $reg, ".")]
        #[inline]
        pub(crate) fn $read() -> u64 {
            let value: u64;
            // SAFETY: a register read.
            unsafe { asm!(concat!("mov {}, ", $reg), out(reg) value, options(nostack, preserves_flags)) };
            value
        }
    };
}

macro_rules! write_debug_register {
    ($write:ident, $reg:tt) => {
        #[doc = concat!("Writes ", $reg, "; a breakpoint it arms is taken as #DB.")]
        #[inline]
        pub(crate) fn $write(value: u64) {
            // SAFETY: at worst a #DB, which has a handler.
            unsafe { asm!(concat!("mov ", $reg, ", {}"), in(reg) value, options(nostack, preserves_flags)) };
        }
    };
}

read_debug_register!(read_dr6, "dr6");
read_debug_register!(read_dr7, "dr7");
write_debug_register!(write_dr0, "dr0");
write_debug_register!(write_dr1, "dr1");
write_debug_register!(write_dr2, "dr2");
write_debug_register!(write_dr3, "dr3");
write_debug_register!(write_dr6, "dr6");
write_debug_register!(write_dr7, "dr7");

/// The value as (low, high) halves, as MSR-style instructions want it.
fn split(value: u64) -> (u32, u32) {
    #[expect(clippy::cast_possible_truncation, reason = "the two halves are what is wanted")]
    (value as u32, (value >> 32) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counter_advances() {
        let first = rdtsc_ordered();
        pause();
        assert!(rdtsc_ordered() > first);
    }

    #[test]
    fn cpuid_names_a_vendor() {
        assert!(cpuid(0, 0).eax >= 1);
    }

    #[test]
    fn split_halves() {
        assert_eq!(split(0x1234_5678_9abc_def0), (0x9abc_def0, 0x1234_5678));
    }
}
