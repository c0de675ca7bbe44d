// SPDX-License-Identifier: MIT OR Apache-2.0
//! Why a domain stopped, who holds it, and how far its end has come: the states, and which leads to which.
#![forbid(unsafe_code)]

use hypercalls::sched::ShutdownReason;

/// How far the end of a domain has come. Each stage but the last two is work of `pv/teardown.rs`; none is ever left backwards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// It is not ending.
    #[default]
    Alive,
    /// Its vCPUs leave their CPUs and the scheduler.
    Vcpus,
    /// Its event channels are closed, its interrupts given back.
    Events,
    /// The tables that its vCPUs had loaded are let go.
    Contexts,
    /// Its page tables and pages are given up.
    Pages,
    /// The grants of others that its page tables led to are given back.
    Mappings,
    /// Its vCPUs are freed, unless somebody still uses its pages: it can be looked at until that ends.
    Remains,
    /// Nothing is left to do but to wait for those who still use its pages.
    Dead,
    /// It is in no table any more.
    Gone,
}

impl Stage {
    /// What comes when the work of a stage is done.
    pub(crate) fn next(self) -> Self {
        match self {
            Self::Alive => Self::Vcpus,
            Self::Vcpus => Self::Events,
            Self::Events => Self::Contexts,
            Self::Contexts => Self::Pages,
            Self::Pages => Self::Mappings,
            Self::Mappings => Self::Remains,
            Self::Remains => Self::Dead,
            Self::Dead | Self::Gone => Self::Gone,
        }
    }
}

/// Why a domain stopped, and who holds it.
#[derive(Debug, Default)]
pub(crate) struct Lifecycle {
    /// Why it was shut down, if it was.
    shutdown: Option<ShutdownReason>,
    /// The reason it will be recorded with, set before by SCHEDOP_shutdown_code or with it.
    code: Option<ShutdownReason>,
    /// Times a toolstack paused it.
    pub(crate) toolstack_pauses: u32,
}

impl Lifecycle {
    /// Why it was shut down (and did not resume).
    pub(crate) fn shutdown(&self) -> Option<ShutdownReason> {
        self.shutdown
    }

    /// SCHEDOP_shutdown_code: the reason that the next shutdown is recorded with, unless one is chosen already.
    pub(crate) fn choose_reason(&mut self, reason: ShutdownReason) {
        self.code.get_or_insert(reason);
    }

    /// Records a shutdown. The reason that counts, which is the first one ever given; `None`: it is shut down already.
    pub(crate) fn shut_down(&mut self, reason: ShutdownReason) -> Option<ShutdownReason> {
        let reason = *self.code.get_or_insert(reason);
        self.shutdown.replace(reason).is_none().then_some(reason)
    }

    /// Forgets a shutdown; `false`: there was none.
    pub(crate) fn resume(&mut self) -> bool {
        self.code = None;
        self.shutdown.take().is_some()
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    #[test]
    fn stages_come_in_order_and_end() {
        let mut stage = Stage::Alive;
        let mut seen = Vec::new();
        while stage != Stage::Gone {
            assert!(stage.next() > stage);
            seen.push(stage);
            stage = stage.next();
        }
        assert_eq!(seen.len(), 8);
        assert_eq!(Stage::Gone.next(), Stage::Gone);
    }

    #[test]
    fn the_first_reason_counts() {
        let mut life = Lifecycle::default();
        assert!(!life.resume());
        life.choose_reason(ShutdownReason::SUSPEND);
        life.choose_reason(ShutdownReason::REBOOT);
        assert_eq!(life.shut_down(ShutdownReason::POWEROFF), Some(ShutdownReason::SUSPEND));
        assert_eq!(life.shut_down(ShutdownReason::CRASH), None);
        assert_eq!(life.shutdown(), Some(ShutdownReason::SUSPEND));
        assert!(life.resume());
        assert_eq!((life.shutdown(), life.resume()), (None, false));
        assert_eq!(life.shut_down(ShutdownReason::CRASH), Some(ShutdownReason::CRASH));
    }

    proptest! {
        /// Whatever happens in whatever order: it is shut down exactly from an accepted shutdown to the next resume, and each
        /// accepted shutdown is paired with at most one resume (as many pauses as unpauses follow from that).
        #[test]
        fn shutdowns_and_resumes_pair(steps in proptest::collection::vec((0_u8..3, 0_u32..6), 0..64)) {
            let mut life = Lifecycle::default();
            let mut holds = 0_i32;
            let mut chosen = None;
            for (what, reason) in steps {
                let reason = ShutdownReason(reason);
                match what {
                    0 => {
                        let accepted = life.shut_down(reason);
                        prop_assert_eq!(accepted.is_some(), holds == 0);
                        holds += i32::from(accepted.is_some());
                        let first = *chosen.get_or_insert(reason);
                        prop_assert_eq!(life.shutdown(), Some(first));
                    }
                    1 => {
                        life.choose_reason(reason);
                        chosen.get_or_insert(reason);
                    }
                    _ => {
                        let resumed = life.resume();
                        prop_assert_eq!(resumed, holds == 1);
                        holds -= i32::from(resumed);
                        chosen = None;
                    }
                }
                prop_assert_eq!(life.shutdown().is_some(), holds == 1);
            }
        }
    }
}
