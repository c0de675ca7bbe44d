// SPDX-License-Identifier: MIT OR Apache-2.0
//! createdomain and max_vcpus: a domain begins.
#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use alloc::sync::Arc;
use core::sync::atomic::{AtomicU16, Ordering};

use grant_tables::{Limits, Version};
use hypercalls::domctl::{
    CreateFlags, Createdomain, Createdomain0x17, DOMCTL_INTERFACE_VERSION_0X17, Domctl, EmulationFlags, MaxVcpus,
};
use hypercalls::errno::Errno;
use hypercalls::ids::DomId;

use crate::budget::Preempted;
use crate::config::MAX_VCPUS;
use crate::domain::creation::{self, Request};
use crate::domain::{DomainRef, table};
use crate::hypercall::domctl::Call;
use crate::hypercall::{Cx, HypercallResult, Outcome};

/// `XEN_DOMCTL_GRANT_version_mask`.
const GRANT_VERSION: u32 = 0xf;
/// What there is, and what a domain gets that names no limit of its own (Xen's defaults).
const DEFAULT_LIMITS: Limits = Limits { grant_frames: 64, maptrack_frames: 1024, version: Version::V2 };
/// Ports are signed numbers to tools.
const LAST_PORT: u32 = i32::MAX as u32;
/// `XEN_X86_MSR_RELAXED`.
const MSR_RELAXED: u32 = 1;

/// The number that was given last.
static LAST: AtomicU16 = AtomicU16::new(0);

/// The argument, in the layout of the call's interface version. EINVAL: several views of memory, which PV domains have not.
pub(super) fn request(op: &Domctl) -> Result<Createdomain, Errno> {
    if op.interface_version != DOMCTL_INTERFACE_VERSION_0X17 {
        return Ok(op.payload());
    }
    let given: Createdomain0x17 = op.payload();
    if given.altp2m_opts != 0 {
        return Err(Errno::EINVAL);
    }
    Ok(Createdomain {
        ssidref: given.ssidref,
        handle: given.handle,
        flags: given.flags,
        iommu_opts: given.iommu_opts,
        max_vcpus: given.max_vcpus,
        max_evtchn_port: given.max_evtchn_port,
        max_grant_frames: given.max_grant_frames,
        max_maptrack_frames: given.max_maptrack_frames,
        grant_opts: given.grant_opts,
        vmtrace_size: given.vmtrace_size,
        cpupool_id: given.cpupool_id,
        arch: given.arch,
    })
}

/// What is asked for, if it can be had. EINVAL. EOPNOTSUPP: devices to be emulated. ESRCH: no such pool of CPUs.
fn check(request: &Createdomain) -> Result<Limits, Errno> {
    // PV domains only: no flag that hardware assistance or an IOMMU would be needed for. "oos_off" means nothing to them.
    let permitted = CreateFlags::XS_DOMAIN | CreateFlags::OOS_OFF;
    if request.flags == CreateFlags::HVM || !(request.arch.emulation_flags - EmulationFlags::PIT).is_empty() {
        return Err(Errno::EOPNOTSUPP);
    }
    if !(request.flags - permitted).is_empty()
        || request.iommu_opts != 0
        || request.vmtrace_size != 0
        || request.arch.misc_flags & !MSR_RELAXED != 0
        || !(1..=MAX_VCPUS).contains(&request.max_vcpus)
        || request.grant_opts & !GRANT_VERSION != 0
    {
        return Err(Errno::EINVAL);
    }
    let version = match request.grant_opts & GRANT_VERSION {
        1 => Version::V1,
        2 => Version::V2,
        _ => return Err(Errno::EINVAL),
    };
    let limit = |asked: i32, least: u32, most: u32| match u32::try_from(asked) {
        Err(_) => Ok(most),
        Ok(asked) if (least..=most).contains(&asked) => Ok(asked),
        Ok(_) => Err(Errno::EINVAL),
    };
    let limits = Limits {
        grant_frames: limit(request.max_grant_frames, 1, DEFAULT_LIMITS.grant_frames)?,
        maptrack_frames: limit(request.max_maptrack_frames, 0, DEFAULT_LIMITS.maptrack_frames)?,
        version,
    };
    Ok(limits)
}

/// createdomain: the domain is empty and paused once. Number 0 and those beyond the range mean: any. EINVAL, ESRCH, ENODEV, EEXIST, ENOMEM.
pub(super) fn create(wanted: DomId, request: &Createdomain) -> Result<DomId, Errno> {
    let is_chosen = wanted != DomId::DOM0 && wanted.is_ordinary();
    if is_chosen && table::find(wanted).is_some() {
        return Err(Errno::EEXIST);
    }
    let grant_limits = check(request)?;
    let id = if is_chosen { wanted } else { choose()? };
    let domain = creation::new_domain(&Request {
        id,
        handle: request.handle,
        is_control: false,
        flags: request.flags,
        max_vcpus: request.max_vcpus,
        max_event_port: request.max_evtchn_port.min(LAST_PORT),
        grant_limits,
        pool: request.cpupool_id,
    })?;
    domain.lifecycle.lock().toolstack_pauses = 1;
    domain.memory.lock().max_pages = 0;
    Ok(id)
}

/// The next number that no domain has; no other call gets the same before all have had their turn. EEXIST: none is left.
fn choose() -> Result<DomId, Errno> {
    loop {
        let last = LAST.load(Ordering::Relaxed);
        let id = table::unused_from(last.wrapping_add(1)).ok_or(Errno::EEXIST)?;
        // Fails only because another call has got one.
        if LAST.compare_exchange(last, id.raw(), Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            return Ok(id);
        }
    }
}

/// max_vcpus: the vCPUs that createdomain was told of. EINVAL: oneself, or another number. ESRCH: it is dying. ENOMEM.
pub(super) fn max_vcpus(cx: &mut Cx<'_>, call: &Call, domain: &DomainRef) -> HypercallResult {
    if Arc::ptr_eq(domain, cx.domain()) || call.op.payload::<MaxVcpus>().max != domain.max_vcpus {
        return Err(Errno::EINVAL.into());
    }
    // One at a time, and none once its end has begun.
    let Some(_stage) = domain.stage.try_lock() else { return call.again() };
    if domain.is_dying() {
        return Err(Errno::ESRCH.into());
    }
    match creation::add_vcpus(domain, &mut cx.budget) {
        Ok(made) => Ok(made.map(|()| Outcome::DONE)?),
        Err(Preempted) => call.again(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hypercalls::domctl::{DOMCTL_INTERFACE_VERSION, DomctlCmd};

    /// The words of a call with 1, 2, 3... in the fields that follow the UUID.
    fn call(interface_version: u32, words: u32) -> Domctl {
        let mut u = [0; 128];
        for (field, number) in u[20..].chunks_exact_mut(4).zip(1..=words) {
            field.copy_from_slice(&number.to_ne_bytes());
        }
        Domctl { cmd: DomctlCmd::CREATEDOMAIN, interface_version, domain: DomId::DOM0, _pad: [0; 3], u }
    }

    #[test]
    fn both_layouts_are_read_by_their_version() {
        let old = request(&call(DOMCTL_INTERFACE_VERSION, 11)).unwrap();
        assert_eq!((old.max_vcpus, old.grant_opts, old.vmtrace_size, old.cpupool_id), (3, 7, 8, 9));
        assert_eq!((old.arch.emulation_flags.bits(), old.arch.misc_flags), (10, 11));
        let mut call = call(DOMCTL_INTERFACE_VERSION_0X17, 12);
        assert_eq!(request(&call), Err(Errno::EINVAL), "views of memory");
        call.u[0x30] = 0;
        let new = request(&call).unwrap();
        assert_eq!((new.max_vcpus, new.grant_opts, new.vmtrace_size, new.cpupool_id), (3, 7, 9, 10));
        assert_eq!((new.arch.emulation_flags.bits(), new.arch.misc_flags), (11, 12));
    }
}
