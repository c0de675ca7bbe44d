// SPDX-License-Identifier: MIT OR Apache-2.0
//! The start-up assembly (`boot/head.S`) and where the image lies (`link.ld`).
// UNSAFETY: includes assembly and takes addresses of linker symbols.
#![expect(unsafe_code, reason = "start-up assembly and linker symbols")]

#[cfg(target_os = "none")]
mod symbols {
    core::arch::global_asm!(include_str!("../boot/head.S"), options(att_syntax));
    unsafe extern "C" {
        pub(super) static image_start: u8;
        pub(super) static image_text_end: u8;
        pub(super) static image_rodata_end: u8;
        pub(super) static image_end: u8;
        pub(super) static boot_l4: u8;
        pub(super) static mut boot_cpu_block: [u8; 2 * crate::config::CPU_BLOCK_BYTES - 4096];
    }
}

#[cfg(not(target_os = "none"))]
#[expect(non_upper_case_globals, reason = "named like the linker symbols they stand for")]
mod symbols {
    pub(super) static image_start: u8 = 0;
    pub(super) static image_text_end: u8 = 0;
    pub(super) static image_rodata_end: u8 = 0;
    pub(super) static image_end: u8 = 0;
    pub(super) static boot_l4: u8 = 0;
    pub(super) static mut boot_cpu_block: [u8; 2 * crate::config::CPU_BLOCK_BYTES - 4096] =
        [0; 2 * crate::config::CPU_BLOCK_BYTES - 4096];
}

use crate::config::CPU_BLOCK_BYTES;
use crate::mm::layout::IMAGE_OFFSET;
use crate::x86::percpu::{self, CpuId, CpuLocal};

/// Machine addresses of the image's parts: code, constants, data, each ending where the next starts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Image {
    /// First byte of code.
    pub(crate) start: u64,
    /// End of code.
    pub(crate) text_end: u64,
    /// End of constants.
    pub(crate) rodata_end: u64,
    /// End of data and zeroed data.
    pub(crate) end: u64,
}

fn machine<T>(symbol: *const T) -> u64 {
    (symbol as u64).wrapping_sub(IMAGE_OFFSET)
}

/// Where the image is.
pub(crate) fn image() -> Image {
    Image {
        start: machine(core::ptr::addr_of!(symbols::image_start)),
        text_end: machine(core::ptr::addr_of!(symbols::image_text_end)),
        rodata_end: machine(core::ptr::addr_of!(symbols::image_rodata_end)),
        end: machine(core::ptr::addr_of!(symbols::image_end)),
    }
}

/// Machine address of the L4 we started on.
pub(crate) fn boot_root() -> u64 {
    machine(core::ptr::addr_of!(symbols::boot_l4))
}

/// Sets up the boot CPU's block, on whose stack we run. Once, first thing.
pub(crate) fn install_boot_cpu() -> &'static CpuLocal {
    let room = core::ptr::addr_of_mut!(symbols::boot_cpu_block).cast::<u8>();
    // As head.S found it: the first aligned block inside.
    let block = room.wrapping_add(room.align_offset(CPU_BLOCK_BYTES));
    // SAFETY: the block is in zeroed memory of the image and used for nothing else.
    let local = unsafe { percpu::install(block, CpuId::BOOT, 0) };
    local.cr3.store(boot_root(), core::sync::atomic::Ordering::Relaxed);
    percpu::publish(local);
    local
}
