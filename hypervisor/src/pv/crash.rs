// SPDX-License-Identifier: MIT OR Apache-2.0
//! The end of a domain that did what no guest may survive: a report, then the shutdown.
#![forbid(unsafe_code)]

use hypercalls::sched::ShutdownReason;

use crate::domain::shutdown;
use crate::domain::vcpu::{Vcpu, VcpuState};
use crate::pv::crash_report;

/// A vCPU has brought its domain to an end: says why and what it was doing, once, and shuts the domain down (`SHUTDOWN_crash`).
pub(crate) fn domain(vcpu: &Vcpu, state: &VcpuState, reason: &str) {
    let is_first = vcpu.domain.lifecycle.lock().shutdown().is_none();
    if is_first {
        crash_report::print(vcpu, state, reason);
    }
    shutdown::shut_down(&vcpu.domain, ShutdownReason::CRASH);
}
