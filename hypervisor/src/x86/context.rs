// SPDX-License-Identifier: MIT OR Apache-2.0
//! Segment bases, selectors and debug registers of the vCPU on this CPU.
// UNSAFETY: reads selectors, writes MSRs.
#![expect(unsafe_code, reason = "segment registers and MSRs")]

use core::sync::atomic::{AtomicBool, Ordering};

use crate::x86::instr;
use crate::x86::uaccess::{Segment, load_segment};

const MSR_FS_BASE: u32 = 0xc000_0100;
const MSR_GS_BASE: u32 = 0xc000_0101;
const MSR_KERNEL_GS_BASE: u32 = 0xc000_0102;
const MSR_TSC_AUX: u32 = 0xc000_0103;

static FSGSBASE: AtomicBool = AtomicBool::new(false);
static RDTSCP: AtomicBool = AtomicBool::new(false);

/// Notes what the CPU can do. Once, on the boot CPU, after CR4 is set.
pub(crate) fn init() {
    FSGSBASE.store(super::cpu::has_fsgsbase(), Ordering::Relaxed);
    RDTSCP.store(instr::cpuid(0x8000_0001, 0).edx >> 27 & 1 != 0, Ordering::Relaxed);
}

/// Sign-extended from bit 47?
#[inline]
pub(crate) fn is_canonical(address: u64) -> bool {
    ((address.cast_signed() << 16) >> 16).cast_unsigned() == address
}

/// FS base of the guest that runs.
pub(crate) fn fs_base() -> u64 {
    if FSGSBASE.load(Ordering::Relaxed) { instr::rdfsbase() } else { instr::rdmsr(MSR_FS_BASE) }
}

/// Sets the FS base; a non-canonical one is ignored.
pub(crate) fn set_fs_base(base: u64) {
    if !is_canonical(base) {
        return;
    }
    if FSGSBASE.load(Ordering::Relaxed) {
        instr::wrfsbase(base);
    } else {
        // SAFETY: canonical; the hypervisor does not address by FS.
        unsafe { instr::wrmsr(MSR_FS_BASE, base) };
    }
}

/// GS base of the guest that runs, in its present mode.
#[inline]
pub(crate) fn gs_base() -> u64 {
    if FSGSBASE.load(Ordering::Relaxed) { instr::rdgsbase() } else { instr::rdmsr(MSR_GS_BASE) }
}

/// Sets the GS base; a non-canonical one is ignored.
#[inline]
pub(crate) fn set_gs_base(base: u64) {
    if !is_canonical(base) {
        return;
    }
    if FSGSBASE.load(Ordering::Relaxed) {
        instr::wrgsbase(base);
    } else {
        // SAFETY: canonical; the hypervisor does not address by GS.
        unsafe { instr::wrmsr(MSR_GS_BASE, base) };
    }
}

/// The active GS base and the other one change places: guest kernel and user mode have one each.
#[inline(always)]
pub(crate) fn swap_gs() {
    // SAFETY: the hypervisor does not address by GS, and both bases are canonical.
    unsafe { core::arch::asm!("swapgs", options(nostack, preserves_flags)) };
}

/// GS base of the mode in which the guest that runs is not.
pub(crate) fn other_gs_base() -> u64 {
    instr::rdmsr(MSR_KERNEL_GS_BASE)
}

/// Sets [`other_gs_base`]; a non-canonical one is ignored.
pub(crate) fn set_other_gs_base(base: u64) {
    if is_canonical(base) {
        // SAFETY: canonical; only SWAPGS reads it.
        unsafe { instr::wrmsr(MSR_KERNEL_GS_BASE, base) };
    }
}

/// Sets what RDTSCP and RDPID return.
pub(crate) fn set_tsc_aux(value: u32) {
    if RDTSCP.load(Ordering::Relaxed) {
        // SAFETY: the MSR exists with RDTSCP and holds any 32-bit value.
        unsafe { instr::wrmsr(MSR_TSC_AUX, value.into()) };
    }
}

/// ds, es, fs, gs.
pub(crate) fn selectors() -> [u16; 4] {
    let (ds, es, fs, gs): (u16, u16, u16, u16);
    // SAFETY: reads registers.
    unsafe {
        core::arch::asm!("mov {0:x}, ds", "mov {1:x}, es", "mov {2:x}, fs", "mov {3:x}, gs",
            out(reg) ds, out(reg) es, out(reg) fs, out(reg) gs, options(nomem, nostack, preserves_flags));
    }
    [ds, es, fs, gs]
}

/// Loads ds, es, fs, gs; those that cannot be loaded become null, as after a return to an outer ring. Bases of FS and GS
/// must be set afterwards.
pub(crate) fn load_selectors(selectors: [u16; 4]) {
    for (segment, selector) in [Segment::Ds, Segment::Es, Segment::Fs, Segment::Gs].into_iter().zip(selectors) {
        if load_segment(segment, selector).is_err() {
            // The null selector always loads.
            let _ = load_segment(segment, 0);
        }
    }
}

/// Loads debug registers 0 to 3, 6 and 7 from their own index.
pub(crate) fn load_debug(debug: &[u64; 8]) {
    instr::write_dr0(debug[0]);
    instr::write_dr1(debug[1]);
    instr::write_dr2(debug[2]);
    instr::write_dr3(debug[3]);
    instr::write_dr6(debug[6]);
    instr::write_dr7(debug[7]);
}

/// Saves DR6, the only one that changes by itself.
pub(crate) fn save_debug(debug: &mut [u64; 8]) {
    debug[6] = instr::read_dr6();
}

/// Disarms all breakpoints.
pub(crate) fn clear_debug() {
    instr::write_dr7(0x400);
}

/// Is a selector that the guest runs on one of 64-bit code? Reads its access rights (LAR; SDM vol. 2A).
pub(crate) fn is_long_code(selector: u16) -> bool {
    let (rights, valid): (u64, u8);
    // SAFETY: reads a descriptor of the tables in use; an invalid selector clears ZF.
    unsafe {
        core::arch::asm!("lar {0:r}, {1:r}", "setz {2}", out(reg) rights, in(reg) u64::from(selector), out(reg_byte) valid,
            options(nostack));
    }
    valid != 0 && rights >> 21 & 1 != 0
}
