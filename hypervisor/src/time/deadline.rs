// SPDX-License-Identifier: MIT OR Apache-2.0
//! Programs this CPU's APIC timer for the next thing that is due.
#![forbid(unsafe_code)]

use super::clock::{Clock, NS_PER_SECOND};
use crate::x86::apic::{self, TimerMode};

/// What to tell the timer hardware.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Command {
    /// Fire at this counter value.
    AtTsc(u64),
    /// Fire after this many timer ticks.
    AfterCount(u32),
}

/// The command for a deadline (system time). A counting timer that cannot wait that long fires early; whoever handles the interrupt
/// finds nothing expired and programs it again.
pub(crate) fn decide(clock: &Clock, mode: TimerMode, deadline_ns: u64, now_ns: u64) -> Command {
    match mode {
        TimerMode::Deadline => Command::AtTsc(clock.tsc_at(deadline_ns)),
        TimerMode::Count { hz } => {
            let wait = u128::from(deadline_ns.saturating_sub(now_ns));
            let count = (wait * u128::from(hz)).div_ceil(u128::from(NS_PER_SECOND));
            Command::AfterCount(u32::try_from(count).unwrap_or(u32::MAX).max(1))
        }
    }
}

/// A time that does not come.
pub(crate) const NEVER: u64 = u64::MAX;

/// Must the hardware be told when `next` is due, given when it fires anyway ([`NEVER`] for both)? A timer that fires too early costs one
/// interrupt in which nothing is due; telling the hardware costs about as much each time, and deadlines move away far more often than they
/// pass.
pub(crate) fn is_news(armed_ns: u64, next_ns: u64, now_ns: u64) -> bool {
    // One whose time has come is about to interrupt; should that be lost, this mends it.
    next_ns < armed_ns || armed_ns <= now_ns && next_ns != NEVER
}

/// Programs this CPU's timer.
pub(crate) fn program(clock: &Clock, mode: TimerMode, deadline_ns: u64, now_ns: u64) {
    match decide(clock, mode, deadline_ns, now_ns) {
        Command::AtTsc(tsc) => apic::timer_arm_deadline(tsc),
        Command::AfterCount(count) => apic::timer_arm_count(count),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hardware_is_told_of_what_is_earlier() {
        assert!(is_news(NEVER, 7, 1));
        assert!(is_news(8, 7, 1));
        assert!(is_news(3, 7, 3));
        for (armed, next) in [(7, 7), (6, 7), (6, NEVER), (1, NEVER), (NEVER, NEVER)] {
            assert!(!is_news(armed, next, 1), "{armed} {next}");
        }
    }

    #[test]
    fn both_modes() {
        let clock = Clock::new(1_000_000_000, 500).unwrap();
        let count = TimerMode::Count { hz: 62_500_000 };
        assert_eq!(decide(&clock, TimerMode::Deadline, 1000, 10), Command::AtTsc(1500));
        assert_eq!(decide(&clock, count, 1_000_000, 0), Command::AfterCount(62_500));
        assert_eq!(decide(&clock, count, 5, 10), Command::AfterCount(1));
        assert_eq!(decide(&clock, count, u64::MAX, 0), Command::AfterCount(u32::MAX));
    }
}
