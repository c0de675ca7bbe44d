// SPDX-License-Identifier: MIT OR Apache-2.0
//! Every compile-time limit.
#![forbid(unsafe_code)]

/// Physical CPUs used at most; entry.S holds one system call stub for each.
pub(crate) const MAX_CPUS: usize = 64;
/// Virtual CPUs of one domain at most. The shared info page has room for 32; above, vcpu_info must be registered first.
pub(crate) const MAX_VCPUS: u32 = 128;
/// vCPUs whose vcpu_info lies in the shared info page (`XEN_LEGACY_MAX_VCPUS`).
pub(crate) const LEGACY_MAX_VCPUS: u32 = 32;
/// Physical interrupts (pirqs) one domain can bind to event channels.
pub(crate) const MAX_PIRQS: u32 = 1024;
/// Size and alignment of a CPU's private block: its data, its interrupt stacks, its stack.
pub(crate) const CPU_BLOCK_BYTES: usize = 64 * 1024;
/// Page-table entries looked at before a long operation asks whether it should be continued later. One costs some 45 instructions, and
/// interrupts shall not be off for more than 60,000 (`cargo xtask bench latency`).
pub(crate) const PREEMPT_ENTRIES: u32 = 768;
/// The Xen version whose ABI this is.
pub(crate) const MAJOR_VERSION: u64 = 4;
/// See [`MAJOR_VERSION`].
pub(crate) const MINOR_VERSION: u64 = 17;
/// Extra version after 4.17 (`XENVER_extraversion`).
pub(crate) const EXTRA_VERSION: &str = "-xenolith";
