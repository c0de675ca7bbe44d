// SPDX-License-Identifier: MIT OR Apache-2.0
//! Numbers of the model-specific registers the platform code uses (Intel SDM volume 4, AMD APM volume 2 appendix A).
#![forbid(unsafe_code)]

/// Base and enable bits of the local APIC.
pub(crate) const APIC_BASE: u32 = 0x1b;
/// Deadline of the APIC timer, in TSC ticks.
pub(crate) const TSC_DEADLINE: u32 = 0x6e0;
/// First x2APIC register; register offset / 16 is added.
pub(crate) const X2APIC_BASE: u32 = 0x800;
/// Page attribute table.
pub(crate) const PAT: u32 = 0x277;
/// Extended features: SCE, LME, LMA, NXE.
pub(crate) const EFER: u32 = 0xc000_0080;
/// Selectors of SYSCALL and SYSRET.
pub(crate) const STAR: u32 = 0xc000_0081;
/// 64-bit SYSCALL entry.
pub(crate) const LSTAR: u32 = 0xc000_0082;
/// Compatibility-mode SYSCALL entry.
pub(crate) const CSTAR: u32 = 0xc000_0083;
/// RFLAGS bits SYSCALL clears.
pub(crate) const SFMASK: u32 = 0xc000_0084;
/// FS base.
pub(crate) const FS_BASE: u32 = 0xc000_0100;
/// GS base.
pub(crate) const GS_BASE: u32 = 0xc000_0101;
/// What SWAPGS brings in.
pub(crate) const KERNEL_GS_BASE: u32 = 0xc000_0102;
/// Value RDTSCP and RDPID report.
pub(crate) const TSC_AUX: u32 = 0xc000_0103;
/// SYSENTER code selector.
pub(crate) const SYSENTER_CS: u32 = 0x174;
/// SYSENTER stack.
pub(crate) const SYSENTER_ESP: u32 = 0x175;
/// SYSENTER entry.
pub(crate) const SYSENTER_EIP: u32 = 0x176;
