// SPDX-License-Identifier: MIT OR Apache-2.0
//! A simulated machine runs the policy in simulated time.
#![forbid(unsafe_code)]

extern crate std;
use super::*;
use proptest::prelude::*;
use std::vec;

const MS: u64 = 1_000_000;

/// What a unit does with its time.
#[derive(Clone, Copy)]
enum Behaviour {
    /// Always wants to run.
    Busy,
    /// Sleeps this long, then runs this long, over and over.
    Periodic { sleep: u64, run: u64 },
}

struct Task {
    unit: u32,
    behaviour: Behaviour,
    ran: u64,
    /// Periodic: running time left in this round.
    left: u64,
    wakes_at: Option<u64>,
    woken_at: Option<u64>,
    worst_latency: u64,
    latency_sum: u64,
    rounds: u64,
}

struct Machine {
    sched: Scheduler,
    tasks: vec::Vec<Task>,
    now: u64,
    /// Per CPU: task, when to ask again.
    cpus: vec::Vec<(Option<usize>, Option<u64>)>,
    idle_ns: u64,
}

impl Machine {
    fn new(cpus: u32) -> Self {
        let mut sched = Scheduler::new(cpus);
        (0..cpus).for_each(|cpu| sched.set_online(cpu));
        Self { sched, tasks: vec![], now: 0, cpus: vec![(None, None); cpus as usize], idle_ns: 0 }
    }

    fn add(&mut self, weight: u32, affinity: CpuMask, behaviour: Behaviour) -> usize {
        let unit = self.sched.add(weight, affinity);
        let (left, wakes_at) = match behaviour {
            Behaviour::Busy => (u64::MAX, None),
            Behaviour::Periodic { sleep, run } => (run, Some(self.now + sleep)),
        };
        self.tasks.push(Task {
            unit,
            behaviour,
            ran: 0,
            left,
            wakes_at,
            woken_at: None,
            worst_latency: 0,
            latency_sum: 0,
            rounds: 0,
        });
        let index = self.tasks.len() - 1;
        if matches!(behaviour, Behaviour::Busy) {
            let kick = self.sched.wake(unit, self.now);
            self.kick(kick);
        }
        index
    }

    fn kick(&mut self, cpu: Option<u32>) {
        if let Some(cpu) = cpu {
            self.pick(cpu);
        }
    }

    fn pick(&mut self, cpu: u32) {
        let decision = self.sched.pick(cpu, self.now);
        let task = decision.unit.map(|unit| self.tasks.iter().position(|t| t.unit == unit).unwrap());
        assert!(decision.until.is_none_or(|until| until > self.now), "no progress");
        assert_eq!(decision.until.is_some(), decision.unit.is_some());
        for (other, state) in self.cpus.iter().enumerate() {
            assert!(task.is_none() || other as u32 == cpu || state.0 != task, "on two CPUs at once");
        }
        self.cpus[cpu as usize] = (task, decision.until);
        if let Some(index) = task {
            let task = &mut self.tasks[index];
            if let Some(woken) = task.woken_at.take() {
                task.worst_latency = task.worst_latency.max(self.now - woken);
                task.latency_sum += self.now - woken;
            }
        }
        if let Some(left) = decision.left {
            let kick = self.sched.release(left, self.now);
            self.kick(kick);
        }
    }

    /// Work conservation: no CPU is idle while a unit that may run there waits.
    fn check(&self) {
        for (cpu, state) in self.cpus.iter().enumerate() {
            if state.0.is_none() {
                assert!(self.sched.best_for(cpu as u32).is_none(), "CPU {cpu} idles at {}", self.now);
            }
        }
    }

    fn run(&mut self, until: u64) {
        while self.now < until {
            let ends = self
                .cpus
                .iter()
                .filter_map(|(task, again)| Some((*again)?.min(self.now.saturating_add(self.tasks[(*task)?].left))));
            let next = ends.chain(self.tasks.iter().filter_map(|t| t.wakes_at)).min().unwrap_or(until).min(until);
            let elapsed = next - self.now;
            for (task, _) in &self.cpus {
                match task {
                    Some(index) => {
                        let task = &mut self.tasks[*index];
                        task.ran += elapsed;
                        task.left = task.left.saturating_sub(elapsed);
                    }
                    None => self.idle_ns += elapsed,
                }
            }
            self.now = next;
            self.step();
            self.check();
        }
    }

    fn step(&mut self) {
        for index in 0..self.tasks.len() {
            if self.tasks[index].wakes_at.is_some_and(|at| at <= self.now) {
                let task = &mut self.tasks[index];
                (task.wakes_at, task.woken_at) = (None, Some(self.now));
                let kick = self.sched.wake(self.tasks[index].unit, self.now);
                self.kick(kick);
            }
        }
        for cpu in 0..self.cpus.len() as u32 {
            let (Some(index), Some(again)) = self.cpus[cpu as usize] else { continue };
            let task = &mut self.tasks[index];
            if let (0, Behaviour::Periodic { sleep, run }) = (task.left, task.behaviour) {
                (task.left, task.wakes_at) = (run, Some(self.now + sleep));
                task.rounds += 1;
                assert_eq!(self.sched.block(task.unit), Some(cpu));
                self.pick(cpu);
            } else if again <= self.now {
                self.pick(cpu);
            }
        }
    }
}

/// The ideal shares of always-busy units: proportional to weight, but nobody can use more than one CPU.
fn ideal(weights: &[u32], cpus: u32, time: u64) -> vec::Vec<f64> {
    let mut capped = vec![false; weights.len()];
    loop {
        let free = f64::from(cpus) - capped.iter().filter(|c| **c).count() as f64;
        let total: f64 = weights.iter().zip(&capped).filter(|(_, c)| !**c).map(|(w, _)| f64::from(*w)).sum();
        let share = |w: u32| f64::from(w) / total * free;
        match (0..weights.len()).find(|i| !capped[*i] && share(weights[*i]) > 1.0) {
            Some(heavy) => capped[heavy] = true,
            None => {
                let all = weights.iter().zip(&capped);
                return all.map(|(w, c)| if *c { 1.0 } else { share(*w) } * time as f64).collect();
            }
        }
    }
}

fn check_shares(weights: &[u32], cpus: u32, time: u64) -> Result<(), TestCaseError> {
    let mut machine = Machine::new(cpus);
    for weight in weights {
        machine.add(*weight, CpuMask::ALL, Behaviour::Busy);
    }
    machine.run(time);
    for ((task, ideal), weight) in machine.tasks.iter().zip(ideal(weights, cpus, time)).zip(weights) {
        let error = (task.ran as f64 - ideal).abs();
        prop_assert!(
            error <= ideal * 0.02,
            "weight {weight} of {weights:?} on {cpus}: {} ms instead of {ideal} ns",
            task.ran / MS
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn shares_follow_weights(weights in prop::collection::vec(64u32..1024, 2..64), cpus in 1u32..9) {
        check_shares(&weights, cpus, 40_000 * MS)?;
    }
}

#[test]
fn equal_shares_on_any_number_of_cpus() {
    for (units, cpus) in [(2, 1), (3, 2), (5, 4), (9, 8), (64, 1), (64, 8), (2, 8), (7, 3)] {
        check_shares(&vec![256; units], cpus, 10_000 * MS).unwrap();
    }
}

#[test]
fn sleepers_run_at_once() {
    for (hogs, cpus) in [(1, 1), (8, 1), (16, 4), (64, 8)] {
        let mut machine = Machine::new(cpus);
        for _ in 0..hogs {
            machine.add(256, CpuMask::ALL, Behaviour::Busy);
        }
        let sleeper = machine.add(256, CpuMask::ALL, Behaviour::Periodic { sleep: 7 * MS, run: MS / 10 });
        // Everybody starts with the same small credit, which the busy units have to use up first.
        machine.run(1_000 * MS);
        machine.tasks[sleeper].worst_latency = 0;
        machine.run(5_000 * MS);
        let task = &machine.tasks[sleeper];
        assert!(task.rounds > 600);
        assert!(task.worst_latency <= MS, "{hogs} on {cpus}: {} us", task.worst_latency / 1000);
    }
}

#[test]
fn several_sleepers_are_prompt_on_average() {
    let mut machine = Machine::new(2);
    for _ in 0..6 {
        machine.add(256, CpuMask::ALL, Behaviour::Busy);
    }
    let sleepers: vec::Vec<usize> = (0..6u64)
        .map(|i| machine.add(256, CpuMask::ALL, Behaviour::Periodic { sleep: (5 + i) * MS, run: MS / 4 }))
        .collect();
    machine.run(10_000 * MS);
    for index in sleepers {
        let task = &machine.tasks[index];
        let mean = task.latency_sum / task.rounds;
        assert!(mean <= MS / 2, "mean {} us, worst {} us", mean / 1000, task.worst_latency / 1000);
    }
}

#[test]
fn sleep_is_not_saved_up() {
    let mut machine = Machine::new(1);
    let hog = machine.add(256, CpuMask::ALL, Behaviour::Busy);
    machine.run(10_000 * MS);
    let late = machine.add(256, CpuMask::ALL, Behaviour::Busy);
    machine.run(11_000 * MS);
    let (hog, late) = (machine.tasks[hog].ran - 10_000 * MS, machine.tasks[late].ran);
    assert!(late.abs_diff(hog) < 120 * MS, "{late} {hog}");
}

#[test]
fn lonely_units_do_not_pay_later() {
    // One unit has its CPU for itself while three share the other; then a fourth joins the lonely one.
    let mut machine = Machine::new(2);
    let lonely = machine.add(256, CpuMask::only(0), Behaviour::Busy);
    for _ in 0..3 {
        machine.add(256, CpuMask::only(1), Behaviour::Busy);
    }
    machine.run(5_000 * MS);
    assert_eq!(machine.tasks[lonely].ran, 5_000 * MS);
    machine.add(256, CpuMask::only(0), Behaviour::Busy);
    machine.run(6_000 * MS);
    let after = machine.tasks[lonely].ran - 5_000 * MS;
    assert!((420 * MS..580 * MS).contains(&after), "{} ms", after / MS);
}

#[test]
fn pinned_groups_keep_weights() {
    let mut machine = Machine::new(2);
    machine.add(256, CpuMask::only(0), Behaviour::Busy);
    machine.add(256, CpuMask::only(0), Behaviour::Busy);
    let slow: vec::Vec<usize> =
        [256, 512, 1024].iter().map(|w| machine.add(*w, CpuMask::only(1), Behaviour::Busy)).collect();
    machine.run(20_000 * MS);
    for (index, share) in slow.iter().zip([1.0 / 7.0, 2.0 / 7.0, 4.0 / 7.0]) {
        let got = machine.tasks[*index].ran as f64 / 20e9;
        assert!((got - share).abs() < 0.03, "{got} instead of {share}");
    }
    assert_eq!(machine.idle_ns, 0);
}

#[test]
fn yield_lets_the_other_run() {
    let mut sched = Scheduler::new(1);
    sched.set_online(0);
    let (a, b) = (sched.add(256, CpuMask::ALL), sched.add(256, CpuMask::ALL));
    assert_eq!(sched.wake(a, 0), Some(0));
    assert_eq!(sched.wake(a, 0), None);
    assert_eq!(sched.wake(b, 0), None);
    assert_eq!(sched.pick(0, 0).unit, Some(a));
    sched.yield_now(0);
    let decision = sched.pick(0, 1000);
    assert_eq!((decision.unit, decision.left), (Some(b), Some(a)));
    assert!(!sched.remove(a), "its registers are still in the CPU");
    assert_eq!(sched.release(a, 0), None);
    assert_eq!(sched.block(b), Some(0));
    assert_eq!(sched.pick(0, 2000).unit, Some(a));
    assert_eq!(sched.release(b, 0), None);
    assert!(sched.remove(b));
    assert_eq!(sched.add(100, CpuMask::ALL), b);
    assert_eq!(sched.weight(b), Some(100));
}

#[test]
fn retired_units_keep_their_number_and_never_run() {
    let mut sched = Scheduler::new(1);
    sched.set_online(0);
    let (a, b) = (sched.add(256, CpuMask::ALL), sched.add(256, CpuMask::ALL));
    assert_eq!(sched.wake(a, 0), Some(0));
    assert_eq!(sched.pick(0, 0).unit, Some(a));
    assert!(!sched.retire(a), "it runs");
    assert_eq!(sched.wake(b, 0), None);
    assert!(sched.retire(b), "it waits");
    assert_eq!(sched.waiting(), 0);
    assert_eq!((sched.wake(b, 10), sched.block(b)), (None, None));
    assert_ne!(sched.add(256, CpuMask::ALL), b, "its number is in use");
    assert_eq!(sched.block(a), Some(0));
    assert_eq!(sched.pick(0, 1000), Decision { unit: None, until: None, left: Some(a) });
    assert_eq!(sched.release(a, 1000), None);
    assert!(sched.retire(a));
    assert!(sched.remove(b));
    assert_eq!(sched.add(256, CpuMask::ALL), b);
}

#[test]
fn unreleased_units_stay_with_their_cpu() {
    let mut sched = Scheduler::new(2);
    sched.set_online(0);
    sched.set_online(1);
    let a = sched.add(256, CpuMask::ALL);
    assert_eq!(sched.wake(a, 0), Some(0));
    assert_eq!(sched.pick(0, 0).unit, Some(a));
    assert_eq!(sched.block(a), Some(0));
    assert_eq!(sched.pick(0, 100), Decision { unit: None, until: None, left: Some(a) });
    assert_eq!(sched.wake(a, 0), None);
    assert_eq!(sched.pick(1, 200).unit, None);
    assert_eq!(sched.release(a, 0), Some(0));
    assert_eq!(sched.pick(0, 300).unit, Some(a));
    // Woken again before its CPU noticed that it had blocked.
    assert_eq!(sched.block(a), Some(0));
    assert_eq!(sched.wake(a, 0), None);
    assert_eq!(sched.pick(0, 400).unit, Some(a));
    // Moved away.
    assert_eq!(sched.set_affinity(a, CpuMask::only(1), 0), Some(0));
    assert_eq!(sched.pick(0, 500), Decision { unit: None, until: None, left: Some(a) });
    assert_eq!(sched.release(a, 0), Some(1));
    assert_eq!(sched.pick(1, 600).unit, Some(a));
}
