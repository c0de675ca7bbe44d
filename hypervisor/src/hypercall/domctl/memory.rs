// SPDX-License-Identifier: MIT OR Apache-2.0
//! A domain's memory: its limit, its address size.
#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use hypercalls::domctl::{AddressSize, MaxMem};
use hypercalls::errno::Errno;

use crate::domain::Domain;

/// KiB to pages.
const KB_SHIFT: u32 = 2;

/// max_mem: how many pages it may own. Fewer than it has is allowed: then it gets no more.
pub(super) fn set_max_mem(domain: &Domain, request: &MaxMem) {
    let pages = request.max_memkb >> KB_SHIFT;
    domain.memory.lock().max_pages = pages.min(u32::MAX.into());
}

/// EOPNOTSUPP: 32-bit guests. EINVAL: others that are not 64-bit.
pub(super) fn set_address_size(request: &AddressSize) -> Result<(), Errno> {
    match request.size {
        64 => Ok(()),
        32 => Err(Errno::EOPNOTSUPP),
        _ => Err(Errno::EINVAL),
    }
}
