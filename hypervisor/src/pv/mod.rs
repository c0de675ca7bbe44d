// SPDX-License-Identifier: MIT OR Apache-2.0
//! Guest-visible CPU and MMU behaviour.

pub(crate) mod bounce;
pub(crate) mod call;
pub(crate) mod context;
pub(crate) mod cpuid_policy;
pub(crate) mod cpuid_view;
pub(crate) mod crash;
pub(crate) mod crash_report;
pub(crate) mod debug_regs;
pub(crate) mod decode;
pub(crate) mod decode_write;
pub(crate) mod descriptor;
pub(crate) mod emulate;
pub(crate) mod grant_copy;
pub(crate) mod grant_map;
pub(crate) mod grant_transfer;
pub(crate) mod hypercall_page;
pub(crate) mod io;
pub(crate) mod iret;
pub(crate) mod mmu_update;
pub(crate) mod msr_policy;
pub(crate) mod promote;
pub(crate) mod rmw;
pub(crate) mod ro_fault;
pub(crate) mod segment;
pub(crate) mod switch;
pub(crate) mod teardown;
pub(crate) mod traps;
pub(crate) mod validate;
pub(crate) mod walk;
