// SPDX-License-Identifier: MIT OR Apache-2.0
//! Pausing, and the end of a domain.
#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use alloc::sync::Arc;
use core::sync::atomic::Ordering;

use hypercalls::domctl::debug::Sendtrigger;
use hypercalls::errno::Errno;
use hypercalls::ids::DomId;

use crate::budget::Preempted;
use crate::domain::vcpu::pending;
use crate::domain::{DomainRef, shutdown};
use crate::hypercall::domctl::{Call, find_vcpu};
use crate::hypercall::{Cx, HypercallResult, Outcome};
use crate::pv::teardown;

/// `XEN_DOMCTL_SENDTRIGGER_NMI`, `..._POWER`, `..._SLEEP`.
const TRIGGER_NMI: u32 = 0;
const TRIGGER_POWER: u32 = 3;
const TRIGGER_SLEEP: u32 = 4;

/// pausedomain. EINVAL: oneself.
pub(super) fn pause(cx: &Cx<'_>, domain: &DomainRef) -> HypercallResult {
    not_oneself(cx, domain)?;
    domain.pause_by_toolstack();
    Ok(Outcome::DONE)
}

/// unpausedomain. EINVAL: it is not paused.
pub(super) fn unpause(domain: &DomainRef) -> HypercallResult {
    domain.unpause_by_toolstack()?;
    Ok(Outcome::DONE)
}

/// destroydomain. EINVAL: oneself, or the first domain. Preemptible. Afterwards the domain is there, dying, as long as somebody
/// maps its pages.
pub(super) fn destroy(cx: &mut Cx<'_>, call: &Call, domain: &DomainRef) -> HypercallResult {
    not_oneself(cx, domain)?;
    if domain.id == DomId::DOM0 {
        return Err(Errno::EINVAL.into());
    }
    match teardown::destroy(domain, &mut cx.budget) {
        Ok(()) => Ok(Outcome::DONE),
        Err(Preempted) => call.again(),
    }
}

/// resumedomain: a domain that was shut down goes on. EINVAL: oneself.
pub(super) fn resume(cx: &Cx<'_>, domain: &DomainRef) -> Result<(), Errno> {
    not_oneself(cx, domain)?;
    shutdown::resume(domain);
    Ok(())
}

/// sendtrigger: an NMI; PV domains have no buttons. ESRCH: no such vCPU. EINVAL: a button. ENOSYS: anything else.
pub(super) fn send_trigger(domain: &DomainRef, request: &Sendtrigger) -> Result<(), Errno> {
    let vcpu = find_vcpu(domain, request.vcpu).map_err(|_| Errno::ESRCH)?;
    match request.trigger {
        TRIGGER_NMI => {
            vcpu.pending.fetch_or(pending::NMI, Ordering::AcqRel);
            vcpu.kick();
            Ok(())
        }
        TRIGGER_POWER | TRIGGER_SLEEP => Err(Errno::EINVAL),
        _ => Err(Errno::ENOSYS),
    }
}

fn not_oneself(cx: &Cx<'_>, domain: &DomainRef) -> Result<(), Errno> {
    if Arc::ptr_eq(domain, cx.domain()) { Err(Errno::EINVAL) } else { Ok(()) }
}
