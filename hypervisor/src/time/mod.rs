// SPDX-License-Identifier: MIT OR Apache-2.0
//! Time: the system clock, timers, and the date. System time is nanoseconds since the hypervisor's boot.
#![forbid(unsafe_code)]

pub(crate) mod clock;
pub(crate) mod deadline;
pub(crate) mod guest_time;
pub(crate) mod synchrony;
pub(crate) mod system;
pub(crate) mod timer;
pub(crate) mod wallclock;
