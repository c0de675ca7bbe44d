// SPDX-License-Identifier: MIT OR Apache-2.0
//! How long interrupts stay off: the time from a guest's entry, or from the interrupt that ends a wait, until a guest runs or the CPU
//! waits. Only with the feature `latency`, for `cargo xtask bench latency`; without it nothing of this is there.
//!
//! A stretch that is longer than any before of its kind is printed when it is over, with its length in ticks of the time-stamp
//! counter, which QEMU makes count instructions.
#![forbid(unsafe_code)]

#[cfg(not(feature = "latency"))]
mod measured {
    use crate::x86::percpu::CpuLocal;

    #[inline(always)]
    pub(crate) fn begin(_: &CpuLocal, _: [u64; 2]) {}

    #[inline(always)]
    pub(crate) fn operation(_: u32) {}

    #[inline(always)]
    pub(crate) fn end(_: &CpuLocal) {}
}

#[cfg(feature = "latency")]
mod measured {
    use core::sync::atomic::{AtomicU64, Ordering};

    use crate::config::MAX_CPUS;
    use crate::console;
    use crate::x86::instr;
    use crate::x86::percpu::{self, CpuLocal};

    /// Shorter ones are not worth a line.
    const NOTABLE: u64 = 10_000;
    /// Vectors, and hypercalls with their operations as far as the first argument names them.
    const KINDS: usize = 512 + CALLS * OPERATIONS;
    const CALLS: usize = 64;
    const OPERATIONS: usize = 96;

    struct Stretch {
        /// 0: interrupts are on, or a guest runs.
        start: AtomicU64,
        vector_or_call: AtomicU64,
        operation: AtomicU64,
    }

    static NOW: [Stretch; MAX_CPUS] = [const {
        Stretch { start: AtomicU64::new(0), vector_or_call: AtomicU64::new(0), operation: AtomicU64::new(0) }
    }; MAX_CPUS];
    /// Of all stretches together, for each CPU.
    static TOTAL: [AtomicU64; MAX_CPUS] = [const { AtomicU64::new(0) }; MAX_CPUS];
    static LONGEST: [AtomicU64; KINDS] = [const { AtomicU64::new(0) }; KINDS];
    /// Of all stretches of a kind together, and how many there were.
    static SUMS: [[AtomicU64; 2]; KINDS] = [const { [AtomicU64::new(0), AtomicU64::new(0)] }; KINDS];

    /// Interrupts are off from here on, unless they were before: because of `what`, a vector or a hypercall's number (from
    /// 1000 on), and its first argument.
    pub(crate) fn begin(cpu: &CpuLocal, [what, argument]: [u64; 2]) {
        let Some(stretch) = NOW.get(cpu.id().raw() as usize) else { return };
        if stretch.start.load(Ordering::Relaxed) == 0 {
            stretch.vector_or_call.store(what, Ordering::Relaxed);
            stretch.operation.store(argument, Ordering::Relaxed);
            stretch.start.store(instr::rdtsc(), Ordering::Relaxed);
        }
    }

    /// Which operation it is, for calls whose first argument does not say.
    pub(crate) fn operation(operation: u32) {
        if let Some(stretch) = NOW.get(percpu::this().id().raw() as usize) {
            stretch.operation.store(operation.into(), Ordering::Relaxed);
        }
    }

    /// How much of all that there was since the last time is worth a line.
    static WORTH: AtomicU64 = AtomicU64::new(0);

    /// Prints how long all stretches so far were, on all CPUs together, and what the counter says now; then, bit by bit, what most of it
    /// was since the last time. `next` is the kind to go on with; says whether there is another.
    pub(crate) fn print(next: &mut u32) -> bool {
        if *next == 0 {
            let total: u64 = TOTAL.iter().map(|total| total.load(Ordering::Relaxed)).sum();
            console::line(format_args!("latency-total {total} of {}", instr::rdtsc()));
            let all: u64 = SUMS.iter().map(|[ticks, _]| ticks.load(Ordering::Relaxed)).sum();
            WORTH.store(all / 100, Ordering::Relaxed);
        }
        const AT_ONCE: usize = 128;
        let all = SUMS.iter().enumerate().skip(*next as usize);
        for (kind, sums) in all.take(AT_ONCE) {
            *next += 1;
            let [ticks, count] = sums.each_ref().map(|sum| sum.swap(0, Ordering::Relaxed));
            if ticks > WORTH.load(Ordering::Relaxed) {
                console::line(format_args!("latency-sum {ticks} in {count} of {}", Name(kind)));
                break;
            }
        }
        (*next as usize) < KINDS
    }

    /// A kind by its number.
    struct Name(usize);

    impl core::fmt::Display for Name {
        fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
            match self.0.checked_sub(512) {
                Some(call) => write!(f, "hypercall-{}-{}", call / OPERATIONS, call % OPERATIONS),
                None => write!(f, "vector-{}", self.0),
            }
        }
    }

    /// A guest goes on, or interrupts come.
    pub(crate) fn end(cpu: &CpuLocal) {
        let Some(stretch) = NOW.get(cpu.id().raw() as usize) else { return };
        let start = stretch.start.swap(0, Ordering::Relaxed);
        if start == 0 {
            return;
        }
        let ticks = instr::rdtsc().saturating_sub(start);
        if let Some(total) = TOTAL.get(cpu.id().raw() as usize) {
            total.fetch_add(ticks, Ordering::Relaxed);
        }
        let (what, argument) =
            (stretch.vector_or_call.load(Ordering::Relaxed), stretch.operation.load(Ordering::Relaxed));
        let operation = if argument < OPERATIONS as u64 { argument } else { 0 };
        let kind = match what.checked_sub(super::CALL) {
            Some(call) => 512 + (call as usize).min(CALLS - 1) * OPERATIONS + operation as usize,
            None => (what as usize).min(511),
        };
        if let Some([sum, count]) = SUMS.get(kind) {
            sum.fetch_add(ticks, Ordering::Relaxed);
            count.fetch_add(1, Ordering::Relaxed);
        }
        if ticks > NOTABLE
            && LONGEST.get(kind).is_some_and(|longest| longest.fetch_max(ticks, Ordering::Relaxed) < ticks)
        {
            console::line(format_args!("latency {ticks} {}", Name(kind)));
        }
    }
}

/// What is added to a hypercall's number to tell it from a vector.
pub(crate) const CALL: u64 = 1000;
/// What an interrupt that ends a wait is counted as.
pub(crate) const WAKE: u64 = 500;

pub(crate) use measured::{begin, end, operation};

#[cfg(feature = "latency")]
pub(crate) use measured::print;
