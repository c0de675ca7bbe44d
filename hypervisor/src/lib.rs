// SPDX-License-Identifier: MIT OR Apache-2.0
//! The Xenolith hypervisor: a library tested on the host, and a thin kernel binary over it.
#![no_std]

extern crate alloc;

pub(crate) mod boot;
pub(crate) mod budget;
pub(crate) mod config;
pub(crate) mod console;
pub(crate) mod domain;
pub(crate) mod ending;
pub(crate) mod entry;
pub(crate) mod hypercall;
pub(crate) mod irq;
pub(crate) mod keys;
pub(crate) mod latency;
pub(crate) mod mm;
pub mod panic;
pub(crate) mod pv;
pub(crate) mod run;
pub(crate) mod sched;
pub(crate) mod sync;
pub(crate) mod time;
pub(crate) mod x86;
