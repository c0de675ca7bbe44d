// SPDX-License-Identifier: MIT OR Apache-2.0
//! Loader and firmware memory while no guest runs yet: boot information, modules, ACPI tables; through the direct map.
#![forbid(unsafe_code)]

use crate::mm::map;

/// Memory below this is in the direct map from the first instruction on.
const BOOT_MAPPED: u64 = 4 << 30;

/// Bytes at a machine address, for reading; `None` beyond what the boot tables map.
pub(crate) fn lend(address: u64, len: usize) -> Option<&'static [u8]> {
    let end = address.checked_add(len as u64)?;
    (end <= BOOT_MAPPED).then(|| map::boot_bytes(address, len))
}

/// Copies bytes; `false` beyond what the boot tables map.
pub(crate) fn copy(address: u64, buffer: &mut [u8]) -> bool {
    lend(address, buffer.len()).is_some_and(|bytes| {
        buffer.copy_from_slice(bytes);
        true
    })
}
