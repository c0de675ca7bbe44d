// SPDX-License-Identifier: MIT OR Apache-2.0
//! Hypercalls at the boundary: copy arguments, resolve, check rights, call the subsystem, write results back.
#![forbid(unsafe_code)]

pub(crate) mod callback_op;
pub(crate) mod census;
pub(crate) mod console_io;
pub(crate) mod cpu_policy;
pub(crate) mod dispatch;
pub(crate) mod domctl;
pub(crate) mod event_channel_op;
pub(crate) mod grant_table_op;
pub(crate) mod hypfs_op;
pub(crate) mod mca;
pub(crate) mod memory_exchange;
pub(crate) mod memory_op;
pub(crate) mod memory_reservation;
pub(crate) mod mmu;
pub(crate) mod multicall;
pub(crate) mod physdev_op;
pub(crate) mod platform_efi;
pub(crate) mod platform_firmware;
pub(crate) mod platform_op;
pub(crate) mod pv_state;
pub(crate) mod refused;
pub(crate) mod sched_op;
pub(crate) mod sysctl;
pub(crate) mod vcpu_op;
pub(crate) mod version;

pub(crate) use crate::pv::call::{Args, Cx, Fault, HypercallResult, Outcome};
