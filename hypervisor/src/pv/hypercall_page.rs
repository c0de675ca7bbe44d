// SPDX-License-Identifier: MIT OR Apache-2.0
//! The page of hypercall stubs that older guests call into; 128 slots of 32 bytes. Its contents are ABI (xen.h, and the
//! register conventions of arch-x86/xen-x86_64.h).
#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use hypercalls::errno::Errno;
use hypercalls::frame::Mfn;

use crate::domain::Domain;
use crate::domain::memory::WritableRef;
use crate::mm::map;

const IRET: u8 = 23;
const INT3: u8 = 0xcc;

/// The page's bytes.
pub(crate) fn contents() -> [u8; 4096] {
    let mut page = [INT3; 4096];
    for (number, slot) in (0_u8..128).zip(page.chunks_exact_mut(32)) {
        // push rcx; push r11; mov $number, eax; syscall; pop r11; pop rcx; ret. iret pushes rax as well and never returns.
        let stub: &[u8] = if number == IRET {
            &[0x51, 0x41, 0x53, 0x50, 0xb8, number, 0, 0, 0, 0x0f, 0x05]
        } else {
            &[0x51, 0x41, 0x53, 0xb8, number, 0, 0, 0, 0x0f, 0x05, 0x41, 0x5b, 0x59, 0xc3]
        };
        for (byte, value) in slot.iter_mut().zip(stub) {
            *byte = *value;
        }
    }
    page
}

/// Fills a page of the domain. EINVAL: not its own, or not writable.
pub(crate) fn fill(domain: &Domain, mfn: Mfn) -> Result<(), Errno> {
    let page = WritableRef::get(mfn, domain.id).ok_or(Errno::EINVAL)?;
    map::write(page.mfn(), 0, &contents());
    Ok(())
}
