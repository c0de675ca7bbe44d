// SPDX-License-Identifier: MIT OR Apache-2.0
#![doc = include_str!("../README.md")]
#![no_std]
#![forbid(unsafe_code)]

mod macros;
mod payload;

pub mod callback;
pub mod console;
pub mod domctl;
pub mod elfnote;
pub mod errno;
pub mod event_channel;
pub mod frame;
pub mod grant_table;
pub mod handle;
pub mod hvm_op;
pub mod hypfs;
pub mod ids;
pub mod io;
pub mod mca;
pub mod memory;
pub mod mmu;
pub mod multicall;
pub mod nmi;
pub mod number;
pub mod physdev;
pub mod platform;
pub mod pmu;
pub mod sched;
pub mod shared_info;
pub mod start_info;
pub mod sysctl;
pub mod trap;
pub mod vcpu;
pub mod version;
pub mod vm_assist;

pub use errno::Errno;
pub use frame::{Mfn, PAGE_SHIFT, PAGE_SIZE, Pfn};
pub use handle::GuestHandle;
pub use ids::{DomId, GrantHandle, GrantRef, Pirq, Port, VcpuId, Virq};
pub use number::HypercallNumber;
