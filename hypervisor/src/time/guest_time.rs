// SPDX-License-Identifier: MIT OR Apache-2.0
//! The values of a vCPU's `vcpu_time_info`, and the version protocol around writing them.
#![forbid(unsafe_code)]

use super::clock::Clock;
use hypercalls::shared_info::TimeFlags;

/// What a guest computes its clock from. The same for all vCPUs at all times: wherever a guest reads the counter, it gets [`Clock::at`]
/// of it to the nanosecond, so a clock that has been read on one CPU is never ahead of another CPU's.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct GuestTime {
    /// Counter value at `system_time`.
    pub(crate) tsc_timestamp: u64,
    /// Nanoseconds since the hypervisor's boot.
    pub(crate) system_time: u64,
    /// Nanoseconds per shifted tick, times 2^32.
    pub(crate) tsc_to_system_mul: u32,
    /// Shift applied to the tick difference.
    pub(crate) tsc_shift: i8,
    /// Without [`TimeFlags::TSC_STABLE`] a guest clamps its clock across vCPUs by itself, and its programs ask its kernel for the time.
    pub(crate) flags: TimeFlags,
}

impl GuestTime {
    /// The values for guests of a clock; `in_step`: whether it reads the same on all CPUs.
    pub(crate) fn of(clock: &Clock, in_step: bool) -> Self {
        let scale = clock.scale();
        Self {
            tsc_timestamp: clock.boot_tsc(),
            system_time: 0,
            tsc_to_system_mul: scale.multiplier,
            tsc_shift: scale.shift,
            flags: if in_step { TimeFlags::TSC_STABLE } else { TimeFlags::empty() },
        }
    }

    /// The 64-bit words of the struct after the version word, as the ABI lays them out: time stamp, system time, and scale with
    /// flags. Written one by one between the two versions.
    pub(crate) fn words(&self) -> [u64; 3] {
        let [shift] = self.tsc_shift.to_le_bytes();
        let scale = u64::from(self.tsc_to_system_mul) | u64::from(shift) << 32 | u64::from(self.flags.bits()) << 40;
        [self.tsc_timestamp, self.system_time, scale]
    }
}

/// The version words around an update: odd while writing, then even and two more than the last even one. The old value is whatever
/// the guest left there, so an odd one is made even first.
pub(crate) const fn versions(old: u32) -> (u32, u32) {
    let writing = old | 1;
    (writing, writing.wrapping_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The guest's formula, from the ABI text.
    fn guest_reads(words: [u64; 3], tsc: u64) -> u64 {
        let delta = tsc - words[0];
        let shift = (words[2] >> 32) as u8 as i8;
        let shifted = if shift < 0 { delta >> -shift } else { delta << shift };
        words[1] + ((u128::from(shifted) * u128::from(words[2] as u32)) >> 32) as u64
    }

    #[test]
    fn a_guest_sees_our_time() {
        for hz in [999_999_999, 2_600_000_000, 4_123_456_789] {
            let clock = Clock::new(hz, 1000).unwrap();
            let words = GuestTime::of(&clock, true).words();
            for later in [1000, 1001, 5_000_001_000, 86_400 * 365 * 30 * hz] {
                assert_eq!(guest_reads(words, later), clock.at(later), "{later} ticks at {hz} Hz");
            }
        }
    }

    #[test]
    fn counters_that_differ_are_not_called_stable() {
        let clock = Clock::new(2_600_000_000, 1000).unwrap();
        let flags = |in_step| GuestTime::of(&clock, in_step).words()[2] >> 40;
        assert_eq!((flags(true), flags(false)), (1, 0));
    }

    #[test]
    fn versions_are_odd_then_even() {
        assert_eq!(versions(0), (1, 2));
        assert_eq!(versions(7), (7, 8));
        assert_eq!(versions(u32::MAX), (u32::MAX, 0));
    }
}
