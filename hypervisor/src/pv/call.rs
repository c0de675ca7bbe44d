// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a hypercall is to its handler: who calls, what it may spend, how it ends. Handlers are in `hypercall/`; those that
//! only concern the CPU (iret, the LDT) are here in `pv/`.
#![forbid(unsafe_code)]

use alloc::sync::Arc;

use hypercalls::errno::Errno;
use hypercalls::ids::DomId;

use crate::budget::Budget;
use crate::domain::vcpu::{Vcpu, VcpuState};
use crate::domain::{Domain, DomainRef, table};

/// Who makes the call.
pub(crate) struct Cx<'a> {
    /// Calling vCPU.
    pub(crate) vcpu: &'a Arc<Vcpu>,
    /// Its state, owned by this CPU while the call lasts.
    pub(crate) state: &'a mut VcpuState,
    /// What this call may still spend before it must be continued later.
    pub(crate) budget: Budget,
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
