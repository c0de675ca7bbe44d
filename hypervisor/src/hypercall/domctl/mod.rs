// SPDX-License-Identifier: MIT OR Apache-2.0
//! domctl (36): one domain, for toolstacks. The match is here; one file for each group of operations.
#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod affinity;
pub(in crate::hypercall) mod bitmap;
mod create;
mod info;
mod lifecycle;
mod memory;
mod rights;
mod settings;
mod vcpu;

use alloc::sync::Arc;

use hypercalls::domctl::{
    AddressSize, DOMCTL_INTERFACE_VERSION, DOMCTL_INTERFACE_VERSION_0X17, Domctl, DomctlCmd, SetLlcColors,
    SetVirqHandler,
};
use hypercalls::errno::Errno;
use hypercalls::handle::GuestHandle;
use hypercalls::ids::VcpuId;
use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::domain::vcpu::Vcpu;
use crate::domain::{Domain, DomainRef, events, table};
use crate::hypercall::{Args, Cx, HypercallResult, Outcome, census, cpu_policy};
use crate::latency;
use crate::mm::guest_access;

/// One call: what was copied in, and where an answer goes.
pub(in crate::hypercall) struct Call {
    handle: GuestHandle<Domctl>,
    op: Domctl,
    args: Args,
}

impl Call {
    /// Done; the answer is written back.
    fn answer<T: FromBytes + IntoBytes + Immutable>(mut self, payload: &T) -> HypercallResult {
        self.op.set_payload(payload);
        guest_access::write(self.handle, &self.op)?;
        Ok(Outcome::DONE)
    }

    /// The same call once more, after events.
    fn again(&self) -> HypercallResult {
        Ok(Outcome::Preempted(self.args))
    }
}

/// HYPERVISOR_domctl(arg), for control domains, of Xen 4.17's interface or 4.20's. EACCES: another interface version. ESRCH: no such domain. EPERM, EFAULT;
/// ENOSYS: unknown command.
pub(crate) fn domctl(cx: &mut Cx<'_>, args: &Args) -> HypercallResult {
    let &[arg, ..] = args;
    let handle = GuestHandle::<Domctl>::new(arg);
    let op = guest_access::read(handle)?;
    if !matches!(op.interface_version, DOMCTL_INTERFACE_VERSION | DOMCTL_INTERFACE_VERSION_0X17) {
        return Err(Errno::EACCES.into());
    }
    cx.require_control()?;
    census::DOMCTL.note(op.cmd.raw(), arg);
    latency::operation(op.cmd.raw());
    let mut call = Call { handle, op, args: *args };
    if op.cmd == DomctlCmd::GETDOMAININFO {
        let info = info::domain_info(op.domain)?;
        call.op.domain = info.domain;
        return call.answer(&info);
    }
    if op.cmd == DomctlCmd::CREATEDOMAIN {
        call.op.domain = create::create(op.domain, &create::request(&op)?)?;
        guest_access::write(handle, &call.op)?;
        return Ok(Outcome::DONE);
    }
    let domain = table::find(op.domain).ok_or(Errno::ESRCH)?;
    on_domain(cx, call, &domain)
}

/// What may still be asked of a domain whose end has begun.
fn suits_the_dying(cmd: DomctlCmd) -> bool {
    matches!(
        cmd,
        DomctlCmd::DESTROYDOMAIN
            | DomctlCmd::PAUSEDOMAIN
            | DomctlCmd::UNPAUSEDOMAIN
            | DomctlCmd::GETVCPUINFO
            | DomctlCmd::GETVCPUAFFINITY
            | DomctlCmd::GET_ADDRESS_SIZE
    )
}

/// The operations on a domain there is. ESRCH: it is dying, and the operation is for the living.
fn on_domain(cx: &mut Cx<'_>, call: Call, domain: &DomainRef) -> HypercallResult {
    let op = &call.op;
    if domain.is_dying() && !suits_the_dying(op.cmd) {
        return Err(Errno::ESRCH.into());
    }
    match op.cmd {
        DomctlCmd::PAUSEDOMAIN => return lifecycle::pause(cx, domain),
        DomctlCmd::UNPAUSEDOMAIN => return lifecycle::unpause(domain),
        DomctlCmd::DESTROYDOMAIN => return lifecycle::destroy(cx, &call, domain),
        DomctlCmd::RESUMEDOMAIN => lifecycle::resume(cx, domain)?,
        DomctlCmd::SENDTRIGGER => lifecycle::send_trigger(domain, &op.payload())?,
        // Single steps and starting over are for hardware-assisted domains.
        DomctlCmd::DEBUG_OP | DomctlCmd::SOFT_RESET => return Err(Errno::EINVAL.into()),
        DomctlCmd::MAX_MEM => memory::set_max_mem(domain, &op.payload()),
        DomctlCmd::SET_ADDRESS_SIZE => memory::set_address_size(&op.payload())?,
        DomctlCmd::GET_ADDRESS_SIZE => return call.answer(&AddressSize { size: 64 }),
        DomctlCmd::SETVCPUAFFINITY => affinity::set_affinity(domain, &op.payload())?,
        DomctlCmd::GETVCPUAFFINITY => affinity::get_affinity(domain, &op.payload())?,
        DomctlCmd::GETVCPUINFO => {
            let info = info::vcpu_info(domain, op.payload())?;
            return call.answer(&info);
        }
        DomctlCmd::MAX_VCPUS => return create::max_vcpus(cx, &call, domain),
        DomctlCmd::SETVCPUCONTEXT => return vcpu::set_context(cx, &call, domain),
        DomctlCmd::GETVCPUCONTEXT => return vcpu::get_context(cx, &call, domain),
        DomctlCmd::SETDOMAINHANDLE => settings::set_handle(domain, &op.payload()),
        DomctlCmd::SETTIMEOFFSET => settings::set_time_offset(domain, &op.payload()),
        DomctlCmd::SETTSCINFO => settings::set_tsc_info(cx, domain, &op.payload())?,
        DomctlCmd::GETTSCINFO => return call.answer(&settings::tsc_info(cx, domain)?),
        DomctlCmd::SETNODEAFFINITY => settings::set_nodes(&op.payload())?,
        DomctlCmd::GETNODEAFFINITY => settings::nodes(&op.payload())?,
        DomctlCmd::SCHEDULER_OP => {
            let answer = settings::scheduler_op(domain, op.payload())?;
            return call.answer(&answer);
        }
        DomctlCmd::GET_CPU_POLICY => {
            let answer = cpu_policy::of_domain(domain, op.payload())?;
            return call.answer(&answer);
        }
        DomctlCmd::SET_CPU_POLICY => return set_cpu_policy(cx, call, domain),
        DomctlCmd::IOPORT_PERMISSION => rights::ports(cx, domain, &op.payload())?,
        DomctlCmd::IOMEM_PERMISSION => rights::frames(cx, domain, &op.payload())?,
        DomctlCmd::IRQ_PERMISSION => rights::interrupt(cx, domain, &op.payload())?,
        DomctlCmd::HYPERCALL_INIT => memory::hypercall_init(domain, &op.payload())?,
        DomctlCmd::GETPAGEFRAMEINFO3 => memory::page_types(domain, &op.payload())?,
        DomctlCmd::SET_VIRQ_HANDLER => {
            events::set_virq_taker(op.payload::<SetVirqHandler>().virq, domain.id)?;
        }
        _ => return Err(refusal(op).into()),
    }
    Ok(Outcome::DONE)
}

/// The error of an operation that no PV domain without devices of its own can have, as Xen has it where it is not built for more.
fn refusal(op: &Domctl) -> Errno {
    match op.cmd {
        // Tools of 4.20 ask it for every domain, and want to hear this where caches are not shared out by colours.
        DomctlCmd::SET_LLC_COLORS if op.interface_version == DOMCTL_INTERFACE_VERSION_0X17 => {
            if op.payload::<SetLlcColors>().pad == 0 { Errno::EOPNOTSUPP } else { Errno::EINVAL }
        }
        // There is no IOMMU, hence no device that could be given to anyone.
        DomctlCmd::TEST_ASSIGN_DEVICE
        | DomctlCmd::ASSIGN_DEVICE
        | DomctlCmd::DEASSIGN_DEVICE
        | DomctlCmd::GET_DEVICE_GROUP
        | DomctlCmd::IOPORT_MAPPING
        // Introspection and paging need hardware assistance.
        | DomctlCmd::MONITOR_OP
        | DomctlCmd::GET_PAGING_MEMPOOL_SIZE
        | DomctlCmd::SET_PAGING_MEMPOOL_SIZE => Errno::EOPNOTSUPP,
        DomctlCmd::BIND_PT_IRQ
        | DomctlCmd::UNBIND_PT_IRQ
        | DomctlCmd::MEMORY_MAPPING
        | DomctlCmd::SHADOW_OP
        | DomctlCmd::GETHVMCONTEXT
        | DomctlCmd::SETHVMCONTEXT
        | DomctlCmd::GETHVMCONTEXT_PARTIAL
        | DomctlCmd::SET_BROKEN_PAGE_P2M
        | DomctlCmd::SETVNUMAINFO
        | DomctlCmd::VMTRACE_OP => Errno::EINVAL,
        // No resource control of caches.
        DomctlCmd::PSR_CMT_OP | DomctlCmd::PSR_ALLOC => Errno::ENODEV,
        _ => Errno::ENOSYS,
    }
}

/// The answer tells what was refused.
fn set_cpu_policy(cx: &Cx<'_>, call: Call, domain: &DomainRef) -> HypercallResult {
    let mut request = call.op.payload();
    let Err(errno) = cpu_policy::set(cx, domain, &mut request) else { return Ok(Outcome::DONE) };
    call.answer(&request)?;
    Err(errno.into())
}

/// A vCPU that an operation names. EINVAL: beyond the limit. ESRCH: not there.
fn find_vcpu(domain: &Domain, id: VcpuId) -> Result<Arc<Vcpu>, Errno> {
    if id.raw() >= domain.max_vcpus {
        return Err(Errno::EINVAL);
    }
    domain.vcpu(id).ok_or(Errno::ESRCH)
}
