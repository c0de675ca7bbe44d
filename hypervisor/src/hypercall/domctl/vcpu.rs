// SPDX-License-Identifier: MIT OR Apache-2.0
//! setvcpucontext and getvcpucontext: a vCPU's whole state, while it is on no CPU.
#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::sync::atomic::Ordering;

use hypercalls::domctl::vcpu::Vcpucontext;
use hypercalls::errno::Errno;
use hypercalls::vcpu::VcpuGuestContext;
use zerocopy::IntoBytes;

use crate::budget::Preempted;
use crate::domain::DomainRef;
use crate::domain::vcpu::{Vcpu, VcpuState};
use crate::hypercall::domctl::{Call, find_vcpu};
use crate::hypercall::{Cx, HypercallResult, Outcome};
use crate::mm::guest_access;
use crate::pv::promote::MmuError;
use crate::pv::{context, teardown};
use crate::sync::relax;
use crate::time::system::now_ns;

/// How long a call waits for a vCPU to leave its CPU before it lets events in.
const PATIENCE_NS: u64 = 1_000_000;

/// Does something with the state of a vCPU, its domain paused meanwhile. `None`: its CPU has not let go of it yet.
pub(super) fn with_state<R>(domain: &DomainRef, vcpu: &Vcpu, act: impl FnOnce(&mut VcpuState) -> R) -> Option<R> {
    domain.pause();
    let deadline = now_ns().saturating_add(PATIENCE_NS);
    let result = loop {
        if let Some(mut state) = vcpu.state.try_own() {
            break Some(act(&mut state));
        }
        if now_ns() >= deadline {
            break None;
        }
        relax();
    };
    domain.unpause();
    result
}

/// setvcpucontext; without a context the vCPU is as it was made. EINVAL: oneself, a number beyond the limit, a bad context. ESRCH: no such vCPU. EOPNOTSUPP: tables that cannot
/// change any more. EFAULT. Preemptible.
pub(super) fn set_context(cx: &mut Cx<'_>, call: &Call, domain: &DomainRef) -> HypercallResult {
    let request: Vcpucontext = call.op.payload();
    let vcpu = other_vcpu(cx, domain, &request)?;
    if request.ctxt.is_null() {
        return match with_state(domain, &vcpu, |state| teardown::reset(&vcpu, state, &mut cx.budget)) {
            Some(Ok(())) => Ok(Outcome::DONE),
            Some(Err(Preempted)) | None => call.again(),
        };
    }
    // Five KiB are too much to keep on the stack.
    let mut given: Box<VcpuGuestContext> = Box::new(guest_access::zeroed());
    guest_access::read_bytes(request.ctxt.addr(), given.as_mut_bytes())?;
    match with_state(domain, &vcpu, |state| context::set(&vcpu, state, &given, &mut cx.budget)) {
        Some(Ok(())) => Ok(Outcome::DONE),
        Some(Err(MmuError::Errno(errno))) => Err(errno.into()),
        Some(Err(MmuError::Preempted)) | None => call.again(),
    }
}

/// getvcpucontext. EINVAL: oneself, a number beyond the limit. ESRCH: no such vCPU. ENODATA: it was never given a state. EFAULT.
pub(super) fn get_context(cx: &Cx<'_>, call: &Call, domain: &DomainRef) -> HypercallResult {
    let request: Vcpucontext = call.op.payload();
    let vcpu = other_vcpu(cx, domain, &request)?;
    if !vcpu.initialised.load(Ordering::Acquire) {
        return Err(Errno::ENODATA.into());
    }
    let Some(state) = with_state(domain, &vcpu, |state| context::get(&vcpu, state)) else { return call.again() };
    guest_access::write_bytes(request.ctxt.addr(), state.as_bytes())?;
    Ok(Outcome::DONE)
}

fn other_vcpu(cx: &Cx<'_>, domain: &DomainRef, request: &Vcpucontext) -> Result<Arc<Vcpu>, Errno> {
    if Arc::ptr_eq(domain, cx.domain()) {
        return Err(Errno::EINVAL);
    }
    find_vcpu(domain, request.vcpu)
}
