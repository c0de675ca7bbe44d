// SPDX-License-Identifier: MIT OR Apache-2.0
//! The words on the stack of this CPU, for reports of our own bugs.
// UNSAFETY: reads the stack below and above the current frame.
#![expect(unsafe_code, reason = "reads raw stack memory")]

use crate::config::CPU_BLOCK_BYTES;
use crate::mm::layout::IMAGE_OFFSET;
use crate::x86::boot_image;

/// This CPU's stack pointer.
#[inline(always)]
pub(crate) fn pointer() -> u64 {
    let sp: u64;
    // SAFETY: only reads the stack pointer.
    unsafe { core::arch::asm!("mov {}, rsp", out(reg) sp, options(nomem, nostack, preserves_flags)) };
    sp
}

/// Words from an address on this CPU's stack (any of its stacks) up to the end of the CPU's block.
pub(crate) fn words(from: u64) -> impl Iterator<Item = u64> {
    let block = pointer() & !(CPU_BLOCK_BYTES as u64 - 1);
    let end = block + CPU_BLOCK_BYTES as u64;
    let start = from.clamp(block, end).next_multiple_of(8);
    (start..end).step_by(8).map(|at| {
        // SAFETY: inside this CPU's block, which is mapped for ever; volatile, because the memory may be anything's.
        unsafe { (at as *const u64).read_volatile() }
    })
}

/// Does an address lie in the hypervisor's code?
pub(crate) fn is_code(address: u64) -> bool {
    let image = boot_image::image();
    (image.start + IMAGE_OFFSET..image.text_end + IMAGE_OFFSET).contains(&address)
}
