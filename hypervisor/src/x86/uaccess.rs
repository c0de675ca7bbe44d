// SPDX-License-Identifier: MIT OR Apache-2.0
//! Instructions that may fault on guest input, with a table of where to go on (`uaccess.S`): copies to and from guest
//! addresses, MSR reads, segment loads, FPU restores.
// UNSAFETY: calls assembly; touches guest addresses.
#![expect(unsafe_code, reason = "accesses that may fault")]

#[cfg(target_os = "none")]
mod assembly {
    core::arch::global_asm!(include_str!("uaccess.S"), options(att_syntax));
    unsafe extern "C" {
        pub(super) safe static fixup_table_start: [[u64; 2]; 0];
        pub(super) safe static fixup_table_end: [[u64; 2]; 0];
        pub(super) fn uaccess_copy(dst: *mut u8, src: *const u8, len: usize) -> u32;
        pub(super) fn try_rdmsr(index: u32, value: *mut u64) -> u32;
        pub(super) fn try_load_segment(selector: u32, register: u32) -> u32;
        pub(super) fn try_restore_fpu(area: *const u8, mask: u64) -> u32;
    }
}

/// Host builds have no guests: every access fails.
#[cfg(not(target_os = "none"))]
mod assembly {
    #[expect(non_upper_case_globals, reason = "named like the assembly symbols they stand for")]
    pub(super) static fixup_table_start: [[u64; 2]; 0] = [];
    #[expect(non_upper_case_globals, reason = "named like the assembly symbols they stand for")]
    pub(super) static fixup_table_end: [[u64; 2]; 0] = [];
    /// # Safety
    /// Nothing is asked: it touches nothing. Unsafe as its twin in assembly is.
    pub(super) unsafe fn uaccess_copy(_: *mut u8, _: *const u8, _: usize) -> u32 {
        1
    }
    /// # Safety
    /// Nothing is asked: it touches nothing. Unsafe as its twin in assembly is.
    pub(super) unsafe fn try_rdmsr(_: u32, _: *mut u64) -> u32 {
        1
    }
    /// # Safety
    /// Nothing is asked: it touches nothing. Unsafe as its twin in assembly is.
    pub(super) unsafe fn try_load_segment(_: u32, _: u32) -> u32 {
        1
    }
    /// # Safety
    /// Nothing is asked: it touches nothing. Unsafe as its twin in assembly is.
    pub(super) unsafe fn try_restore_fpu(_: *const u8, _: u64) -> u32 {
        1
    }
}

/// The access faulted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Faulted;

fn outcome(code: u32) -> Result<(), Faulted> {
    if code == 0 { Ok(()) } else { Err(Faulted) }
}

/// Is `address .. address + len` outside the hypervisor's part of the address space and canonical?
#[inline]
pub(crate) fn is_guest_range(address: u64, len: usize) -> bool {
    let Some(end) = address.checked_add(len as u64) else { return false };
    end <= 1 << 47 || address >= crate::mm::layout::HYPERVISOR_END
}

/// Copies from guest memory, through the page tables that are loaded.
#[inline]
pub(crate) fn copy_from_guest(dst: &mut [u8], address: u64) -> Result<(), Faulted> {
    if !is_guest_range(address, dst.len()) {
        return Err(Faulted);
    }
    // SAFETY: the source lies in guest space (a fault is caught), the destination is ours.
    outcome(unsafe { assembly::uaccess_copy(dst.as_mut_ptr(), address as *const u8, dst.len()) })
}

/// Copies to guest memory, through the page tables that are loaded; CR0.WP makes read-only pages fault.
#[inline]
pub(crate) fn copy_to_guest(address: u64, src: &[u8]) -> Result<(), Faulted> {
    if !is_guest_range(address, src.len()) {
        return Err(Faulted);
    }
    // SAFETY: the destination lies in guest space (a fault is caught), the source is ours.
    outcome(unsafe { assembly::uaccess_copy(address as *mut u8, src.as_ptr(), src.len()) })
}

/// Reads an MSR that may not exist.
pub(crate) fn read_msr(index: u32) -> Result<u64, Faulted> {
    let mut value = 0;
    // SAFETY: reading an MSR has no side effect that matters; #GP is caught.
    outcome(unsafe { assembly::try_rdmsr(index, &mut value) })?;
    Ok(value)
}

/// Data segment registers, as [`load_segment`] numbers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Segment {
    /// DS.
    Ds = 0,
    /// ES.
    Es = 1,
    /// FS.
    Fs = 2,
    /// GS.
    Gs = 3,
}

/// Loads a selector of the guest; loading FS or GS also loads its base from the descriptor.
pub(crate) fn load_segment(segment: Segment, selector: u16) -> Result<(), Faulted> {
    // SAFETY: the hypervisor uses no data segment; #GP, #NP and #SS are caught.
    outcome(unsafe { assembly::try_load_segment(selector.into(), segment as u32) })
}

/// Restores FPU state; the image may be invalid. `mask` 0 means FXRSTOR.
pub(crate) fn restore_fpu(area: &[u8], mask: u64) -> Result<(), Faulted> {
    // SAFETY: `area` is 64-byte aligned and large enough by its type (`fpu.rs`); the hypervisor itself uses no FPU state.
    outcome(unsafe { assembly::try_restore_fpu(area.as_ptr(), mask) })
}

/// Where to go on after a fault at `rip`, if that was expected.
pub(crate) fn fixup(rip: u64) -> Option<u64> {
    let start = assembly::fixup_table_start.as_ptr();
    let end = assembly::fixup_table_end.as_ptr();
    let len = (end as usize - start as usize) / 16;
    // SAFETY: link.ld puts the table between the two symbols.
    let table = unsafe { core::slice::from_raw_parts(start, len) };
    table.iter().find(|[at, _]| *at == rip).map(|[_, resume]| *resume)
}
