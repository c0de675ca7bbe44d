// SPDX-License-Identifier: MIT OR Apache-2.0
//! sched_op (29), its older form (6), set_timer_op (15).
#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use core::sync::atomic::Ordering;

use hypercalls::errno::Errno;
use hypercalls::handle::GuestHandle;
use hypercalls::ids::{DomId, Port};
use hypercalls::sched::{
    SchedOp, SchedPinOverride, SchedPoll, SchedRemoteShutdown, SchedShutdown, SchedWatchdog, ShutdownReason,
};

use crate::domain::pools;
use crate::domain::vcpu::{Vcpu, pause};
use crate::domain::{events, shutdown, table};
use crate::hypercall::{Args, Cx, HypercallResult, Outcome, census};
use crate::mm::guest_access;
use crate::sched;
use crate::time::system::now_ns;
use crate::time::timer::TimerKind;

/// Ports one SCHEDOP_poll may wait for.
const MAX_POLL_PORTS: u32 = 128;
const NS_PER_SECOND: u64 = 1_000_000_000;
/// A timeout this far away (13 days) is taken for a mistake, and the guest looks again after [`RETRY_NS`], as in Xen.
const FAR_FUTURE_NS: u64 = 1 << 50;
const RETRY_NS: u64 = 100_000_000;

/// HYPERVISOR_sched_op(cmd, arg). Anyone for itself. ENOSYS, EFAULT.
pub(crate) fn sched_op(cx: &mut Cx<'_>, args: &Args) -> HypercallResult {
    let &[cmd, arg, ..] = args;
    match SchedOp::new(cmd as u32) {
        SchedOp::YIELD => sched::yield_now(),
        SchedOp::BLOCK => block(cx.vcpu),
        SchedOp::POLL => poll(cx.vcpu, GuestHandle::new(arg))?,
        SchedOp::SHUTDOWN => {
            let op: SchedShutdown = guest_access::read(GuestHandle::new(arg))?;
            shutdown::shut_down(cx.domain(), reason(op.reason));
        }
        SchedOp::SHUTDOWN_CODE => {
            let op: SchedShutdown = guest_access::read(GuestHandle::new(arg))?;
            cx.domain().lifecycle.lock().choose_reason(reason(op.reason));
        }
        SchedOp::REMOTE_SHUTDOWN => {
            census::SCHED_OP.note(cmd as u32, arg);
            remote_shutdown(cx, GuestHandle::new(arg))?;
        }
        SchedOp::WATCHDOG => return watchdog(cx, GuestHandle::new(arg)),
        SchedOp::PIN_OVERRIDE => pin_override(cx, GuestHandle::new(arg))?,
        _ => return Err(Errno::ENOSYS.into()),
    }
    Ok(Outcome::DONE)
}

/// HYPERVISOR_sched_op_compat(cmd, arg): yield, block, and shutdown with the reason itself as the argument. ENOSYS.
pub(crate) fn sched_op_compat(cx: &mut Cx<'_>, args: &Args) -> HypercallResult {
    let &[cmd, arg, ..] = args;
    match SchedOp::new(cmd as u32) {
        SchedOp::YIELD => sched::yield_now(),
        SchedOp::BLOCK => block(cx.vcpu),
        SchedOp::SHUTDOWN => shutdown::shut_down(cx.domain(), reason(ShutdownReason(arg as u32))),
        _ => return Err(Errno::ENOSYS.into()),
    }
    Ok(Outcome::DONE)
}

/// HYPERVISOR_set_timer_op(timeout): VIRQ_TIMER at a system time in ns; 0 for never. Never fails.
pub(crate) fn set_timer_op(cx: &mut Cx<'_>, args: &Args) -> HypercallResult {
    let &[timeout, ..] = args;
    set_timer(cx.vcpu, timeout);
    Ok(Outcome::DONE)
}

/// What [`set_timer_op`] does.
#[inline(never)]
pub(crate) fn set_timer(vcpu: &Vcpu, timeout: u64) {
    if timeout == 0 {
        return vcpu.cancel_timer(TimerKind::SingleShot);
    }
    match timer_deadline(timeout, now_ns()) {
        Some(deadline) => vcpu.arm_timer(TimerKind::SingleShot, deadline),
        None => vcpu.cancel_timer(TimerKind::SingleShot),
    }
}

fn timer_deadline(timeout: u64, now: u64) -> Option<u64> {
    match timeout {
        0 => None,
        far if far.saturating_sub(now) >= FAR_FUTURE_NS => Some(now.saturating_add(RETRY_NS)),
        timeout => Some(timeout),
    }
}

/// Eight bits of a reason reach the toolstack.
fn reason(raw: ShutdownReason) -> ShutdownReason {
    ShutdownReason(raw.raw() & 0xff)
}

/// SCHEDOP_block: unmasks events and sleeps, unless one waits already.
fn block(vcpu: &Vcpu) {
    vcpu.info().upcall_mask().store(0, Ordering::SeqCst);
    vcpu.pause_flags.fetch_or(pause::BLOCKED, Ordering::SeqCst);
    // After the flag: an event from now on clears it.
    if vcpu.event_due() {
        vcpu.unblock();
    } else {
        vcpu.sleep();
    }
}

/// SCHEDOP_poll: sleeps until one of some ports is pending, masked or not, or an upcall is due, or the time is up. EINVAL: too many
/// ports, or one that is not open.
fn poll(vcpu: &Vcpu, arg: GuestHandle<SchedPoll>) -> Result<(), Errno> {
    let op = guest_access::read(arg)?;
    if op.nr_ports > MAX_POLL_PORTS {
        return Err(Errno::EINVAL);
    }
    events::begin_poll(vcpu);
    // From here on no event is missed: it is pending when we look, or its sender finds us polling.
    match poll_now(vcpu, &op) {
        Ok(Some(port)) => {
            vcpu.poll_port.store(port, Ordering::Release);
            match op.timeout {
                0 => vcpu.cancel_timer(TimerKind::Poll),
                timeout => vcpu.arm_timer(TimerKind::Poll, timeout),
            }
            vcpu.sleep();
            Ok(())
        }
        done => {
            vcpu.unblock();
            done.map(|_| ())
        }
    }
}

/// What to wait for (`Vcpu::poll_port`), or nothing if it is there already.
fn poll_now(vcpu: &Vcpu, op: &SchedPoll) -> Result<Option<u32>, Errno> {
    if vcpu.event_due() {
        return Ok(None);
    }
    let mut last = None;
    for index in 0..op.nr_ports {
        let port: Port = guest_access::read_at(op.ports, index.into())?;
        if events::is_pending(&vcpu.domain, port)? {
            return Ok(None);
        }
        last = Some(port.raw());
    }
    Ok(Some(last.filter(|_| op.nr_ports == 1).unwrap_or(events::SEVERAL_PORTS)))
}

/// SCHEDOP_remote_shutdown, by a control domain. ESRCH (also for DOMID_SELF), EPERM.
fn remote_shutdown(cx: &Cx<'_>, arg: GuestHandle<SchedRemoteShutdown>) -> Result<(), Errno> {
    let op = guest_access::read(arg)?;
    let domain = table::find(op.domain_id).ok_or(Errno::ESRCH)?;
    cx.require_control()?;
    shutdown::shut_down(&domain, reason(op.reason));
    Ok(())
}

/// SCHEDOP_watchdog: returns the number of a new one. EINVAL, ENOSPC.
fn watchdog(cx: &Cx<'_>, arg: GuestHandle<SchedWatchdog>) -> HypercallResult {
    let op = guest_access::read(arg)?;
    let timeout_ns = u64::from(op.timeout) * NS_PER_SECOND;
    let number = cx.domain().watchdogs.lock().set(op.id, timeout_ns, now_ns())?;
    shutdown::arm_watchdog(cx.domain());
    Ok(Outcome::Done(number.into()))
}

/// SCHEDOP_pin_override, by the first domain: binds the vCPU to a CPU, or undoes that. EPERM, EINVAL, EBUSY (bound to another one).
fn pin_override(cx: &Cx<'_>, arg: GuestHandle<SchedPinOverride>) -> Result<(), Errno> {
    if cx.domain().id != DomId::DOM0 {
        return Err(Errno::EPERM);
    }
    let op = guest_access::read(arg)?;
    let (vcpu, pinned) = (cx.vcpu, &cx.vcpu.pin_override);
    let Ok(cpu) = u32::try_from(op.pcpu) else {
        // Undone only if it was done.
        if pinned.swap(0, Ordering::AcqRel) == 0 {
            return Err(Errno::EINVAL);
        }
        vcpu.update_affinity();
        return Ok(());
    };
    if !pools::cpus_of(cx.domain()).has(cpu) {
        return Err(Errno::EINVAL);
    }
    match pinned.compare_exchange(0, cpu.saturating_add(1), Ordering::AcqRel, Ordering::Acquire) {
        Err(other) if other != cpu.saturating_add(1) => return Err(Errno::EBUSY),
        _ => vcpu.update_affinity(),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_absolute_and_sane() {
        let now = 5_000_000_000;
        assert_eq!(timer_deadline(0, now), None);
        assert_eq!(timer_deadline(1, now), Some(1), "past: at once");
        assert_eq!(timer_deadline(now + 10, now), Some(now + 10));
        assert_eq!(timer_deadline(u64::MAX, now), Some(now + RETRY_NS));
        assert_eq!(reason(ShutdownReason(0x103)), ShutdownReason::CRASH);
    }
}
