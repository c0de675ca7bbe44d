// SPDX-License-Identifier: MIT OR Apache-2.0
//! The virtual memory map above `HYPERVISOR_VIRT_START`; slots 256 to 271 are the same in every L4.
//!
//! | slot | range | what |
//! |---|---|---|
//! | 256 | `ffff8000_00000000` | machine-to-phys table, read-only for guests (ABI) |
//! | 257 | `ffff8080_00000000` | CPU windows, device registers, temporary and heap mappings |
//! | 261 | `ffff8280_00000000` | machine-to-phys table, ours to write; image; frame table |
//! | 262-271 | `ffff8300_00000000` | all memory, writable, not executable |
#![forbid(unsafe_code)]

/// First L4 slot that a guest cannot use.
pub(crate) const FIRST_SLOT: usize = 256;
/// First L4 slot after the hypervisor's.
pub(crate) const END_SLOT: usize = 272;
/// `HYPERVISOR_VIRT_START`: the guests' view of the machine-to-phys table.
pub(crate) const M2P_GUEST_START: u64 = 0xffff_8000_0000_0000;
/// End of the guests' view (`MACH2PHYS_VIRT_END`).
pub(crate) const M2P_GUEST_END: u64 = 0xffff_8040_0000_0000;
/// `HYPERVISOR_VIRT_END`.
pub(crate) const HYPERVISOR_END: u64 = 0xffff_8800_0000_0000;
/// The CPUs' GDT and LDT windows.
pub(crate) const WINDOWS_START: u64 = 0xffff_8080_0000_0000;
/// Device registers.
pub(crate) const MMIO_START: u64 = 0xffff_8090_0000_0000;
/// Big buffers that live for a while (unpacked kernels).
pub(crate) const VMAP_START: u64 = 0xffff_80a0_0000_0000;
/// The kernel heap.
pub(crate) const HEAP_START: u64 = 0xffff_80b0_0000_0000;
/// The heap's largest size, bytes.
pub(crate) const HEAP_MAX: u64 = 4 << 30;
/// Our view of the machine-to-phys table.
pub(crate) const M2P_START: u64 = 0xffff_8280_0000_0000;
/// Image: virtual minus physical address. link.ld and boot/head.S say the same.
pub(crate) const IMAGE_OFFSET: u64 = 0xffff_82d0_4000_0000;
/// One record a frame.
pub(crate) const FRAME_TABLE_START: u64 = 0xffff_82e0_0000_0000;
/// All memory.
pub(crate) const DIRECT_MAP_START: u64 = 0xffff_8300_0000_0000;
/// Memory beyond this machine address is not used: the direct map's size.
pub(crate) const DIRECT_MAP_BYTES: u64 = 10 << 39;
