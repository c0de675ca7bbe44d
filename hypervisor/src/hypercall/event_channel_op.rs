// SPDX-License-Identifier: MIT OR Apache-2.0
//! event_channel_op (32), and its older form with the command in the structure (16).
#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use core::sync::atomic::Ordering;

use event_channels::{Closer, Status, StatusKind};
use hypercalls::errno::Errno;
use hypercalls::event_channel::{
    EventChannelOp, EvtchnAllocUnbound, EvtchnBindInterdomain, EvtchnBindIpi, EvtchnBindPirq, EvtchnBindVcpu,
    EvtchnBindVirq, EvtchnClose, EvtchnExpandArray, EvtchnInitControl, EvtchnReset, EvtchnSend, EvtchnSetPriority,
    EvtchnState, EvtchnStatus, EvtchnStatusInterdomain, EvtchnStatusUnbound, EvtchnUnmask, FIFO_LINK_BITS,
};
use hypercalls::handle::GuestHandle;
use hypercalls::ids::{DomId, Pirq, VcpuId};

use crate::domain::vcpu::Vcpu;
use crate::domain::{Domain, DomainRef, events, table};
use crate::hypercall::{Args, Cx, HypercallResult, Outcome, census};
use crate::irq::guest;
use crate::mm::guest_access;
use crate::x86::percpu::CpuId;
use crate::x86::uaccess::GuestWords;

/// Where the argument is in the older form's structure.
const COMPAT_ARGUMENT: u64 = 4;
/// Ports one call of EVTCHNOP_reset looks at before it lets events in.
const RESET_PORTS: u32 = 512;

/// HYPERVISOR_event_channel_op(cmd, arg). Anyone for itself; for others see the operations. ENOSYS, EFAULT. Reset is preemptible.
pub(crate) fn event_channel_op(cx: &mut Cx<'_>, args: &Args) -> HypercallResult {
    let &[cmd, arg, ..] = args;
    if let Some(done) = hot(cx.vcpu, cmd, arg) {
        done?;
        return Ok(Outcome::DONE);
    }
    census::EVENT_CHANNEL_OP.note(cmd as u32, arg);
    match EventChannelOp::new(cmd as u32) {
        EventChannelOp::STATUS => status(cx, GuestHandle::new(arg))?,
        EventChannelOp::UNMASK => {
            let op: EvtchnUnmask = guest_access::read(GuestHandle::new(arg))?;
            events::unmask(cx.domain(), op.port)?;
        }
        EventChannelOp::BIND_INTERDOMAIN => bind_interdomain(cx, GuestHandle::new(arg))?,
        EventChannelOp::BIND_VIRQ => bind_virq(cx, GuestHandle::new(arg))?,
        EventChannelOp::BIND_PIRQ => bind_pirq(cx, GuestHandle::new(arg))?,
        EventChannelOp::BIND_IPI => bind_ipi(cx, GuestHandle::new(arg))?,
        EventChannelOp::BIND_VCPU => bind_vcpu(cx, GuestHandle::new(arg))?,
        EventChannelOp::CLOSE => close(cx, GuestHandle::new(arg))?,
        EventChannelOp::ALLOC_UNBOUND => alloc_unbound(cx, GuestHandle::new(arg))?,
        EventChannelOp::RESET => return reset(cx, args),
        EventChannelOp::INIT_CONTROL => init_control(cx, GuestHandle::new(arg))?,
        EventChannelOp::EXPAND_ARRAY => {
            let op: EvtchnExpandArray = guest_access::read(GuestHandle::new(arg))?;
            events::expand_array(cx.domain(), op.array_gfn)?;
        }
        EventChannelOp::SET_PRIORITY => {
            let op: EvtchnSetPriority = guest_access::read(GuestHandle::new(arg))?;
            cx.domain().events.lock().table.set_priority(op.port, op.priority).map_err(Errno::from)?;
        }
        _ => return Err(Errno::ENOSYS.into()),
    }
    Ok(Outcome::DONE)
}

/// The hottest operations: sending, and the state of the caller's own port. EFAULT; EINVAL; EACCES.
#[inline(always)]
pub(crate) fn hot(vcpu: &Vcpu, cmd: u64, arg: u64) -> Option<Result<(), Errno>> {
    match EventChannelOp::new(cmd as u32) {
        EventChannelOp::SEND => Some(send(vcpu, GuestHandle::new(arg))),
        EventChannelOp::STATUS => own_status(&vcpu.domain, GuestHandle::new(arg)),
        _ => None,
    }
}

/// EVTCHNOP_send. EFAULT, EINVAL.
#[inline(always)]
fn send(vcpu: &Vcpu, arg: GuestHandle<EvtchnSend>) -> Result<(), Errno> {
    events::send(vcpu, guest_access::read(arg)?.port)
}

/// EVTCHNOP_status of the caller's own port by DOMID_SELF.
#[inline(never)]
fn own_status(domain: &Domain, arg: GuestHandle<EvtchnStatus>) -> Option<Result<(), Errno>> {
    let Ok(words) = GuestWords::<3>::at(arg.addr()).and_then(GuestWords::get_all) else {
        return Some(Err(Errno::EFAULT));
    };
    let mut op: EvtchnStatus = zerocopy::transmute!(words);
    if op.dom != DomId::SELF {
        return None;
    }
    Some(events::status(domain, op.port).and_then(|status| {
        describe(&mut op, status);
        guest_access::write(arg, &op)
    }))
}

/// HYPERVISOR_event_channel_op_compat(op): `evtchn_op` with the command in front. ENOSYS for commands that are younger than it.
pub(crate) fn event_channel_op_compat(cx: &mut Cx<'_>, args: &Args) -> HypercallResult {
    let &[op, ..] = args;
    let cmd: EventChannelOp = guest_access::read(GuestHandle::new(op))?;
    match cmd {
        EventChannelOp::BIND_INTERDOMAIN
        | EventChannelOp::BIND_VIRQ
        | EventChannelOp::BIND_PIRQ
        | EventChannelOp::CLOSE
        | EventChannelOp::SEND
        | EventChannelOp::STATUS
        | EventChannelOp::ALLOC_UNBOUND
        | EventChannelOp::BIND_IPI
        | EventChannelOp::BIND_VCPU
        | EventChannelOp::UNMASK => {
            let argument = op.wrapping_add(COMPAT_ARGUMENT);
            event_channel_op(cx, &[cmd.raw().into(), argument, 0, 0, 0, 0])
        }
        _ => Err(Errno::ENOSYS.into()),
    }
}

/// A domain by DOMID_SELF or number, whether or not the caller may act on it. ESRCH.
fn any_domain(cx: &Cx<'_>, id: DomId) -> Result<DomainRef, Errno> {
    if id == DomId::SELF { Ok(cx.domain().clone()) } else { table::find(id).ok_or(Errno::ESRCH) }
}

/// The caller may act on itself, and if it is a control domain on others. EPERM.
fn require_right(cx: &Cx<'_>, target: &Domain) -> Result<(), Errno> {
    if target.id == cx.domain().id { Ok(()) } else { cx.require_control() }
}

/// A domain's number with DOMID_SELF resolved to the caller.
fn resolve(cx: &Cx<'_>, id: DomId) -> DomId {
    if id == DomId::SELF { cx.domain().id } else { id }
}

/// EVTCHNOP_alloc_unbound: for another domain by a control domain. ESRCH, EPERM, EINVAL (dying), ENOSPC, ENOMEM.
fn alloc_unbound(cx: &Cx<'_>, arg: GuestHandle<EvtchnAllocUnbound>) -> Result<(), Errno> {
    let mut op = guest_access::read(arg)?;
    let domain = any_domain(cx, op.dom)?;
    require_right(cx, &domain)?;
    op.port = domain.events.lock().table.alloc_unbound(resolve(cx, op.remote_dom))?;
    written(&domain, op.port, guest_access::write(arg, &op))
}

/// A port whose number the caller was not told is closed again.
fn written(domain: &Domain, port: hypercalls::ids::Port, result: Result<(), Errno>) -> Result<(), Errno> {
    if result.is_err()
        && let Ok(Some(pirq)) = events::close(domain, port, Closer::Guest)
    {
        guest::unbind(domain, pirq);
    }
    result
}

/// EVTCHNOP_bind_interdomain. ESRCH, EINVAL (not offered to the caller), ENOSPC, ENOMEM.
fn bind_interdomain(cx: &Cx<'_>, arg: GuestHandle<EvtchnBindInterdomain>) -> Result<(), Errno> {
    let mut op = guest_access::read(arg)?;
    let remote = any_domain(cx, op.remote_dom)?;
    op.local_port = events::bind_interdomain(cx.domain(), &remote, op.remote_port)?;
    written(cx.domain(), op.local_port, guest_access::write(arg, &op))
}

/// EVTCHNOP_bind_virq. EINVAL, ENOENT, EEXIST, ENOSPC, ENOMEM.
fn bind_virq(cx: &Cx<'_>, arg: GuestHandle<EvtchnBindVirq>) -> Result<(), Errno> {
    let mut op = guest_access::read(arg)?;
    op.port = cx.domain().events.lock().table.bind_virq(op.virq, op.vcpu)?;
    written(cx.domain(), op.port, guest_access::write(arg, &op))
}

/// EVTCHNOP_bind_ipi. ENOENT, ENOSPC, ENOMEM.
fn bind_ipi(cx: &Cx<'_>, arg: GuestHandle<EvtchnBindIpi>) -> Result<(), Errno> {
    let mut op = guest_access::read(arg)?;
    op.port = cx.domain().events.lock().table.bind_ipi(op.vcpu)?;
    written(cx.domain(), op.port, guest_access::write(arg, &op))
}

/// EVTCHNOP_bind_pirq: a number out of range EINVAL, one that is not mapped EPERM (the right is to the line behind it, and there is
/// none); EEXIST, ENOSPC, ENOMEM.
/// Whether the line may be shared was decided when it was mapped.
fn bind_pirq(cx: &Cx<'_>, arg: GuestHandle<EvtchnBindPirq>) -> Result<(), Errno> {
    let mut op = guest_access::read(arg)?;
    let domain = cx.domain();
    {
        let pirqs = domain.pirqs.lock();
        if !pirqs.is_valid(op.pirq) {
            return Err(Errno::EINVAL);
        }
        if pirqs.source(op.pirq).is_none() {
            return Err(Errno::EPERM);
        }
    }
    op.port = domain.events.lock().table.bind_pirq(op.pirq)?;
    if let Err(errno) = guest::bind(domain, op.pirq, cpu_of(domain, VcpuId::new(0))) {
        undo_bind_pirq(domain, &op);
        return Err(errno);
    }
    written(domain, op.port, guest_access::write(arg, &op))
}

/// The line could not be opened: closes its port, unless the guest has been quicker and the port is something else now.
fn undo_bind_pirq(domain: &Domain, op: &EvtchnBindPirq) {
    let is_ours = domain.events.lock().table.port_of_pirq(op.pirq) == Some(op.port);
    if is_ours {
        // It may fail only because it is closed already.
        let _ = events::close(domain, op.port, Closer::Guest);
    }
}

/// The CPU that a vCPU is on, or was on last.
fn cpu_of(domain: &Domain, vcpu: VcpuId) -> CpuId {
    domain.vcpu(vcpu).map_or(CpuId::BOOT, |vcpu| CpuId::new(vcpu.cpu.load(Ordering::Relaxed)))
}

/// EVTCHNOP_bind_vcpu; a physical interrupt's line follows the vCPU. ENOENT, EINVAL.
fn bind_vcpu(cx: &Cx<'_>, arg: GuestHandle<EvtchnBindVcpu>) -> Result<(), Errno> {
    let op = guest_access::read(arg)?;
    let domain = cx.domain();
    let line = domain.events.lock().table.bind_vcpu(op.port, op.vcpu)?;
    if let Some(pirq) = line {
        guest::set_destination(domain, pirq, cpu_of(domain, op.vcpu));
    }
    Ok(())
}

/// EVTCHNOP_close. EINVAL.
fn close(cx: &Cx<'_>, arg: GuestHandle<EvtchnClose>) -> Result<(), Errno> {
    let op = guest_access::read(arg)?;
    if let Some(pirq) = events::close(cx.domain(), op.port, Closer::Guest)? {
        guest::unbind(cx.domain(), pirq);
    }
    Ok(())
}

/// EVTCHNOP_status: of another domain's port by a control domain. ESRCH, EINVAL, EACCES (the hypervisor's own), EPERM, in this order.
fn status(cx: &Cx<'_>, arg: GuestHandle<EvtchnStatus>) -> Result<(), Errno> {
    let mut op = guest_access::read(arg)?;
    let domain = any_domain(cx, op.dom)?;
    let status = events::status(&domain, op.port)?;
    require_right(cx, &domain)?;
    describe(&mut op, status);
    guest_access::write(arg, &op)
}

#[inline]
fn describe(op: &mut EvtchnStatus, status: Status) {
    op.vcpu = status.vcpu;
    op.status = match status.kind {
        StatusKind::Closed => EvtchnState::CLOSED,
        StatusKind::Unbound(dom) => {
            op.set_payload(&EvtchnStatusUnbound { dom });
            EvtchnState::UNBOUND
        }
        StatusKind::Interdomain(dom, port) => {
            op.set_payload(&EvtchnStatusInterdomain { dom, _pad: [0; 2], port });
            EvtchnState::INTERDOMAIN
        }
        StatusKind::Pirq(pirq) => {
            op.set_payload(&pirq);
            EvtchnState::PIRQ
        }
        StatusKind::Virq(virq) => {
            op.set_payload(&virq);
            EvtchnState::VIRQ
        }
        StatusKind::Ipi => EvtchnState::IPI,
    };
}

/// EVTCHNOP_reset: of another domain by a control domain, while it is paused (it could use the ports meanwhile). ESRCH, EPERM, EINVAL,
/// EAGAIN. Preemptible.
fn reset(cx: &Cx<'_>, args: &Args) -> HypercallResult {
    let &[_, arg, ..] = args;
    let op: EvtchnReset = guest_access::read(GuestHandle::new(arg))?;
    let domain = any_domain(cx, op.dom)?;
    require_right(cx, &domain)?;
    if domain.id != cx.domain().id && domain.pause_count.load(Ordering::Acquire) == 0 {
        return Err(Errno::EINVAL.into());
    }
    let mut budget = RESET_PORTS;
    let unbind = |pirq: Pirq| guest::unbind(&domain, pirq);
    if events::drain(&domain, Closer::Guest, &mut budget, unbind)? {
        Ok(Outcome::DONE)
    } else {
        Ok(Outcome::Preempted(*args))
    }
}

/// EVTCHNOP_init_control. ENOENT, EINVAL, ENOMEM.
fn init_control(cx: &Cx<'_>, arg: GuestHandle<EvtchnInitControl>) -> Result<(), Errno> {
    let mut op = guest_access::read(arg)?;
    events::init_control(cx.domain(), op.vcpu, op.control_gfn, op.offset)?;
    op.link_bits = FIFO_LINK_BITS as u8;
    guest_access::write(arg, &op)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hypercalls::ids::{Port, Virq};

    #[test]
    fn statuses_are_described() {
        let blank = EvtchnStatus {
            dom: DomId::SELF,
            _pad: [0; 2],
            port: Port::new(3),
            status: EvtchnState::CLOSED,
            vcpu: VcpuId::new(0),
            u: [0; 8],
        };
        let of = |kind| {
            let mut op = blank;
            describe(&mut op, Status { vcpu: VcpuId::new(2), kind });
            assert_eq!(op.vcpu, VcpuId::new(2));
            (op.status, u64::from_le_bytes(op.u))
        };
        assert_eq!(of(StatusKind::Closed), (EvtchnState::CLOSED, 0));
        assert_eq!(of(StatusKind::Unbound(DomId::new(7))), (EvtchnState::UNBOUND, 7));
        assert_eq!(of(StatusKind::Interdomain(DomId::new(7), Port::new(9))), (EvtchnState::INTERDOMAIN, 9 << 32 | 7));
        assert_eq!(of(StatusKind::Pirq(Pirq::new(11))), (EvtchnState::PIRQ, 11));
        assert_eq!(of(StatusKind::Virq(Virq::CON_RING)), (EvtchnState::VIRQ, 8));
        assert_eq!(of(StatusKind::Ipi), (EvtchnState::IPI, 0));
    }
}
