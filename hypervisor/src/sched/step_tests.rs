// SPDX-License-Identifier: MIT OR Apache-2.0
//! The scheduler step by step, and by threads in place of CPUs.
#![forbid(unsafe_code)]

extern crate std;
use super::super::policy::DEFAULT_WEIGHT;
use super::*;
use std::vec::Vec;

/// A scheduler of some CPUs with units of the usual weight.
fn small<const N: usize>(cpus: u32) -> (Scheduler, [Arc<Unit>; N]) {
    let sched = Scheduler::new(cpus);
    (0..cpus).for_each(|cpu| sched.set_online(cpu));
    let group = Arc::new(Group::new());
    let units = core::array::from_fn(|n| sched.add(n as u32, &group, DEFAULT_WEIGHT, CpuMask::ALL));
    (sched, units)
}

fn numbers(decision: &Decision) -> (Option<u32>, Option<u32>) {
    (decision.unit.as_ref().map(|unit| unit.number()), decision.left.as_ref().map(|unit| unit.number()))
}

const NOBODY: CpuMask = CpuMask::EMPTY;

#[test]
fn yield_lets_the_other_run() {
    let (sched, [a, b]) = small(1);
    assert_eq!(sched.wake(&a, 0), CpuMask::only(0));
    assert_eq!(sched.wake(&a, 0), NOBODY);
    assert_eq!(numbers(&sched.pick(0, 0)), (Some(0), None));
    assert!(!sched.yield_now(0), "nobody else");
    assert_eq!(sched.wake(&b, 0), CpuMask::only(0), "no end of the slice until now");
    assert_eq!(numbers(&sched.pick(0, 0)), (Some(0), None));
    assert!(sched.yield_now(0));
    assert_eq!(numbers(&sched.pick(0, 1000)), (Some(1), Some(0)));
    assert!(!sched.retire(&a), "its registers are still in the CPU");
    assert_eq!(sched.release(&a, 0), NOBODY);
    assert_eq!(sched.block(&b), CpuMask::only(0));
    assert_eq!(numbers(&sched.pick(0, 2000)), (Some(0), Some(1)));
    assert_eq!(sched.release(&b, 0), NOBODY);
    assert!(sched.retire(&b));
}

#[test]
fn retired_units_never_run() {
    let (sched, [a, b]) = small(1);
    assert_eq!(sched.wake(&a, 0), CpuMask::only(0));
    assert_eq!(numbers(&sched.pick(0, 0)), (Some(0), None));
    assert!(!sched.retire(&a), "it runs");
    assert_eq!(sched.wake(&b, 0), CpuMask::only(0));
    assert!(sched.retire(&b), "it waits");
    assert_eq!(sched.waiting(), 0);
    assert_eq!((sched.wake(&b, 10), sched.block(&b)), (NOBODY, NOBODY));
    assert_eq!(sched.block(&a), CpuMask::only(0));
    let decision = sched.pick(0, 1000);
    assert_eq!((numbers(&decision), decision.until), ((None, Some(0)), None));
    assert_eq!(sched.release(&a, 1000), NOBODY);
    assert!(sched.retire(&a) && sched.retire(&a));
}

#[test]
fn unreleased_units_stay_with_their_cpu() {
    let (sched, [a]) = small(2);
    assert_eq!(sched.wake(&a, 0), CpuMask::only(0));
    assert_eq!(numbers(&sched.pick(0, 0)), (Some(0), None));
    assert_eq!(sched.block(&a), CpuMask::only(0));
    assert_eq!(numbers(&sched.pick(0, 100)), (None, Some(0)));
    assert_eq!(sched.wake(&a, 0), NOBODY);
    assert_eq!(numbers(&sched.pick(1, 200)), (None, None));
    assert_eq!(sched.release(&a, 0), CpuMask::only(0));
    assert_eq!(numbers(&sched.pick(0, 300)), (Some(0), None));
    // Woken again before its CPU noticed that it had blocked.
    assert_eq!(sched.block(&a), CpuMask::only(0));
    assert_eq!(sched.wake(&a, 0), NOBODY);
    assert_eq!(numbers(&sched.pick(0, 400)), (Some(0), None));
    // Moved away.
    assert_eq!(sched.set_affinity(&a, CpuMask::only(1), CpuMask::ALL, 0), CpuMask::only(0));
    assert_eq!(numbers(&sched.pick(0, 500)), (None, Some(0)));
    assert_eq!(sched.release(&a, 0), CpuMask::only(1));
    assert_eq!(numbers(&sched.pick(1, 600)), (Some(0), None));
}

#[test]
fn kept_units_come_back_to_their_cpu_or_are_released() {
    let (sched, [a, b]) = small(2);
    assert_eq!(sched.wake(&a, 0), CpuMask::only(0));
    assert_eq!(numbers(&sched.pick(0, 0)), (Some(0), None));
    assert!(!sched.keep(&a), "it wants to run");
    assert_eq!(sched.block(&a), CpuMask::only(0));
    assert_eq!(numbers(&sched.pick(0, 100)), (None, Some(0)));
    assert!(sched.keep(&a));
    // Whoever has another reason that it shall not run lets the CPU know.
    assert_eq!(sched.block(&a), CpuMask::only(0));
    assert_eq!(sched.wake(&a, 200), CpuMask::only(0));
    assert!(!sched.keep(&a), "it wants to run");
    assert_eq!(numbers(&sched.pick(0, 200)), (Some(0), None));
    // Its CPU has been told of another one: then another CPU looks, too.
    assert_eq!(sched.block(&a), CpuMask::only(0));
    assert_eq!(numbers(&sched.pick(0, 300)), (None, Some(0)));
    assert!(sched.keep(&a));
    assert_eq!(sched.wake(&b, 400), CpuMask::only(0));
    let told = sched.wake(&a, 400);
    assert_eq!(told, CpuMask::only(0).or(CpuMask::only(1)));
    assert_eq!(numbers(&sched.pick(1, 400)), (Some(1), None));
    assert_eq!(numbers(&sched.pick(0, 400)), (Some(0), None));
}

// ---- real threads ----

/// CPUs that are threads pick, keep and release, others wake and block: nobody is ever on two CPUs, and nobody who wants to run is
/// forgotten.
#[test]
fn threads_agree() {
    use core::sync::atomic::{AtomicBool, AtomicU64};
    const CPUS: usize = 4;
    const UNITS: usize = 9;
    const ROUNDS: u64 = 20_000;
    let (sched, units) = small::<UNITS>(CPUS as u32);
    let told: [AtomicBool; CPUS] = Default::default();
    let on: [AtomicBool; UNITS] = Default::default();
    let turns: [AtomicU64; UNITS] = Default::default();
    let (clock, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let tell = |cpus: CpuMask| cpus.iter().for_each(|cpu| told[cpu as usize].store(true, Ordering::SeqCst));
    let now = || clock.fetch_add(10_000, Ordering::SeqCst);
    std::thread::scope(|scope| {
        let cpus: Vec<_> = (0..CPUS)
            .map(|cpu| {
                let (sched, told, on, turns, stop, tell, now) = (&sched, &told, &on, &turns, &stop, &tell, &now);
                scope.spawn(move || {
                    let (mut current, mut kept): (Option<Arc<Unit>>, Option<Arc<Unit>>) = (None, None);
                    let mut until = None;
                    while !stop.load(Ordering::SeqCst) {
                        if !told[cpu].swap(false, Ordering::SeqCst) && until.is_none_or(|until| now() < until) {
                            std::thread::yield_now();
                            continue;
                        }
                        let decision = sched.pick(cpu as u32, now());
                        tell(decision.tell);
                        let is_next =
                            |other: &Arc<Unit>| decision.unit.as_ref().is_some_and(|unit| Arc::ptr_eq(unit, other));
                        if let Some(left) = &decision.left {
                            assert!(current.as_ref().is_some_and(|current| Arc::ptr_eq(current, left)));
                        }
                        let goes_on = current.as_ref().is_some_and(is_next);
                        let resumes = kept.take_if(|kept| is_next(kept)).is_some();
                        match decision.left.clone().or_else(|| kept.take()) {
                            Some(left) if decision.unit.is_none() && sched.keep(&left) => kept = Some(left),
                            Some(left) => {
                                assert!(on[left.number() as usize].swap(false, Ordering::SeqCst));
                                tell(sched.release(&left, now()));
                            }
                            None => {}
                        }
                        if let Some(unit) = decision.unit.as_ref().filter(|_| !goes_on) {
                            turns[unit.number() as usize].fetch_add(1, Ordering::SeqCst);
                            let was_on = on[unit.number() as usize].swap(true, Ordering::SeqCst);
                            assert_eq!(was_on, resumes, "on two CPUs");
                        }
                        (current, until) = (decision.unit, decision.until);
                    }
                })
            })
            .collect();
        for round in 0..ROUNDS {
            let unit = &units[(round * 7 % UNITS as u64) as usize];
            match round % 5 {
                0 | 2 => tell(sched.block(unit)),
                4 => {
                    let hard = CpuMask::from_bits(1 + round % 15);
                    tell(sched.set_affinity(unit, hard, CpuMask::from_bits(round), now()));
                }
                _ => tell(sched.wake(unit, now())),
            }
            if round % 64 == 0 {
                std::thread::yield_now();
            }
        }
        for unit in &units {
            tell(sched.set_affinity(unit, CpuMask::ALL, CpuMask::ALL, now()));
            tell(sched.wake(unit, now()));
        }
        // From here on everybody wants to run, and gets to.
        let before: Vec<u64> = turns.iter().map(|turns| turns.load(Ordering::SeqCst)).collect();
        let patience = std::time::Instant::now() + std::time::Duration::from_secs(60);
        let all_ran = || (0..UNITS).all(|n| turns[n].load(Ordering::SeqCst) > before[n] + 3);
        while !all_ran() && std::time::Instant::now() < patience && !cpus.iter().any(|cpu| cpu.is_finished()) {
            std::thread::yield_now();
        }
        let ran = all_ran();
        stop.store(true, Ordering::SeqCst);
        assert!(ran, "somebody was forgotten");
    });
}
