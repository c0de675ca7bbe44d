// SPDX-License-Identifier: MIT OR Apache-2.0
//! How domains end by themselves: shutdown, watchdog, and after a crash (`pv/crash.rs`). The end of the first domain is the
//! end of the machine.
#![forbid(unsafe_code)]

use hypercalls::ids::{DomId, VcpuId, Virq};
use hypercalls::sched::ShutdownReason;

use crate::domain::{Domain, events};
use crate::time::system::now_ns;
use crate::time::timer::TimerKind;
use crate::{console, ending};

/// Ends a domain: its vCPUs stop, the control domain is told. The first reason counts. Does not return for the first domain.
pub(crate) fn shut_down(domain: &Domain, reason: ShutdownReason) {
    let Some(reason) = domain.lifecycle.lock().shut_down(reason) else { return };
    if domain.id == DomId::DOM0 {
        end_machine(reason);
    }
    domain.pause();
    events::notify_global_virq(Virq::DOM_EXC);
}

/// XEN_DOMCTL_resumedomain: lets a domain that was shut down go on. Nothing happens to others.
pub(crate) fn resume(domain: &Domain) {
    if domain.lifecycle.lock().resume() {
        domain.unpause();
    }
}

/// Sets the timer for a domain's next watchdog, or stops it. Its first vCPU's timer serves all.
pub(crate) fn arm_watchdog(domain: &Domain) {
    let next = domain.watchdogs.lock().next();
    let Some(vcpu) = domain.vcpu(VcpuId::new(0)) else { return };
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
            if domain.lifecycle.lock().shutdown().is_some() {
                return;
            }
            console::line(format_args!("Watchdog timer fired for domain {}", domain.id.raw()));
            return shut_down(domain, ShutdownReason::WATCHDOG);
        }
    }
    arm_watchdog(domain);
}

// ---- the machine ----

/// In Xen's words, which tools and people look for.
fn end_machine(reason: ShutdownReason) -> ! {
    let say = |text: &str| console::line(format_args!("Hardware Dom0 {text}"));
    match reason {
        ShutdownReason::POWEROFF => {
            say("halted: halting machine");
            ending::halt()
        }
        ShutdownReason::REBOOT => say("shutdown: rebooting machine"),
        ShutdownReason::WATCHDOG => say("shutdown: watchdog rebooting machine"),
        ShutdownReason::SOFT_RESET => say("did unsupported soft reset, rebooting."),
        ShutdownReason::CRASH => ending::after_failure(format_args!("Hardware Dom0 crashed")),
        ShutdownReason(other) => ending::after_failure(format_args!("Hardware Dom0 shutdown, reason {other}")),
    }
    ending::restart()
}
