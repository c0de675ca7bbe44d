// SPDX-License-Identifier: MIT OR Apache-2.0
//! Bitmaps of CPUs or nodes as toolstacks pass them.
#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use hypercalls::domctl::XenctlBitmap;
use hypercalls::errno::Errno;

use crate::mm::guest_access;

/// Bits of the first 64 CPUs.
pub(in crate::hypercall) fn read_bitmap(bitmap: &XenctlBitmap) -> Result<u64, Errno> {
    let mut bytes = [0_u8; 8];
    let len = (bitmap.nr_bits.div_ceil(8) as usize).min(bytes.len());
    guest_access::read_bytes(bitmap.bitmap.addr(), bytes.get_mut(..len).ok_or(Errno::EINVAL)?)?;
    let bits = u64::from_le_bytes(bytes);
    Ok(if bitmap.nr_bits < 64 { bits & (1_u64 << bitmap.nr_bits).wrapping_sub(1) } else { bits })
}

/// Fills the caller's bitmap; bits beyond the first 64 CPUs are zero.
pub(in crate::hypercall) fn write_bitmap(bitmap: &XenctlBitmap, bits: u64) -> Result<(), Errno> {
    /// More than any toolstack asks for; bounds the work.
    const MAX_BYTES: u64 = 1024;
    let len = u64::from(bitmap.nr_bits.div_ceil(8)).min(MAX_BYTES);
    let bytes = bits.to_le_bytes().into_iter().chain(core::iter::repeat(0));
    for (index, byte) in (0..len).zip(bytes) {
        guest_access::write_at(bitmap.bitmap, index, &byte)?;
    }
    Ok(())
}
