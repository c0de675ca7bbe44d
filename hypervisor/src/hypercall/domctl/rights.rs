// SPDX-License-Identifier: MIT OR Apache-2.0
//! What hardware a domain may touch: ports, frames of devices, interrupts. The caller gives away only what it has.
#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use core::sync::atomic::Ordering;

use hypercalls::domctl::device::{IomemPermission, IoportPermission, IrqPermission};
use hypercalls::errno::Errno;

use crate::config::MAX_PIRQS;
use crate::domain::rangeset::RangeSet;
use crate::domain::{Domain, Rights};
use crate::hypercall::Cx;

/// Ports of the machine.
const PORTS: u64 = 1 << 16;

/// ioport_permission. EINVAL: no such ports. EPERM: the caller may not use them.
pub(super) fn ports(cx: &Cx<'_>, domain: &Domain, request: &IoportPermission) -> Result<(), Errno> {
    let first = u64::from(request.first_port);
    let end = first.saturating_add(request.nr_ports.into());
    if end <= first || end > PORTS {
        return Err(Errno::EINVAL);
    }
    change(cx, domain, |rights| &mut rights.ports, (first, end.saturating_sub(1)), request.allow_access)
}

/// iomem_permission. EINVAL: no such frames. EPERM: the caller may not use them.
pub(super) fn frames(cx: &Cx<'_>, domain: &Domain, request: &IomemPermission) -> Result<(), Errno> {
    let first = request.first_mfn.raw();
    let last = request.nr_mfns.checked_sub(1).and_then(|more| first.checked_add(more)).ok_or(Errno::EINVAL)?;
    change(cx, domain, |rights| &mut rights.iomem, (first, last), request.allow_access)?;
    if request.allow_access != 0 {
        domain.has_hardware.store(true, Ordering::Relaxed);
    }
    Ok(())
}

/// irq_permission. EINVAL: no such number. EPERM: the caller may not use it, or has not mapped it.
pub(super) fn interrupt(cx: &Cx<'_>, domain: &Domain, request: &IrqPermission) -> Result<(), Errno> {
    let number = request.pirq.raw();
    if number >= MAX_PIRQS {
        return Err(Errno::EINVAL);
    }
    if cx.domain().pirqs.lock().source(request.pirq).is_none() {
        return Err(Errno::EPERM);
    }
    change(cx, domain, |rights| &mut rights.irqs, (number.into(), number.into()), request.allow_access)
}

fn change(
    cx: &Cx<'_>,
    domain: &Domain,
    set: fn(&mut Rights) -> &mut RangeSet,
    (first, last): (u64, u64),
    allow: u8,
) -> Result<(), Errno> {
    if !set(&mut cx.domain().rights.lock()).contains_range(first, last) {
        return Err(Errno::EPERM);
    }
    let mut rights = domain.rights.lock();
    if allow != 0 {
        set(&mut rights).add(first, last);
    } else {
        set(&mut rights).remove(first, last);
    }
    Ok(())
}
