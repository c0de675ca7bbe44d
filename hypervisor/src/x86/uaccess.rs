// SPDX-License-Identifier: MIT OR Apache-2.0
//! Instructions that may fault on guest input, with a table of where to go on (`uaccess.S`): copies to and from guest
//! addresses, MSR reads, segment loads, FPU restores.
// UNSAFETY: calls assembly; touches guest addresses.
#![expect(unsafe_code, reason = "accesses that may fault")]

use crate::mm::layout::HYPERVISOR_END;

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
    end <= 1 << 47 || address >= HYPERVISOR_END
}

/// Bytes of guest space: contiguous from the hypervisor's end over the top of the address space to the end of the lower half.
const GUEST_SPACE: u64 = (1_u64 << 47).wrapping_sub(HYPERVISOR_END);

/// The address, if that many bytes from it on are guest space. While the processor still guesses whether they are, an address that is not
/// reads as 0, so that it cannot be made to load ours (Spectre variant 1).
#[inline(always)]
fn guarded(address: u64, len: usize) -> Result<u64, Faulted> {
    let places = (GUEST_SPACE + 1).saturating_sub(len as u64);
    let masked = nospec(address.wrapping_sub(HYPERVISOR_END), places, address);
    if address.wrapping_sub(HYPERVISOR_END) < places { Ok(masked) } else { Err(Faulted) }
}

/// `value` if `index < limit`, else 0, without a branch.
#[inline(always)]
pub(crate) fn nospec(index: u64, limit: u64, value: u64) -> u64 {
    let masked: u64;
    // SAFETY: arithmetic on registers.
    unsafe {
        core::arch::asm!("cmp {index}, {limit}", "sbb {masked}, {masked}", "and {masked}, {value}",
            index = in(reg) index, limit = in(reg) limit, value = in(reg) value, masked = out(reg) masked,
            options(pure, nomem, nostack));
    }
    masked
}

/// Copies as many whole words as its name says; the error is 1 after a fault.
#[cfg(target_os = "none")]
macro_rules! copy_words {
    ($words:literal, $dst:expr, $src:expr) => {{
        let failed: u32;
        core::arch::asm!(
            ".set uaccess_at, 0",
            ".rept {words}",
            "2: mov uaccess_at({src}), {word}",
            "3: mov {word}, uaccess_at({dst})",
            ".pushsection .fixup_table, \"a\"",
            ".quad 2b, 5f",
            ".quad 3b, 5f",
            ".popsection",
            ".set uaccess_at, uaccess_at + 8",
            ".endr",
            "4:",
            ".pushsection .text.fixup, \"ax\"",
            "5: mov $1, {failed:e}",
            "jmp 4b",
            ".popsection",
            words = const $words,
            src = in(reg) $src,
            dst = in(reg) $dst,
            word = out(reg) _,
            failed = inout(reg) 0_u32 => failed,
            options(att_syntax, nostack),
        );
        failed
    }};
}

/// A copy whose length is known when this is compiled is laid out for it.
///
/// # Safety
/// Both ranges are the caller's to use, or guest memory.
#[cfg(target_os = "none")]
#[inline(always)]
unsafe fn copy(dst: *mut u8, src: *const u8, len: usize) -> u32 {
    // SAFETY: by contract; faults are caught.
    unsafe {
        match len {
            8 => copy_words!(1, dst, src),
            16 => copy_words!(2, dst, src),
            24 => copy_words!(3, dst, src),
            32 => copy_words!(4, dst, src),
            40 => copy_words!(5, dst, src),
            48 => copy_words!(6, dst, src),
            56 => copy_words!(7, dst, src),
            64 => copy_words!(8, dst, src),
            72 => copy_words!(9, dst, src),
            4 => {
                let failed: u32;
                core::arch::asm!(
                    "2: mov ({src}), {word:e}",
                    "3: mov {word:e}, ({dst})",
                    "4:",
                    ".pushsection .fixup_table, \"a\"",
                    ".quad 2b, 5f",
                    ".quad 3b, 5f",
                    ".popsection",
                    ".pushsection .text.fixup, \"ax\"",
                    "5: mov $1, {failed:e}",
                    "jmp 4b",
                    ".popsection",
                    src = in(reg) src,
                    dst = in(reg) dst,
                    word = out(reg) _,
                    failed = inout(reg) 0_u32 => failed,
                    options(att_syntax, nostack),
                );
                failed
            }
            _ => assembly::uaccess_copy(dst, src, len),
        }
    }
}

/// # Safety
/// As its twin for the bare machine.
#[cfg(not(target_os = "none"))]
unsafe fn copy(dst: *mut u8, src: *const u8, len: usize) -> u32 {
    // SAFETY: by contract.
    unsafe { assembly::uaccess_copy(dst, src, len) }
}

/// Copies from guest memory, through the page tables that are loaded.
#[inline]
pub(crate) fn copy_from_guest(dst: &mut [u8], address: u64) -> Result<(), Faulted> {
    let source = guarded(address, dst.len())?;
    // SAFETY: the source lies in guest space (a fault is caught), the destination is ours.
    outcome(unsafe { assembly::uaccess_copy(dst.as_mut_ptr(), source as *const u8, dst.len()) })
}

/// Copies to guest memory, through the page tables that are loaded; CR0.WP makes read-only pages fault.
#[inline]
pub(crate) fn copy_to_guest(address: u64, src: &[u8]) -> Result<(), Faulted> {
    let target = guarded(address, src.len())?;
    // SAFETY: the destination lies in guest space (a fault is caught), the source is ours.
    outcome(unsafe { assembly::uaccess_copy(target as *mut u8, src.as_ptr(), src.len()) })
}

/// As [`copy_from_guest`], for a value whose size is known when this is compiled.
#[inline(always)]
pub(crate) fn read_from_guest(dst: &mut [u8], address: u64) -> Result<(), Faulted> {
    let source = guarded(address, dst.len())?;
    // SAFETY: as in `copy_from_guest`.
    outcome(unsafe { copy(dst.as_mut_ptr(), source as *const u8, dst.len()) })
}

/// As [`copy_to_guest`], for a value whose size is known when this is compiled.
#[inline(always)]
pub(crate) fn write_to_guest(address: u64, src: &[u8]) -> Result<(), Faulted> {
    let target = guarded(address, src.len())?;
    // SAFETY: as in `copy_to_guest`.
    outcome(unsafe { copy(target as *mut u8, src.as_ptr(), src.len()) })
}

/// Words of guest memory that are read or written one by one, for values that are in registers; whether all went well is asked at the
/// end.
pub(crate) struct GuestWords<const N: usize> {
    at: u64,
    failed: u32,
}

impl<const N: usize> GuestWords<N> {
    /// `N` words from an address on.
    #[inline(always)]
    pub(crate) fn at(address: u64) -> Result<Self, Faulted> {
        Ok(Self { at: guarded(address, 8 * N)?, failed: 0 })
    }

    /// Writes word `I`.
    #[inline(always)]
    pub(crate) fn put<const I: usize>(mut self, value: u64) -> Self {
        const { assert!(I < N) };
        #[cfg(target_os = "none")]
        // SAFETY: guest space, as `at` has seen; a fault is caught.
        unsafe {
            core::arch::asm!(
                "2: mov {value}, 8 * {index}({at})",
                "4:",
                ".pushsection .fixup_table, \"a\"",
                ".quad 2b, 5f",
                ".popsection",
                ".pushsection .text.fixup, \"ax\"",
                "5: mov $1, {failed:e}",
                "jmp 4b",
                ".popsection",
                index = const I,
                at = in(reg) self.at,
                value = in(reg) value,
                failed = inout(reg) self.failed,
                options(att_syntax, nostack, preserves_flags),
            );
        }
        #[cfg(not(target_os = "none"))]
        {
            let _ = (self.at, value);
            self.failed = 1;
        }
        self
    }

    /// Reads word `I`; it means nothing if [`Self::done`] fails.
    #[inline(always)]
    pub(crate) fn get<const I: usize>(mut self) -> (Self, u64) {
        const { assert!(I < N) };
        let value: u64;
        #[cfg(target_os = "none")]
        // SAFETY: guest space, as `at` has seen; a fault is caught.
        unsafe {
            core::arch::asm!(
                "2: mov 8 * {index}({at}), {value}",
                "4:",
                ".pushsection .fixup_table, \"a\"",
                ".quad 2b, 5f",
                ".popsection",
                ".pushsection .text.fixup, \"ax\"",
                "5: mov $1, {failed:e}",
                "jmp 4b",
                ".popsection",
                index = const I,
                at = in(reg) self.at,
                value = lateout(reg) value,
                failed = inout(reg) self.failed,
                options(att_syntax, nostack, preserves_flags),
            );
        }
        #[cfg(not(target_os = "none"))]
        {
            value = self.at;
            self.failed = 1;
        }
        (self, value)
    }

    /// Did all go well?
    #[inline(always)]
    pub(crate) fn done(self) -> Result<(), Faulted> {
        outcome(self.failed)
    }
}

impl GuestWords<3> {
    /// All three words.
    #[inline(always)]
    pub(crate) fn get_all(self) -> Result<[u64; 3], Faulted> {
        let (words, first) = self.get::<0>();
        let (words, second) = words.get::<1>();
        let (words, third) = words.get::<2>();
        words.done()?;
        Ok([first, second, third])
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guest_space_is_what_is_not_ours() {
        let top = HYPERVISOR_END;
        for good in [0, 0x1000, (1 << 47) - 8, top, u64::MAX - 7] {
            assert_eq!(guarded(good, 8), Ok(good));
            assert!(is_guest_range(good, 7));
        }
        for bad in [(1 << 47) - 7, 1 << 47, 0x8000_0000_0000, 0xffff_8000_0000_0000, top - 8, top - 1] {
            assert_eq!(guarded(bad, 8), Err(Faulted), "{bad:#x}");
            assert!(!is_guest_range(bad, 8));
        }
        assert_eq!(guarded(0, usize::MAX), Err(Faulted));
        assert_eq!(guarded(top, GUEST_SPACE as usize), Ok(top));
        assert_eq!(guarded(top, GUEST_SPACE as usize + 1), Err(Faulted));
    }

    #[test]
    fn indices_beyond_the_limit_read_as_zero() {
        assert_eq!((nospec(3, 4, 9), nospec(4, 4, 9), nospec(u64::MAX, 4, 9), nospec(0, 0, 9)), (9, 0, 0, 0));
    }
}
