// SPDX-License-Identifier: MIT OR Apache-2.0
//! Scheduling units and deadlines; knows nothing of domains.
#![forbid(unsafe_code)]

pub(crate) mod runstate;
pub(crate) mod affinity;
pub(crate) mod credit;
pub(crate) mod runqueue;
