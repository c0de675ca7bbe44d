// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Toolstack operations on vCPUs.

use crate::domctl::XenctlBitmap;
use crate::handle::GuestHandle;
use crate::ids::VcpuId;
use crate::macros::{flags, open_enum, payload};
use crate::vcpu::VcpuGuestContext;
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// A vCPU's state.
#[doc(alias = "xen_domctl_vcpucontext")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct Vcpucontext {
    /// Which.
    pub vcpu: VcpuId,
    /// Padding.
    pub _pad: [u8; 4],
    /// The state; null when setting resets the vCPU.
    pub ctxt: GuestHandle<VcpuGuestContext>,
}

/// What a vCPU does.
#[doc(alias = "xen_domctl_getvcpuinfo")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct Getvcpuinfo {
    /// In: which.
    pub vcpu: VcpuId,
    /// Out: it is up.
    pub online: u8,
    /// Out: it waits.
    pub blocked: u8,
    /// Out: it is on a CPU.
    pub running: u8,
    /// Padding.
    pub _pad: [u8; 1],
    /// Out: nanoseconds it ran.
    pub cpu_time: u64,
    /// Out: its CPU.
    pub cpu: u32,
    /// Padding.
    pub _pad1: [u8; 4],
}

flags! {
    /// [`Vcpuaffinity::flags`].
    pub struct AffinityFlags: u32 {
        /// Where it may run.
        #[doc(alias = "XEN_VCPUAFFINITY_HARD")]
        HARD = 1 << 0,
        /// Where it should run.
        #[doc(alias = "XEN_VCPUAFFINITY_SOFT")]
        SOFT = 1 << 1,
        /// Undoes a temporary pin.
        #[doc(alias = "XEN_VCPUAFFINITY_FORCE")]
        FORCE = 1 << 2,
    }
}

/// Where a vCPU runs.
#[doc(alias = "xen_domctl_vcpuaffinity")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct Vcpuaffinity {
    /// Which.
    pub vcpu: VcpuId,
    /// Which of the two count.
    pub flags: AffinityFlags,
    /// Where it may run; out: the result.
    pub cpumap_hard: XenctlBitmap,
    /// Where it should run; out: the result.
    pub cpumap_soft: XenctlBitmap,
}

open_enum! {
    /// Which scheduler.
    pub struct SchedulerId: u32 {
        /// Credit.
        #[doc(alias = "XEN_SCHEDULER_CREDIT")]
        CREDIT = 5,
        /// Credit2, the default.
        #[doc(alias = "XEN_SCHEDULER_CREDIT2")]
        CREDIT2 = 6,
        /// ARINC 653.
        #[doc(alias = "XEN_SCHEDULER_ARINC653")]
        ARINC653 = 7,
        /// Real time.
        #[doc(alias = "XEN_SCHEDULER_RTDS")]
        RTDS = 8,
        /// One CPU per vCPU.
        #[doc(alias = "XEN_SCHEDULER_NULL")]
        NULL = 9,
    }
}

open_enum! {
    /// [`SchedulerOp::cmd`].
    pub struct SchedulerCmd: u32 {
        /// Sets a domain's parameters.
        #[doc(alias = "XEN_DOMCTL_SCHEDOP_putinfo")]
        PUTINFO = 0,
        /// Reads them.
        #[doc(alias = "XEN_DOMCTL_SCHEDOP_getinfo")]
        GETINFO = 1,
        /// Sets vCPUs' parameters.
        #[doc(alias = "XEN_DOMCTL_SCHEDOP_putvcpuinfo")]
        PUTVCPUINFO = 2,
        /// Reads them.
        #[doc(alias = "XEN_DOMCTL_SCHEDOP_getvcpuinfo")]
        GETVCPUINFO = 3,
    }
}

/// Parameters of the credit schedulers.
#[doc(alias = "xen_domctl_sched_credit")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct SchedCredit {
    /// Share, 1 to 65535; 256 is usual.
    pub weight: u16,
    /// Limit in percent of a CPU, 0 for none.
    pub cap: u16,
}

/// Parameters of the real-time scheduler.
#[doc(alias = "xen_domctl_sched_rtds")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct SchedRtds {
    /// Microseconds.
    pub period: u32,
    /// Microseconds.
    pub budget: u32,
    /// Bit 0: may use spare time.
    pub flags: u32,
}

/// A vCPU's parameters.
#[doc(alias = "xen_domctl_schedparam_vcpu")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct SchedparamVcpu {
    /// [`SchedCredit`] or [`SchedRtds`].
    pub u: [u8; 12],
    /// Which.
    pub vcpuid: VcpuId,
}

/// [`SchedulerOp::u`] for vCPUs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct SchedVcpus {
    /// Which and what.
    pub vcpus: GuestHandle<SchedparamVcpu>,
    /// How many.
    pub nr_vcpus: u32,
    /// Zero.
    pub padding: u32,
}

/// Scheduling parameters.
#[doc(alias = "xen_domctl_scheduler_op")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C, align(8))]
pub struct SchedulerOp {
    /// Of which scheduler.
    pub sched_id: SchedulerId,
    /// What to do.
    pub cmd: SchedulerCmd,
    /// [`SchedCredit`], [`SchedRtds`] or [`SchedVcpus`].
    pub u: [u8; 16],
}

payload!(SchedulerOp, u);

/// More of a vCPU's state.
#[doc(alias = "xen_domctl_ext_vcpucontext")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct ExtVcpucontext {
    /// Which.
    pub vcpu: VcpuId,
    /// Bytes that count, from the start of the struct.
    pub size: u32,
    /// 32-bit syscall entry point.
    pub syscall32_callback_eip: u64,
    /// Sysenter entry point.
    pub sysenter_callback_eip: u64,
    /// Its selector.
    pub syscall32_callback_cs: u16,
    /// Its selector.
    pub sysenter_callback_cs: u16,
    /// It masks events.
    pub syscall32_disables_events: u8,
    /// It masks events.
    pub sysenter_disables_events: u8,
    /// Padding.
    pub _pad: [u8; 2],
    /// Machine-check state: capabilities, MCi_CTL2 of banks 0 and 1, MCG_EXT_CTL.
    pub vmce: [u64; 4],
}

/// A vCPU's XSAVE state.
#[doc(alias = "xen_domctl_vcpuextstate")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct Vcpuextstate {
    /// Which.
    pub vcpu: VcpuId,
    /// Padding.
    pub _pad: [u8; 4],
    /// Components.
    pub xfeature_mask: u64,
    /// In: room, 0 asks; out: size in bytes.
    pub size: u64,
    /// xcr0, xcr0_accum, then the XSAVE area.
    pub buffer: GuestHandle<u8>,
}

/// An MSR of a vCPU.
#[doc(alias = "xen_domctl_vcpu_msr")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct VcpuMsr {
    /// Number.
    pub index: u32,
    /// Zero.
    pub reserved: u32,
    /// Value.
    pub value: u64,
}

/// A vCPU's MSRs.
#[doc(alias = "xen_domctl_vcpu_msrs")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct VcpuMsrs {
    /// Which.
    pub vcpu: VcpuId,
    /// In: room or entries; out: entries.
    pub msr_count: u32,
    /// MSRs.
    pub msrs: GuestHandle<VcpuMsr>,
}

// The sizes the headers give; every offset is checked by tests/layout.
const _: () = {
    assert!(size_of::<Vcpucontext>() == 0x10);
    assert!(size_of::<Getvcpuinfo>() == 0x18);
    assert!(size_of::<Vcpuaffinity>() == 0x28);
    assert!(size_of::<SchedCredit>() == 0x4);
    assert!(size_of::<SchedRtds>() == 0xc);
    assert!(size_of::<SchedparamVcpu>() == 0x10);
    assert!(size_of::<SchedVcpus>() == 0x10);
    assert!(size_of::<SchedulerOp>() == 0x18);
    assert!(size_of::<ExtVcpucontext>() == 0x40);
    assert!(size_of::<Vcpuextstate>() == 0x20);
    assert!(size_of::<VcpuMsr>() == 0x10);
    assert!(size_of::<VcpuMsrs>() == 0x10);
};
