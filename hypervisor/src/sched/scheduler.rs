// SPDX-License-Identifier: MIT OR Apache-2.0
//! The scheduler: one [`Shard`] a CPU, each under its lock, and the board. Its answers say which CPUs to tell; the caller switches
//! contexts, arms timers and sends interrupts.
//!
//! **Locks.** A unit is guarded by the lock of the CPU it belongs to, and changes that only under the locks of both. While the lock of
//! one CPU is held, that of a higher one may be waited for; that of a lower one is only tried.
//!
//! **Switching.** A unit that was taken off a CPU is not offered to others until that CPU has saved its registers and says
//! so with [`Scheduler::release`].
//!
//! **Nobody is missed.** A CPU says that it is idle, and then looks once more for somebody who waits elsewhere; who queues a unit looks
//! for idle CPUs afterwards.
#![forbid(unsafe_code)]

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicUsize, Ordering};

use super::affinity::CpuMask;
use super::board::Board;
use super::group::Group;
use super::policy::LAG;
use super::shard::{Decision, Room, Shard};
use super::unit::{Flag, Unit};
use crate::sync::{Rank, SpinGuard, SpinLock, relax};

/// See the module documentation. CPU numbers are below what [`Scheduler::new`] was told.
#[derive(Debug)]
pub(crate) struct Scheduler {
    shards: Box<[SpinLock<Shard>]>,
    board: Board,
    /// How many units there are, for which each shard has room.
    units: AtomicUsize,
}

impl Scheduler {
    /// For CPUs `0..cpus`, all offline.
    pub(crate) fn new(cpus: u32) -> Self {
        let shards = (0..cpus).map(|cpu| SpinLock::new(Rank::RunQueue, Shard::new(cpu))).collect();
        Self { shards, board: Board::new(cpus), units: AtomicUsize::new(0) }
    }

    /// Starts giving units to a CPU. It is idle at first.
    pub(crate) fn set_online(&self, cpu: u32) {
        if (cpu as usize) < self.shards.len() {
            self.board.set_online(cpu);
        }
    }

    /// How many units wait for a CPU.
    pub(crate) fn waiting(&self) -> usize {
        self.board.waiting()
    }

    /// Sets how long a unit runs at least on these CPUs before one that woke up may take the CPU.
    pub(crate) fn set_ratelimit_us(&self, cpus: CpuMask, us: u32) {
        cpus.iter().for_each(|cpu| self.board.set_ratelimit_us(cpu, us));
    }

    // ---- units come and go ----

    /// A unit that does not want to run yet. Allocates, so that nothing later has to.
    pub(crate) fn add(&self, number: u32, group: &Arc<Group>, weight: u32, hard: CpuMask) -> Arc<Unit> {
        let units = self.units.fetch_add(1, Ordering::Relaxed) + 1;
        for shard in &self.shards {
            if shard.lock().room() < units {
                let room = Room::new(units.next_power_of_two().max(16));
                let old = shard.lock().enlarge(room);
                drop(old);
            }
        }
        let cpu = hard.and(self.board.online()).first().unwrap_or(0);
        Arc::new(Unit::new(number, group, weight, cpu, self.board.clock().saturating_sub(LAG), hard))
    }

    /// The unit never runs again, whoever wakes it. It must not be on a CPU: block it and wait for its release first. `false` if it still is.
    pub(crate) fn retire(&self, unit: &Unit) -> bool {
        let Some(mut shard) = self.lock_of(unit) else { return true };
        if unit.is(Flag::Held) {
            return false;
        }
        let waiting = shard.dequeue(unit, &self.board);
        unit.set(Flag::Runnable, false);
        if !unit.set(Flag::Retired, true) {
            self.units.fetch_sub(1, Ordering::Relaxed);
        }
        drop(shard);
        drop(waiting);
        true
    }

    // ---- locks ----

    /// The lock of the CPU that a unit belongs to.
    fn lock_of(&self, unit: &Unit) -> Option<SpinGuard<'_, Shard>> {
        loop {
            let cpu = unit.cpu();
            let shard = self.shards.get(cpu as usize)?.lock();
            if unit.cpu() == cpu {
                return Some(shard);
            }
        }
    }

    /// Another CPU's lock while `held`'s is held.
    fn second(&self, held: u32, other: u32) -> Option<SpinGuard<'_, Shard>> {
        let lock = self.shards.get(other as usize)?;
        if other > held { Some(lock.lock()) } else { lock.try_lock() }
    }

    // ---- what CPUs ask ----

    /// Chooses what `cpu` does from now on. To be called at the time of the last decision, after being told, and when the
    /// current unit blocks or yields.
    pub(crate) fn pick(&self, cpu: u32, now: u64) -> Decision {
        let Some(lock) = self.shards.get(cpu as usize) else {
            return Decision { unit: None, until: None, left: None, tell: CpuMask::EMPTY };
        };
        let mut shard = lock.lock();
        let mut told = self.board.begin_pick(cpu);
        shard.charge(now, &self.board);
        let mut tell = CpuMask::EMPTY;
        while let Some(unit) = shard.take_refilled(now) {
            // To a budget it has waited for as to an event.
            unit.set(Flag::Woken, true);
            tell = tell.or(self.put(cpu, &mut shard, unit, now));
            // What this CPU has just told itself it is about to do.
            told |= self.board.begin_pick(cpu);
        }
        if shard.is_out_of_work(now, &self.board) {
            self.board.note_idle(cpu);
            shard = self.pull(cpu, shard, u64::MAX, now);
            if shard.is_out_of_work(now, &self.board) {
                tell = tell.or(self.board.take_misplaced()).without(CpuMask::only(cpu));
                return Decision { tell, ..shard.be_idle(now, &self.board) };
            }
            self.board.note_busy(cpu);
        } else if let Some(than) = shard.looks_for(told, now, &self.board) {
            shard = self.pull(cpu, shard, than, now);
        }
        let mut decision = shard.decide(now, &self.board);
        if decision.unit.is_none() {
            // Also where another CPU has used up the allowance of the one there was a moment ago.
            self.board.note_idle(cpu);
        }
        decision.tell = tell.without(CpuMask::only(cpu));
        decision
    }

    /// Takes a unit from another CPU that is behind the virtual time `than`, if there is one; with `u64::MAX` any that may come. Then
    /// the own lock may be given up meanwhile.
    fn pull<'a>(&'a self, cpu: u32, mut shard: SpinGuard<'a, Shard>, than: u64, now: u64) -> SpinGuard<'a, Shard> {
        let mut seen = CpuMask::EMPTY;
        while let Some(victim) = self.board.victim(cpu, than, seen) {
            match self.second(cpu, victim) {
                Some(mut other) => {
                    if shard.steal(&mut other, than, now, &self.board) {
                        break;
                    }
                    seen = seen.or(CpuMask::only(victim));
                }
                // It can wait for the end of the next slice.
                None if than != u64::MAX => seen = seen.or(CpuMask::only(victim)),
                None => {
                    drop(shard);
                    relax();
                    shard = match self.shards.get(cpu as usize) {
                        Some(lock) => lock.lock(),
                        None => unreachable!("the caller held this lock"),
                    };
                    if !shard.is_out_of_work(now, &self.board) {
                        break;
                    }
                }
            }
        }
        shard
    }

    /// Queues a unit that wants to run and belongs to `cpu`, whose lock is held: there or where it is better off.
    fn put(&self, cpu: u32, shard: &mut Shard, unit: Arc<Unit>, now: u64) -> CpuMask {
        let hard = unit.hard();
        let (target, mut tell) = self.board.place(&unit, now);
        let other = if target == cpu { None } else { self.shards.get(target as usize).and_then(SpinLock::try_lock) };
        match other {
            Some(mut other) => {
                unit.set_cpu(target);
                other.enqueue(unit, &self.board);
            }
            // Whoever was told takes it from here.
            None => shard.enqueue(unit, &self.board),
        }
        if tell.is_empty()
            && let Some(idle) = self.board.claim_idle(hard, cpu)
        {
            // It looked before the unit was queued.
            tell = CpuMask::only(idle);
        }
        tell
    }

    /// A CPU has saved the registers of a unit that it left. Returns whom to tell, which may be the calling CPU.
    pub(crate) fn release(&self, unit: &Unit, now: u64) -> CpuMask {
        let Some(mut shard) = self.lock_of(unit) else { return CpuMask::EMPTY };
        shard.release(unit);
        if !unit.is(Flag::Queued) {
            return CpuMask::EMPTY;
        }
        self.put_again(unit, &mut shard, now)
    }

    /// Finds a better place for a unit that is queued.
    fn put_again(&self, unit: &Unit, shard: &mut Shard, now: u64) -> CpuMask {
        let cpu = unit.cpu();
        match shard.dequeue(unit, &self.board) {
            Some(queued) => self.put(cpu, shard, queued, now),
            None => CpuMask::EMPTY,
        }
    }

    // ---- what vCPUs want ----

    /// The unit wants to run. Returns whom to tell: an idle CPU, or one whose unit is to be preempted. Waking a runnable unit does nothing.
    pub(crate) fn wake(&self, unit: &Arc<Unit>, now: u64) -> CpuMask {
        let Some(mut shard) = self.lock_of(unit) else { return CpuMask::EMPTY };
        if unit.is(Flag::Retired) || unit.set(Flag::Runnable, true) {
            return CpuMask::EMPTY;
        }
        if shard.is_current(unit) {
            // It blocked and was woken before its CPU looked.
            return CpuMask::EMPTY;
        }
        unit.set(Flag::Woken, true);
        if unit.is(Flag::Held) {
            // Until its old CPU has let go of it, nobody else can take it: then `release` finds a place.
            shard.enqueue(unit.clone(), &self.board);
            if !unit.is(Flag::Kept) {
                return CpuMask::EMPTY;
            }
            // Where that one has been told of somebody else already, there is one of them for another CPU.
            let idle = self.board.claim_idle(CpuMask::ALL, unit.cpu()).map_or(CpuMask::EMPTY, CpuMask::only);
            return idle.or(CpuMask::only(unit.cpu()));
        }
        self.put(unit.cpu(), &mut shard, unit.clone(), now)
    }

    /// The CPU that has just left a unit, and is idle now, keeps its registers instead of releasing it: it is told if the unit wakes up,
    /// or is blocked once more. `false`: the unit is wanted again, release it.
    pub(crate) fn keep(&self, unit: &Unit) -> bool {
        let Some(_shard) = self.lock_of(unit) else { return false };
        let may_be = unit.is(Flag::Held) && !unit.is(Flag::Runnable);
        unit.set(Flag::Kept, may_be);
        may_be
    }

    /// The unit does not want to run any more. If it is on a CPU, that CPU must [`Scheduler::pick`]; it is returned.
    pub(crate) fn block(&self, unit: &Unit) -> CpuMask {
        let Some(mut shard) = self.lock_of(unit) else { return CpuMask::EMPTY };
        unit.set(Flag::Runnable, false);
        // The caller has another reference: nothing is freed under the lock.
        let waited = shard.dequeue(unit, &self.board).is_some();
        // Whoever keeps it must ask itself whether it still may.
        if unit.is(Flag::Kept) || !waited && shard.is_current(unit) {
            CpuMask::only(unit.cpu())
        } else {
            CpuMask::EMPTY
        }
    }

    /// The unit that `cpu` runs lets others go first, at the next [`Scheduler::pick`]. It keeps its share. `false`: nobody else is there.
    pub(crate) fn yield_now(&self, cpu: u32) -> bool {
        if !self.board.is_anybody_waiting() {
            return false;
        }
        if let Some(lock) = self.shards.get(cpu as usize) {
            lock.lock().set_yielded();
        }
        true
    }

    /// Changes where a unit may run, and where it would like to. Returns whom to tell: the CPU that it has to leave, or one that can take it.
    pub(crate) fn set_affinity(&self, unit: &Unit, hard: CpuMask, soft: CpuMask, now: u64) -> CpuMask {
        let Some(mut shard) = self.lock_of(unit) else { return CpuMask::EMPTY };
        unit.set_affinity(hard, soft);
        if shard.is_current(unit) {
            return CpuMask::only(unit.cpu());
        }
        match shard.dequeue(unit, &self.board) {
            Some(queued) if unit.is(Flag::Held) => shard.enqueue(queued, &self.board),
            Some(queued) => return self.put(unit.cpu(), &mut shard, queued, now),
            None => {}
        }
        CpuMask::EMPTY
    }

    /// Changes a unit's weight; what it ran before stays accounted as it was.
    pub(crate) fn set_weight(&self, unit: &Unit, weight: u32, now: u64) {
        let Some(mut shard) = self.lock_of(unit) else { return };
        if shard.is_current(unit) {
            shard.charge(now, &self.board);
        }
        unit.set_weight(weight);
    }

    /// The CPU that runs the unit, so that it looks at a new cap; what it ran before is not counted.
    pub(crate) fn look_again(&self, unit: &Unit, now: u64) -> CpuMask {
        let Some(mut shard) = self.lock_of(unit) else { return CpuMask::EMPTY };
        if !shard.is_current(unit) {
            return CpuMask::EMPTY;
        }
        shard.charge(now, &self.board);
        CpuMask::only(unit.cpu())
    }
}

#[cfg(test)]
#[path = "simulation_tests.rs"]
mod simulation;

#[cfg(test)]
#[path = "step_tests.rs"]
mod steps;
