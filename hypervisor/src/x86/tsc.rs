// SPDX-License-Identifier: MIT OR Apache-2.0
//! How fast the time-stamp counter runs, measured against the best reference the machine has.
#![forbid(unsafe_code)]

use super::{
    hpet::Hpet,
    instr::{cpuid, pause, rdtsc_ordered},
    pit,
    pm_timer::{self, PmTimer},
};

/// What the measurement was made against.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Reference {
    /// The HPET's counter.
    Hpet,
    /// The ACPI timer.
    PmTimer,
    /// PIT channel 2.
    Pit,
}

/// A measured counter.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Calibration {
    /// Ticks per second.
    pub(crate) hz: u64,
    /// What it was measured against.
    pub(crate) reference: Reference,
}

/// Does the TSC always run at one rate? The CPU says so (invariant TSC, SDM vol. 3B 18.17.1); that of a virtual machine, which may not, does as long
/// as the machine stays where it is.
pub(crate) fn is_constant() -> bool {
    const INVARIANT: u32 = 1 << 8;
    const HYPERVISOR: u32 = 1 << 31;
    let power = if cpuid(0x8000_0000, 0).eax >= 0x8000_0007 { cpuid(0x8000_0007, 0).edx } else { 0 };
    power & INVARIANT != 0 || cpuid(1, 0).ecx & HYPERVISOR != 0
}

/// Length of one measurement: long enough that a microsecond's error at either end is under 0.01 %.
const MEASURE_MS: u64 = 25;
/// Measurements made; the median is taken, because a pause of the (virtual) machine spoils single ones.
const ROUNDS: usize = 3;
/// Give up on a reference that does not move. A port or MMIO read takes about a microsecond on hardware.
const MAX_POLLS: u32 = 20_000_000;

/// Measures the TSC. The order is HPET, PM timer, PIT; a reference that does not count is passed over.
pub(crate) fn calibrate(hpet: Option<&Hpet>, pm_timer: Option<PmTimer>) -> Option<Calibration> {
    let by_hpet = hpet.and_then(|hpet| {
        let hz = median_of(|| against_counter(|| hpet.counter(), u32::MAX, hpet.hz()))?;
        Some(Calibration { hz, reference: Reference::Hpet })
    });
    by_hpet
        .or_else(|| {
            let timer = pm_timer?;
            let hz = median_of(|| against_counter(|| timer.counter(), timer.mask(), pm_timer::HZ))?;
            Some(Calibration { hz, reference: Reference::PmTimer })
        })
        .or_else(|| {
            let ticks = u16::try_from(pit::HZ * MEASURE_MS / 1000).unwrap_or(u16::MAX);
            let hz = median_of(|| Some(scale(pit::measure_tsc(ticks, MAX_POLLS)?, u64::from(ticks), pit::HZ)))?;
            Some(Calibration { hz, reference: Reference::Pit })
        })
}

fn median_of(mut measure: impl FnMut() -> Option<u64>) -> Option<u64> {
    let mut results = [0; ROUNDS];
    for result in &mut results {
        *result = measure()?;
    }
    results.sort_unstable();
    results.get(ROUNDS / 2).copied()
}

/// One measurement against a free-running counter: both ends are taken on a tick's edge.
fn against_counter(read: impl Fn() -> u32, mask: u32, hz: u64) -> Option<u64> {
    let wanted = u32::try_from(hz * MEASURE_MS / 1000).ok()?;
    let (start, start_tsc) = next_edge(&read, MAX_POLLS)?;
    let mut now = start;
    for _ in 0..MAX_POLLS {
        if now.wrapping_sub(start) & mask >= wanted {
            let (end, end_tsc) = next_edge(&read, MAX_POLLS)?;
            let elapsed = end.wrapping_sub(start) & mask;
            return Some(scale(end_tsc.wrapping_sub(start_tsc), u64::from(elapsed), hz));
        }
        pause();
        now = read();
    }
    None
}

/// Waits for the counter to change; its new value, and the TSC right after.
fn next_edge(read: &impl Fn() -> u32, max_polls: u32) -> Option<(u32, u64)> {
    let old = read();
    (0..max_polls).find_map(|_| {
        let before = rdtsc_ordered();
        let now = read();
        let after = rdtsc_ordered();
        // The middle of the read is the best guess of when the device sampled its counter.
        (now != old).then(|| (now, before + after.wrapping_sub(before) / 2))
    })
}

/// `tsc` ticks in `ticks` of a clock of `hz`: ticks per second.
fn scale(tsc: u64, ticks: u64, hz: u64) -> u64 {
    let per_second = u128::from(tsc) * u128::from(hz) / u128::from(ticks.max(1));
    u64::try_from(per_second).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scale_is_exact_and_survives_zero() {
        assert_eq!(scale(65_000_000, 89_488, pm_timer::HZ), 2_600_018_158);
        assert_eq!(scale(10, 0, 100), 1000);
    }

    #[test]
    fn a_dead_counter_is_no_reference() {
        assert_eq!(next_edge(&|| 7, 100), None);
    }

    #[test]
    fn the_host_tsc_against_itself() {
        // A reference derived from the TSC: 1/1024 of it, at a nominal 1 MHz.
        let hz = against_counter(|| u32::try_from(rdtsc_ordered() >> 10 & 0xff_ffff).unwrap(), 0xff_ffff, 1_000_000)
            .unwrap();
        assert!(hz.abs_diff(1_024_000_000) < 10_240_000, "{hz}");
    }
}
