// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! What domains see of the CPU.

use crate::control::{Control, get_list, handle};
use crate::error::{ControlError, Result};
use hypercalls::domctl::{CpuPolicy, CpuidLeaf, DOMCTL_INTERFACE_VERSION, Domctl, DomctlCmd, MsrEntry};
use hypercalls::sysctl::SysctlCmd;
use hypercalls::sysctl::cpu::{CpuPolicyIndex, SysctlCpuPolicy};
use hypercalls::{DomId, GuestHandle};
use zerocopy::FromZeros;

/// CPUID answers and MSR values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// CPUID, in ascending order.
    pub leaves: Vec<CpuidLeaf>,
    /// MSRs.
    pub msrs: Vec<MsrEntry>,
}

impl Control {
    /// What a PV domain gets by default, at most, or what the hardware has.
    ///
    /// # Errors
    /// `EOPNOTSUPP` or `EINVAL` if the hypervisor does not have that policy.
    pub fn system_policy(&self, index: CpuPolicyIndex) -> Result<Policy> {
        let operation = "read a CPU policy";
        let failed = |error| ControlError::new(operation, None, error);
        let mut request = SysctlCpuPolicy::new_zeroed();
        request.index = index;
        // Null lists ask for the numbers.
        let room = self.sysctl(operation, SysctlCmd::GET_CPU_POLICY, &request)?.payload::<SysctlCpuPolicy>();
        let leaves = self.room::<CpuidLeaf>(room.nr_leaves as usize).map_err(failed)?;
        let msrs = self.room::<MsrEntry>(room.nr_msrs as usize).map_err(failed)?;
        request.nr_leaves = room.nr_leaves;
        request.nr_msrs = room.nr_msrs;
        request.leaves = handle(&leaves);
        request.msrs = handle(&msrs);
        let answer = self.sysctl(operation, SysctlCmd::GET_CPU_POLICY, &request)?.payload::<SysctlCpuPolicy>();
        Ok(Policy {
            leaves: get_list(&leaves, answer.nr_leaves as usize),
            msrs: get_list(&msrs, answer.nr_msrs as usize),
        })
    }

    /// Sets parts of what a domain sees: what is not named stays. Before it first runs.
    ///
    /// # Errors
    /// `EINVAL` if a value is more than the hypervisor allows; the text names the leaf or MSR.
    pub fn set_policy(&self, domain: DomId, policy: &Policy) -> Result<()> {
        let operation = "set a domain's CPU policy";
        let failed = |error| ControlError::new(operation, Some(domain), error);
        let leaves = self.put(policy.leaves.as_slice()).map_err(failed)?;
        let msrs = self.put(policy.msrs.as_slice()).map_err(failed)?;
        let mut argument = CpuPolicy::new_zeroed();
        argument.err_leaf = !0;
        argument.err_subleaf = !0;
        argument.err_msr = !0;
        argument.nr_leaves = u32::try_from(policy.leaves.len()).unwrap_or(u32::MAX);
        argument.nr_msrs = u32::try_from(policy.msrs.len()).unwrap_or(u32::MAX);
        argument.leaves = if policy.leaves.is_empty() { GuestHandle::NULL } else { handle(&leaves) };
        argument.msrs = if policy.msrs.is_empty() { GuestHandle::NULL } else { handle(&msrs) };
        let mut call = Domctl::new_zeroed();
        call.cmd = DomctlCmd::SET_CPU_POLICY;
        call.interface_version = DOMCTL_INTERFACE_VERSION;
        call.domain = domain;
        call.set_payload(&argument);
        self.domctl_raw(&mut call).map_err(|error| failed(error).with_detail(culprit(&call.payload())))
    }
}

/// What the hypervisor refused.
fn culprit(answer: &CpuPolicy) -> Option<String> {
    match (answer.err_leaf, answer.err_subleaf, answer.err_msr) {
        (u32::MAX, _, u32::MAX) => None,
        (u32::MAX, _, msr) => Some(format!("MSR {msr:#x}")),
        (leaf, u32::MAX, _) => Some(format!("CPUID leaf {leaf:#x}")),
        (leaf, subleaf, _) => Some(format!("CPUID leaf {leaf:#x}, subleaf {subleaf:#x}")),
    }
}
