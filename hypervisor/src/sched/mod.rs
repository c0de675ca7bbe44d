// SPDX-License-Identifier: MIT OR Apache-2.0
//! Scheduling units and deadlines; knows nothing of domains. The policy needs no hardware (`policy.rs` describes it); here stand the one
//! scheduler, the numbers of units, and the interrupts that its answers ask for.
#![forbid(unsafe_code)]

pub(crate) mod affinity;
mod board;
pub(crate) mod group;
pub(crate) mod policy;
mod runqueue;
pub(crate) mod runstate;
mod scheduler;
mod shard;
pub(crate) mod unit;

pub(crate) use group::Group;
pub(crate) use scheduler::Scheduler;
pub(crate) use shard::Decision;
pub(crate) use unit::Unit;

use alloc::sync::Arc;

use crate::sched::affinity::CpuMask;
use crate::time::system::now_ns;
use crate::x86::ipi;
use crate::x86::percpu::{self, CpuId, softirq};

static SCHEDULER: spin::Once<Scheduler> = spin::Once::new();

/// Starts scheduling for `cpus` CPUs, all offline yet. Once, at boot.
pub(crate) fn init(cpus: u32) {
    SCHEDULER.call_once(|| Scheduler::new(cpus));
}

fn scheduler() -> &'static Scheduler {
    SCHEDULER.get().expect("boot starts the scheduler before there are units")
}

fn tell(cpus: CpuMask) {
    for cpu in cpus.iter().filter_map(|cpu| percpu::get(CpuId::new(cpu))) {
        ipi::raise(cpu, softirq::SCHEDULE);
    }
}

/// A CPU takes part from now on.
pub(crate) fn set_online(cpu: CpuId) {
    scheduler().set_online(cpu.raw());
}

/// A new unit of a weight (256 is usual) that does not want to run yet. The number is the caller's name for it.
pub(crate) fn add_unit(number: u32, group: &Arc<Group>, weight: u32, hard: CpuMask) -> Arc<Unit> {
    scheduler().add(number, group, weight, hard)
}

/// Changes a unit's share from now on.
pub(crate) fn set_weight(unit: &Unit, weight: u32) {
    scheduler().set_weight(unit, weight, now_ns());
}

/// Changes what the units of a group may have together, in percent of one CPU; 0: no limit.
pub(crate) fn set_cap<'a>(group: &Group, percent: u32, units: impl Iterator<Item = &'a Unit>) {
    let now = now_ns();
    let running = units.fold(CpuMask::EMPTY, |all, unit| all.or(scheduler().look_again(unit, now)));
    group.set_cap(percent, now);
    tell(running);
}

/// A unit never runs again; `false` while it is on a CPU.
pub(crate) fn retire_unit(unit: &Unit) -> bool {
    scheduler().retire(unit)
}

/// The unit wants to run.
pub(crate) fn wake(unit: &Arc<Unit>) {
    tell(scheduler().wake(unit, now_ns()));
}

/// The unit does not want to run.
pub(crate) fn block(unit: &Unit) {
    tell(scheduler().block(unit));
}

/// The unit on this CPU lets others go first.
pub(crate) fn yield_now() {
    let cpu = percpu::this();
    if scheduler().yield_now(cpu.id().raw()) {
        ipi::raise(cpu, softirq::SCHEDULE);
    }
}

/// What this CPU does from now on. Others are told already.
pub(crate) fn pick(cpu: CpuId, now: u64) -> Decision {
    let decision = scheduler().pick(cpu.raw(), now);
    tell(decision.tell);
    decision
}

/// This CPU is idle and keeps the registers of the unit that it left; `false`: it must let go of it.
pub(crate) fn keep(unit: &Unit) -> bool {
    scheduler().keep(unit)
}

/// This CPU has let go of a unit.
pub(crate) fn release(unit: &Unit, now: u64) {
    tell(scheduler().release(unit, now));
}

/// How many units wait for a CPU.
pub(crate) fn waiting() -> usize {
    scheduler().waiting()
}

/// Sets how long a unit runs at least on these CPUs before one that woke up may take the CPU.
pub(crate) fn set_ratelimit_us(cpus: CpuMask, us: u32) {
    scheduler().set_ratelimit_us(cpus, us);
}

/// Changes where a unit may run, and where it would like to.
pub(crate) fn set_affinity(unit: &Unit, hard: CpuMask, soft: CpuMask) {
    tell(scheduler().set_affinity(unit, hard, soft, now_ns()));
}
