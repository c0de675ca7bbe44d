// SPDX-License-Identifier: MIT OR Apache-2.0
//! The numbers of the scheduling policy.
//!
//! **Shares.** Each unit has a virtual time that advances, while it runs, in inverse proportion to its weight; the waiting
//! unit with the least virtual time runs next. CPUs have queues of their own, but a CPU whose unit's slice has ended looks at the others'
//! queues too and takes from there who is further behind than its own, so that shares hold across CPUs; and no CPU idles while a
//! unit that may run there waits. Slices are proportional to weight, so that even plain turns are fair where pinning keeps
//! virtual times apart.
//!
//! **Latency.** A unit that slept keeps a bounded advantage, and takes the CPU of the unit that is furthest ahead at once.
//!
//! **Bounds.** Virtual times stay in a window around the clock, which is the virtual time of what was last chosen among
//! competitors, on the CPU where that is least (pinned units make CPUs differ): nobody saves up time by sleeping, and nobody has to pay later for having used an idle CPU.
//!
//! **Ticks.** A slice ends only where somebody waits who could run there; who comes to wait tells the CPUs without an end.
#![forbid(unsafe_code)]

/// The weight of a unit of no special importance.
pub(crate) const DEFAULT_WEIGHT: u32 = 256;

/// The longest slice of a unit of default weight.
const SLICE_MAX_NS: u64 = 10_000_000;
/// The shortest slice of a unit of default weight, when many wait.
const SLICE_MIN_NS: u64 = 1_000_000;
/// Within about this time each of the waiting units should have had its turn, as long as slices permit.
const ROUND_NS: u64 = 24_000_000;
/// Bounds of any unit's slice.
pub(super) const WEIGHTED_SLICE_NS: (u64, u64) = (250_000, 40_000_000);
/// A unit runs this long, unless told otherwise, before another that woke up may take its CPU.
pub(crate) const RATELIMIT_US: u32 = 500;
/// The greatest advantage from sleeping, in virtual time.
pub(super) const LAG: u64 = 20_000_000;
/// Virtual time a unit may be ahead, besides what its own slices cost.
pub(super) const LEAD: u64 = 4 * SLICE_MAX_NS;
/// A difference in virtual time that is worth a preemption.
pub(super) const PREEMPT_MARGIN: u64 = 1_000_000;
/// A difference in virtual time that is worth moving a unit to another CPU.
pub(super) const STEAL_MARGIN: u64 = 500_000;
/// The same against the unit's own wish.
pub(super) const SOFT_MARGIN: u64 = 12_000_000;

/// Running time as a unit of this weight pays for it.
pub(super) fn virtual_time(ns: u64, weight: u64) -> u64 {
    ns.saturating_mul(u64::from(DEFAULT_WEIGHT)) / weight.max(1)
}

/// The slice of a unit of default weight when so many wait for so many CPUs.
pub(super) fn base_slice(waiting: u64, cpus: u64) -> u64 {
    (ROUND_NS.saturating_mul(cpus) / waiting.max(1)).clamp(SLICE_MIN_NS, SLICE_MAX_NS)
}

/// The slice of a unit of some weight.
pub(super) fn weighted_slice(base: u64, weight: u64) -> u64 {
    let weighted = base.saturating_mul(weight) / u64::from(DEFAULT_WEIGHT);
    weighted.clamp(WEIGHTED_SLICE_NS.0, WEIGHTED_SLICE_NS.1)
}
