// SPDX-License-Identifier: MIT OR Apache-2.0
//! The only way to read or write a frame: through the direct map, as atomic words, because guests write at any time.
// UNSAFETY: makes references into the direct map.
#![expect(unsafe_code, reason = "the direct map")]

use core::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering};

use hypercalls::frame::Mfn;

use crate::mm::frame_table;
use crate::mm::layout::DIRECT_MAP_START;

/// A page as 64-bit words.
pub(crate) type Words = [AtomicU64; 512];

fn pointer(mfn: Mfn) -> *mut u8 {
    debug_assert!(frame_table::max_page() == 0 || frame_table::frame(mfn).is_some(), "{mfn:?} is beyond memory");
    (DIRECT_MAP_START + mfn.to_addr()) as *mut u8
}

/// A frame's words.
#[inline]
pub(crate) fn words(mfn: Mfn) -> &'static Words {
    // SAFETY: every frame with a record is in the direct map, which lives for ever; the words are atomics.
    unsafe { &*pointer(mfn).cast::<Words>() }
}

/// A frame's 32-bit words.
#[inline]
pub(crate) fn words32(mfn: Mfn) -> &'static [AtomicU32; 1024] {
    // SAFETY: as in `words`.
    unsafe { &*pointer(mfn).cast() }
}

/// A frame's 16-bit words.
pub(crate) fn words16(mfn: Mfn) -> &'static [AtomicU16; 2048] {
    // SAFETY: as in `words`.
    unsafe { &*pointer(mfn).cast() }
}

/// A frame's bytes.
#[inline]
pub(crate) fn bytes(mfn: Mfn) -> &'static [AtomicU8; 4096] {
    // SAFETY: as in `words`.
    unsafe { &*pointer(mfn).cast() }
}

/// The byte at a machine address of a frame that has a record.
#[inline(always)]
pub(crate) fn byte(address: u64) -> &'static AtomicU8 {
    // SAFETY: as in `words`.
    unsafe { &*(DIRECT_MAP_START.wrapping_add(address) as *const AtomicU8) }
}

/// The word at a machine address that is a multiple of 8, of a frame that has a record.
#[inline(always)]
pub(crate) fn word(address: u64) -> &'static AtomicU64 {
    // SAFETY: as in `words`; aligned.
    unsafe { &*(DIRECT_MAP_START.wrapping_add(address & !7) as *const AtomicU64) }
}

/// The 16 bits at an even machine address, of a frame that has a record.
#[inline(always)]
pub(crate) fn half_word(address: u64) -> &'static AtomicU16 {
    // SAFETY: as in `words`; aligned.
    unsafe { &*(DIRECT_MAP_START.wrapping_add(address & !1) as *const AtomicU16) }
}

/// Fills a frame with zeros.
pub(crate) fn zero(mfn: Mfn) {
    // SAFETY: the frame is mapped writable; nobody holds a Rust reference other than to atomics in it.
    unsafe { core::ptr::write_bytes(pointer(mfn), 0, 4096) };
}

/// Copies between frames: `len` bytes, both ranges inside one page each.
pub(crate) fn copy(dst: Mfn, dst_offset: usize, src: Mfn, src_offset: usize, len: usize) {
    assert!(dst_offset + len <= 4096 && src_offset + len <= 4096, "copy crosses a page");
    // SAFETY: both ranges are inside mapped frames; guests may race, which can only garble what they wrote. `copy`
    // allows overlap.
    unsafe { core::ptr::copy(pointer(src).add(src_offset), pointer(dst).add(dst_offset), len) };
}

/// Copies bytes into a frame.
pub(crate) fn write(mfn: Mfn, offset: usize, data: &[u8]) {
    assert!(offset + data.len() <= 4096, "write crosses a page");
    // SAFETY: inside one mapped frame; `data` is ours and cannot overlap a frame that guests use.
    unsafe { core::ptr::copy_nonoverlapping(data.as_ptr(), pointer(mfn).add(offset), data.len()) };
}

/// Copies bytes out of a frame.
pub(crate) fn read(mfn: Mfn, offset: usize, data: &mut [u8]) {
    assert!(offset + data.len() <= 4096, "read crosses a page");
    // SAFETY: inside one mapped frame; `data` is ours.
    unsafe { core::ptr::copy_nonoverlapping(pointer(mfn).add(offset), data.as_mut_ptr(), data.len()) };
}

/// Bytes of firmware or boot loader memory, which no guest runs on yet and the hypervisor does not write: boot
/// information, modules, ACPI tables. Used by the boot CPU alone, before the allocator hands that memory out.
pub(crate) fn boot_bytes(address: u64, len: usize) -> &'static [u8] {
    // SAFETY: the boot tables map the first 4 GiB (checked by `boot_memory`); see above for aliasing.
    unsafe { core::slice::from_raw_parts((DIRECT_MAP_START + address) as *const u8, len) }
}

/// Stores a word without anything else: page-table writes of the builder.
#[inline]
pub(crate) fn store(mfn: Mfn, index: usize, value: u64) {
    words(mfn)[index].store(value, Ordering::Relaxed);
}
