// SPDX-License-Identifier: MIT OR Apache-2.0
//! A domain's memory: its limit, its address size.
#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use hypercalls::domctl::{AddressSize, Getpageframeinfo3, HypercallInit, MaxMem, PageFrameType};
use hypercalls::errno::Errno;
use hypercalls::frame::Mfn;

use crate::domain::Domain;
use crate::domain::memory::PageRef;
use crate::mm::guest_access;
use crate::mm::page_type::{Level, PageType};
use crate::pv::hypercall_page;

/// KiB to pages.
const KB_SHIFT: u32 = 2;
/// Frames that one getpageframeinfo3 may ask about.
const MAX_FRAME_INFO: u64 = 1024;

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

/// hypercall_init: fills a page of the domain with the stubs that older kernels call. EINVAL: not its page. EPERM: a page in use
/// as a table.
pub(super) fn hypercall_init(domain: &Domain, request: &HypercallInit) -> Result<(), Errno> {
    let _page = PageRef::get(request.gmfn, domain.id).ok_or(Errno::EINVAL)?;
    hypercall_page::fill(domain, request.gmfn).map_err(|_| Errno::EPERM)
}

/// getpageframeinfo3: says of each frame in a list what it is. E2BIG: too many. EFAULT.
pub(super) fn page_types(domain: &Domain, request: &Getpageframeinfo3) -> Result<(), Errno> {
    if request.num > MAX_FRAME_INFO {
        return Err(Errno::E2BIG);
    }
    for index in 0..request.num {
        let mfn = Mfn::new(guest_access::read_at(request.array, index)?);
        guest_access::write_at(request.array, index, &page_type(domain, mfn).raw())?;
    }
    Ok(())
}

fn page_type(domain: &Domain, mfn: Mfn) -> PageFrameType {
    let Some(page) = PageRef::get(mfn, domain.id) else { return PageFrameType::XTAB };
    let frame = page.frame();
    let PageType::Table(level) = frame.page_type() else { return PageFrameType::NOTAB };
    let table = match level {
        _ if frame.type_references() == 0 => PageFrameType::NOTAB,
        Level::L1 => PageFrameType::L1TAB,
        Level::L2 => PageFrameType::L2TAB,
        Level::L3 => PageFrameType::L3TAB,
        Level::L4 => PageFrameType::L4TAB,
    };
    if frame.is_pinned() { PageFrameType::new(table.raw() | PageFrameType::LPINTAB.raw()) } else { table }
}
