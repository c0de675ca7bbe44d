// SPDX-License-Identifier: MIT OR Apache-2.0
//! Debug keys: what the hypervisor prints or does when somebody types at it, or asks through XEN_SYSCTL_debug_keys.
//! Letters are Xen's where the thing exists here.
#![forbid(unsafe_code)]

mod usage;

use alloc::collections::{BTreeMap, VecDeque};
use core::sync::atomic::{AtomicU64, Ordering};

use event_channels::StatusKind;
use hypercalls::ids::{DomId, Pirq, Port, VcpuId};

use crate::budget::{Budget, Preempted};
use crate::config::PREEMPT_ENTRIES;
use crate::console::line;
use crate::domain::vcpu::{Vcpu, pause, pending};
use crate::domain::{Domain, DomainRef, table};
use crate::hypercall::census;
use crate::mm::{frame_table, heap};
use crate::pv::crash_report;
use crate::sync::{Rank, SpinLock};
use crate::x86::percpu::CpuLocal;
use crate::x86::{instr, ipi, percpu};
use crate::{ending, sched, time};

struct Key {
    letter: char,
    what: &'static str,
    /// `*` runs it too: it only prints.
    prints: bool,
    /// Budget of one step.
    cost: u32,
    /// Does the next bit of it, a line or two; says whether there is more. Called without locks but that of the keys.
    step: fn(&mut Progress) -> bool,
}

const fn key(letter: char, what: &'static str, step: fn(&mut Progress) -> bool) -> Key {
    Key { letter, what, prints: true, cost: PREEMPT_ENTRIES / 3, step }
}

static KEYS: &[Key] = &[
    Key { prints: false, ..key('*', "print everything", |_| false) },
    Key { cost: PREEMPT_ENTRIES, ..key('0', "dom0's registers", dom0_registers) },
    key('I', "interrupt counts of CPUs", interrupt_counts),
    Key { prints: false, ..key('R', "reboot the machine", reboot) },
    Key { cost: PREEMPT_ENTRIES, ..key('d', "registers of running vCPUs", running_registers) },
    key('e', "event channels", event_channels),
    key('g', "grant tables", grants),
    Key { prints: false, ..key('h', "this help", help) },
    key('i', "guests' interrupts", interrupts),
    key('l', "what is used, and by whom", usage::print),
    key('m', "memory", memory),
    key('n', "NMI counts", nmis),
    #[cfg(feature = "latency")]
    // It also starts its sums anew.
    Key { prints: false, ..key('o', "time in the hypervisor", |progress| crate::latency::print(&mut progress.major)) },
    key('p', "what programs asked for", census),
    key('q', "domains and vCPUs", domains),
    key('r', "run queues", run_queues),
    key('t', "time", clock),
];

/// How far the key in front has come. What the numbers count is the key's own business; both are zero when it begins.
#[derive(Debug, Default)]
struct Progress {
    major: u32,
    minor: u32,
    owners: BTreeMap<u16, usage::Frames>,
}

/// Keys that were pressed and are not done yet, the one in front perhaps in part: printing takes longer than interrupts may wait.
struct Queue {
    keys: VecDeque<&'static Key>,
    begun: bool,
    progress: Progress,
}

static QUEUE: SpinLock<Queue> = SpinLock::new(
    Rank::DebugKeys,
    Queue { keys: VecDeque::new(), begun: false, progress: Progress { major: 0, minor: 0, owners: BTreeMap::new() } },
);
/// How many keys were ever put into the queue, and how many of them are done; both change under its lock.
static DONE: AtomicU64 = AtomicU64::new(0);
static PRESSED: AtomicU64 = AtomicU64::new(0);
/// Keys that wait at most.
const LONGEST: usize = 256;

/// Puts a key into the queue; an unknown one is named. Returns its number for [`is_done`]: of one that is not taken, the last one's.
pub(crate) fn press(letter: char) -> u64 {
    let mut queue = QUEUE.lock();
    let all =
        KEYS.iter().filter(|key| if letter == '*' { key.prints || key.letter == '*' } else { key.letter == letter });
    for key in all {
        if queue.keys.len() < LONGEST {
            queue.keys.push_back(key);
            PRESSED.fetch_add(1, Ordering::AcqRel);
        }
    }
    // What terminals send on their own is not worth a line.
    if letter.is_ascii_graphic() && KEYS.iter().all(|key| key.letter != letter) {
        line(format_args!("'{letter}' is no debug key; 'h' lists them"));
    }
    PRESSED.load(Ordering::Acquire)
}

/// Somebody typed a key: this CPU does what it stands for between other things.
pub(crate) fn typed(letter: char) {
    press(letter);
    ipi::kick(percpu::this());
}

/// Is that the number of a key that was pressed?
pub(crate) fn is_pressed(number: u64) -> bool {
    (1..=PRESSED.load(Ordering::Acquire)).contains(&number)
}

/// Is that key done, and all before it?
pub(crate) fn is_done(number: u64) -> bool {
    DONE.load(Ordering::Acquire) >= number
}

/// An interrupt makes this CPU look whether there is something to do.
pub(crate) fn interrupted(cpu: &CpuLocal) {
    if !is_done(PRESSED.load(Ordering::Acquire)) {
        cpu.softirqs.fetch_or(percpu::softirq::KEYS, Ordering::AcqRel);
    }
}

/// Goes on with what is left for as long as interrupts may wait, and comes back after them. Without locks.
pub(crate) fn go_on(cpu: &CpuLocal) {
    if work(&mut Budget::new()).is_err() {
        ipi::kick(cpu);
    }
}

/// Does what was pressed, in order. Preempted: some is left, or another CPU is at it. Without locks.
pub(crate) fn work(budget: &mut Budget) -> Result<(), Preempted> {
    loop {
        budget.check()?;
        let mut queue = QUEUE.try_lock().ok_or(Preempted)?;
        let Some(key) = queue.keys.front().copied() else { return Ok(()) };
        budget.spend(key.cost)?;
        if !core::mem::replace(&mut queue.begun, true) {
            let now = time::system::now_ns() / 1_000_000;
            line(format_args!("'{}' pressed: {} (now {now} ms)", key.letter, key.what));
            continue;
        }
        if !(key.step)(&mut queue.progress) {
            queue.keys.pop_front();
            queue.begun = false;
            queue.progress = Progress::default();
            DONE.fetch_add(1, Ordering::AcqRel);
        }
    }
}

/// Prints the next bit of domains, one after another. `part` prints the given part of a domain and says whether there is another;
/// `first` comes before all.
fn of_domains(progress: &mut Progress, first: impl FnOnce(), part: impl FnOnce(&DomainRef, u32) -> bool) -> bool {
    let from = u16::try_from(progress.major).ok().map(DomId::new);
    if (progress.major, progress.minor) == (0, 0) {
        first();
    }
    let Some(domain) = from.and_then(table::find_from) else { return false };
    let number = domain.id.raw().into();
    let this = if number == progress.major { progress.minor } else { 0 };
    (progress.major, progress.minor) = if part(&domain, this) { (number, this + 1) } else { (number + 1, 0) };
    true
}

/// The same for CPUs.
fn of_cpus(progress: &mut Progress, print: impl FnOnce(&CpuLocal)) -> bool {
    let cpu = percpu::all().nth(progress.major as usize);
    cpu.inspect(|cpu| print(cpu)).is_some_and(|_| {
        progress.major += 1;
        true
    })
}

fn help(progress: &mut Progress) -> bool {
    let Some(key) = KEYS.get(progress.major as usize) else { return false };
    line(format_args!(" key '{}': {}", key.letter, key.what));
    progress.major += 1;
    true
}

fn reboot(_: &mut Progress) -> bool {
    ending::restart();
}

fn census(progress: &mut Progress) -> bool {
    let printed = census::print(progress.major as usize);
    progress.major += 1;
    printed
}

// ---- registers ----

fn dom0_registers(progress: &mut Progress) -> bool {
    let dom0 = table::find(DomId::DOM0);
    let vcpu = dom0.and_then(|domain| domain.vcpu(VcpuId::new(progress.minor)));
    progress.minor += 1;
    vcpu.inspect(|vcpu| registers(vcpu)).is_some()
}

fn running_registers(progress: &mut Progress) -> bool {
    of_cpus(progress, |cpu| {
        let on_it = |vcpu: &alloc::sync::Arc<Vcpu>| {
            vcpu.on_cpu.load(Ordering::Acquire) && vcpu.cpu.load(Ordering::Relaxed) == cpu.id().raw()
        };
        let running = table::all().into_iter().find_map(|domain| domain.vcpus().into_iter().find(on_it));
        match running {
            Some(vcpu) => registers(&vcpu),
            None => line(format_args!("CPU {} is idle", cpu.id().raw())),
        }
    })
}

/// A vCPU on no CPU is printed here; one that a CPU owns is printed by that CPU before it goes back to the guest.
fn registers(vcpu: &Vcpu) {
    if vcpu.pause_flags.load(Ordering::Acquire) & pause::DOWN != 0 {
        return line(format_args!("d{}v{} is down", vcpu.domain.id.raw(), vcpu.id.raw()));
    }
    if let Some(state) = vcpu.state.try_own() {
        return crash_report::registers(vcpu, &state);
    }
    vcpu.pending.fetch_or(pending::PRINT, Ordering::AcqRel);
    vcpu.kick();
}

// ---- domains ----

fn domains(progress: &mut Progress) -> bool {
    of_domains(
        progress,
        || {},
        |domain, part| {
            match part.checked_sub(1) {
                None => describe(domain),
                Some(number) => {
                    let Some(vcpu) = domain.vcpu(VcpuId::new(number)) else { return false };
                    describe_vcpu(&vcpu);
                }
            }
            part < domain.max_vcpus
        },
    )
}

fn describe(domain: &Domain) {
    let (tot, max) = {
        let memory = domain.memory.lock();
        (memory.tot_pages, memory.max_pages)
    };
    let shutdown = domain.lifecycle.lock().shutdown();
    line(format_args!(
        "Domain {}: {} vCPUs, {tot} pages of {max} ({} MiB), pause count {}, shutdown {shutdown:?}, end {:?}, vm_assist {:#x}, dirty CPUs {:#x}",
        domain.id.raw(),
        domain.max_vcpus,
        tot >> 8,
        domain.pause_count.load(Ordering::Relaxed),
        *domain.stage.lock(),
        domain.vm_assist.load(Ordering::Relaxed),
        domain.dirty_cpus()
    ));
}

fn describe_vcpu(vcpu: &Vcpu) {
    let flags = vcpu.pause_flags.load(Ordering::Acquire);
    let info = vcpu.info();
    line(format_args!(
        "  v{}: CPU {}{}{}{}{}, upcall pending {} mask {}, pending selector {:#x}, poll port {}",
        vcpu.id.raw(),
        vcpu.cpu.load(Ordering::Relaxed),
        if vcpu.on_cpu.load(Ordering::Relaxed) { " (on it)" } else { "" },
        if flags & pause::DOWN != 0 { ", down" } else { "" },
        if flags & pause::BLOCKED != 0 { ", blocked" } else { "" },
        if flags & pause::POLLING != 0 { ", polling" } else { "" },
        info.upcall_pending().load(Ordering::Relaxed),
        info.upcall_mask().load(Ordering::Relaxed),
        info.pending_sel().load(Ordering::Relaxed),
        vcpu.poll_port.load(Ordering::Relaxed)
    ));
}

fn run_queues(progress: &mut Progress) -> bool {
    let first = || line(format_args!("{} units wait for a CPU", sched::waiting()));
    of_domains(progress, first, |domain, number| {
        let Some(vcpu) = domain.vcpu(VcpuId::new(number)) else { return false };
        times(&vcpu);
        true
    })
}

fn times(vcpu: &Vcpu) {
    let now = time::system::now_ns();
    let (state, [running, runnable, blocked, offline]) = {
        let runstate = vcpu.runstate.lock();
        (runstate.snapshot().0, runstate.totals(now))
    };
    let ms = |ns: u64| ns / 1_000_000;
    line(format_args!(
        "  d{}v{} unit {}: {state:?}, CPU {}, hard affinity {:#x}, soft {:#x}, ms running {} runnable {} blocked {} offline {}",
        vcpu.domain.id.raw(),
        vcpu.id.raw(),
        vcpu.unit,
        vcpu.cpu.load(Ordering::Relaxed),
        vcpu.hard_affinity.load(Ordering::Relaxed),
        vcpu.soft_affinity.load(Ordering::Relaxed),
        ms(running),
        ms(runnable),
        ms(blocked),
        ms(offline)
    ));
}

// ---- events and interrupts ----

fn event_channels(progress: &mut Progress) -> bool {
    of_domains(
        progress,
        || {},
        |domain, number| {
            if number == 0 {
                line(format_args!("Event channels of domain {} (port: vCPU, what, p pending):", domain.id.raw()));
            }
            let port = Port::new(number);
            // Printing is slow: without the lock.
            let (status, is_pending) = {
                let events = domain.events.lock();
                (events.table.status(port), events.table.is_port_pending(port).unwrap_or(false))
            };
            match status {
                Err(event_channels::EventError::BadPort) => return false,
                Err(_) => line(format_args!("  {number:4}: the hypervisor's")),
                Ok(status) if status.kind == StatusKind::Closed => {}
                Ok(status) => line(format_args!(
                    "  {number:4}: v{} {:?}{}",
                    status.vcpu.raw(),
                    status.kind,
                    if is_pending { " p" } else { "" }
                )),
            }
            true
        },
    )
}

fn interrupts(progress: &mut Progress) -> bool {
    of_domains(
        progress,
        || {},
        |domain, number| {
            if number == 0 {
                line(format_args!("Physical interrupts of domain {} (pirq: source, b bound):", domain.id.raw()));
            }
            let pirq = Pirq::new(number);
            let (count, source, bound) = {
                let pirqs = domain.pirqs.lock();
                (pirqs.count(), pirqs.source(pirq), pirqs.is_bound(pirq))
            };
            if let Some(source) = source.filter(|_| number < count) {
                line(format_args!("  {number:4}: {source:?}{}", if bound { " b" } else { "" }));
            }
            number < count
        },
    )
}

fn interrupt_counts(progress: &mut Progress) -> bool {
    of_cpus(progress, |cpu| {
        line(format_args!(
            "  CPU {} (APIC id {:#x}): {} interrupts",
            cpu.id().raw(),
            cpu.apic_id.load(Ordering::Relaxed),
            cpu.interrupts.load(Ordering::Relaxed)
        ));
    })
}

fn nmis(progress: &mut Progress) -> bool {
    of_cpus(progress, |cpu| {
        line(format_args!("  CPU {}: {} NMIs", cpu.id().raw(), cpu.nmis.load(Ordering::Relaxed)));
    })
}

// ---- memory and time ----

fn memory(progress: &mut Progress) -> bool {
    of_domains(progress, frames, |domain, _| {
        let pages = domain.memory.lock().tot_pages;
        line(format_args!("  domain {}: {pages} pages ({} MiB)", domain.id.raw(), pages >> 8));
        false
    })
}

fn frames() {
    let (total, free) = (frame_table::total_frames(), frame_table::free_frames());
    let (mapped, used) = heap::usage();
    line(format_args!("  {total} frames ({} MiB), {free} free ({} MiB)", total >> 8, free >> 8));
    line(format_args!("  heap: {} KiB of frames, {} KiB in use", mapped >> 10, used >> 10));
}

fn grants(progress: &mut Progress) -> bool {
    of_domains(
        progress,
        || {},
        |domain, _| {
            let (frames, max, status) = {
                let grants = domain.grants.lock();
                (grants.frames(), grants.max_frames(), grants.status_frames())
            };
            line(format_args!("  domain {}: {frames} grant frames of {max}, {status} status frames", domain.id.raw()));
            false
        },
    )
}

fn clock(_: &mut Progress) -> bool {
    let now = time::system::now_ns();
    let clock = time::system::clock();
    let utc = time::system::wallclock().seconds_at(now);
    line(format_args!(
        "  system time {now} ns, TSC {} at {} Hz, UTC {utc} s since 1970",
        instr::rdtsc_ordered(),
        clock.hz()
    ));
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_is_there_once() {
        for (index, key) in KEYS.iter().enumerate() {
            assert!(KEYS.iter().skip(index + 1).all(|other| other.letter != key.letter), "{}", key.letter);
        }
    }
}
