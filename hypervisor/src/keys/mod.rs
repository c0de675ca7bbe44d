// SPDX-License-Identifier: MIT OR Apache-2.0
//! Debug keys: what the hypervisor prints or does when somebody types at it, or asks through XEN_SYSCTL_debug_keys.
//! Letters are Xen's where the thing exists here.
#![forbid(unsafe_code)]

mod usage;

use core::sync::atomic::Ordering;

use event_channels::StatusKind;
use hypercalls::ids::{DomId, Pirq, Port};

use crate::console::line;
use crate::domain::vcpu::{Vcpu, pause, pending};
use crate::domain::{DomainRef, table};
use crate::hypercall::census;
use crate::mm::{frame_table, heap};
use crate::pv::crash_report;
use crate::x86::{instr, percpu};
use crate::{ending, sched, time};

struct Key {
    letter: char,
    what: &'static str,
    /// `*` runs it too: it only prints.
    prints: bool,
    run: fn(),
}

const fn key(letter: char, what: &'static str, run: fn()) -> Key {
    Key { letter, what, prints: true, run }
}

const KEYS: &[Key] = &[
    Key { prints: false, ..key('*', "print everything", everything) },
    key('0', "dom0's registers", dom0_registers),
    key('I', "interrupt counts of CPUs", interrupt_counts),
    Key { prints: false, ..key('R', "reboot the machine", reboot) },
    key('d', "registers of running vCPUs", running_registers),
    key('e', "event channels", event_channels),
    key('g', "grant tables", grants),
    Key { prints: false, ..key('h', "this help", help) },
    key('i', "guests' interrupts", interrupts),
    key('l', "what is used, and by whom", usage::print),
    key('m', "memory", memory),
    key('n', "NMI counts", nmis),
    #[cfg(feature = "latency")]
    key('o', "time in the hypervisor", crate::latency::print),
    key('p', "what programs asked for", census::print),
    key('q', "domains and vCPUs", domains),
    key('r', "run queues", run_queues),
    key('t', "time", clock),
];

/// Does what a key stands for; an unknown key is named. Called without locks.
pub(crate) fn handle(letter: char) {
    match KEYS.iter().find(|key| key.letter == letter) {
        Some(key) => run(key),
        // What terminals send on their own is not worth a line.
        None if letter.is_ascii_graphic() => line(format_args!("'{letter}' is no debug key; 'h' lists them")),
        None => {}
    }
}

fn run(key: &Key) {
    line(format_args!("'{}' pressed: {} (now {} ms)", key.letter, key.what, time::system::now_ns() / 1_000_000));
    (key.run)();
}

fn everything() {
    for key in KEYS.iter().filter(|key| key.prints) {
        run(key);
    }
}

fn help() {
    for key in KEYS {
        line(format_args!(" key '{}': {}", key.letter, key.what));
    }
}

fn reboot() {
    ending::restart();
}

// ---- registers ----

fn dom0_registers() {
    if let Some(domain) = table::find(DomId::DOM0) {
        for vcpu in domain.vcpus() {
            registers(&vcpu);
        }
    }
}

fn running_registers() {
    for cpu in percpu::all() {
        let on_it = |vcpu: &&alloc::sync::Arc<Vcpu>| {
            vcpu.on_cpu.load(Ordering::Acquire) && vcpu.cpu.load(Ordering::Relaxed) == cpu.id().raw()
        };
        let all = table::all().into_iter().flat_map(|domain| domain.vcpus());
        let running = all.collect::<alloc::vec::Vec<_>>();
        match running.iter().find(on_it) {
            Some(vcpu) => registers(vcpu),
            None => line(format_args!("CPU {} is idle", cpu.id().raw())),
        }
    }
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

fn domains() {
    for domain in table::all() {
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
        for vcpu in domain.vcpus() {
            describe(&vcpu);
        }
    }
}

fn describe(vcpu: &Vcpu) {
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

fn run_queues() {
    line(format_args!("{} units wait for a CPU", sched::waiting()));
    let now = time::system::now_ns();
    for vcpu in table::all().into_iter().flat_map(|domain| domain.vcpus()) {
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
}

// ---- events and interrupts ----

fn event_channels() {
    for domain in table::all() {
        line(format_args!("Event channels of domain {} (port: vCPU, what, p pending):", domain.id.raw()));
        for port in (0..).map(Port::new) {
            // One port at a time: printing is slow.
            let (status, is_pending) = {
                let events = domain.events.lock();
                (events.table.status(port), events.table.is_port_pending(port).unwrap_or(false))
            };
            match status {
                Err(event_channels::EventError::BadPort) => break,
                Err(_) => line(format_args!("  {:4}: the hypervisor's", port.raw())),
                Ok(status) if status.kind == StatusKind::Closed => {}
                Ok(status) => line(format_args!(
                    "  {:4}: v{} {:?}{}",
                    port.raw(),
                    status.vcpu.raw(),
                    status.kind,
                    if is_pending { " p" } else { "" }
                )),
            }
        }
    }
}

fn interrupts() {
    for domain in table::all() {
        line(format_args!("Physical interrupts of domain {} (pirq: source, b bound):", domain.id.raw()));
        let count = domain.pirqs.lock().count();
        for pirq in (0..count).map(Pirq::new) {
            let (source, bound) = {
                let pirqs = domain.pirqs.lock();
                (pirqs.source(pirq), pirqs.is_bound(pirq))
            };
            if let Some(source) = source {
                line(format_args!("  {:4}: {source:?}{}", pirq.raw(), if bound { " b" } else { "" }));
            }
        }
    }
}

fn interrupt_counts() {
    for cpu in percpu::all() {
        line(format_args!(
            "  CPU {} (APIC id {:#x}): {} interrupts",
            cpu.id().raw(),
            cpu.apic_id.load(Ordering::Relaxed),
            cpu.interrupts.load(Ordering::Relaxed)
        ));
    }
}

fn nmis() {
    for cpu in percpu::all() {
        line(format_args!("  CPU {}: {} NMIs", cpu.id().raw(), cpu.nmis.load(Ordering::Relaxed)));
    }
}

// ---- memory and time ----

fn memory() {
    let (total, free) = (frame_table::total_frames(), frame_table::free_frames());
    let (mapped, used) = heap::usage();
    line(format_args!("  {total} frames ({} MiB), {free} free ({} MiB)", total >> 8, free >> 8));
    line(format_args!("  heap: {} KiB of frames, {} KiB in use", mapped >> 10, used >> 10));
    for domain in table::all() {
        let pages = domain.memory.lock().tot_pages;
        line(format_args!("  domain {}: {pages} pages ({} MiB)", domain.id.raw(), pages >> 8));
    }
}

fn grants() {
    for domain in table::all() {
        print_grants(&domain);
    }
}

fn print_grants(domain: &DomainRef) {
    let (frames, max, status) = {
        let grants = domain.grants.lock();
        (grants.frames(), grants.max_frames(), grants.status_frames())
    };
    line(format_args!("  domain {}: {frames} grant frames of {max}, {status} status frames", domain.id.raw()));
}

fn clock() {
    let now = time::system::now_ns();
    let clock = time::system::clock();
    let utc = time::system::wallclock().seconds_at(now);
    line(format_args!(
        "  system time {now} ns, TSC {} at {} Hz, UTC {utc} s since 1970",
        instr::rdtsc_ordered(),
        clock.hz()
    ));
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
