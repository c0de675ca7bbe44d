// SPDX-License-Identifier: MIT OR Apache-2.0
//! Scheduling units and deadlines; knows nothing of domains. The policy is pure (`credit.rs`); here stand the one
//! scheduler, its lock, and the kicks that its answers ask for.
#![forbid(unsafe_code)]

pub(crate) mod affinity;
pub(crate) mod credit;
pub(crate) mod runqueue;
pub(crate) mod runstate;

use crate::sched::affinity::CpuMask;
use crate::sched::credit::{Decision, Scheduler};
use crate::sync::{Rank, SpinLock};
use crate::time::system::now_ns;
use crate::x86::ipi;
use crate::x86::percpu::{self, CpuId, softirq};

static SCHEDULER: SpinLock<Option<Scheduler>> = SpinLock::new(Rank::RunQueue, None);

/// Starts scheduling for `cpus` CPUs, all offline yet. Once, at boot.
pub(crate) fn init(cpus: u32) {
    *SCHEDULER.lock() = Some(Scheduler::new(cpus));
}

fn with<R>(f: impl FnOnce(&mut Scheduler) -> R) -> R {
    f(SCHEDULER.lock().as_mut().expect("boot starts the scheduler before there are units"))
}

fn ask(cpu: Option<u32>) {
    if let Some(cpu) = cpu.and_then(|cpu| percpu::get(CpuId::new(cpu))) {
        ipi::raise(cpu, softirq::SCHEDULE);
    }
}

/// A CPU takes part from now on.
pub(crate) fn set_online(cpu: CpuId) {
    with(|scheduler| scheduler.set_online(cpu.raw()));
}

/// A new unit of a weight (256 is usual) that does not want to run yet, allowed on all CPUs.
pub(crate) fn add_unit(weight: u32) -> u32 {
    with(|scheduler| scheduler.add(weight, CpuMask::ALL))
}

/// Changes a unit's share from now on.
pub(crate) fn set_weight(unit: u32, weight: u32) {
    with(|scheduler| scheduler.set_weight(unit, weight));
}

/// A unit never runs again, but keeps its number; `false` while it is on a CPU.
pub(crate) fn retire_unit(unit: u32) -> bool {
    with(|scheduler| scheduler.retire(unit))
}

/// Forgets a unit; `false` while it is on a CPU.
pub(crate) fn remove_unit(unit: u32) -> bool {
    with(|scheduler| scheduler.remove(unit))
}

/// The unit wants to run.
pub(crate) fn wake(unit: u32) {
    ask(with(|scheduler| scheduler.wake(unit, now_ns())));
}

/// The unit does not want to run.
pub(crate) fn block(unit: u32) {
    ask(with(|scheduler| scheduler.block(unit)));
}

/// The unit on this CPU lets others go first.
pub(crate) fn yield_now() {
    let cpu = percpu::this();
    with(|scheduler| scheduler.yield_now(cpu.id().raw()));
    ipi::raise(cpu, softirq::SCHEDULE);
}

/// What this CPU does from now on.
pub(crate) fn pick(cpu: CpuId, now: u64) -> Decision {
    with(|scheduler| scheduler.pick(cpu.raw(), now))
}

/// This CPU has let go of a unit.
pub(crate) fn release(unit: u32, now: u64) {
    ask(with(|scheduler| scheduler.release(unit, now)));
}

/// How many units wait for a CPU.
pub(crate) fn waiting() -> usize {
    with(|scheduler| scheduler.waiting())
}

/// How long a unit runs at least before one that woke up may take its CPU.
pub(crate) fn ratelimit_us() -> u32 {
    with(|scheduler| scheduler.ratelimit_us())
}

/// Sets [`ratelimit_us`].
pub(crate) fn set_ratelimit_us(us: u32) {
    with(|scheduler| scheduler.set_ratelimit_us(us));
}

/// Changes where a unit may run.
pub(crate) fn set_affinity(unit: u32, mask: CpuMask) {
    ask(with(|scheduler| scheduler.set_affinity(unit, mask, now_ns())));
}
