// SPDX-License-Identifier: MIT OR Apache-2.0
//! A simulated machine runs the scheduler in simulated time, next to the fair share that each unit should have had.
#![forbid(unsafe_code)]

extern crate std;
use super::*;
use proptest::prelude::*;
use std::collections::VecDeque;
use std::{vec, vec::Vec};

const MS: u64 = 1_000_000;
const SECOND: u64 = 1000 * MS;

/// What a unit does with its time.
#[derive(Clone, Copy)]
enum Behaviour {
    /// Always wants to run.
    Busy,
    /// Sleeps this long, then runs this long, over and over.
    Periodic { sleep: u64, run: u64 },
}

struct Task {
    unit: Arc<Unit>,
    behaviour: Behaviour,
    ran: u64,
    ran_on: Vec<u64>,
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
    tasks: Vec<Task>,
    now: u64,
    /// Per CPU: task, when to ask again.
    cpus: Vec<(Option<usize>, Option<u64>)>,
    /// What idle CPUs keep.
    kept: Vec<Option<Arc<Unit>>>,
    idle_ns: u64,
    /// How often CPUs asked.
    picks: u64,
}

impl Machine {
    fn new(cpus: u32) -> Self {
        let sched = Scheduler::new(cpus);
        (0..cpus).for_each(|cpu| sched.set_online(cpu));
        Self {
            sched,
            tasks: vec![],
            now: 0,
            cpus: vec![(None, None); cpus as usize],
            kept: vec![None; cpus as usize],
            idle_ns: 0,
            picks: 0,
        }
    }

    fn add(&mut self, weight: u32, hard: CpuMask, behaviour: Behaviour) -> usize {
        self.add_to(&Arc::new(Group::new()), weight, hard, behaviour)
    }

    fn add_to(&mut self, group: &Arc<Group>, weight: u32, hard: CpuMask, behaviour: Behaviour) -> usize {
        let index = self.tasks.len();
        let unit = self.sched.add(index as u32, group, weight, hard);
        let (left, wakes_at) = match behaviour {
            Behaviour::Busy => (u64::MAX, None),
            Behaviour::Periodic { sleep, run } => (run, Some(self.now + sleep)),
        };
        self.tasks.push(Task {
            unit: unit.clone(),
            behaviour,
            ran: 0,
            ran_on: vec![0; self.cpus.len()],
            left,
            wakes_at,
            woken_at: None,
            worst_latency: 0,
            latency_sum: 0,
            rounds: 0,
        });
        if matches!(behaviour, Behaviour::Busy) {
            let told = self.sched.wake(&unit, self.now);
            self.tell(told);
        }
        index
    }

    fn capped(&self, percent: u32) -> Arc<Group> {
        let group = Arc::new(Group::new());
        group.set_cap(percent, self.now);
        group
    }

    fn prefer(&mut self, index: usize, soft: CpuMask) {
        let unit = self.tasks[index].unit.clone();
        let told = self.sched.set_affinity(&unit, unit.hard(), soft, self.now);
        self.tell(told);
    }

    fn tell(&mut self, cpus: CpuMask) {
        let mut told: VecDeque<u32> = cpus.iter().collect();
        let mut steps = 0;
        while let Some(cpu) = told.pop_front() {
            steps += 1;
            assert!(steps < 1000, "CPUs go on telling each other");
            told.extend(self.pick(cpu).iter());
        }
    }

    fn pick(&mut self, cpu: u32) -> CpuMask {
        self.picks += 1;
        let decision = self.sched.pick(cpu, self.now);
        let task = decision.unit.as_ref().map(|unit| unit.number() as usize);
        assert!(decision.until.is_none_or(|until| until > self.now), "no progress");
        for (other, state) in self.cpus.iter().enumerate() {
            assert!(task.is_none() || other as u32 == cpu || state.0 != task, "on two CPUs at once");
        }
        self.cpus[cpu as usize] = (task, decision.until);
        if let Some(index) = task {
            let task = &mut self.tasks[index];
            assert!(task.unit.hard().has(cpu), "it may not run there");
            if let Some(woken) = task.woken_at.take() {
                task.worst_latency = task.worst_latency.max(self.now - woken);
                task.latency_sum += self.now - woken;
            }
        }
        let same = |kept: &Arc<Unit>| decision.unit.as_ref().is_some_and(|unit| Arc::ptr_eq(unit, kept));
        match decision.left.or(self.kept[cpu as usize].take()).filter(|left| !same(left)) {
            Some(left) if task.is_none() && self.sched.keep(&left) => {
                self.kept[cpu as usize] = Some(left);
                decision.tell
            }
            Some(left) => decision.tell.or(self.sched.release(&left, self.now)),
            None => decision.tell,
        }
    }

    /// Work conservation: no CPU is idle while a unit that may run there waits.
    fn check(&self) {
        for (cpu, state) in self.cpus.iter().enumerate() {
            let (cpu, now) = (cpu as u32, self.now);
            if state.0.is_none() {
                let waits = self.tasks.iter().find(|task| {
                    let unit = &task.unit;
                    unit.is(Flag::Queued) && unit.hard().has(cpu) && !unit.group().is_capped()
                });
                assert!(waits.is_none(), "CPU {cpu} idles at {now}");
            }
        }
    }

    fn run(&mut self, until: u64) {
        while self.now < until {
            let ends = self.cpus.iter().flat_map(|&(task, again)| {
                let done = task.map(|task| self.now.saturating_add(self.tasks[task].left));
                again.into_iter().chain(done)
            });
            let next = ends.chain(self.tasks.iter().filter_map(|t| t.wakes_at)).min().unwrap_or(until).min(until);
            let elapsed = next.saturating_sub(self.now);
            for (cpu, (task, _)) in self.cpus.iter().enumerate() {
                match task {
                    Some(index) => {
                        let task = &mut self.tasks[*index];
                        task.ran += elapsed;
                        task.ran_on[cpu] += elapsed;
                        task.left = task.left.saturating_sub(elapsed);
                    }
                    None => self.idle_ns += elapsed,
                }
            }
            self.now = next.max(self.now);
            self.step();
            self.check();
        }
    }

    fn step(&mut self) {
        for index in 0..self.tasks.len() {
            if self.tasks[index].wakes_at.is_some_and(|at| at <= self.now) {
                let task = &mut self.tasks[index];
                (task.wakes_at, task.woken_at) = (None, Some(self.now));
                let told = self.sched.wake(&self.tasks[index].unit, self.now);
                self.tell(told);
            }
        }
        for cpu in 0..self.cpus.len() as u32 {
            let (task, again) = self.cpus[cpu as usize];
            if let Some(index) = task
                && let task = &mut self.tasks[index]
                && let (0, Behaviour::Periodic { sleep, run }) = (task.left, task.behaviour)
            {
                (task.left, task.wakes_at) = (run, Some(self.now + sleep));
                task.rounds += 1;
                assert_eq!(self.sched.block(&task.unit), CpuMask::only(cpu));
                self.tell(CpuMask::only(cpu));
            } else if again.is_some_and(|again| again <= self.now) {
                self.tell(CpuMask::only(cpu));
            }
        }
    }

    fn ran_ms(&self, index: usize) -> f64 {
        self.tasks[index].ran as f64 / MS as f64
    }
}

/// The ideal shares of always-busy units: proportional to weight, but nobody can use more than one CPU.
fn ideal(weights: &[u32], cpus: u32, time: u64) -> Vec<f64> {
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
            "{} us instead of {ideal} ns for weight {weight} of {} on {cpus}: {weights:?}",
            task.ran / 1000,
            weights.len()
        );
    }
    Ok(())
}

// ---- shares ----

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn shares_follow_weights(weights in prop::collection::vec(64u32..1024, 2..65), cpus in 1u32..9) {
        check_shares(&weights, cpus, 10 * SECOND)?;
    }
}

#[test]
fn equal_shares_on_any_number_of_cpus() {
    for (units, cpus) in [(2, 1), (3, 2), (5, 4), (9, 8), (64, 1), (64, 8), (2, 8), (7, 3)] {
        check_shares(&vec![256; units], cpus, 10 * SECOND).unwrap();
    }
}

#[test]
fn sleep_is_not_saved_up() {
    let mut machine = Machine::new(1);
    let hog = machine.add(256, CpuMask::ALL, Behaviour::Busy);
    machine.run(10 * SECOND);
    let late = machine.add(256, CpuMask::ALL, Behaviour::Busy);
    machine.run(11 * SECOND);
    let (hog, late) = (machine.tasks[hog].ran - 10 * SECOND, machine.tasks[late].ran);
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
    machine.run(5 * SECOND);
    assert_eq!(machine.tasks[lonely].ran, 5 * SECOND);
    machine.add(256, CpuMask::only(0), Behaviour::Busy);
    machine.run(6 * SECOND);
    let after = machine.tasks[lonely].ran - 5 * SECOND;
    assert!((420 * MS..580 * MS).contains(&after), "{} ms", after / MS);
}

#[test]
fn pinned_groups_keep_weights() {
    let mut machine = Machine::new(2);
    machine.add(256, CpuMask::only(0), Behaviour::Busy);
    machine.add(256, CpuMask::only(0), Behaviour::Busy);
    let slow: Vec<usize> =
        [256, 512, 1024].iter().map(|w| machine.add(*w, CpuMask::only(1), Behaviour::Busy)).collect();
    machine.run(20 * SECOND);
    for (index, share) in slow.iter().zip([1.0 / 7.0, 2.0 / 7.0, 4.0 / 7.0]) {
        let got = machine.tasks[*index].ran as f64 / 20e9;
        assert!((got - share).abs() < 0.03, "{got} instead of {share}");
    }
    assert_eq!(machine.idle_ns, 0);
}

#[test]
fn a_new_weight_counts_from_then_on() {
    let mut machine = Machine::new(1);
    let (a, b) = (machine.add(256, CpuMask::ALL, Behaviour::Busy), machine.add(256, CpuMask::ALL, Behaviour::Busy));
    machine.run(5 * SECOND);
    machine.sched.set_weight(&machine.tasks[a].unit, 768, machine.now);
    machine.run(15 * SECOND);
    assert!((machine.ran_ms(a) - 10_000.0).abs() < 200.0, "{} ms", machine.ran_ms(a));
    assert!((machine.ran_ms(b) - 5_000.0).abs() < 100.0, "{} ms", machine.ran_ms(b));
}

// ---- caps ----

#[test]
fn caps_hold_alone_and_beside_others() {
    for cap in [1, 5, 25, 50, 90] {
        for others in [0, 1, 8] {
            // Its fair share beside the others must be more than the cap, or that is what counts.
            let weight = if others > 0 { 65_535 } else { 256 };
            let mut machine = Machine::new(1);
            let group = machine.capped(cap);
            let unit = machine.add_to(&group, weight, CpuMask::ALL, Behaviour::Busy);
            for _ in 0..others {
                machine.add(256, CpuMask::ALL, Behaviour::Busy);
            }
            machine.run(10 * SECOND);
            let (got, wanted) = (machine.ran_ms(unit), f64::from(cap) * 100.0);
            assert!((got - wanted).abs() <= wanted * 0.02, "{got} ms instead of {wanted}, {others} others");
            assert!(others == 0 || machine.idle_ns == 0);
        }
    }
}

#[test]
fn a_cap_below_the_share_beside_equals() {
    // Each could have a third.
    let mut machine = Machine::new(1);
    let group = machine.capped(25);
    let unit = machine.add_to(&group, 256, CpuMask::ALL, Behaviour::Busy);
    let others = [512, 1024].map(|weight| machine.add(weight, CpuMask::ALL, Behaviour::Busy));
    machine.run(10 * SECOND);
    assert!((machine.ran_ms(unit) - 10_000.0 / 7.0).abs() < 30.0, "{} ms", machine.ran_ms(unit));
    machine.sched.set_weight(&machine.tasks[unit].unit, 1024, machine.now);
    machine.run(20 * SECOND);
    let got = machine.ran_ms(unit) - 10_000.0 / 7.0;
    assert!((got - 2500.0).abs() <= 50.0, "{got} ms");
    // What it may not use is shared by weight.
    let ratio = machine.ran_ms(others[1]) / machine.ran_ms(others[0]);
    assert!((ratio - 2.0).abs() < 0.04, "{ratio}");
}

#[test]
fn units_of_a_domain_share_its_cap() {
    for (cap, units, cpus) in [(150, 4, 4), (100, 4, 2), (250, 8, 8), (30, 3, 8)] {
        let mut machine = Machine::new(cpus);
        let group = machine.capped(cap);
        let all: Vec<usize> = (0..units).map(|_| machine.add_to(&group, 256, CpuMask::ALL, Behaviour::Busy)).collect();
        machine.run(10 * SECOND);
        let (got, wanted) = (all.iter().map(|unit| machine.ran_ms(*unit)).sum::<f64>(), f64::from(cap) * 100.0);
        assert!((got - wanted).abs() <= wanted * 0.02, "{got} ms instead of {wanted}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn caps_are_never_exceeded(caps in prop::collection::vec(1u32..150, 1..12), cpus in 1u32..9, sleep in 1u64..20) {
        let mut machine = Machine::new(cpus);
        for cap in &caps {
            let group = machine.capped(*cap);
            machine.add_to(&group, 256, CpuMask::ALL, Behaviour::Busy);
            machine.add_to(&group, 256, CpuMask::ALL, Behaviour::Periodic { sleep: sleep * MS, run: 3 * MS });
        }
        machine.run(10 * SECOND);
        for (pair, cap) in machine.tasks.chunks(2).zip(&caps) {
            let got = pair.iter().map(|task| task.ran).sum::<u64>() as f64 / MS as f64;
            // One allowance may be spent at the beginning and one at the end.
            let most = f64::from(*cap) * 100.0 * 1.02;
            prop_assert!(got <= most, "{got} ms, {most} allowed");
        }
    }
}

#[test]
fn a_cap_that_goes_lets_its_units_go() {
    let mut machine = Machine::new(1);
    let group = machine.capped(10);
    let unit = machine.add_to(&group, 256, CpuMask::ALL, Behaviour::Busy);
    machine.run(SECOND);
    group.set_cap(0, machine.now);
    machine.run(2 * SECOND);
    assert!(machine.tasks[unit].ran >= 1_080 * MS, "{}", machine.tasks[unit].ran);
    // And one that comes is noticed by who runs without an end.
    let told = machine.sched.look_again(&machine.tasks[unit].unit, machine.now);
    group.set_cap(10, machine.now);
    machine.tell(told);
    machine.run(3 * SECOND);
    let got = machine.tasks[unit].ran;
    assert!((1_170 * MS..1_220 * MS).contains(&got), "{got}");
}

// ---- latency ----

#[test]
fn sleepers_run_at_once() {
    for (hogs, cpus) in [(1, 1), (8, 1), (8, 2), (8, 4), (8, 8), (16, 4), (64, 8)] {
        let mut machine = Machine::new(cpus);
        for _ in 0..hogs {
            machine.add(256, CpuMask::ALL, Behaviour::Busy);
        }
        let sleeper = machine.add(256, CpuMask::ALL, Behaviour::Periodic { sleep: 7 * MS, run: MS / 10 });
        // Everybody starts with the same small credit, which the busy units have to use up first.
        machine.run(SECOND);
        machine.tasks[sleeper].worst_latency = 0;
        machine.run(5 * SECOND);
        let task = &machine.tasks[sleeper];
        assert!(task.rounds > 600);
        assert!(task.worst_latency <= MS, "{hogs} on {cpus}: {} us", task.worst_latency / 1000);
    }
}

#[test]
fn sleepers_are_prompt_where_pinned_ones_are_left_behind() {
    let mut machine = Machine::new(2);
    let (first, second) = (CpuMask::only(0), CpuMask::only(1));
    // Two on one CPU could drive a clock faster than the many on the other can follow.
    for _ in 0..2 {
        machine.add(256, first, Behaviour::Busy);
    }
    for weight in [256, 512, 1024, 256, 256, 256, 256, 256] {
        machine.add(weight, second, Behaviour::Busy);
    }
    machine.run(5 * SECOND);
    let sleeper = machine.add(256, second, Behaviour::Periodic { sleep: 10 * MS, run: MS / 10 });
    machine.run(6 * SECOND);
    machine.tasks[sleeper].worst_latency = 0;
    machine.run(10 * SECOND);
    let task = &machine.tasks[sleeper];
    assert!(task.worst_latency <= MS, "worst {} us in {} rounds", task.worst_latency / 1000, task.rounds);
}

#[test]
fn several_sleepers_are_prompt_on_average() {
    let mut machine = Machine::new(2);
    for _ in 0..6 {
        machine.add(256, CpuMask::ALL, Behaviour::Busy);
    }
    let sleepers: Vec<usize> = (0..6u64)
        .map(|i| machine.add(256, CpuMask::ALL, Behaviour::Periodic { sleep: (5 + i) * MS, run: MS / 4 }))
        .collect();
    machine.run(10 * SECOND);
    for index in sleepers {
        let task = &machine.tasks[index];
        let mean = task.latency_sum / task.rounds;
        assert!(mean <= MS / 2, "mean {} us, worst {} us", mean / 1000, task.worst_latency / 1000);
    }
}

// ---- ticks ----

#[test]
fn nothing_ticks_without_competition() {
    let mut machine = Machine::new(4);
    machine.run(SECOND);
    assert_eq!(machine.picks, 0, "idle");
    for _ in 0..4 {
        machine.add(256, CpuMask::ALL, Behaviour::Busy);
    }
    machine.run(2 * SECOND);
    assert!(machine.picks <= 8, "{} picks", machine.picks);
    let before = machine.picks;
    machine.run(10 * SECOND);
    assert_eq!(machine.picks, before, "one busy unit for each CPU");
    // Competition on one CPU is no reason for others to tick.
    machine.add(256, CpuMask::only(0), Behaviour::Busy);
    for index in 0..4 {
        let unit = machine.tasks[index].unit.clone();
        let told = machine.sched.set_affinity(&unit, CpuMask::only(unit.cpu()), CpuMask::ALL, machine.now);
        machine.tell(told);
    }
    machine.run(11 * SECOND);
    assert_eq!(machine.cpus.iter().filter(|(_, again)| again.is_some()).count(), 1);
}

#[test]
fn competition_brings_back_the_ticks() {
    let mut machine = Machine::new(2);
    for _ in 0..2 {
        machine.add(256, CpuMask::ALL, Behaviour::Busy);
    }
    machine.run(SECOND);
    let late = machine.add(256, CpuMask::ALL, Behaviour::Busy);
    machine.run(11 * SECOND);
    let got = machine.ran_ms(late);
    assert!((got - 6_667.0).abs() < 134.0, "{got} ms of 10 s on two CPUs for three");
}

// ---- affinity ----

#[test]
fn wishes_come_true_where_shares_permit() {
    let mut machine = Machine::new(2);
    // All begin where they do not want to be.
    let units: Vec<usize> = (0..4).map(|_| machine.add(256, CpuMask::ALL, Behaviour::Busy)).collect();
    for (index, unit) in units.iter().enumerate() {
        machine.prefer(*unit, CpuMask::only(index as u32 / 2));
    }
    machine.run(10 * SECOND);
    for (index, unit) in units.iter().enumerate() {
        let task = &machine.tasks[*unit];
        let there = task.ran_on[index / 2] as f64 / task.ran as f64;
        assert!(there > 0.9, "unit {index}: {there}");
        assert!((machine.ran_ms(*unit) - 5000.0).abs() < 100.0);
    }
}

#[test]
fn a_unit_moves_to_where_it_would_like_to_be_when_that_is_free() {
    let mut machine = Machine::new(2);
    let guest = machine.add(256, CpuMask::ALL, Behaviour::Busy);
    let host = machine.add(256, CpuMask::ALL, Behaviour::Periodic { sleep: 100 * MS, run: 100 * MS });
    for unit in [guest, host] {
        machine.prefer(unit, CpuMask::only(1));
    }
    machine.run(10 * SECOND);
    assert_eq!(machine.tasks[guest].ran, 10 * SECOND, "a wish makes nobody wait");
    let at_home = machine.tasks[guest].ran_on[1];
    assert!(at_home > 4 * SECOND, "{at_home}");
}

#[test]
fn hard_affinity_changes_at_once() {
    let mut machine = Machine::new(3);
    let unit = machine.add(256, CpuMask::ALL, Behaviour::Busy);
    for step in 0..30 {
        machine.run(machine.now + 10 * MS);
        let arc = machine.tasks[unit].unit.clone();
        let told = machine.sched.set_affinity(&arc, CpuMask::only(step % 3), CpuMask::ALL, machine.now);
        machine.tell(told);
        assert_eq!(machine.cpus.iter().position(|c| c.0 == Some(unit)), Some(step as usize % 3));
    }
    assert_eq!(machine.tasks[unit].ran, machine.now);
}
