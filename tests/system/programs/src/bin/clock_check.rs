// SPDX-License-Identifier: MIT OR Apache-2.0
//! CLOCK_MONOTONIC never goes back, whichever CPU reads it: one thread on each CPU, all comparing with the latest reading.
#![forbid(unsafe_code)]

use anyhow::{Result, bail};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

fn main() -> Result<()> {
    let end = dom0_programs::deadline()?;
    let start = Instant::now();
    let cpus = std::thread::available_parallelism()?.get();
    let latest = AtomicU64::new(0);
    let readings: Result<Vec<u64>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..cpus)
            .map(|cpu| {
                let latest = &latest;
                scope.spawn(move || watch(cpu, start, end, latest))
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| bail!("a thread died"))).collect()
    });
    println!("ok clock: {} readings on {cpus} CPUs", readings?.iter().sum::<u64>());
    Ok(())
}

fn watch(cpu: usize, start: Instant, end: Instant, latest: &AtomicU64) -> Result<u64> {
    let mut set = CpuSet::new();
    set.set(cpu)?;
    sched_setaffinity(Pid::from_raw(0), &set)?;
    let mut readings = 0;
    loop {
        // Read first what others saw, then the clock: it must not be earlier.
        let before = latest.load(Ordering::SeqCst);
        let now = Instant::now();
        let ns = u64::try_from(now.duration_since(start).as_nanos())?;
        if ns < before {
            bail!("on CPU {cpu} the clock read {ns} ns after {before} ns had been read elsewhere");
        }
        latest.fetch_max(ns, Ordering::SeqCst);
        readings += 1;
        if now >= end {
            return Ok(readings);
        }
    }
}
