// SPDX-License-Identifier: MIT OR Apache-2.0
//! Preemption of long operations: a call works until its budget is spent, then returns `Outcome::Preempted` with arguments
//! that describe the rest; events are delivered and the guest's `syscall` instruction runs again.
#![forbid(unsafe_code)]

use crate::config::PREEMPT_ENTRIES;

/// The operation was interrupted with its progress recorded; run it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Preempted;

/// Work units (page-table entries, pages, list elements) left before a call must let go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    left: u32,
}

impl Budget {
    /// A fresh budget.
    pub(crate) fn new() -> Self {
        Self { left: PREEMPT_ENTRIES }
    }

    /// A budget that never ends: for boot, and for a page or two.
    pub(crate) fn unlimited() -> Self {
        Self { left: u32::MAX }
    }

    /// Accounts for one piece of work; fails when nothing is left, before the piece is done. The last one may cost more than there is: a
    /// budget that something else has begun to use must still let a large piece happen, or a call would be continued for ever.
    #[inline]
    pub(crate) fn spend(&mut self, units: u32) -> Result<(), Preempted> {
        if self.left == u32::MAX {
            return Ok(());
        }
        if self.left == 0 {
            return Err(Preempted);
        }
        self.left = self.left.saturating_sub(units);
        Ok(())
    }

    /// Fails when nothing is left.
    pub(crate) fn check(&mut self) -> Result<(), Preempted> {
        self.spend(0)
    }

    /// Accounts for work that is done.
    pub(crate) fn charge(&mut self, units: u32) {
        // What comes next will see it.
        let _ = self.spend(units);
    }

    /// Is there room for `units`, or nearly the whole of a fresh budget left? For work that cannot be interrupted.
    pub(crate) fn has_room_for(&self, units: u32) -> bool {
        self.left >= units.min(PREEMPT_ENTRIES / 16 * 15)
    }

    /// Is it used up?
    #[cfg(test)]
    pub(crate) fn is_spent(&self) -> bool {
        self.left == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_out_once() {
        let mut budget = Budget::new();
        assert_eq!(budget.spend(PREEMPT_ENTRIES), Ok(()));
        assert_eq!(budget.spend(1), Err(Preempted));
        assert!(budget.is_spent());
        assert!(Budget::new().has_room_for(u32::MAX) && !budget.has_room_for(1) && budget.check().is_err());
        assert!(Budget::unlimited().has_room_for(u32::MAX));
        let mut begun = Budget::new();
        assert_eq!(begun.spend(2), Ok(()));
        assert_eq!(begun.spend(PREEMPT_ENTRIES), Ok(()), "the piece at hand is always done");
        assert!(begun.is_spent());
        assert_eq!(Budget::unlimited().spend(u32::MAX), Ok(()));
    }
}
