// SPDX-License-Identifier: MIT OR Apache-2.0
//! The date: what UTC was when system time was zero. Guests add their system time to it.
#![forbid(unsafe_code)]

use super::clock::NS_PER_SECOND;

/// UTC at system time zero (`wc_sec`, `wc_sec_hi`, `wc_nsec` of the shared info page).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Wallclock {
    ns_since_1970: u128,
}

impl Wallclock {
    /// From a date that was right at a system time (`XENPF_settime64`, or the CMOS clock at boot). A date before boot time's start is
    /// taken as 1970.
    pub(crate) fn new(seconds: u64, nanoseconds: u32, system_time_ns: u64) -> Self {
        let then = u128::from(seconds) * u128::from(NS_PER_SECOND) + u128::from(nanoseconds);
        Self { ns_since_1970: then.saturating_sub(u128::from(system_time_ns)) }
    }

    /// Seconds, low and high word, and nanoseconds, as the shared info page holds them.
    pub(crate) fn words(&self) -> (u32, u32, u32) {
        let seconds = self.ns_since_1970 / u128::from(NS_PER_SECOND);
        let nanoseconds = self.ns_since_1970 % u128::from(NS_PER_SECOND);
        (seconds as u32, (seconds >> 32) as u32, nanoseconds as u32)
    }

    /// UTC in whole seconds since 1970 at a system time, for logs.
    pub(crate) fn seconds_at(&self, system_time_ns: u64) -> u64 {
        let seconds = (self.ns_since_1970 + u128::from(system_time_ns)) / u128::from(NS_PER_SECOND);
        u64::try_from(seconds).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_back() {
        let clock = Wallclock::new(1_709_249_459, 5, 2_000_000_007);
        assert_eq!(clock.words(), (1_709_249_456, 0, 999_999_998));
        assert_eq!(clock.seconds_at(2_000_000_007), 1_709_249_459);
    }

    #[test]
    fn beyond_2106_and_before_1970() {
        assert_eq!(Wallclock::new(0x1_0000_0001, 0, 0).words(), (1, 1, 0));
        assert_eq!(Wallclock::new(1, 0, 5_000_000_000).words(), (0, 0, 0));
    }
}
