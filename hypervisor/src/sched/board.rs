// SPDX-License-Identifier: MIT OR Apache-2.0
//! What CPUs let each other know without locks, and the choices that need no more than that: where a unit that woke up goes, and from
//! which CPU one that has nothing better to do may take a unit. Everything here may be out of date by the time it is used; who acts
//! on it takes the lock and looks again.
#![forbid(unsafe_code)]

use alloc::boxed::Box;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::affinity::{CpuMask, SharedMask};
use super::policy::{LAG, PREEMPT_MARGIN, RATELIMIT_US, SOFT_MARGIN, STEAL_MARGIN, virtual_time};
use super::unit::{Flag, Unit};

/// What one CPU lets others know. Each has cache lines of its own.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Facts {
    /// How many units wait here.
    waiting: AtomicU32,
    /// The virtual time of what was last chosen here among competitors; the greatest number while nobody competes.
    clock: AtomicU64,
    /// The least virtual time of those that could go elsewhere.
    least: AtomicU64,
    /// Where those may go.
    may_go: AtomicU64,
    /// Where those would like to be that do not like it here.
    wish: AtomicU64,
    /// The running unit's virtual time at `charged`, and its weight.
    vtime: AtomicU64,
    charged: AtomicU64,
    weight: AtomicU64,
    /// How long a unit runs here at least before one that woke up may take the CPU.
    ratelimit_us: AtomicU32,
}

impl Facts {
    fn new() -> Self {
        Self {
            clock: AtomicU64::new(u64::MAX),
            least: AtomicU64::new(u64::MAX),
            ratelimit_us: AtomicU32::new(RATELIMIT_US),
            ..Self::default()
        }
    }
}

/// See the module documentation.
#[derive(Debug)]
pub(super) struct Board {
    /// The least of the CPUs' clocks, as far as they have any. It never goes back.
    clock: AtomicU64,
    online: SharedMask,
    /// CPUs that run nothing and have not been told of work.
    idle: SharedMask,
    /// CPUs that were told to look whether somebody else should run.
    told: SharedMask,
    /// CPUs where somebody waits who could go elsewhere.
    rich: SharedMask,
    /// CPUs that run a unit without an end of its slice, because nobody waits.
    tickless: SharedMask,
    /// CPUs that run a unit that would like to be elsewhere.
    misplaced: SharedMask,
    facts: Box<[Facts]>,
}

impl Board {
    pub(super) fn new(cpus: u32) -> Self {
        Self {
            clock: AtomicU64::new(LAG),
            online: SharedMask::default(),
            idle: SharedMask::default(),
            told: SharedMask::default(),
            rich: SharedMask::default(),
            tickless: SharedMask::default(),
            misplaced: SharedMask::default(),
            facts: (0..cpus).map(|_| Facts::new()).collect(),
        }
    }

    fn facts(&self, cpu: u32) -> Option<&Facts> {
        self.facts.get(cpu as usize)
    }

    // ---- virtual time ----

    pub(super) fn clock(&self) -> u64 {
        self.clock.load(Ordering::Relaxed)
    }

    /// A unit of this virtual time was chosen among competitors on a CPU.
    pub(super) fn advance_clock(&self, cpu: u32, vtime: u64) {
        if let Some(facts) = self.facts(cpu) {
            facts.clock.store(vtime, Ordering::Relaxed);
        }
        let least = self.facts.iter().map(|facts| facts.clock.load(Ordering::Relaxed)).min();
        if let Some(least) = least.filter(|least| *least > self.clock()) {
            self.clock.fetch_max(least, Ordering::Relaxed);
        }
    }

    /// Nobody competes for a CPU: it does not hold the clock back.
    pub(super) fn stop_clock(&self, cpu: u32) {
        if let Some(facts) = self.facts(cpu) {
            facts.clock.store(u64::MAX, Ordering::Relaxed);
        }
    }

    fn ratelimit_us(&self, cpu: u32) -> u32 {
        self.facts(cpu).map_or(RATELIMIT_US, |facts| facts.ratelimit_us.load(Ordering::Relaxed))
    }

    pub(super) fn set_ratelimit_us(&self, cpu: u32, us: u32) {
        if let Some(facts) = self.facts(cpu) {
            facts.ratelimit_us.store(us, Ordering::Relaxed);
        }
    }

    pub(super) fn ratelimit_ns(&self, cpu: u32) -> u64 {
        u64::from(self.ratelimit_us(cpu)) * 1000
    }

    /// What a limit on preemptions that was chosen, other than the usual one, means for slices.
    pub(super) fn least_slice(&self, cpu: u32) -> u64 {
        if self.ratelimit_us(cpu) > RATELIMIT_US { self.ratelimit_ns(cpu) } else { 0 }
    }

    // ---- what CPUs tell ----

    pub(super) fn online(&self) -> CpuMask {
        self.online.get()
    }

    pub(super) fn set_online(&self, cpu: u32) {
        self.online.insert(cpu);
        self.idle.insert(cpu);
    }

    /// A CPU looks what to run. Tells whether it was told to.
    pub(super) fn begin_pick(&self, cpu: u32) -> bool {
        self.idle.remove(cpu);
        self.tickless.remove(cpu);
        self.told.remove(cpu)
    }

    /// A CPU has nothing to run. From now on it is told of work.
    pub(super) fn note_idle(&self, cpu: u32) {
        self.misplaced.remove(cpu);
        self.idle.insert(cpu);
    }

    /// It has found something after all.
    pub(super) fn note_busy(&self, cpu: u32) {
        self.idle.remove(cpu);
    }

    pub(super) fn idle(&self) -> CpuMask {
        self.idle.get()
    }

    /// A CPU goes on without an end of the slice.
    pub(super) fn note_tickless(&self, cpu: u32) {
        self.tickless.insert(cpu);
    }

    /// Whether what a CPU runs would like to be elsewhere.
    pub(super) fn note_misplaced(&self, cpu: u32, is_misplaced: bool) {
        if is_misplaced {
            self.misplaced.insert(cpu);
        } else {
            self.misplaced.remove(cpu);
        }
    }

    /// CPUs whose units may like it better on one that has become idle.
    pub(super) fn take_misplaced(&self) -> CpuMask {
        self.misplaced.take(CpuMask::ALL)
    }

    /// Who waits at a CPU: how many, the least virtual time of those that could go elsewhere, where to, and where some would rather be.
    pub(super) fn note_waiting(&self, cpu: u32, waiting: usize, least: u64, may_go: CpuMask, wish: CpuMask) {
        let Some(facts) = self.facts(cpu) else { return };
        facts.waiting.store(waiting as u32, Ordering::Relaxed);
        facts.least.store(least, Ordering::Relaxed);
        facts.may_go.store(may_go.bits(), Ordering::Relaxed);
        facts.wish.store(wish.bits(), Ordering::Relaxed);
        if may_go.is_empty() {
            self.rich.remove(cpu);
        } else {
            // Ordered before the look at `idle` that follows it; see `Scheduler::put`.
            self.rich.insert(cpu);
        }
    }

    /// What a CPU runs.
    pub(super) fn note_running(&self, cpu: u32, vtime: u64, charged: u64, weight: u64) {
        let Some(facts) = self.facts(cpu) else { return };
        facts.vtime.store(vtime, Ordering::Relaxed);
        facts.charged.store(charged, Ordering::Relaxed);
        facts.weight.store(weight, Ordering::Relaxed);
    }

    /// How many units wait for CPUs.
    pub(super) fn waiting(&self) -> usize {
        self.facts.iter().map(|facts| facts.waiting.load(Ordering::Relaxed) as usize).sum()
    }

    /// Does anybody wait at all?
    pub(super) fn is_anybody_waiting(&self) -> bool {
        !self.rich.get().is_empty()
    }

    /// Does somebody wait elsewhere who may come to this CPU?
    pub(super) fn is_wanted(&self, cpu: u32) -> bool {
        self.others(cpu).next().is_some()
    }

    /// The other CPUs with somebody who may come here.
    fn others(&self, cpu: u32) -> impl Iterator<Item = (u32, u64)> {
        let rich = self.rich.get().without(CpuMask::only(cpu));
        rich.iter().filter_map(move |other| {
            let facts = self.facts(other)?;
            let may_go = CpuMask::from_bits(facts.may_go.load(Ordering::Relaxed));
            may_go.has(cpu).then(|| (other, facts.least.load(Ordering::Relaxed)))
        })
    }

    // ---- choices ----

    /// The CPU, but for those already looked at, from which this one may take a unit that is far enough behind `than`.
    pub(super) fn victim(&self, cpu: u32, than: u64, seen: CpuMask) -> Option<u32> {
        let wishes = |other: u32| {
            self.facts(other).is_some_and(|facts| CpuMask::from_bits(facts.wish.load(Ordering::Relaxed)).has(cpu))
        };
        let behind = self.others(cpu).filter(|&(other, least)| {
            !seen.has(other) && (is_worth_taking(least, than) || wishes(other) && is_worth_a_wish(least, than))
        });
        behind.min_by_key(|(_, least)| *least).map(|(other, _)| other)
    }

    /// Finds an idle CPU among these, best the given one, and makes it this caller's to tell.
    pub(super) fn claim_idle(&self, among: CpuMask, best: u32) -> Option<u32> {
        loop {
            let idle = self.idle.get().and(among);
            let cpu = if idle.has(best) { best } else { idle.first()? };
            if self.idle.remove(cpu) {
                return Some(cpu);
            }
        }
    }

    /// Where a unit that wants to run is to wait, and which CPU to tell: an idle one, or for a unit that woke up the one whose unit
    /// is most ahead of it.
    pub(super) fn place(&self, unit: &Unit, now: u64) -> (u32, CpuMask) {
        let home = unit.cpu();
        let hard = unit.hard().and(self.online());
        let preferred = unit.preferred().and(self.online());
        for among in [preferred, hard] {
            if let Some(cpu) = self.claim_idle(among, home) {
                return (cpu, CpuMask::only(cpu));
            }
        }
        if unit.is(Flag::Woken) {
            for among in [preferred, hard] {
                if let Some(cpu) = self.most_ahead(among, home, unit.vtime(), now) {
                    self.told.insert(cpu);
                    return (cpu, CpuMask::only(cpu));
                }
            }
        }
        let target = if hard.has(home) { home } else { preferred.first().or(hard.first()).unwrap_or(home) };
        // Who thought that nobody waits must think again.
        (target, self.tickless.take(hard))
    }

    /// The CPU whose unit is most ahead of a virtual time, and worth preempting; of equals the given one.
    fn most_ahead(&self, among: CpuMask, home: u32, vtime: u64, now: u64) -> Option<u32> {
        let free = among.without(self.told.get());
        let running = |cpu: u32| {
            let facts = self.facts(cpu)?;
            let ran = now.saturating_sub(facts.charged.load(Ordering::Relaxed));
            let weight = facts.weight.load(Ordering::Relaxed);
            Some((cpu, facts.vtime.load(Ordering::Relaxed).saturating_add(virtual_time(ran, weight))))
        };
        let ahead = free.iter().filter_map(running).filter(|(_, ahead)| vtime.saturating_add(PREEMPT_MARGIN) < *ahead);
        ahead.max_by_key(|(cpu, ahead)| (*ahead, *cpu == home)).map(|(cpu, _)| cpu)
    }

    /// The slice of a unit of default weight, given how many wait.
    pub(super) fn base_slice(&self) -> u64 {
        let counts = self.rich.get().iter().filter_map(|cpu| self.facts(cpu));
        let waiting = counts.map(|facts| u64::from(facts.waiting.load(Ordering::Relaxed))).sum();
        super::policy::base_slice(waiting, u64::from(self.online().len()))
    }
}

/// Is a unit so far behind what a CPU has that it should move there?
pub(super) fn is_worth_taking(vtime: u64, than: u64) -> bool {
    than == u64::MAX || vtime.saturating_add(STEAL_MARGIN) < than
}

/// The same for a unit that would rather wait there.
pub(super) fn is_worth_a_wish(vtime: u64, than: u64) -> bool {
    vtime < than.saturating_add(SOFT_MARGIN)
}

/// The same for a unit that would rather be elsewhere.
pub(super) fn is_worth_forcing(vtime: u64, than: u64) -> bool {
    than == u64::MAX || vtime.saturating_add(SOFT_MARGIN) < than
}
