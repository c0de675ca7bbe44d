// SPDX-License-Identifier: MIT OR Apache-2.0
//! The scheduling policy: who runs where, and until when. Pure decisions; the caller holds the run-queue lock, switches
//! contexts, arms timers and sends interrupts.
//!
//! **Shares.** Each unit has a virtual time that advances, while it runs, in inverse proportion to its weight; the waiting
//! unit with the least virtual time runs next. All CPUs share one queue, so shares hold across CPUs and no CPU idles while a
//! unit that may run there waits. Slices are proportional to weight, so that even plain turns are fair where pinning keeps
//! virtual times apart.
//!
//! **Latency.** A unit that slept keeps a bounded advantage, and takes the CPU of the unit that is furthest ahead at once.
//!
//! **Bounds.** Virtual times stay in a window around the clock, which is the virtual time of what was last chosen among
//! competitors: nobody saves up time by sleeping, and nobody has to pay later for having used an idle CPU.
//!
//! **Switching.** A unit that was taken off a CPU is not offered to others until that CPU has saved its registers and says
//! so with [`Scheduler::release`].
#![forbid(unsafe_code)]

use alloc::vec::Vec;

use super::affinity::CpuMask;
use super::runqueue::RunQueue;

/// The weight of a unit of no special importance.
pub(crate) const DEFAULT_WEIGHT: u32 = 256;
/// Weights are from 1 to this.
pub(crate) const MAX_WEIGHT: u32 = 65_535;

/// The longest slice of a unit of default weight.
const SLICE_MAX_NS: u64 = 10_000_000;
/// The shortest slice of a unit of default weight, when many wait.
const SLICE_MIN_NS: u64 = 2_000_000;
/// Within about this time each of the waiting units should have had its turn, as long as slices permit.
const ROUND_NS: u64 = 24_000_000;
/// Bounds of any unit's slice.
const WEIGHTED_SLICE_NS: (u64, u64) = (1_000_000, 40_000_000);
/// A unit runs this long, unless told otherwise, before another that woke up may take its CPU.
const RATELIMIT_US: u32 = 500;
/// The greatest advantage from sleeping, in virtual time.
const LAG: u64 = 20_000_000;
/// Virtual time a unit may be ahead, besides what its own slices cost.
const LEAD: u64 = 4 * SLICE_MAX_NS;
/// A difference in virtual time that is worth a preemption.
const PREEMPT_MARGIN: u64 = 1_000_000;
/// A difference in virtual time for which a unit stays on the CPU whose caches know it.
const STAY_MARGIN: u64 = 500_000;

/// What a CPU shall do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Decision {
    /// Run this; `None`: be idle.
    pub(crate) unit: Option<u32>,
    /// Ask again at this time at the latest. `None` while idle.
    pub(crate) until: Option<u64>,
    /// The unit that ran before, if it is another one: save it, then call [`Scheduler::release`].
    pub(crate) left: Option<u32>,
}

#[derive(Debug)]
struct Unit {
    weight: u32,
    vtime: u64,
    affinity: CpuMask,
    /// Where it runs or ran last.
    cpu: u32,
    runnable: bool,
    /// It woke up and did not run since.
    woken: bool,
    queued: bool,
    /// Its registers are in this CPU: it runs there, or was not released yet.
    held: bool,
    /// It never runs again; its number is still in use.
    retired: bool,
}

#[derive(Debug, Default)]
struct Cpu {
    online: bool,
    current: Option<u32>,
    /// Since when `current` runs without interruption.
    since: u64,
    /// Its running time is accounted up to here.
    charged: u64,
    slice_end: u64,
    /// Its virtual time when the slice began.
    slice_vtime: u64,
    yielded: bool,
    /// Idle or about to be preempted, and told so: not to be told again.
    kicked: bool,
}

/// The policy's state. CPU numbers index what [`Scheduler::new`] was told; units are numbered by [`Scheduler::add`].
#[derive(Debug)]
pub(crate) struct Scheduler {
    cpus: Vec<Cpu>,
    units: Vec<Option<Unit>>,
    queue: RunQueue,
    clock: u64,
    online: u64,
    ratelimit_us: u32,
}

impl Scheduler {
    /// For CPUs `0..cpus`, all offline.
    pub(crate) fn new(cpus: u32) -> Self {
        let cpus = (0..cpus).map(|_| Cpu::default()).collect();
        Self { cpus, units: Vec::new(), queue: RunQueue::new(), clock: LAG, online: 0, ratelimit_us: RATELIMIT_US }
    }

    /// How many units wait for a CPU.
    pub(crate) fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// Starts giving units to a CPU. It is idle at first.
    pub(crate) fn set_online(&mut self, cpu: u32) {
        if let Some(state) = self.cpus.get_mut(cpu as usize)
            && !state.online
        {
            state.online = true;
            self.online += 1;
        }
    }

    /// Adds a unit that does not want to run yet. Allocates, so that nothing later has to.
    pub(crate) fn add(&mut self, weight: u32, affinity: CpuMask) -> u32 {
        let cpu = affinity.first().unwrap_or(0);
        let weight = weight.clamp(1, MAX_WEIGHT);
        let unit = Unit {
            weight,
            vtime: self.clock.saturating_sub(LAG),
            affinity,
            cpu,
            runnable: false,
            woken: false,
            queued: false,
            held: false,
            retired: false,
        };
        let id = match self.units.iter().position(Option::is_none) {
            Some(free) => free,
            None => {
                self.units.push(None);
                self.units.len() - 1
            }
        };
        self.units[id] = Some(unit);
        self.queue.reserve(self.units.len());
        id as u32
    }

    /// The unit never runs again, whoever wakes it, but keeps its number. It must not be on a CPU: block it and wait for its release
    /// first. `false` if it still is.
    pub(crate) fn retire(&mut self, id: u32) -> bool {
        let Some(unit) = self.unit_mut(id) else { return true };
        if unit.held {
            return false;
        }
        (unit.runnable, unit.retired) = (false, true);
        let (vtime, queued) = (unit.vtime, core::mem::take(&mut unit.queued));
        if queued {
            self.queue.remove(id, vtime);
        }
        true
    }

    /// Forgets a unit, which must not be on a CPU either: its number may be given to another. `false` if it still is.
    pub(crate) fn remove(&mut self, id: u32) -> bool {
        if !self.retire(id) {
            return false;
        }
        if let Some(slot) = self.units.get_mut(id as usize) {
            *slot = None;
        }
        true
    }

    /// Chooses what `cpu` does from now on. To be called at the time of the last decision, after being kicked, and when the
    /// current unit blocks or yields.
    pub(crate) fn pick(&mut self, cpu: u32, now: u64) -> Decision {
        self.charge(cpu, now);
        let Some(state) = self.cpus.get_mut(cpu as usize) else {
            return Decision { unit: None, until: None, left: None };
        };
        state.kicked = false;
        let yielded = core::mem::take(&mut state.yielded);
        let (since, slice_end) = (state.since, state.slice_end);
        let current = state.current;
        let wants = current.and_then(|id| self.unit(id)).filter(|unit| unit.runnable);
        let stays = wants.filter(|unit| unit.affinity.has(cpu)).map(|unit| unit.vtime);
        let wants = wants.is_some();
        let waiting = self.best_for(cpu);
        let goes_on = match (stays, waiting) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(vtime), Some((_, other))) => {
                let is_fresh = now < since.saturating_add(self.ratelimit_ns());
                let in_slice = now < slice_end && !self.should_preempt(cpu);
                !yielded && (is_fresh || in_slice || (now >= slice_end && vtime < other))
            }
        };
        if goes_on {
            return self.go_on(cpu, now, waiting.is_some());
        }
        if let (Some(id), true) = (current, wants) {
            self.enqueue(id);
        }
        self.switch_to(cpu, waiting.map(|(id, _)| id), now)
    }

    /// The current unit keeps the CPU: for the rest of its slice, or for a new one.
    fn go_on(&mut self, cpu: u32, now: u64, contended: bool) -> Decision {
        let (since, slice_end) = self.cpu(cpu).map_or((0, 0), |c| (c.since, c.slice_end));
        let unit = self.cpu(cpu).and_then(|c| c.current);
        let mut until = slice_end;
        if now >= slice_end {
            let (slice, vtime) = self.slice(unit);
            until = now.saturating_add(slice);
            if contended {
                self.clock = self.clock.max(vtime);
            }
            if let Some(state) = self.cpus.get_mut(cpu as usize) {
                (state.slice_end, state.slice_vtime) = (until, vtime);
            }
        } else if contended && self.should_preempt(cpu) {
            // Only the rate limit kept it: come back when that is over.
            until = until.min(since.saturating_add(self.ratelimit_ns()));
        }
        Decision { unit, until: Some(until), left: None }
    }

    /// Whether the unit that should run next is worth breaking a slice for. One that woke up counts against what the current
    /// unit has run so far; the others have waited for slices to end all along, and only stand out if they are far behind.
    fn should_preempt(&self, cpu: u32) -> bool {
        let Some((id, vtime)) = self.best_for(cpu) else { return false };
        let woken = self.unit(id).is_some_and(|unit| unit.woken);
        let current = self.cpu(cpu).map_or(0, |c| if woken { self.vtime_of(c.current) } else { c.slice_vtime });
        vtime.saturating_add(PREEMPT_MARGIN) < current
    }

    fn vtime_of(&self, id: Option<u32>) -> u64 {
        id.and_then(|id| self.unit(id)).map_or(0, |unit| unit.vtime)
    }

    fn switch_to(&mut self, cpu: u32, next: Option<u32>, now: u64) -> Decision {
        let before = self.cpu(cpu).and_then(|c| c.current);
        if let Some(id) = next {
            if let Some(vtime) = self.unit(id).map(|unit| unit.vtime) {
                self.queue.remove(id, vtime);
                // Only competition moves the clock: what runs alone is bounded by it instead.
                if self.best_for(cpu).is_some() {
                    self.clock = self.clock.max(vtime);
                }
            }
            if let Some(unit) = self.unit_mut(id) {
                (unit.queued, unit.held, unit.cpu) = (false, true, cpu);
                unit.woken = false;
            }
        }
        let (slice, vtime) = self.slice(next);
        let until = next.map(|_| now.saturating_add(slice));
        if let Some(state) = self.cpus.get_mut(cpu as usize) {
            state.current = next;
            (state.since, state.charged) = (now, now);
            (state.slice_end, state.slice_vtime) = (until.unwrap_or(0), vtime);
        }
        Decision { unit: next, until, left: before.filter(|id| next != Some(*id)) }
    }

    /// A CPU has saved the registers of a unit that it left. Returns a CPU to kick, if one should take the unit now; it may be
    /// the calling one.
    pub(crate) fn release(&mut self, id: u32, now: u64) -> Option<u32> {
        let unit = self.unit_mut(id)?;
        unit.held = false;
        if unit.queued { self.place(id, now) } else { None }
    }

    /// The unit wants to run. Returns a CPU to kick so that it asks again: an idle one, or one whose unit is to be preempted.
    /// Waking a runnable unit does nothing.
    pub(crate) fn wake(&mut self, id: u32, now: u64) -> Option<u32> {
        let unit = self.unit_mut(id).filter(|unit| !unit.retired)?;
        if core::mem::replace(&mut unit.runnable, true) {
            return None;
        }
        let (held, cpu) = (unit.held, unit.cpu);
        if held && self.cpu(cpu).is_some_and(|c| c.current == Some(id)) {
            // It blocked and was woken before its CPU looked.
            return None;
        }
        if let Some(unit) = self.unit_mut(id) {
            unit.woken = true;
        }
        self.enqueue(id);
        // Until its old CPU has let go of it, nobody else can take it: then `release` finds a place.
        if held { None } else { self.place(id, now) }
    }

    /// The unit does not want to run any more. If it is on a CPU, that CPU must [`Scheduler::pick`]; it is returned.
    pub(crate) fn block(&mut self, id: u32) -> Option<u32> {
        let unit = self.unit_mut(id)?;
        unit.runnable = false;
        let (vtime, cpu, queued) = (unit.vtime, unit.cpu, core::mem::take(&mut unit.queued));
        if queued {
            self.queue.remove(id, vtime);
            return None;
        }
        self.cpu(cpu).is_some_and(|c| c.current == Some(id)).then_some(cpu)
    }

    /// The unit that `cpu` runs lets others go first, at the next [`Scheduler::pick`]. It keeps its share.
    pub(crate) fn yield_now(&mut self, cpu: u32) {
        if let Some(state) = self.cpus.get_mut(cpu as usize) {
            state.yielded = true;
        }
    }

    /// Changes where a unit may run. Returns a CPU to kick: the one that it has to leave, or one that can take it.
    pub(crate) fn set_affinity(&mut self, id: u32, affinity: CpuMask, now: u64) -> Option<u32> {
        let unit = self.unit_mut(id)?;
        unit.affinity = affinity;
        let (cpu, queued, held) = (unit.cpu, unit.queued, unit.held);
        if self.cpu(cpu).is_some_and(|c| c.current == Some(id)) {
            return (!affinity.has(cpu)).then_some(cpu);
        }
        if queued && !held { self.place(id, now) } else { None }
    }

    /// How long a unit runs at least before one that woke up may take its CPU.
    pub(crate) fn ratelimit_us(&self) -> u32 {
        self.ratelimit_us
    }

    /// Sets [`Self::ratelimit_us`].
    pub(crate) fn set_ratelimit_us(&mut self, us: u32) {
        self.ratelimit_us = us;
    }

    fn ratelimit_ns(&self) -> u64 {
        u64::from(self.ratelimit_us) * 1000
    }

    /// Changes a unit's weight; what it ran before stays accounted as it was.
    pub(crate) fn set_weight(&mut self, id: u32, weight: u32) {
        if let Some(unit) = self.unit_mut(id) {
            unit.weight = weight.clamp(1, MAX_WEIGHT);
        }
    }

    /// A unit's weight.
    #[cfg(test)]
    pub(crate) fn weight(&self, id: u32) -> Option<u32> {
        self.unit(id).map(|unit| unit.weight)
    }

    /// Accounts the running time of a CPU's unit.
    fn charge(&mut self, cpu: u32, now: u64) {
        let clock = self.clock;
        let Some(state) = self.cpus.get_mut(cpu as usize) else { return };
        // The clocks of two CPUs may differ by a little: time does not run backwards here.
        let ran = now.saturating_sub(state.charged);
        state.charged = state.charged.max(now);
        let Some(id) = state.current else { return };
        let Some(Some(unit)) = self.units.get_mut(id as usize) else { return };
        let weight = u64::from(unit.weight);
        let ceiling = clock.saturating_add(LEAD + 2 * virtual_time(WEIGHTED_SLICE_NS.0, weight));
        let floor = clock.saturating_sub(LAG);
        let vtime = unit.vtime.saturating_add(virtual_time(ran, weight)).min(ceiling);
        unit.vtime = vtime.max(unit.vtime).max(floor);
    }

    /// Puts a unit into the queue, not too far behind the clock.
    fn enqueue(&mut self, id: u32) {
        let floor = self.clock.saturating_sub(LAG);
        if let Some(unit) = self.unit_mut(id) {
            unit.vtime = unit.vtime.max(floor);
            unit.queued = true;
            let vtime = unit.vtime;
            self.queue.insert(id, vtime);
        }
    }

    /// The CPU that a waiting unit shall get: its last one if idle, any idle one, or the one whose unit is most ahead of it.
    fn place(&mut self, id: u32, now: u64) -> Option<u32> {
        for cpu in 0..self.cpus.len() as u32 {
            self.charge(cpu, now);
        }
        let unit = self.unit(id)?;
        let (vtime, last, woken) = (unit.vtime, unit.cpu, unit.woken);
        let allowed = unit.affinity;
        let candidates = || {
            let last_first = core::iter::once(last).chain((0..self.cpus.len() as u32).filter(move |cpu| *cpu != last));
            last_first.filter(|cpu| allowed.has(*cpu)).filter_map(|cpu| Some((cpu, self.cpu(cpu)?)))
        };
        let free = || candidates().filter(|(_, c)| c.online && !c.kicked);
        let idle = free().find(|(_, c)| c.current.is_none()).map(|(cpu, _)| cpu);
        let chosen = idle.or_else(|| {
            let ahead_of = |c: &Cpu| if woken { self.vtime_of(c.current) } else { c.slice_vtime };
            let worth = |c: &Cpu| vtime.saturating_add(PREEMPT_MARGIN) < ahead_of(c);
            // Of equals the first is kept: its last CPU.
            let ahead = free().filter(|(_, c)| worth(c));
            ahead.reduce(|best, c| if ahead_of(c.1) > ahead_of(best.1) { c } else { best }).map(|(cpu, _)| cpu)
        })?;
        if let Some(state) = self.cpus.get_mut(chosen as usize) {
            state.kicked = true;
        }
        Some(chosen)
    }

    /// The waiting unit that `cpu` should run next, with its virtual time: the first that may run there, or one hardly behind
    /// it that ran there last.
    fn best_for(&self, cpu: u32) -> Option<(u32, u64)> {
        let mut eligible = self.queue.iter().filter_map(|entry| {
            let unit = self.unit(entry.unit)?;
            (unit.affinity.has(cpu) && (!unit.held || unit.cpu == cpu)).then_some((entry, unit.cpu == cpu))
        });
        let (first, is_home) = eligible.next()?;
        let stay = || {
            let near = eligible.take_while(|(entry, _)| entry.vtime <= first.vtime.saturating_add(STAY_MARGIN));
            near.take(8).find(|(_, is_home)| *is_home).map(|(entry, _)| entry)
        };
        let entry = if is_home { first } else { stay().unwrap_or(first) };
        Some((entry.unit, entry.vtime))
    }

    /// The slice a unit gets now, and its virtual time.
    fn slice(&self, id: Option<u32>) -> (u64, u64) {
        let Some(unit) = id.and_then(|id| self.unit(id)) else { return (0, 0) };
        let waiting = (self.queue.len() as u64).max(1);
        let base = (ROUND_NS.saturating_mul(self.online) / waiting).clamp(SLICE_MIN_NS, SLICE_MAX_NS);
        let weighted = base.saturating_mul(u64::from(unit.weight)) / u64::from(DEFAULT_WEIGHT);
        (weighted.clamp(WEIGHTED_SLICE_NS.0, WEIGHTED_SLICE_NS.1), unit.vtime)
    }

    fn unit(&self, id: u32) -> Option<&Unit> {
        self.units.get(id as usize)?.as_ref()
    }

    fn unit_mut(&mut self, id: u32) -> Option<&mut Unit> {
        self.units.get_mut(id as usize)?.as_mut()
    }

    fn cpu(&self, cpu: u32) -> Option<&Cpu> {
        self.cpus.get(cpu as usize)
    }
}

/// Running time as a unit of this weight pays for it.
fn virtual_time(ns: u64, weight: u64) -> u64 {
    ns.saturating_mul(u64::from(DEFAULT_WEIGHT)) / weight.max(1)
}

#[cfg(test)]
#[path = "credit_tests.rs"]
mod tests;
