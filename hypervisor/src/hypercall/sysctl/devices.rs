// SPDX-License-Identifier: MIT OR Apache-2.0
//! pcitopoinfo: which node a PCI device is near to.
#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use hypercalls::errno::Errno;
use hypercalls::sysctl::{INVALID_DEV, INVALID_NODE_ID, Pcitopoinfo};

use crate::irq;
use crate::mm::guest_access;
use crate::x86::pci::{self, PciFunction};

/// The most devices that one call looks at; the answer says how many it were, and tools ask again for the rest.
const BATCH: u32 = 32;

/// pcitopoinfo: nothing is known about the nodes of devices that are there. EINVAL: no array. EFAULT.
pub(super) fn nodes(mut request: Pcitopoinfo) -> Result<Pcitopoinfo, Errno> {
    if request.devs.is_null() || request.nodes.is_null() {
        return Err(Errno::EINVAL);
    }
    request.num_devs = request.num_devs.min(BATCH);
    for index in 0..request.num_devs {
        let device = guest_access::read_at(request.devs, index.into())?;
        let function = PciFunction { segment: device.seg, bus: device.bus, devfn: device.devfn };
        let known = function.segment == 0 && pci::is_present(&mut irq::PCI.lock().function(function));
        guest_access::write_at(request.nodes, index.into(), if known { &INVALID_NODE_ID } else { &INVALID_DEV })?;
    }
    Ok(request)
}
