// SPDX-License-Identifier: MIT OR Apache-2.0
//! A cap: how much of the CPUs the units of one group (a domain) may have together.
//!
//! Every [`PERIOD_NS`] the group gets what its cap allows for that time, and its units run until that is used up. What they ran
//! too long is owed, so that a cap holds exactly over many periods; what they did not use is lost but for one period's worth.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};

/// How often a cap's allowance is given.
pub(crate) const PERIOD_NS: u64 = 10_000_000;
/// A unit of a capped group is not put on a CPU for less.
const LEAST_RUN_NS: u64 = 50_000;

/// See the module documentation. Many CPUs use one at a time.
#[derive(Debug, Default)]
pub(crate) struct Group {
    /// Percent of one CPU; 0: no limit.
    cap: AtomicU32,
    /// What is left, ns; below zero: what is owed.
    budget: AtomicI64,
    /// When the next allowance is due, system time.
    refill_at: AtomicU64,
    /// How many of its units are on CPUs.
    running: AtomicU32,
}

impl Group {
    /// Without a cap.
    pub(crate) const fn new() -> Self {
        Self {
            cap: AtomicU32::new(0),
            budget: AtomicI64::new(0),
            refill_at: AtomicU64::new(0),
            running: AtomicU32::new(0),
        }
    }

    /// Sets the cap in percent of one CPU, 0 for none, from now on.
    pub(crate) fn set_cap(&self, percent: u32, now: u64) {
        self.budget.store(allowance(percent) as i64, Ordering::Relaxed);
        self.refill_at.store(now.saturating_add(PERIOD_NS), Ordering::Relaxed);
        self.cap.store(percent, Ordering::Release);
    }

    /// Is there a cap?
    pub(crate) fn is_capped(&self) -> bool {
        self.cap.load(Ordering::Acquire) != 0
    }

    /// Gives what is due. One of the CPUs that see it due does so.
    fn refill(&self, now: u64) {
        let due = self.refill_at.load(Ordering::Acquire);
        if now < due {
            return;
        }
        let periods = (now - due) / PERIOD_NS + 1;
        let next = due.saturating_add(periods.saturating_mul(PERIOD_NS));
        if self.refill_at.compare_exchange(due, next, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
            let each = allowance(self.cap.load(Ordering::Acquire));
            let (most, more) = (2 * each, each.saturating_mul(periods).min(i64::MAX as u64 >> 2));
            let give = |left: i64| Some(left.saturating_add(more as i64).min(most as i64));
            // The function never declines.
            let _ = self.budget.fetch_update(Ordering::AcqRel, Ordering::Relaxed, give);
        }
    }

    /// May its units run now?
    pub(crate) fn may_run(&self, now: u64) -> bool {
        if !self.is_capped() {
            return true;
        }
        self.refill(now);
        self.budget.load(Ordering::Relaxed) > 0
    }

    /// Until when one of its units may run, if nothing changes; `None`: as long as it likes.
    pub(crate) fn runs_until(&self, now: u64) -> Option<u64> {
        if !self.is_capped() {
            return None;
        }
        let left = u64::try_from(self.budget.load(Ordering::Relaxed)).unwrap_or(0);
        let each = left / u64::from(self.running.load(Ordering::Relaxed).max(1));
        Some(now.saturating_add(each.max(LEAST_RUN_NS)))
    }

    /// When the next allowance is due.
    pub(crate) fn refill_at(&self) -> u64 {
        self.refill_at.load(Ordering::Relaxed)
    }

    /// One of its units ran so long.
    pub(crate) fn charge(&self, ran: u64) {
        if self.is_capped() {
            self.budget.fetch_sub(ran as i64, Ordering::AcqRel);
        }
    }

    /// One of its units goes onto a CPU, or comes off it.
    pub(crate) fn note_running(&self, starts: bool) {
        if starts {
            self.running.fetch_add(1, Ordering::Relaxed);
        } else {
            self.running.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

fn allowance(percent: u32) -> u64 {
    PERIOD_NS / 100 * u64::from(percent)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn what_is_used_up_comes_again_and_debts_are_paid() {
        let group = Group::new();
        assert!(group.may_run(0) && group.runs_until(0).is_none());
        group.charge(1000 * MS);
        group.set_cap(25, 5 * MS);
        assert_eq!(group.runs_until(5 * MS), Some(7 * MS + MS / 2));
        group.charge(10 * MS);
        assert!(!group.may_run(14 * MS), "7.5 ms are owed");
        assert_eq!(group.refill_at(), 15 * MS);
        assert!(!group.may_run(15 * MS) && !group.may_run(34 * MS));
        assert!(!group.may_run(35 * MS), "nothing left, nothing owed");
        assert!(group.may_run(45 * MS));
        group.set_cap(0, 46 * MS);
        group.charge(100 * MS);
        assert!(group.may_run(46 * MS));
    }

    #[test]
    fn nothing_is_saved_up() {
        let group = Group::new();
        group.set_cap(50, 0);
        assert!(group.may_run(1000 * MS));
        assert_eq!(group.runs_until(1000 * MS), Some(1010 * MS), "one period's worth besides the present one");
    }

    #[test]
    fn those_that_run_share_what_is_left() {
        let group = Group::new();
        group.set_cap(100, 0);
        group.note_running(true);
        group.note_running(true);
        assert_eq!(group.runs_until(0), Some(5 * MS));
        group.note_running(false);
        assert_eq!(group.runs_until(0), Some(10 * MS));
    }
}
