// SPDX-License-Identifier: MIT OR Apache-2.0
//! How domains end by themselves: shutdown, crash, watchdog. The end of the first domain is the end of the machine.
#![forbid(unsafe_code)]

use core::sync::atomic::Ordering;

use hypercalls::ids::{DomId, Virq};
use hypercalls::sched::ShutdownReason;

use crate::console;
use crate::domain::vcpu::{Vcpu, VcpuState};
use crate::domain::{Domain, events, table};
use crate::sync;
use crate::time::system::now_ns;
use crate::time::timer::TimerKind;
use crate::x86::instr;
use crate::x86::power::{self, ResetRegister};

/// Time to read a crash report before the machine reboots.
const REBOOT_DELAY_NS: u64 = 5_000_000_000;

/// What the machine does when the first domain ends.
struct Policy {
    noreboot: bool,
    reset: Option<ResetRegister>,
}

static POLICY: spin::Once<Policy> = spin::Once::new();

/// Sets whether a crash halts the machine instead of rebooting it (`noreboot`), and how it is reset. Once, at boot.
pub(crate) fn configure(noreboot: bool, reset: Option<ResetRegister>) {
    POLICY.call_once(|| Policy { noreboot, reset });
}

/// Ends a domain: its vCPUs stop, the control domain is told. The first reason counts. Does not return for the first domain.
pub(crate) fn shut_down(domain: &Domain, reason: ShutdownReason) {
    let reason = {
        let mut life = domain.lifecycle.lock();
        let reason = ShutdownReason(*life.shutdown_code.get_or_insert(reason.raw()));
        if domain.id != DomId::DOM0 && life.shutdown.replace(reason.raw()).is_some() {
            return;
        }
        reason
    };
    if domain.id == DomId::DOM0 {
        end_machine(reason);
    }
    domain.pause();
    events::notify_global_virq(Virq::DOM_EXC);
}

/// XEN_DOMCTL_resumedomain: lets a domain that was shut down go on. Nothing happens to others.
pub(crate) fn resume(domain: &Domain) {
    let was_shut_down = {
        let mut life = domain.lifecycle.lock();
        life.shutdown_code = None;
        life.shutdown.take().is_some()
    };
    if was_shut_down {
        domain.unpause();
    }
}

/// A vCPU has brought its domain to an end: says what it was doing.
pub(crate) fn crash(vcpu: &Vcpu, state: &VcpuState, reason: &str) {
    let domain = &vcpu.domain;
    if domain.lifecycle.lock().shutdown.is_none() {
        let regs = &state.entry.regs;
        let mode = if state.kernel_mode { "kernel" } else { "user" };
        let cpu = vcpu.cpu.load(Ordering::Relaxed);
        console::write_fmt(format_args!(
            "(XEN) Domain {} (vcpu#{}) crashed on cpu#{cpu}: {reason}\n\
             (XEN) {mode} mode, vector {:#x}, error code {:#x}, cr3 {:?}/{:?}\n\
             (XEN) RIP:    {:04x}:{:016x}  RFLAGS: {:016x}\n\
             (XEN) RSP:    {:04x}:{:016x}\n\
             (XEN) rax: {:016x}   rbx: {:016x}   rcx: {:016x}\n\
             (XEN) rdx: {:016x}   rsi: {:016x}   rdi: {:016x}\n\
             (XEN) rbp: {:016x}   r8:  {:016x}   r9:  {:016x}\n\
             (XEN) r10: {:016x}   r11: {:016x}   r12: {:016x}\n\
             (XEN) r13: {:016x}   r14: {:016x}   r15: {:016x}\n",
            domain.id.raw(),
            vcpu.id.raw(),
            regs.vector,
            regs.error_code,
            state.kernel_root,
            state.user_root,
            regs.cs,
            regs.rip,
            regs.rflags,
            regs.ss,
            regs.rsp,
            regs.rax,
            regs.rbx,
            regs.rcx,
            regs.rdx,
            regs.rsi,
            regs.rdi,
            regs.rbp,
            regs.r8,
            regs.r9,
            regs.r10,
            regs.r11,
            regs.r12,
            regs.r13,
            regs.r14,
            regs.r15,
        ));
    }
    shut_down(domain, ShutdownReason::CRASH);
}

/// Sets the timer for a domain's next watchdog, or stops it. Its first vCPU's timer serves all.
pub(crate) fn arm_watchdog(domain: &Domain) {
    let next = domain.watchdogs.lock().next();
    let Some(vcpu) = domain.vcpu(hypercalls::ids::VcpuId::new(0)) else { return };
    match next {
        Some(deadline) => vcpu.arm_timer(TimerKind::Watchdog, deadline),
        None => vcpu.cancel_timer(TimerKind::Watchdog),
    }
}

/// The timer of [`arm_watchdog`] fired: ends the domain if it is time, else waits on.
pub(crate) fn watchdog_expired(domain: &Domain) {
    let next = domain.watchdogs.lock().next();
    match next {
        None => return,
        Some(deadline) if deadline > now_ns() => {}
        Some(_) => {
            if domain.lifecycle.lock().shutdown.is_some() {
                return;
            }
            console::write_fmt(format_args!("(XEN) Watchdog timer fired for domain {}\n", domain.id.raw()));
            return shut_down(domain, ShutdownReason::WATCHDOG);
        }
    }
    arm_watchdog(domain);
}

// ---- the machine ----

fn end_machine(reason: ShutdownReason) -> ! {
    let say = |text: &str| console::write_fmt(format_args!("(XEN) Hardware Dom0 {text}\n"));
    match reason {
        ShutdownReason::POWEROFF => {
            say("halted: halting machine");
            halt()
        }
        ShutdownReason::REBOOT => say("shutdown: rebooting machine"),
        ShutdownReason::WATCHDOG => say("shutdown: watchdog rebooting machine"),
        ShutdownReason::SOFT_RESET => say("did unsupported soft reset, rebooting."),
        ShutdownReason::CRASH => after_failure("crashed"),
        ShutdownReason(other) => {
            console::write_fmt(format_args!("(XEN) Hardware Dom0 shutdown, reason {other}\n"));
            after_failure("shutdown");
        }
    }
    power::reset(POLICY.get().and_then(|policy| policy.reset))
}

/// Halts if the command line says so; else returns after a time in which somebody may read the screen.
fn after_failure(what: &str) {
    if POLICY.get().is_some_and(|policy| policy.noreboot) {
        console::write_fmt(format_args!("(XEN) Hardware Dom0 {what}: 'noreboot' set - not rebooting.\n"));
        halt();
    }
    console::write_fmt(format_args!("(XEN) Hardware Dom0 {what}: rebooting machine in 5 seconds.\n"));
    let until = now_ns().saturating_add(REBOOT_DELAY_NS);
    while now_ns() < until {
        sync::relax();
    }
}

/// Stops all domains, then this CPU; the others have nothing left to do.
pub(crate) fn halt() -> ! {
    for domain in table::all() {
        domain.pause();
    }
    loop {
        // Other CPUs may still ask for a flush before they are idle.
        sync::relax();
        instr::sti_hlt_cli();
    }
}
