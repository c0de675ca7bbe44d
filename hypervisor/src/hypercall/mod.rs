// SPDX-License-Identifier: MIT OR Apache-2.0
//! Hypercalls at the boundary: copy arguments, resolve, check rights, call the subsystem, write results back.
#![forbid(unsafe_code)]

pub(crate) mod callback_op;
pub(crate) mod console_io;
pub(crate) mod continuation;
pub(crate) mod dispatch;
pub(crate) mod domctl;
pub(crate) mod event_channel_op;
pub(crate) mod grant_table_op;
pub(crate) mod memory_exchange;
pub(crate) mod memory_op;
pub(crate) mod memory_reservation;
pub(crate) mod mmu;
pub(crate) mod multicall;
pub(crate) mod physdev_op;
pub(crate) mod platform_efi;
pub(crate) mod platform_firmware;
pub(crate) mod platform_op;
pub(crate) mod pv_state;
pub(crate) mod refused;
pub(crate) mod sched_op;
pub(crate) mod sysctl;
pub(crate) mod vcpu_op;
pub(crate) mod version;

use alloc::sync::Arc;

use hypercalls::errno::Errno;
use hypercalls::ids::DomId;

use crate::domain::vcpu::{Vcpu, VcpuState};
use crate::domain::{Domain, DomainRef, table};

/// Who makes the call.
pub(crate) struct Cx<'a> {
    /// Calling vCPU.
    pub(crate) vcpu: &'a Arc<Vcpu>,
    /// Its state, owned by this CPU while the call lasts.
    pub(crate) state: &'a mut VcpuState,
    /// What this call may still spend before it must be continued later.
    pub(crate) budget: continuation::Budget,
}

/// Arguments in the order of the ABI: rdi, rsi, rdx, r10, r8, r9.
pub(crate) type Args = [u64; 6];

/// How a hypercall ended well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Return this value.
    Done(u64),
    /// Run the same call again later with these arguments, after events have been delivered.
    Preempted(Args),
    /// The call set the registers itself (iret), or the vCPU no longer runs.
    Registers,
}

impl Outcome {
    /// Success without a value.
    pub(crate) const DONE: Self = Self::Done(0);
}

/// How a hypercall failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The caller's mistake: return the negative value.
    Errno(Errno),
    /// The guest is beyond repair: crash the domain, saying why.
    Crash(&'static str),
}

impl From<Errno> for Fault {
    fn from(errno: Errno) -> Self {
        Self::Errno(errno)
    }
}

/// What every handler returns.
pub(crate) type HypercallResult = Result<Outcome, Fault>;

impl Cx<'_> {
    /// The calling domain.
    pub(crate) fn domain(&self) -> &Arc<Domain> {
        &self.vcpu.domain
    }

    /// Refuses callers that are not a control domain. EPERM.
    pub(crate) fn require_control(&self) -> Result<(), Errno> {
        if self.domain().is_control { Ok(()) } else { Err(Errno::EPERM) }
    }

    /// A domain that the caller may act on: itself by DOMID_SELF or its own number, another one if it is a control domain.
    /// ESRCH if there is none, EPERM if the caller has no right.
    pub(crate) fn target_domain(&self, id: DomId) -> Result<DomainRef, Errno> {
        if id == DomId::SELF || id == self.domain().id {
            return Ok(self.domain().clone());
        }
        let domain = table::find(id).ok_or(Errno::ESRCH)?;
        self.require_control()?;
        Ok(domain)
    }
}
