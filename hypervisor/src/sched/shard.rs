// SPDX-License-Identifier: MIT OR Apache-2.0
//! One CPU's part of the scheduler, under its lock: who waits for it, what it runs, and until when.
#![forbid(unsafe_code)]

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::affinity::CpuMask;
use super::board::{Board, is_worth_a_wish, is_worth_forcing, is_worth_taking};
use super::policy::{LAG, LEAD, PREEMPT_MARGIN, WEIGHTED_SLICE_NS, virtual_time, weighted_slice};
use super::runqueue::{Entry, RunQueue};
use super::unit::{Flag, Unit};

/// What a CPU shall do.
#[derive(Debug, Clone)]
pub(crate) struct Decision {
    /// Run this; `None`: be idle.
    pub(crate) unit: Option<Arc<Unit>>,
    /// Ask again at this time at the latest; `None`: only when told to.
    pub(crate) until: Option<u64>,
    /// The unit that ran before, if it is another one: save it, then call [`super::Scheduler::release`].
    pub(crate) left: Option<Arc<Unit>>,
    /// CPUs to tell to ask.
    pub(crate) tell: CpuMask,
}

/// See the module documentation.
#[derive(Debug)]
pub(super) struct Shard {
    cpu: u32,
    queue: RunQueue,
    /// Those whose group has used up its allowance.
    parked: Vec<Arc<Unit>>,
    current: Option<Arc<Unit>>,
    /// Since when `current` runs without interruption.
    since: u64,
    /// Its running time is accounted up to here.
    charged: u64,
    slice_end: u64,
    /// Its virtual time when the slice began.
    slice_vtime: u64,
    yielded: bool,
}

/// Room for a shard's units, made without its lock.
#[derive(Debug)]
pub(super) struct Room(Vec<Entry>, Vec<Arc<Unit>>);

impl Room {
    /// For so many. Allocates.
    pub(super) fn new(units: usize) -> Self {
        Self(Vec::with_capacity(units), Vec::with_capacity(units))
    }
}

impl Shard {
    pub(super) fn new(cpu: u32) -> Self {
        Self {
            cpu,
            queue: RunQueue::default(),
            parked: Vec::new(),
            current: None,
            since: 0,
            charged: 0,
            slice_end: 0,
            slice_vtime: 0,
            yielded: false,
        }
    }

    /// How many units there is room for.
    pub(super) fn room(&self) -> usize {
        self.queue.room()
    }

    /// Takes more room; what comes back is freed by the caller without the lock.
    #[must_use]
    pub(super) fn enlarge(&mut self, mut room: Room) -> Room {
        room.0 = self.queue.enlarge(room.0);
        if room.1.capacity() > self.parked.capacity() {
            room.1.append(&mut self.parked);
            core::mem::swap(&mut room.1, &mut self.parked);
        }
        room
    }

    pub(super) fn is_current(&self, unit: &Unit) -> bool {
        self.current.as_ref().is_some_and(|current| core::ptr::eq(&**current, unit))
    }

    pub(super) fn set_yielded(&mut self) {
        self.yielded = true;
    }

    // ---- the queue ----

    fn publish(&self, board: &Board) {
        let free = || self.queue.iter().filter(|entry| !entry.unit.is(Flag::Held));
        let least = free().next().map_or(u64::MAX, |entry| entry.vtime);
        let may_go = free().fold(CpuMask::EMPTY, |all, entry| all.or(entry.hard));
        let wish = free().fold(CpuMask::EMPTY, |all, entry| all.or(entry.wish));
        board.note_waiting(self.cpu, self.queue.len(), least, may_go, wish);
    }

    /// Puts a unit that belongs here into the queue, not too far behind the clock.
    pub(super) fn enqueue(&mut self, unit: Arc<Unit>, board: &Board) {
        unit.set_vtime(unit.vtime().max(board.clock().saturating_sub(LAG)));
        self.queue.insert(unit);
        self.publish(board);
    }

    /// Takes a unit out of the queue or from those parked; `None`: it is in neither.
    pub(super) fn dequeue(&mut self, unit: &Unit, board: &Board) -> Option<Arc<Unit>> {
        if unit.is(Flag::Parked) {
            let at = self.parked.iter().position(|parked| core::ptr::eq(&**parked, unit))?;
            unit.set(Flag::Parked, false);
            return Some(self.parked.swap_remove(at));
        }
        let found = self.queue.remove(unit)?;
        self.publish(board);
        Some(found)
    }

    fn park(&mut self, unit: Arc<Unit>) {
        unit.set(Flag::Parked, true);
        self.parked.push(unit);
    }

    /// Takes out a parked unit whose group has something again.
    pub(super) fn take_refilled(&mut self, now: u64) -> Option<Arc<Unit>> {
        let at = self.parked.iter().position(|unit| !unit.is(Flag::Held) && unit.group().may_run(now))?;
        let unit = self.parked.swap_remove(at);
        unit.set(Flag::Parked, false);
        Some(unit)
    }

    /// A unit's registers are saved: others may have it.
    pub(super) fn release(&mut self, unit: &Unit) {
        unit.set(Flag::Held, false);
        unit.set(Flag::Kept, false);
    }

    /// The waiting unit that should run here next. Those whose groups may not run are put aside.
    fn best(&mut self, now: u64, board: &Board) -> Option<&Entry> {
        while let Some(entry) = self.queue.first_for(self.cpu)
            && !entry.unit.group().may_run(now)
        {
            let unit = entry.unit.clone();
            self.queue.remove(&unit);
            self.publish(board);
            self.park(unit);
        }
        self.queue.first_for(self.cpu)
    }

    /// Takes from another CPU the first unit that may run here and is far enough behind `than`.
    pub(super) fn steal(&mut self, other: &mut Self, than: u64, now: u64, board: &Board) -> bool {
        let cpu = self.cpu;
        let fits = |entry: &&Entry| {
            let unit = &entry.unit;
            let is_worth_it = if entry.wish.has(cpu) {
                is_worth_a_wish
            } else if unit.preferred().has(cpu) {
                is_worth_taking
            } else {
                is_worth_forcing
            };
            entry.hard.has(cpu) && !unit.is(Flag::Held) && is_worth_it(entry.vtime, than) && unit.group().may_run(now)
        };
        let Some(unit) = other.queue.iter().find(fits).map(|entry| entry.unit.clone()) else { return false };
        other.queue.remove(&unit);
        other.publish(board);
        unit.set_cpu(cpu);
        self.enqueue(unit, board);
        true
    }

    // ---- decisions ----

    /// Accounts the running time of the current unit.
    pub(super) fn charge(&mut self, now: u64, board: &Board) {
        // The clocks of two CPUs may differ by a little: time does not run backwards here.
        let ran = now.saturating_sub(self.charged);
        self.charged = self.charged.max(now);
        let Some(unit) = &self.current else { return };
        let (clock, weight) = (board.clock(), unit.weight());
        let ceiling = clock.saturating_add(LEAD + 2 * virtual_time(WEIGHTED_SLICE_NS.0, weight));
        let floor = clock.saturating_sub(LAG);
        let vtime = unit.vtime().saturating_add(virtual_time(ran, weight)).min(ceiling);
        unit.set_vtime(vtime.max(unit.vtime()).max(floor));
        unit.group().charge(ran);
        board.note_running(self.cpu, unit.vtime(), self.charged, weight);
    }

    /// Whether the current unit could go on here, as far as it is up to itself.
    fn may_stay(&self, now: u64, board: &Board) -> bool {
        self.current.as_ref().is_some_and(|unit| {
            unit.is(Flag::Runnable)
                && unit.hard().has(self.cpu)
                && unit.group().may_run(now)
                && !self.has_better_place(unit, board)
        })
    }

    /// Would the unit rather be on a CPU that is idle?
    fn has_better_place(&self, unit: &Unit, board: &Board) -> bool {
        let preferred = unit.preferred();
        !preferred.has(self.cpu) && !preferred.and(board.idle()).is_empty()
    }

    /// Whose units this CPU should look at on other CPUs: those behind the virtual time that is returned. `None`: it goes on with what
    /// it has. `told`: somebody thinks that it should not.
    pub(super) fn looks_for(&mut self, told: bool, now: u64, board: &Board) -> Option<u64> {
        let stays = self.may_stay(now, board) && !self.yielded;
        let is_fresh = now < self.since.saturating_add(board.ratelimit_ns(self.cpu));
        if stays && now < self.slice_end && (is_fresh || !told) {
            return None;
        }
        let own = if stays { self.current.as_ref().map_or(u64::MAX, |unit| unit.vtime()) } else { u64::MAX };
        let waiting = self.best(now, board).map_or(u64::MAX, |entry| entry.vtime);
        Some(own.min(waiting))
    }

    /// Is there nothing to run here?
    pub(super) fn is_out_of_work(&mut self, now: u64, board: &Board) -> bool {
        !self.may_stay(now, board) && self.best(now, board).is_none()
    }

    /// There is nothing to run here.
    pub(super) fn be_idle(&mut self, now: u64, board: &Board) -> Decision {
        self.yielded = false;
        self.switch_to(None, now, board)
    }

    /// Chooses what this CPU does from now on, among what it has.
    pub(super) fn decide(&mut self, now: u64, board: &Board) -> Decision {
        let yielded = core::mem::take(&mut self.yielded);
        let stays = self.may_stay(now, board);
        let waiting = self.best(now, board).map(|entry| (entry.unit.clone(), entry.vtime));
        let goes_on = match (stays, &waiting) {
            (false, _) => false,
            (true, None) => true,
            (true, Some((unit, other))) => {
                let is_fresh = now < self.since.saturating_add(board.ratelimit_ns(self.cpu));
                let vtime = self.current.as_ref().map_or(0, |unit| unit.vtime());
                let stays_ahead =
                    if now < self.slice_end { is_fresh || !self.should_preempt(unit) } else { vtime < *other };
                !yielded && stays_ahead
            }
        };
        if goes_on {
            return self.go_on(waiting.map(|(unit, _)| unit), now, board);
        }
        self.switch_to(waiting.map(|(unit, _)| unit), now, board)
    }

    /// Whether the unit that should run next is worth breaking a slice for. One that woke up counts against what the current
    /// unit has run so far; the others have waited for slices to end all along, and only stand out if they are far behind.
    fn should_preempt(&self, waiting: &Unit) -> bool {
        let current = self.current.as_ref().map_or(0, |unit| unit.vtime());
        let than = if waiting.is(Flag::Woken) { current } else { self.slice_vtime };
        waiting.vtime().saturating_add(PREEMPT_MARGIN) < than
    }

    /// The current unit keeps the CPU: for the rest of its slice, or for a new one.
    fn go_on(&mut self, waiting: Option<Arc<Unit>>, now: u64, board: &Board) -> Decision {
        let mut until = self.slice_end;
        if now >= self.slice_end
            && let Some(unit) = &self.current
        {
            (self.slice_end, self.slice_vtime) = (self.slice_from(unit, now, board), unit.vtime());
            until = self.slice_end;
            if waiting.is_some() {
                board.advance_clock(self.cpu, self.slice_vtime);
            }
        } else if waiting.is_some_and(|unit| self.should_preempt(&unit)) {
            // Only the rate limit kept it: come back when that is over.
            until = until.min(self.since.saturating_add(board.ratelimit_ns(self.cpu)));
        }
        self.outcome(None, until, now, board)
    }

    fn switch_to(&mut self, next: Option<Arc<Unit>>, now: u64, board: &Board) -> Decision {
        let before = self.current.take();
        if let Some(unit) = &next {
            self.queue.remove(unit);
            self.publish(board);
        }
        if let Some(unit) = &before {
            unit.group().note_running(false);
            if unit.is(Flag::Runnable) {
                // Its registers are here: nobody else takes it before the release.
                if unit.group().may_run(now) {
                    self.enqueue(unit.clone(), board);
                } else {
                    self.park(unit.clone());
                }
            }
        }
        (self.since, self.charged) = (now, self.charged.max(now));
        (self.slice_end, self.slice_vtime) = (0, 0);
        if let Some(unit) = &next {
            // Only competition moves the clock: what runs alone is bounded by it instead.
            if self.has_waiting() {
                board.advance_clock(self.cpu, unit.vtime());
            }
            unit.set(Flag::Held, true);
            unit.set(Flag::Kept, false);
            unit.set(Flag::Woken, false);
            unit.group().note_running(true);
            (self.slice_end, self.slice_vtime) = (self.slice_from(unit, now, board), unit.vtime());
            board.note_running(self.cpu, unit.vtime(), self.charged, unit.weight());
        }
        // A unit may follow itself, after a yield or because it was put aside and let in again.
        let left = before.filter(|unit| !next.as_ref().is_some_and(|next| Arc::ptr_eq(next, unit)));
        self.current = next;
        self.outcome(left, self.slice_end, now, board)
    }

    /// When a slice that begins now ends.
    fn slice_from(&self, unit: &Unit, now: u64, board: &Board) -> u64 {
        now.saturating_add(weighted_slice(board.base_slice(), unit.weight()).max(board.least_slice(self.cpu)))
    }

    /// Does anybody wait here who could run here?
    fn has_waiting(&self) -> bool {
        self.queue.first_for(self.cpu).is_some()
    }

    fn outcome(&self, left: Option<Arc<Unit>>, slice_end: u64, now: u64, board: &Board) -> Decision {
        let mut until = None;
        let has_waiting = self.has_waiting();
        if self.current.is_none() || !has_waiting {
            board.stop_clock(self.cpu);
        }
        if let Some(unit) = &self.current {
            if has_waiting || board.is_wanted(self.cpu) {
                until = Some(slice_end);
            } else {
                board.note_tickless(self.cpu);
                // Somebody may have come to wait before that was known.
                if board.is_wanted(self.cpu) {
                    until = Some(slice_end);
                }
            }
            board.note_misplaced(self.cpu, !unit.preferred().has(self.cpu));
            until = earlier(until, unit.group().runs_until(now));
        }
        let refill = self.parked.iter().map(|unit| unit.group().refill_at().max(now + 1)).min();
        Decision { unit: self.current.clone(), until: earlier(until, refill), left, tell: CpuMask::EMPTY }
    }
}

/// The earlier of two times, where `None` is never.
fn earlier(a: Option<u64>, b: Option<u64>) -> Option<u64> {
    a.into_iter().chain(b).min()
}
