// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Toolstack operations on the whole host (`sysctl.h`). Those on power management and on CPU features are in the
//! modules below.

use crate::domctl::Getdomaininfo;
use crate::domctl::vcpu::SchedulerId;
use crate::handle::GuestHandle;
use crate::ids::DomId;
use crate::macros::{flags, open_enum, payload};
use zerocopy::{FromBytes, Immutable, IntoBytes};

pub mod cpu;
pub mod power;
mod profile;
mod topology;

pub use profile::{CoverageOp, LivepatchOp, LockprofData, LockprofOp, PerfcDesc, PerfcOp, TbufOp};
pub use topology::{
    CPUPOOL_PAR_ANY, CpupoolCmd, CpupoolOp, Cputopo, Cputopoinfo, INVALID_CORE_ID, INVALID_DEV, INVALID_NODE_ID,
    INVALID_SOCKET_ID, Meminfo, Numainfo, Pcitopoinfo,
};

/// What [`Sysctl::interface_version`] must be.
#[doc(alias = "XEN_SYSCTL_INTERFACE_VERSION")]
pub const SYSCTL_INTERFACE_VERSION: u32 = 0x15;

open_enum! {
    /// [`Sysctl::cmd`].
    pub struct SysctlCmd: u32 {
        /// Reads the console ring ([`Readconsole`]).
        #[doc(alias = "XEN_SYSCTL_readconsole")]
        READCONSOLE = 1,
        /// Trace buffers ([`TbufOp`]).
        #[doc(alias = "XEN_SYSCTL_tbuf_op")]
        TBUF_OP = 2,
        /// Describes the host ([`Physinfo`]).
        #[doc(alias = "XEN_SYSCTL_physinfo")]
        PHYSINFO = 3,
        /// Which scheduler ([`SysctlSchedId`]).
        #[doc(alias = "XEN_SYSCTL_sched_id")]
        SCHED_ID = 4,
        /// Counters ([`PerfcOp`]).
        #[doc(alias = "XEN_SYSCTL_perfc_op")]
        PERFC_OP = 5,
        /// Describes domains ([`Getdomaininfolist`]).
        #[doc(alias = "XEN_SYSCTL_getdomaininfolist")]
        GETDOMAININFOLIST = 6,
        /// Presses debug keys ([`DebugKeys`]).
        #[doc(alias = "XEN_SYSCTL_debug_keys")]
        DEBUG_KEYS = 7,
        /// Idle times ([`Getcpuinfo`]).
        #[doc(alias = "XEN_SYSCTL_getcpuinfo")]
        GETCPUINFO = 8,
        /// Free memory ([`Availheap`]).
        #[doc(alias = "XEN_SYSCTL_availheap")]
        AVAILHEAP = 9,
        /// Power statistics ([`power::GetPmstat`]).
        #[doc(alias = "XEN_SYSCTL_get_pmstat")]
        GET_PMSTAT = 10,
        /// CPUs on and off ([`power::CpuHotplug`]).
        #[doc(alias = "XEN_SYSCTL_cpu_hotplug")]
        CPU_HOTPLUG = 11,
        /// Power management ([`power::PmOp`]).
        #[doc(alias = "XEN_SYSCTL_pm_op")]
        PM_OP = 12,
        /// Takes frames out of use ([`PageOfflineOp`]).
        #[doc(alias = "XEN_SYSCTL_page_offline_op")]
        PAGE_OFFLINE_OP = 14,
        /// Lock profiling ([`LockprofOp`]).
        #[doc(alias = "XEN_SYSCTL_lockprof_op")]
        LOCKPROF_OP = 15,
        /// Cores and sockets ([`Cputopoinfo`]).
        #[doc(alias = "XEN_SYSCTL_cputopoinfo")]
        CPUTOPOINFO = 16,
        /// NUMA nodes ([`Numainfo`]).
        #[doc(alias = "XEN_SYSCTL_numainfo")]
        NUMAINFO = 17,
        /// CPU pools ([`CpupoolOp`]).
        #[doc(alias = "XEN_SYSCTL_cpupool_op")]
        CPUPOOL_OP = 18,
        /// Scheduler parameters ([`SysctlSchedulerOp`]).
        #[doc(alias = "XEN_SYSCTL_scheduler_op")]
        SCHEDULER_OP = 19,
        /// Coverage ([`CoverageOp`]).
        #[doc(alias = "XEN_SYSCTL_coverage_op")]
        COVERAGE_OP = 20,
        /// Cache monitoring ([`cpu::SysctlPsrCmtOp`]).
        #[doc(alias = "XEN_SYSCTL_psr_cmt_op")]
        PSR_CMT_OP = 21,
        /// NUMA nodes of devices ([`Pcitopoinfo`]).
        #[doc(alias = "XEN_SYSCTL_pcitopoinfo")]
        PCITOPOINFO = 22,
        /// Cache allocation ([`cpu::SysctlPsrAlloc`]).
        #[doc(alias = "XEN_SYSCTL_psr_alloc")]
        PSR_ALLOC = 23,
        /// How CPUID can be changed ([`cpu::CpuLevellingCaps`]).
        #[doc(alias = "XEN_SYSCTL_get_cpu_levelling_caps")]
        GET_CPU_LEVELLING_CAPS = 25,
        /// CPUID features ([`cpu::CpuFeatureset`]).
        #[doc(alias = "XEN_SYSCTL_get_cpu_featureset")]
        GET_CPU_FEATURESET = 26,
        /// Live patches ([`LivepatchOp`]).
        #[doc(alias = "XEN_SYSCTL_livepatch_op")]
        LIVEPATCH_OP = 27,
        /// CPUID and MSR policies ([`cpu::SysctlCpuPolicy`]).
        #[doc(alias = "XEN_SYSCTL_get_cpu_policy")]
        GET_CPU_POLICY = 29,
    }
}

/// Argument of `sysctl`.
#[doc(alias = "xen_sysctl")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C, align(8))]
pub struct Sysctl {
    /// What to do.
    pub cmd: SysctlCmd,
    /// [`SYSCTL_INTERFACE_VERSION`].
    pub interface_version: u32,
    /// The operation's own argument.
    pub u: [u8; 128],
}

payload!(Sysctl, u);

/// Argument of [`SysctlCmd::READCONSOLE`].
#[doc(alias = "xen_sysctl_readconsole")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct Readconsole {
    /// In: empties the ring.
    pub clear: u8,
    /// In: starts at `index`.
    pub incremental: u8,
    /// Zero.
    pub pad0: u8,
    /// Zero.
    pub pad1: u8,
    /// In: where to start; out: where to go on.
    pub index: u32,
    /// Out: the text.
    pub buffer: GuestHandle<u8>,
    /// In: room; out: bytes.
    pub count: u32,
    /// Padding.
    pub _pad: [u8; 4],
}

flags! {
    /// [`Physinfo::capabilities`].
    pub struct PhysCaps: u32 {
        /// HVM guests.
        #[doc(alias = "XEN_SYSCTL_PHYSCAP_hvm")]
        HVM = 1 << 0,
        /// PV guests.
        #[doc(alias = "XEN_SYSCTL_PHYSCAP_pv")]
        PV = 1 << 1,
        /// Devices can be given to guests.
        #[doc(alias = "XEN_SYSCTL_PHYSCAP_directio")]
        DIRECTIO = 1 << 2,
        /// Nested paging.
        #[doc(alias = "XEN_SYSCTL_PHYSCAP_hap")]
        HAP = 1 << 3,
        /// Shadow paging.
        #[doc(alias = "XEN_SYSCTL_PHYSCAP_shadow")]
        SHADOW = 1 << 4,
        /// Shared IOMMU tables.
        #[doc(alias = "XEN_SYSCTL_PHYSCAP_iommu_hap_pt_share")]
        IOMMU_HAP_PT_SHARE = 1 << 5,
        /// Processor trace.
        #[doc(alias = "XEN_SYSCTL_PHYSCAP_vmtrace")]
        VMTRACE = 1 << 6,
        /// Performance counters.
        #[doc(alias = "XEN_SYSCTL_PHYSCAP_vpmu")]
        VPMU = 1 << 7,
        /// Grant tables of version 1.
        #[doc(alias = "XEN_SYSCTL_PHYSCAP_gnttab_v1")]
        GNTTAB_V1 = 1 << 8,
        /// Grant tables of version 2.
        #[doc(alias = "XEN_SYSCTL_PHYSCAP_gnttab_v2")]
        GNTTAB_V2 = 1 << 9,
    }
}

/// Argument of [`SysctlCmd::PHYSINFO`]; all out.
#[doc(alias = "xen_sysctl_physinfo")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct Physinfo {
    /// Threads.
    pub threads_per_core: u32,
    /// Cores.
    pub cores_per_socket: u32,
    /// CPUs in use.
    pub nr_cpus: u32,
    /// The largest CPU number.
    pub max_cpu_id: u32,
    /// Nodes in use.
    pub nr_nodes: u32,
    /// The largest node number.
    pub max_node_id: u32,
    /// Clock of the CPUs.
    pub cpu_khz: u32,
    /// What guests can be given.
    pub capabilities: PhysCaps,
    /// Zero.
    pub arch_capabilities: u32,
    /// Zero.
    pub pad: u32,
    /// Frames of RAM.
    pub total_pages: u64,
    /// Frames free.
    pub free_pages: u64,
    /// Frames to be cleared.
    pub scrub_pages: u64,
    /// Frames claimed.
    pub outstanding_pages: u64,
    /// The last frame.
    pub max_mfn: u64,
    /// CPUID feature words: leaf 1 `edx`, `ecx`; 8000_0001 `edx`, `ecx`; d.1 `eax`; 7.0 `ebx`, `ecx`; 8000_0007
    /// `edx`.
    pub hw_cap: [u32; 8],
}

/// Argument of [`SysctlCmd::SCHED_ID`].
#[doc(alias = "xen_sysctl_sched_id")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct SysctlSchedId {
    /// Out.
    pub sched_id: SchedulerId,
}

/// Argument of [`SysctlCmd::GETDOMAININFOLIST`].
#[doc(alias = "xen_sysctl_getdomaininfolist")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct Getdomaininfolist {
    /// In: where to start.
    pub first_domain: DomId,
    /// Padding.
    pub _pad: [u8; 2],
    /// In: room.
    pub max_domains: u32,
    /// Out.
    pub buffer: GuestHandle<Getdomaininfo>,
    /// Out: how many.
    pub num_domains: u32,
    /// Padding.
    pub _pad1: [u8; 4],
}

/// Argument of [`SysctlCmd::DEBUG_KEYS`].
#[doc(alias = "xen_sysctl_debug_keys")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct DebugKeys {
    /// Which.
    pub keys: GuestHandle<u8>,
    /// How many.
    pub nr_keys: u32,
    /// Padding.
    pub _pad: [u8; 4],
}

/// A CPU's idle time.
#[doc(alias = "xen_sysctl_cpuinfo")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct SysctlCpuinfo {
    /// Nanoseconds.
    pub idletime: u64,
}

/// Argument of [`SysctlCmd::GETCPUINFO`].
#[doc(alias = "xen_sysctl_getcpuinfo")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct Getcpuinfo {
    /// In: room.
    pub max_cpus: u32,
    /// Padding.
    pub _pad: [u8; 4],
    /// Out.
    pub info: GuestHandle<SysctlCpuinfo>,
    /// Out: how many.
    pub nr_cpus: u32,
    /// Padding.
    pub _pad1: [u8; 4],
}

/// Argument of [`SysctlCmd::AVAILHEAP`].
#[doc(alias = "xen_sysctl_availheap")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct Availheap {
    /// In: only addresses at least so wide, 0 for all.
    pub min_bitwidth: u32,
    /// In: only addresses at most so wide, 0 for all.
    pub max_bitwidth: u32,
    /// In: only this node, -1 for all.
    pub node: i32,
    /// Padding.
    pub _pad: [u8; 4],
    /// Out.
    pub avail_bytes: u64,
}

/// Argument of [`SysctlCmd::PAGE_OFFLINE_OP`].
#[doc(alias = "xen_sysctl_page_offline_op")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct PageOfflineOp {
    /// 1 offline, 2 online, 3 ask.
    pub cmd: u32,
    /// First frame.
    pub start: u32,
    /// Last frame.
    pub end: u32,
    /// Padding.
    pub _pad: [u8; 4],
    /// Out: one word per frame.
    pub status: GuestHandle<u32>,
}

/// Parameters of the credit scheduler.
#[doc(alias = "xen_sysctl_credit_schedule")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct CreditSchedule {
    /// Time slice in milliseconds.
    pub tslice_ms: u32,
    /// Least time on a CPU in microseconds.
    pub ratelimit_us: u32,
    /// Least time between moves in microseconds.
    pub vcpu_migr_delay_us: u32,
}

/// Parameters of the credit2 scheduler.
#[doc(alias = "xen_sysctl_credit2_schedule")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct Credit2Schedule {
    /// Least time on a CPU in microseconds.
    pub ratelimit_us: u32,
}

/// Argument of [`SysctlCmd::SCHEDULER_OP`].
#[doc(alias = "xen_sysctl_scheduler_op")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C, align(8))]
pub struct SysctlSchedulerOp {
    /// Which pool.
    pub cpupool_id: u32,
    /// Its scheduler.
    pub sched_id: SchedulerId,
    /// 0 set, 1 read.
    pub cmd: u32,
    /// Padding.
    pub _pad: [u8; 4],
    /// [`CreditSchedule`] or [`Credit2Schedule`].
    pub u: [u8; 16],
}

payload!(SysctlSchedulerOp, u);

// The sizes the headers give; every offset is checked by tests/layout.
const _: () = {
    assert!(size_of::<Sysctl>() == 0x88);
    assert!(size_of::<Readconsole>() == 0x18);
    assert!(size_of::<Physinfo>() == 0x70);
    assert!(size_of::<SysctlSchedId>() == 0x4);
    assert!(size_of::<Getdomaininfolist>() == 0x18);
    assert!(size_of::<DebugKeys>() == 0x10);
    assert!(size_of::<SysctlCpuinfo>() == 0x8);
    assert!(size_of::<Getcpuinfo>() == 0x18);
    assert!(size_of::<Availheap>() == 0x18);
    assert!(size_of::<PageOfflineOp>() == 0x18);
    assert!(size_of::<CreditSchedule>() == 0xc);
    assert!(size_of::<Credit2Schedule>() == 0x4);
    assert!(size_of::<SysctlSchedulerOp>() == 0x20);
};
