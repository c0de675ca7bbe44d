// SPDX-License-Identifier: MIT OR Apache-2.0
//! Turning time-stamp counter ticks into nanoseconds, by the very arithmetic guests use (`vcpu_time_info`), so that the
//! hypervisor's clock and a guest's never disagree by rounding.
#![forbid(unsafe_code)]

/// Nanoseconds in a second.
pub(crate) const NS_PER_SECOND: u64 = 1_000_000_000;

/// Nanoseconds per tick as a 32-bit fraction and a binary exponent: `ns = (ticks << shift) * multiplier >> 32`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct TscScale {
    /// At least 2^31, for precision; guests divide by it.
    pub(crate) multiplier: u32,
    /// Left if positive, right if negative; applied first.
    pub(crate) shift: i8,
}

impl TscScale {
    /// The scale of a counter of `hz` ticks per second. `None` for a rate no CPU has (below 1 MHz or above 2^63 Hz).
    pub(crate) fn from_hz(hz: u64) -> Option<Self> {
        if !(1_000_000..1 << 63).contains(&hz) {
            return None;
        }
        // multiplier / 2^32 * 2^shift = 10^9 / hz: halve or double the fraction until it lies in [1/2, 1).
        let (mut numerator, mut denominator, mut shift) = (u128::from(NS_PER_SECOND), u128::from(hz), 0_i8);
        while numerator >= denominator {
            denominator <<= 1;
            shift += 1;
        }
        while numerator << 1 < denominator {
            numerator <<= 1;
            shift -= 1;
        }
        let multiplier = u32::try_from((numerator << 32) / denominator).ok()?;
        Some(Self { multiplier, shift })
    }

    /// Nanoseconds in a number of ticks; saturates after centuries.
    #[inline]
    pub(crate) fn to_ns(self, ticks: u64) -> u64 {
        let shifted = if self.shift < 0 { ticks >> -self.shift } else { ticks << self.shift };
        let product = (u128::from(shifted) * u128::from(self.multiplier)) >> 32;
        u64::try_from(product).unwrap_or(u64::MAX)
    }

    /// The least number of ticks that makes at least this many nanoseconds (up to rounding by [`Self::to_ns`]); saturates.
    #[inline]
    pub(crate) fn to_ticks(self, ns: u64) -> u64 {
        let shifted = (u128::from(ns) << 32).div_ceil(u128::from(self.multiplier));
        let ticks = if self.shift < 0 { shifted << -self.shift } else { shifted.div_ceil(1 << self.shift) };
        u64::try_from(ticks).unwrap_or(u64::MAX)
    }
}

/// System time: nanoseconds since the hypervisor's boot, one zero for all CPUs and domains. Counters are synchronous across CPUs on
/// every machine whose TSC is invariant, and under emulators; [`super::synchrony`] looks whether they are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Clock {
    scale: TscScale,
    hz: u64,
    boot_tsc: u64,
}

impl Clock {
    /// A clock that reads zero at `boot_tsc`.
    pub(crate) fn new(hz: u64, boot_tsc: u64) -> Option<Self> {
        Some(Self { scale: TscScale::from_hz(hz)?, hz, boot_tsc })
    }

    /// Ticks per second.
    pub(crate) const fn hz(&self) -> u64 {
        self.hz
    }

    /// The counter's value when this clock read zero, for guests.
    pub(crate) const fn boot_tsc(&self) -> u64 {
        self.boot_tsc
    }

    /// The scale, for guests.
    pub(crate) const fn scale(&self) -> TscScale {
        self.scale
    }

    /// System time at a counter value; zero before boot (another CPU's counter may lag by a few ticks).
    #[inline]
    pub(crate) fn at(&self, tsc: u64) -> u64 {
        self.scale.to_ns(tsc.saturating_sub(self.boot_tsc))
    }

    /// The first counter value at which [`Self::at`] has reached a system time (within a tick's rounding); saturates.
    #[inline]
    pub(crate) fn tsc_at(&self, system_time_ns: u64) -> u64 {
        self.boot_tsc.saturating_add(self.scale.to_ticks(system_time_ns))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_scales() {
        assert_eq!(TscScale::from_hz(2_600_000_000), Some(TscScale { multiplier: 0xc4ec_4ec4, shift: -1 }));
        assert_eq!(TscScale::from_hz(1_000_000_000), Some(TscScale { multiplier: 0x8000_0000, shift: 1 }));
        assert_eq!(TscScale::from_hz(999_999_999).unwrap().shift, 1);
        assert_eq!(TscScale::from_hz(1_000_000_001).unwrap().shift, 0);
        assert_eq!(TscScale::from_hz(0), None);
        assert_eq!(TscScale::from_hz(999_999), None);
    }

    #[test]
    fn a_year_is_a_year() {
        let clock = Clock::new(2_394_374_000, 77).unwrap();
        let year = 365 * 86_400;
        let ns = clock.at(77 + 2_394_374_000 * year);
        assert!(ns.abs_diff(year * NS_PER_SECOND) < year, "less than 1 ns a second off");
    }

    proptest! {
        #[test]
        fn the_multiplier_is_normal(hz in 1_000_000_u64..1 << 40) {
            prop_assert!(TscScale::from_hz(hz).unwrap().multiplier >= 1 << 31);
        }

        #[test]
        fn there_and_back(hz in 100_000_000_u64..6_000_000_000, ns in 0_u64..1 << 55) {
            let scale = TscScale::from_hz(hz).unwrap();
            let back = scale.to_ns(scale.to_ticks(ns));
            // One (shifted) tick of error at most, and that is at most 20 ns here.
            prop_assert!(back + 20 >= ns && back <= ns + 20, "{ns} became {back}");
        }

        #[test]
        fn never_backwards(hz in 100_000_000_u64..6_000_000_000, tsc in 0_u64..1 << 60, step in 0_u64..1 << 40) {
            let clock = Clock::new(hz, 12345).unwrap();
            prop_assert!(clock.at(tsc) <= clock.at(tsc + step));
        }
    }
}
