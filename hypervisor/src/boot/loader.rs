// SPDX-License-Identifier: MIT OR Apache-2.0
//! Boot information, from either multiboot version.
#![forbid(unsafe_code)]

use crate::boot::modules::{BootInfo, BootInfoError};
use crate::boot::{multiboot1, multiboot2};
use crate::mm::boot_memory;

/// What eax holds after a multiboot 1 loader.
const MAGIC_1: u32 = 0x2bad_b002;
/// What eax holds after a multiboot 2 loader.
const MAGIC_2: u32 = 0x36d7_6289;

/// Boot information is read once, copied, and its memory is free afterwards.
pub(crate) fn read(magic: u32, info: u64) -> Result<BootInfo, BootInfoError> {
    match magic {
        MAGIC_1 => multiboot1::parse(info, boot_memory::lend),
        MAGIC_2 => {
            let header = boot_memory::lend(info, 8).ok_or(BootInfoError::Truncated("multiboot2 information"))?;
            let size = header.first_chunk::<4>().map_or(0, |bytes| u32::from_le_bytes(*bytes));
            let bytes =
                boot_memory::lend(info, size as usize).ok_or(BootInfoError::Truncated("multiboot2 information"))?;
            multiboot2::parse(bytes)
        }
        _ => Err(BootInfoError::Truncated("multiboot magic")),
    }
}
