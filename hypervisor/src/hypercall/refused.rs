// SPDX-License-Identifier: MIT OR Apache-2.0
//! Calls of which nothing works here, with the errors that Xen's configuration without the feature gives: hvm_op (34)
//! and xenpmu_op (40). The others (xsm_op, xenoprof_op, kexec_op, tmem_op, argo_op, dm_op) are unknown numbers.
#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use hypercalls::errno::Errno;
use hypercalls::handle::GuestHandle;
use hypercalls::hvm_op::{HvmOp, HvmParam};

use crate::hypercall::{Args, Cx, HypercallResult, census};
use crate::mm::guest_access;

/// HYPERVISOR_hvm_op(cmd, arg): there are no HVM domains. ENOSYS: unknown command; EFAULT, ESRCH, EPERM; else EINVAL.
pub(crate) fn hvm_op(cx: &mut Cx<'_>, args: &Args) -> HypercallResult {
    let &[cmd, arg, ..] = args;
    census::HVM_OP.note(cmd as u32, arg);
    match HvmOp::new(cmd as u32) {
        HvmOp::SET_PARAM | HvmOp::GET_PARAM => {
            let param = guest_access::read(GuestHandle::<HvmParam>::new(arg))?;
            cx.target_domain(param.domid)?;
            Err(Errno::EINVAL.into())
        }
        HvmOp::ALTP2M => Err(Errno::EOPNOTSUPP.into()),
        op if op.name().is_some() => Err(Errno::EINVAL.into()),
        _ => Err(Errno::ENOSYS.into()),
    }
}

/// HYPERVISOR_xenpmu_op(cmd, arg): no performance counters for guests. EOPNOTSUPP.
pub(crate) fn xenpmu_op(_: &mut Cx<'_>, _: &Args) -> HypercallResult {
    Err(Errno::EOPNOTSUPP.into())
}
