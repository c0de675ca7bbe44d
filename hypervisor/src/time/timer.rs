// SPDX-License-Identifier: MIT OR Apache-2.0
//! One CPU's timers, ordered by deadline: a binary heap that knows where each timer stands, so that changing one is O(log n).
//!
//! A timer is a number, not an object: it belongs to a vCPU's slot and a kind. Space is reserved when the slot is made; arming,
//! cancelling and expiring never allocate.
#![forbid(unsafe_code)]

use alloc::vec::Vec;

/// What a timer is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u32)]
pub(crate) enum TimerKind {
    /// `VCPUOP_set_singleshot_timer` and `set_timer_op`.
    SingleShot = 0,
    /// `VCPUOP_set_periodic_timer`.
    Periodic = 1,
    /// The timeout of `SCHEDOP_poll`.
    Poll = 2,
    /// `SCHEDOP_watchdog`.
    Watchdog = 3,
}

const KINDS: u32 = 4;

/// A timer: one of a slot's kinds.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct TimerId(u32);

impl TimerId {
    /// The timer of a kind that a slot has.
    pub(crate) const fn new(slot: u32, kind: TimerKind) -> Self {
        Self(slot * KINDS + kind as u32)
    }

    /// The slot.
    pub(crate) const fn slot(self) -> u32 {
        self.0 / KINDS
    }

    /// The kind.
    pub(crate) const fn kind(self) -> TimerKind {
        match self.0 % KINDS {
            0 => TimerKind::SingleShot,
            1 => TimerKind::Periodic,
            2 => TimerKind::Poll,
            _ => TimerKind::Watchdog,
        }
    }
}

/// An armed timer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Armed {
    deadline_ns: u64,
    timer: TimerId,
}

/// What a change means for the hardware.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub(crate) enum Earliest {
    /// The next deadline is what it was.
    Same,
    /// It is another: the owning CPU must program its APIC again.
    Changed,
}

/// The queue. One per CPU, under its lock.
#[derive(Debug, Default)]
pub(crate) struct TimerQueue {
    heap: Vec<Armed>,
    /// Place in the heap of each timer; `NOT_ARMED` if it has none.
    places: Vec<u32>,
}

const NOT_ARMED: u32 = u32::MAX;

impl TimerQueue {
    /// A queue without room.
    pub(crate) const fn new() -> Self {
        Self { heap: Vec::new(), places: Vec::new() }
    }

    /// Makes room for the timers of all slots below `slots`. May allocate; not for hot paths.
    pub(crate) fn reserve_slots(&mut self, slots: u32) {
        let timers = slots as usize * KINDS as usize;
        if timers > self.places.len() {
            self.places.resize(timers, NOT_ARMED);
            self.heap.reserve(timers - self.heap.len());
        }
    }

    /// The next deadline, system time in nanoseconds.
    pub(crate) fn earliest(&self) -> Option<u64> {
        self.heap.first().map(|armed| armed.deadline_ns)
    }

    /// Arms a timer, or moves it to another deadline. Its slot must have been reserved.
    pub(crate) fn arm(&mut self, timer: TimerId, deadline_ns: u64) -> Earliest {
        let before = self.earliest();
        match self.place_of(timer) {
            Some(place) => {
                if let Some(armed) = self.heap.get_mut(place) {
                    armed.deadline_ns = deadline_ns;
                }
                self.settle(place);
            }
            None => {
                assert!((timer.0 as usize) < self.places.len(), "timer of a slot that was never reserved");
                self.heap.push(Armed { deadline_ns, timer });
                self.settle(self.heap.len() - 1);
            }
        }
        self.compare(before)
    }

    /// Disarms a timer; nothing happens if it is not armed.
    pub(crate) fn cancel(&mut self, timer: TimerId) -> Earliest {
        let before = self.earliest();
        if let Some(place) = self.place_of(timer) {
            self.take(place);
        }
        self.compare(before)
    }

    /// The deadline of a timer that is armed.
    pub(crate) fn deadline_of(&self, timer: TimerId) -> Option<u64> {
        self.heap.get(self.place_of(timer)?).map(|armed| armed.deadline_ns)
    }

    /// Takes out a timer whose deadline has passed, the earliest first; call until `None`.
    pub(crate) fn pop_expired(&mut self, now_ns: u64) -> Option<TimerId> {
        if self.earliest()? > now_ns {
            return None;
        }
        self.take(0)
    }

    fn compare(&self, before: Option<u64>) -> Earliest {
        if self.earliest() == before { Earliest::Same } else { Earliest::Changed }
    }

    fn place_of(&self, timer: TimerId) -> Option<usize> {
        self.places.get(timer.0 as usize).filter(|&&place| place != NOT_ARMED).map(|&place| place as usize)
    }

    fn take(&mut self, place: usize) -> Option<TimerId> {
        let last = self.heap.pop()?;
        let taken = match self.heap.get_mut(place) {
            Some(slot) => {
                let taken = core::mem::replace(slot, last);
                self.settle(place);
                taken
            }
            None => last,
        };
        self.note_place(taken.timer, NOT_ARMED);
        Some(taken.timer)
    }

    /// Restores the heap order around an element that may be too early or too late for its place, and notes all places.
    fn settle(&mut self, mut place: usize) {
        let Some(armed) = self.heap.get(place).copied() else { return };
        while let Some(parent) = place.checked_sub(1).and_then(|index| self.heap.get(index / 2).copied()) {
            if parent.deadline_ns <= armed.deadline_ns {
                break;
            }
            self.put(place, parent);
            place = (place - 1) / 2;
        }
        while let Some((child, earlier)) = self.earlier_child(place) {
            if earlier.deadline_ns >= armed.deadline_ns {
                break;
            }
            self.put(place, earlier);
            place = child;
        }
        self.put(place, armed);
    }

    fn earlier_child(&self, place: usize) -> Option<(usize, Armed)> {
        let left = 2 * place + 1;
        let first = self.heap.get(left)?;
        match self.heap.get(left + 1) {
            Some(second) if second.deadline_ns < first.deadline_ns => Some((left + 1, *second)),
            _ => Some((left, *first)),
        }
    }

    fn put(&mut self, place: usize, armed: Armed) {
        if let Some(slot) = self.heap.get_mut(place) {
            *slot = armed;
        }
        self.note_place(armed.timer, place as u32);
    }

    fn note_place(&mut self, timer: TimerId, place: u32) {
        if let Some(entry) = self.places.get_mut(timer.0 as usize) {
            *entry = place;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeMap;
    use proptest::prelude::*;

    fn id(slot: u32) -> TimerId {
        TimerId::new(slot, TimerKind::SingleShot)
    }

    #[test]
    fn ids_remember() {
        let timer = TimerId::new(7, TimerKind::Poll);
        assert_eq!((timer.slot(), timer.kind()), (7, TimerKind::Poll));
    }

    #[test]
    fn the_hardware_is_told_only_when_it_matters() {
        let mut queue = TimerQueue::new();
        queue.reserve_slots(3);
        assert_eq!(queue.arm(id(0), 100), Earliest::Changed);
        assert_eq!(queue.arm(id(1), 200), Earliest::Same);
        assert_eq!(queue.arm(id(1), 50), Earliest::Changed);
        assert_eq!(queue.cancel(id(0)), Earliest::Same);
        assert_eq!(queue.cancel(id(0)), Earliest::Same);
        assert_eq!(queue.deadline_of(id(1)), Some(50));
        assert_eq!(queue.pop_expired(49), None);
        assert_eq!(queue.pop_expired(50), Some(id(1)));
        assert_eq!(queue.earliest(), None);
    }

    proptest! {
        #[test]
        fn like_a_sorted_map(steps in prop::collection::vec((0_u32..16, 0_u64..1000, 0_u8..4), 0..400)) {
            let mut queue = TimerQueue::new();
            queue.reserve_slots(16);
            let room = queue.heap.capacity();
            let mut model = BTreeMap::new();
            for (slot, value, action) in steps {
                let before = model.values().min().copied();
                match action {
                    0 | 1 => {
                        model.insert(id(slot), value);
                        let told = queue.arm(id(slot), value);
                        prop_assert_eq!(told == Earliest::Changed, before != model.values().min().copied());
                    }
                    2 => {
                        model.remove(&id(slot));
                        let told = queue.cancel(id(slot));
                        prop_assert_eq!(told == Earliest::Changed, before != model.values().min().copied());
                    }
                    _ => while let Some(timer) = queue.pop_expired(value) {
                        let deadline = model.remove(&timer);
                        prop_assert!(deadline.unwrap() <= value);
                        prop_assert!(model.values().all(|other| *other >= deadline.unwrap()));
                    },
                }
                prop_assert_eq!(queue.earliest(), model.values().min().copied());
                for (timer, deadline) in &model {
                    prop_assert_eq!(queue.deadline_of(*timer), Some(*deadline));
                }
            }
            prop_assert_eq!(queue.heap.capacity(), room);
        }
    }
}
