// SPDX-License-Identifier: MIT OR Apache-2.0
//! vcpu_op (24): a domain's own vCPUs: their start and stop, timers, shared areas.
#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::sync::atomic::Ordering;

use hypercalls::errno::Errno;
use hypercalls::frame::PAGE_SIZE;
use hypercalls::handle::GuestHandle;
use hypercalls::ids::VcpuId;
use hypercalls::sched::ShutdownReason;
use hypercalls::vcpu::{
    VcpuGetPhysid, VcpuGuestContext, VcpuOp, VcpuRegisterRunstateMemoryArea, VcpuRegisterTimeMemoryArea,
    VcpuRegisterVcpuInfo, VcpuRunstateInfo, VcpuSetPeriodicTimer, VcpuSetSingleshotTimer,
};
use zerocopy::IntoBytes;

use crate::domain::memory::WritableRef;
use crate::domain::vcpu::{Vcpu, pause, pending};
use crate::domain::{events, shared_info, shutdown};
use crate::hypercall::{Args, Cx, HypercallResult, Outcome};
use crate::mm::guest_access;
use crate::pv::context;
use crate::pv::promote::MmuError;
use crate::time::system::now_ns;
use crate::time::timer::TimerKind;
use crate::x86::percpu::{self, CpuId};
use crate::x86::uaccess;

/// The shortest period of the periodic timer.
const MIN_PERIOD_NS: u64 = 1_000_000;
/// Longer ones could not be added to a time.
const MAX_PERIOD_NS: u64 = u64::MAX >> 2;
/// Size and alignment of vcpu_info.
const INFO_BYTES: u32 = 64;
const INFO_ALIGN: u32 = 8;

/// HYPERVISOR_vcpu_op(cmd, vcpu, arg). Anyone for its own vCPUs. ENOENT: no such vCPU, before anything else. ENOSYS, EFAULT.
pub(crate) fn vcpu_op(cx: &mut Cx<'_>, args: &Args) -> HypercallResult {
    let &[cmd, id, arg, ..] = args;
    let vcpu = cx.domain().vcpu(VcpuId::new(id as u32)).ok_or(Errno::ENOENT)?;
    match VcpuOp::new(cmd as u32) {
        VcpuOp::SET_SINGLESHOT_TIMER => set_singleshot_timer(cx, &vcpu, GuestHandle::new(arg))?,
        VcpuOp::STOP_SINGLESHOT_TIMER => {
            require_self(cx, &vcpu)?;
            vcpu.cancel_timer(TimerKind::SingleShot);
        }
        VcpuOp::IS_UP => return Ok(Outcome::Done(is_up(&vcpu).into())),
        VcpuOp::INITIALISE => return initialise(cx, &vcpu, args),
        VcpuOp::UP => up(&vcpu)?,
        VcpuOp::DOWN => down(&vcpu),
        VcpuOp::GET_RUNSTATE_INFO => {
            guest_access::write(GuestHandle::new(arg), &runstate_now(&vcpu))?;
        }
        VcpuOp::REGISTER_RUNSTATE_MEMORY_AREA => register_runstate(cx, &vcpu, GuestHandle::new(arg))?,
        VcpuOp::SET_PERIODIC_TIMER => set_periodic_timer(&vcpu, GuestHandle::new(arg))?,
        VcpuOp::STOP_PERIODIC_TIMER => {
            vcpu.timer_period.store(0, Ordering::Release);
            vcpu.cancel_timer(TimerKind::Periodic);
        }
        VcpuOp::REGISTER_VCPU_INFO => register_vcpu_info(cx, &vcpu, GuestHandle::new(arg))?,
        VcpuOp::SEND_NMI => send_nmi(&vcpu, arg)?,
        VcpuOp::GET_PHYSID => get_physid(&vcpu, GuestHandle::new(arg))?,
        VcpuOp::REGISTER_VCPU_TIME_MEMORY_AREA => register_time(&vcpu, GuestHandle::new(arg))?,
        _ => return Err(Errno::ENOSYS.into()),
    }
    Ok(Outcome::DONE)
}

/// EINVAL for another vCPU than the caller.
fn require_self(cx: &Cx<'_>, vcpu: &Arc<Vcpu>) -> Result<(), Errno> {
    if Arc::ptr_eq(cx.vcpu, vcpu) { Ok(()) } else { Err(Errno::EINVAL) }
}

fn is_up(vcpu: &Vcpu) -> bool {
    vcpu.pause_flags.load(Ordering::Acquire) & pause::DOWN == 0
}

// ---- start and stop ----

/// VCPUOP_initialise. EINVAL: no vcpu_info, or a bad context. EEXIST. EFAULT. Preemptible.
fn initialise(cx: &mut Cx<'_>, vcpu: &Vcpu, args: &Args) -> HypercallResult {
    let &[_, _, arg, ..] = args;
    if !vcpu.has_info() {
        return Err(Errno::EINVAL.into());
    }
    // Five KiB are too much to keep on the stack.
    let mut given: Box<VcpuGuestContext> = Box::new(guest_access::zeroed());
    guest_access::read_bytes(arg, given.as_mut_bytes())?;
    if vcpu.initialised.load(Ordering::Acquire) {
        return Err(Errno::EEXIST.into());
    }
    // Another vCPU that initialises the same one has it.
    let mut state = vcpu.state.try_own().ok_or(Errno::EBUSY)?;
    if vcpu.initialised.load(Ordering::Acquire) {
        return Err(Errno::EEXIST.into());
    }
    match context::set(vcpu, &mut state, &given, &mut cx.budget) {
        Ok(()) => Ok(Outcome::DONE),
        Err(MmuError::Errno(errno)) => Err(errno.into()),
        Err(MmuError::Preempted) => Ok(Outcome::Preempted(*args)),
    }
}

/// VCPUOP_up. EINVAL: it was never initialised.
fn up(vcpu: &Vcpu) -> Result<(), Errno> {
    if !vcpu.initialised.load(Ordering::Acquire) {
        return Err(Errno::EINVAL);
    }
    if vcpu.pause_flags.fetch_and(!pause::DOWN, Ordering::AcqRel) & pause::DOWN != 0 {
        vcpu.wake();
    }
    Ok(())
}

/// VCPUOP_down. The last one's end is the domain's (poweroff).
fn down(vcpu: &Vcpu) {
    let others = vcpu.domain.vcpus().iter().any(|other| other.id != vcpu.id && is_up(other));
    if !others {
        shutdown::shut_down(&vcpu.domain, ShutdownReason::POWEROFF);
    } else if vcpu.pause_flags.fetch_or(pause::DOWN, Ordering::AcqRel) & pause::DOWN == 0 {
        vcpu.sleep();
    }
}

/// VCPUOP_send_nmi. EINVAL with an argument.
fn send_nmi(vcpu: &Vcpu, arg: u64) -> Result<(), Errno> {
    if arg != 0 {
        return Err(Errno::EINVAL);
    }
    if vcpu.pending.fetch_or(pending::NMI, Ordering::AcqRel) & pending::NMI == 0 {
        vcpu.kick();
    }
    Ok(())
}

/// VCPUOP_get_physid: the ids of the CPU that a vCPU of a domain with hardware is pinned to. EINVAL if it is not pinned.
fn get_physid(vcpu: &Vcpu, arg: GuestHandle<VcpuGetPhysid>) -> Result<(), Errno> {
    let affinity = vcpu.hard_affinity.load(Ordering::Relaxed);
    if !vcpu.domain.is_control || affinity.count_ones() != 1 {
        return Err(Errno::EINVAL);
    }
    let cpu = percpu::get(CpuId::new(affinity.trailing_zeros())).ok_or(Errno::EINVAL)?;
    let apic_id = u64::from(cpu.apic_id.load(Ordering::Relaxed));
    // The ACPI number in the high half equals the CPU's own, as far as guests care: they look up processors by APIC id.
    guest_access::write(arg, &VcpuGetPhysid { phys_id: apic_id | u64::from(cpu.id().raw()) << 32 })
}

// ---- timers ----

/// VCPUOP_set_singleshot_timer, for the caller. A past time expires at once, whatever the flags say, as in Xen 4.17. EINVAL, EFAULT.
fn set_singleshot_timer(cx: &Cx<'_>, vcpu: &Arc<Vcpu>, arg: GuestHandle<VcpuSetSingleshotTimer>) -> Result<(), Errno> {
    require_self(cx, vcpu)?;
    let op = guest_access::read(arg)?;
    vcpu.arm_timer(TimerKind::SingleShot, op.timeout_abs_ns);
    Ok(())
}

/// VCPUOP_set_periodic_timer. EINVAL: a period under a millisecond or beyond the range.
fn set_periodic_timer(vcpu: &Vcpu, arg: GuestHandle<VcpuSetPeriodicTimer>) -> Result<(), Errno> {
    let op = guest_access::read(arg)?;
    if !(MIN_PERIOD_NS..=MAX_PERIOD_NS).contains(&op.period_ns) {
        return Err(Errno::EINVAL);
    }
    vcpu.timer_period.store(op.period_ns, Ordering::Release);
    vcpu.arm_timer(TimerKind::Periodic, now_ns().saturating_add(op.period_ns));
    Ok(())
}

// ---- shared areas ----

/// The accounting with the present state's time up to now.
fn runstate_now(vcpu: &Vcpu) -> VcpuRunstateInfo {
    let time = vcpu.runstate.lock().totals(now_ns());
    VcpuRunstateInfo { time, ..shared_info::runstate_info(vcpu) }
}

/// VCPUOP_register_runstate_memory_area: by virtual address; null for none. An area that cannot be written stays unwritten. EFAULT: an
/// address that is not the guest's.
fn register_runstate(
    cx: &Cx<'_>,
    vcpu: &Arc<Vcpu>,
    arg: GuestHandle<VcpuRegisterRunstateMemoryArea>,
) -> Result<(), Errno> {
    let area = guest_access::read(arg)?.addr;
    if !uaccess::is_guest_range(area.addr(), size_of::<VcpuRunstateInfo>()) {
        return Err(Errno::EFAULT);
    }
    vcpu.runstate_area.store(area.addr(), Ordering::Release);
    if !area.is_null() {
        let info = if Arc::ptr_eq(cx.vcpu, vcpu) { shared_info::runstate_info(vcpu) } else { runstate_now(vcpu) };
        // As in Xen, not an error: the guest may map the area later.
        let _ = guest_access::write(area, &info);
    }
    Ok(())
}

/// VCPUOP_register_vcpu_time_memory_area: a second copy of the clock, by virtual address; null for none. EFAULT.
fn register_time(vcpu: &Vcpu, arg: GuestHandle<VcpuRegisterTimeMemoryArea>) -> Result<(), Errno> {
    let area = guest_access::read(arg)?.addr;
    if !uaccess::is_guest_range(area.addr(), 32) {
        return Err(Errno::EFAULT);
    }
    vcpu.time_area.store(area.addr(), Ordering::Release);
    // Written before its kernel runs on.
    vcpu.pending.fetch_or(pending::TIME, Ordering::AcqRel);
    Ok(())
}

/// VCPUOP_register_vcpu_info, once, for the caller or a vCPU that is down. ENXIO: it leaves the page or is misaligned. EINVAL.
fn register_vcpu_info(cx: &Cx<'_>, vcpu: &Arc<Vcpu>, arg: GuestHandle<VcpuRegisterVcpuInfo>) -> Result<(), Errno> {
    let op = guest_access::read(arg)?;
    if op.offset > PAGE_SIZE as u32 - INFO_BYTES || !op.offset.is_multiple_of(INFO_ALIGN) {
        return Err(Errno::ENXIO);
    }
    if !Arc::ptr_eq(cx.vcpu, vcpu) && is_up(vcpu) {
        return Err(Errno::EINVAL);
    }
    let page = WritableRef::get(op.mfn, vcpu.domain.id).ok_or(Errno::EINVAL)?;
    let had_info = vcpu.has_info();
    {
        let mut slot = vcpu.info_page.lock();
        if slot.is_some() {
            // Not under the lock: the last reference frees the frame.
            drop(slot);
            drop(page);
            return Err(Errno::EINVAL);
        }
        copy_info(vcpu, had_info, &page, op.offset);
        *slot = Some(page);
    }
    events::move_vcpu_info(vcpu, op.mfn.to_addr().saturating_add(op.offset.into()))?;
    if !had_info {
        shared_info::write_time_info(vcpu);
    }
    Ok(())
}

/// The new place starts as the old one was; without an old one zeroed, events masked.
fn copy_info(vcpu: &Vcpu, had_info: bool, page: &WritableRef, offset: u32) {
    const MASKED: u64 = 1 << 8;
    let (first, old) = (offset as usize / 8, vcpu.info());
    for (index, word) in page.words().iter().skip(first).take(INFO_BYTES as usize / 8).enumerate() {
        let value = match index {
            _ if had_info => old.word(index * 8).load(Ordering::Acquire),
            0 => MASKED,
            _ => 0,
        };
        word.store(value, Ordering::Release);
    }
}
