// SPDX-License-Identifier: MIT OR Apache-2.0
//! What every CPU sets once: control registers, system call entries, page attributes.
// UNSAFETY: writes control registers and MSRs.
#![expect(unsafe_code, reason = "control registers and MSRs")]

use crate::x86::gdt::{FLAT_RING3_CS32, HYPERVISOR_CS};
use crate::x86::percpu::CpuLocal;
use crate::x86::{entry, fpu, gdt, idt, instr};

const MSR_SYSENTER_CS: u32 = 0x174;
const MSR_SYSENTER_ESP: u32 = 0x175;
const MSR_SYSENTER_EIP: u32 = 0x176;
const MSR_PAT: u32 = 0x277;
const MSR_EFER: u32 = 0xc000_0080;
const MSR_STAR: u32 = 0xc000_0081;
const MSR_LSTAR: u32 = 0xc000_0082;
const MSR_CSTAR: u32 = 0xc000_0083;
const MSR_SFMASK: u32 = 0xc000_0084;

/// WB WT UC- UC WC WP UC UC: fixed by the ABI, because guests choose attributes by PTE bits alone.
pub(crate) const PAT: u64 = 0x0000_0501_0007_0406;

/// Flags that are clear when a system call enters: TF, IF, DF, IOPL, NT, RF, VM, AC.
const SYSCALL_MASK: u64 = 0x0007_7700;

const CR4_MCE: u64 = 1 << 6;
const CR4_FSGSBASE: u64 = 1 << 16;
const CR4_UMIP: u64 = 1 << 11;
const CR4_PGE: u64 = 1 << 7;
const CR4_PCIDE: u64 = 1 << 17;
const CR4_SMEP: u64 = 1 << 20;
const CR4_SMAP: u64 = 1 << 21;
const CR4_PKE: u64 = 1 << 22;
const CR4_CET: u64 = 1 << 23;
/// CR4 bits that a guest may have set for itself: TSD, DE. FSGSBASE is always on.
pub(crate) const CR4_GUEST: u64 = 0xc;

/// Does the CPU have rd/wr fs/gs base?
pub(crate) fn has_fsgsbase() -> bool {
    instr::cpuid(7, 0).ebx & 1 != 0
}

/// Is it an Intel CPU? SYSENTER works in long mode there, SYSCALL from 32-bit code does not.
pub(crate) fn is_intel() -> bool {
    instr::cpuid(0, 0).ebx == 0x756e_6547
}

/// Loads tables and sets registers of this CPU, whose descriptor window is mapped.
pub(crate) fn init(local: &CpuLocal) {
    let cpu = local.id();
    gdt::load(cpu);
    idt::load();
    // SAFETY: architectural MSRs and bits that CPUID reports; entry points are the assembly stubs of this CPU.
    unsafe {
        instr::wrmsr(MSR_EFER, instr::rdmsr(MSR_EFER) | 1);
        // SYSRET adds 16 for 64-bit code and 8 for the stack; SYSCALL takes ring 0's code and the next for the stack.
        instr::wrmsr(MSR_STAR, u64::from(FLAT_RING3_CS32) << 48 | u64::from(HYPERVISOR_CS) << 32);
        instr::wrmsr(MSR_LSTAR, entry::syscall(cpu));
        instr::wrmsr(MSR_CSTAR, entry::cstar(cpu));
        instr::wrmsr(MSR_SFMASK, SYSCALL_MASK);
        instr::wrmsr(MSR_SYSENTER_CS, u64::from(HYPERVISOR_CS));
        instr::wrmsr(MSR_SYSENTER_ESP, entry::syscall_slot(cpu));
        instr::wrmsr(MSR_SYSENTER_EIP, entry::sysenter());
        instr::wrmsr(MSR_PAT, PAT);
        // Guests' pages are all user pages, so SMAP and SMEP would refuse our own accesses; UMIP, PKE and CET are not
        // offered to guests; PGE and PCID are off so that CR3 loads flush everything.
        let off = CR4_UMIP | CR4_PGE | CR4_PCIDE | CR4_SMEP | CR4_SMAP | CR4_PKE | CR4_CET;
        let fsgsbase = if has_fsgsbase() { CR4_FSGSBASE } else { 0 };
        instr::write_cr4(instr::read_cr4() & !off | CR4_MCE | fsgsbase);
    }
    fpu::init_cpu();
    local.set_entry_stack(local.stack_top());
}

/// CR4 for a guest with these own bits.
pub(crate) fn set_guest_cr4(bits: u64) {
    let now = instr::read_cr4();
    let new = now & !CR4_GUEST | bits & CR4_GUEST;
    if new != now {
        // SAFETY: changes only TSD and DE.
        unsafe { instr::write_cr4(new) };
    }
}

/// Sets or clears CR0.TS for a guest.
pub(crate) fn set_task_switched(on: bool) {
    const TS: u64 = 8;
    let now = instr::read_cr0();
    let new = if on { now | TS } else { now & !TS };
    if new != now {
        // SAFETY: the hypervisor uses no FPU instructions but XSAVE and friends, which run with TS clear.
        unsafe { instr::write_cr0(new) };
    }
}
