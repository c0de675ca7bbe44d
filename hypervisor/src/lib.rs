// SPDX-License-Identifier: MIT OR Apache-2.0
//! The Xenolith hypervisor.
#![no_std]

extern crate alloc;

pub(crate) mod boot;
pub(crate) mod mm;
pub(crate) mod x86;
pub(crate) mod time;
