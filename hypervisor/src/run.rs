// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a CPU does between two stretches of guest code: deferred work, choosing the next vCPU, switching, delivering what
//! is pending, idling.
#![forbid(unsafe_code)]

use alloc::sync::Arc;
use core::sync::atomic::Ordering;

use crate::domain::units::by_unit;
use crate::domain::vcpu::{Vcpu, VcpuState, pending};
use crate::domain::{end, events, shared_info, shutdown};
use crate::mm::flush;
use crate::pv::{bounce, crash, crash_report, switch};
use crate::sched;
use crate::sched::runstate::State;
use crate::time;
use crate::time::timer::{TimerId, TimerKind};
use crate::x86::percpu::{CpuLocal, softirq};
use crate::x86::{instr, ipi};
use crate::{console, keys, latency};

/// What a CPU shall run.
pub(crate) enum Next {
    /// The vCPU it has loaded.
    Same,
    /// Another one, which it must load.
    Load(Arc<Vcpu>),
    /// Nothing, and the one it has loaded stays, since it may well be the next.
    Keep,
    /// Nothing.
    Idle,
}

/// Has anybody left something to do for this CPU before it goes on?
#[inline(always)]
pub(crate) fn is_asked(cpu: &CpuLocal) -> bool {
    cpu.softirqs.load(Ordering::Acquire) != 0 || flush::is_posted(cpu) || console::has_ring_news()
}

/// May the vCPU that runs go on at once after a system call? Whoever takes from it the right to run raises the scheduler's softirq on its
/// CPU, and a flush that is wanted comes with an interrupt, which is taken before the first instruction of the guest.
#[inline(always)]
pub(crate) fn nothing_waits(cpu: &CpuLocal, vcpu: &Vcpu) -> bool {
    nothing_came(cpu, vcpu) && !console::has_ring_news()
}

/// The same behind a call that has done nothing which others could wait for.
#[inline(always)]
pub(crate) fn nothing_came(cpu: &CpuLocal, vcpu: &Vcpu) -> bool {
    cpu.softirqs.load(Ordering::Acquire) == 0 && vcpu.pending.load(Ordering::Relaxed) == 0 && !vcpu.event_due()
}

/// Runs what interrupts and other CPUs left to do. Returns whether the scheduler wants to be asked.
pub(crate) fn softirqs(cpu: &CpuLocal) -> bool {
    flush::poll();
    let bits = cpu.softirqs.swap(0, Ordering::AcqRel);
    let is_over = bits & softirq::TIMER != 0 && timers(cpu);
    if bits & softirq::ENDS != 0 {
        end::look();
    }
    events::console_output();
    if bits & softirq::SERIAL != 0 {
        events::console_input(keys::typed);
    }
    if bits & softirq::KEYS != 0 {
        // One thing that may be long at a time.
        if bits & softirq::ENDS == 0 {
            keys::go_on(cpu);
        } else {
            ipi::kick(cpu);
        }
    }
    // What has been done here may have told this CPU itself.
    is_over || (bits | cpu.softirqs.load(Ordering::Acquire)) & softirq::SCHEDULE != 0
}

/// Serves the timers that have expired. Returns whether the time has come to ask the scheduler; if not, the hardware timer is set for what
/// comes next.
fn timers(cpu: &CpuLocal) -> bool {
    let now = time::system::now_ns();
    while let Some(timer) = time::system::pop_expired(cpu.id(), now) {
        if let Some(vcpu) = by_unit(timer.slot()) {
            expired(cpu, &vcpu, timer);
        }
    }
    let is_over = time::system::slice_is_over(cpu.id(), now);
    if !is_over {
        time::system::program(cpu.id(), now);
    }
    is_over
}

fn expired(cpu: &CpuLocal, vcpu: &Arc<Vcpu>, timer: TimerId) {
    match timer.kind() {
        TimerKind::SingleShot => events::notify_virq(vcpu, hypercalls::ids::Virq::TIMER),
        TimerKind::Periodic => {
            events::notify_virq(vcpu, hypercalls::ids::Virq::TIMER);
            let period = vcpu.timer_period.load(Ordering::Relaxed);
            if period != 0 {
                let next = time::system::now_ns() + period;
                let _ = time::system::arm(cpu.id(), timer, next);
            }
        }
        TimerKind::Poll => vcpu.end_poll(),
        TimerKind::Watchdog => shutdown::watchdog_expired(&vcpu.domain),
    }
}

/// Asks the scheduler, and takes the vCPU that was loaded off the CPU if another is to run.
pub(crate) fn choose(cpu: &CpuLocal, current: Option<(&Arc<Vcpu>, &mut VcpuState)>) -> Next {
    let now = time::system::now_ns();
    let was_kept = flush::is_kept(cpu);
    if let Some((vcpu, _)) = &current
        && !was_kept
        && !vcpu.is_runnable()
        && vcpu.sched.wants_to_run()
    {
        sched::block(&vcpu.sched);
        // An event between the flag and the call above found it still on the CPU.
        if vcpu.is_runnable() {
            sched::wake(&vcpu.sched);
        }
    }
    // Whoever asked for this has left what it is about.
    cpu.softirqs.fetch_and(!softirq::SCHEDULE, Ordering::AcqRel);
    let decision = sched::pick(cpu.id(), now);
    time::system::set_slice_end(cpu.id(), decision.until, now);
    if let Some((vcpu, state)) = current {
        if decision.unit.as_ref().is_some_and(|unit| Arc::ptr_eq(unit, &vcpu.sched)) {
            if was_kept {
                resume(cpu, vcpu, state, now);
            }
            return Next::Same;
        }
        // The scheduler first: from then on whoever has a reason that it may not be kept tells this CPU.
        if decision.unit.is_none() && sched::keep(&vcpu.sched) && vcpu.waits_for_event() {
            if !was_kept {
                keep(cpu, vcpu, now);
            }
            return Next::Keep;
        }
        put_off(cpu, vcpu, state, now);
        // It was left now, or before it was kept.
        sched::release(decision.left.as_deref().unwrap_or(&vcpu.sched), now);
    }
    match decision.unit.and_then(|unit| by_unit(unit.number())) {
        Some(vcpu) => Next::Load(vcpu),
        None => Next::Idle,
    }
}

/// The vCPU has nothing to do, nor has the CPU.
fn keep(cpu: &CpuLocal, vcpu: &Arc<Vcpu>, now: u64) {
    vcpu.set_runstate(State::Blocked, now);
    vcpu.on_cpu.store(false, Ordering::Release);
    flush::keep_loaded(cpu);
}

/// The vCPU that was kept runs again.
fn resume(cpu: &CpuLocal, vcpu: &Arc<Vcpu>, state: &VcpuState, now: u64) {
    if flush::use_kept(cpu) {
        switch::load_tables(state);
    }
    vcpu.on_cpu.store(true, Ordering::Release);
    vcpu.set_runstate(State::Running, now);
    vcpu.pending.fetch_or(pending::RUNSTATE, Ordering::AcqRel);
}

fn put_off(cpu: &CpuLocal, vcpu: &Arc<Vcpu>, state: &mut VcpuState, now: u64) {
    switch::save(state);
    switch::leave(cpu, vcpu);
    flush::forget_kept(cpu);
    vcpu.set_runstate(
        if vcpu.is_runnable() {
            State::Runnable
        } else if vcpu.is_blocked() {
            State::Blocked
        } else {
            State::Offline
        },
        now,
    );
    vcpu.on_cpu.store(false, Ordering::Release);
}

/// Puts a vCPU that this CPU owns onto it.
pub(crate) fn put_on(cpu: &CpuLocal, vcpu: &Arc<Vcpu>, state: &mut VcpuState) {
    let now = time::system::now_ns();
    let last = vcpu.cpu.swap(cpu.id().raw(), Ordering::AcqRel);
    if last != cpu.id().raw() {
        move_timers(cpu, vcpu, last);
    }
    vcpu.on_cpu.store(true, Ordering::Release);
    vcpu.set_runstate(State::Running, now);
    switch::load(cpu, vcpu, state);
    shared_info::write_time_info(vcpu);
    vcpu.pending.fetch_or(pending::RUNSTATE, Ordering::AcqRel);
}

/// A vCPU's timers follow it to the CPU it runs on.
fn move_timers(cpu: &CpuLocal, vcpu: &Vcpu, last: u32) {
    let from = crate::x86::percpu::CpuId::new(last);
    let mut changed = false;
    for kind in [TimerKind::SingleShot, TimerKind::Periodic, TimerKind::Poll, TimerKind::Watchdog] {
        let timer = TimerId::new(vcpu.unit, kind);
        if let Some(deadline) = time::system::deadline_of(from, timer) {
            let _ = time::system::cancel(from, timer);
            let _ = time::system::arm(cpu.id(), timer, deadline);
            changed = true;
        }
    }
    if changed {
        crate::x86::ipi::raise(cpu, softirq::TIMER);
    }
}

/// Delivers to the loaded vCPU what waits for it. `false`: its domain crashed, choose again.
pub(crate) fn deliver(vcpu: &Arc<Vcpu>, state: &mut VcpuState) -> bool {
    if vcpu.pending.load(Ordering::Relaxed) != 0 {
        write_pending(vcpu, state);
    }
    let mut result = Ok(());
    if let Some(trap) = state.trap.take() {
        result = bounce::trap(vcpu, state, trap);
    }
    if result.is_ok() && vcpu.pending.load(Ordering::Relaxed) & pending::NMI != 0 && !state.nmi_masked {
        vcpu.pending.fetch_and(!pending::NMI, Ordering::AcqRel);
        state.nmi_masked = true;
        result = bounce::trap(vcpu, state, crate::domain::vcpu::PendingTrap { vector: 2, error_code: None });
    }
    if result.is_ok() && vcpu.event_due() {
        result = bounce::event(vcpu, state);
    }
    if let Err(reason) = result {
        crash::domain(vcpu, state, reason);
        return false;
    }
    true
}

/// What others left to be written before a vCPU goes on.
#[cold]
fn write_pending(vcpu: &Arc<Vcpu>, state: &VcpuState) {
    if state.kernel_mode && vcpu.pending.load(Ordering::Relaxed) & (pending::RUNSTATE | pending::TIME) != 0 {
        shared_info::write_guest_areas(vcpu);
    }
    if vcpu.pending.fetch_and(!pending::PRINT, Ordering::AcqRel) & pending::PRINT != 0 {
        crash_report::registers(vcpu, state);
    }
}

/// Waits for an interrupt, with nothing running. Interrupts are handled on the way (`entry.rs`).
pub(crate) fn idle(cpu: &CpuLocal) {
    if cpu.softirqs.load(Ordering::Acquire) == 0 {
        latency::end(cpu);
        instr::sti_hlt_cli();
        latency::begin(cpu, [latency::WAKE, 0]);
    }
}
