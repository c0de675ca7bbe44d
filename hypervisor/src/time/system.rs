// SPDX-License-Identifier: MIT OR Apache-2.0
//! The machine's one clock, one date, and every CPU's timer queue: the state behind `time::now_ns()` and its like.
#![forbid(unsafe_code)]

use super::{
    clock::Clock,
    deadline::{self, NEVER},
    guest_time::GuestTime,
    timer::{Earliest, TimerId, TimerQueue},
    wallclock::Wallclock,
};
use crate::{
    config::MAX_CPUS,
    sync::{Rank, SpinLock},
    x86::{
        apic::TimerMode,
        instr::rdtsc_ordered,
        percpu::{self, CpuId},
    },
};
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

static CLOCK: spin::Once<Clock> = spin::Once::new();
/// Whether the clock is known to read the same on all CPUs.
static IN_STEP: AtomicBool = AtomicBool::new(false);
static TIMER_MODE: spin::Once<TimerMode> = spin::Once::new();
static WALLCLOCK: SpinLock<Option<Wallclock>> = SpinLock::new(Rank::TimerQueue, None);
static QUEUES: [SpinLock<TimerQueue>; MAX_CPUS] =
    [const { SpinLock::new(Rank::TimerQueue, TimerQueue::new()) }; MAX_CPUS];
/// When each CPU's hardware timer fires; [`NEVER`] if it is not armed. Only that CPU looks.
static ARMED: [AtomicU64; MAX_CPUS] = [const { AtomicU64::new(NEVER) }; MAX_CPUS];
/// When each CPU's scheduler wants to be asked again; [`NEVER`]: only when it says so. Only that CPU looks.
static SLICE_ENDS: [AtomicU64; MAX_CPUS] = [const { AtomicU64::new(NEVER) }; MAX_CPUS];

/// Starts system time: the clock runs from `boot_tsc`, and every CPU's timer is armed in `mode`. Boot CPU, once.
pub(crate) fn init(clock: Clock, mode: TimerMode) {
    CLOCK.call_once(|| clock);
    TIMER_MODE.call_once(|| mode);
}

/// The system clock. Before [`init`] there is none: that is a bug in the boot order.
pub(crate) fn clock() -> &'static Clock {
    CLOCK.get().expect("the clock is started before anybody asks for the time")
}

/// From now on guests are told that the clock reads the same on all CPUs. Before there are any.
pub(crate) fn set_in_step() {
    IN_STEP.store(true, Ordering::Relaxed);
}

/// What guests compute the clock from.
pub(crate) fn guest_time() -> GuestTime {
    GuestTime::of(clock(), IN_STEP.load(Ordering::Relaxed))
}

/// System time now, nanoseconds; zero before [`init`], so that early log lines can have a stamp.
#[inline]
pub(crate) fn now_ns() -> u64 {
    CLOCK.get().map_or(0, |clock| clock.at(rdtsc_ordered()))
}

/// How this machine's APIC timers are armed.
pub(crate) fn timer_mode() -> TimerMode {
    *TIMER_MODE.get().expect("the timer mode is chosen before any timer is armed")
}

/// Makes room on every CPU there is for the timers of all slots below `slots`. Allocates.
pub(crate) fn reserve_slots(slots: u32) {
    for cpu in percpu::all() {
        QUEUES[cpu.id().index()].lock().reserve_slots(slots);
    }
}

/// Arms a timer on a CPU. [`Earliest::Changed`]: that CPU must call [`program`] (send it an interrupt if it is another one).
pub(crate) fn arm(cpu: CpuId, timer: TimerId, deadline_ns: u64) -> Earliest {
    QUEUES[cpu.index()].lock().arm(timer, deadline_ns)
}

/// Cancels a timer on a CPU; meaning of the answer as for [`arm`] (ignoring it costs one idle timer interrupt).
pub(crate) fn cancel(cpu: CpuId, timer: TimerId) -> Earliest {
    QUEUES[cpu.index()].lock().cancel(timer)
}

/// The deadline of an armed timer.
pub(crate) fn deadline_of(cpu: CpuId, timer: TimerId) -> Option<u64> {
    QUEUES[cpu.index()].lock().deadline_of(timer)
}

/// Takes one expired timer out of a CPU's queue; call until `None`, then [`program`].
pub(crate) fn pop_expired(cpu: CpuId, now_ns: u64) -> Option<TimerId> {
    QUEUES[cpu.index()].lock().pop_expired(now_ns)
}

/// This CPU's scheduler wants to be asked again at that time; `None`: only when it says so.
pub(crate) fn set_slice_end(cpu: CpuId, slice_end_ns: Option<u64>, now: u64) {
    let slice_end = slice_end_ns.unwrap_or(NEVER);
    SLICE_ENDS[cpu.index()].store(slice_end, Ordering::Relaxed);
    // For the queue the hardware is armed already, unless it has just fired.
    let fires = ARMED[cpu.index()].load(Ordering::Relaxed);
    if fires == NEVER || deadline::is_news(fires, slice_end, now) {
        program(cpu, now);
    }
}

/// Has the time come that [`set_slice_end`] was told?
pub(crate) fn slice_is_over(cpu: CpuId, now: u64) -> bool {
    SLICE_ENDS[cpu.index()].load(Ordering::Relaxed) <= now
}

/// Sees to it that this CPU's hardware timer fires at its queue's next deadline or the end of the running slice, whichever is earlier, if not
/// before.
pub(crate) fn program(cpu: CpuId, now: u64) {
    let queued = QUEUES[cpu.index()].lock().earliest().unwrap_or(NEVER);
    let next = queued.min(SLICE_ENDS[cpu.index()].load(Ordering::Relaxed));
    let armed = &ARMED[cpu.index()];
    if deadline::is_news(armed.load(Ordering::Relaxed), next, now) {
        deadline::program(clock(), timer_mode(), next, now_ns());
        armed.store(next, Ordering::Relaxed);
    }
}

/// This CPU's hardware timer has fired, and will not again before [`program`].
pub(crate) fn fired(cpu: CpuId) {
    ARMED[cpu.index()].store(NEVER, Ordering::Relaxed);
}

/// Sets the date; see [`Wallclock::new`]. The caller then updates every domain's shared info page.
pub(crate) fn set_wallclock(wallclock: Wallclock) {
    *WALLCLOCK.lock() = Some(wallclock);
}

/// The date; 1970 until it is set.
pub(crate) fn wallclock() -> Wallclock {
    WALLCLOCK.lock().unwrap_or(Wallclock::new(0, 0, 0))
}
