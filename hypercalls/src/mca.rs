// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Machine checks (`arch-x86/xen-mca.h`): the head of the call, and the operations a control domain's kernel uses.

use crate::handle::GuestHandle;
use crate::macros::{open_enum, payload};
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// What [`Mc::interface_version`] must be.
#[doc(alias = "XEN_MCA_INTERFACE_VERSION")]
pub const MCA_INTERFACE_VERSION: u32 = 0x01ec_c003;

open_enum! {
    /// [`Mc::cmd`].
    pub struct McaCmd: u32 {
        /// Takes a record.
        #[doc(alias = "XEN_MC_fetch")]
        FETCH = 1,
        /// A domain was told.
        #[doc(alias = "XEN_MC_notifydomain")]
        NOTIFYDOMAIN = 2,
        /// Describes the CPUs.
        #[doc(alias = "XEN_MC_physcpuinfo")]
        PHYSCPUINFO = 3,
        /// For tests.
        #[doc(alias = "XEN_MC_msrinject")]
        MSRINJECT = 4,
        /// For tests.
        #[doc(alias = "XEN_MC_mceinject")]
        MCEINJECT = 5,
        /// For tests.
        #[doc(alias = "XEN_MC_inject_v2")]
        INJECT_V2 = 6,
    }
}

/// Argument of the machine-check call.
#[doc(alias = "xen_mc")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C, align(8))]
pub struct Mc {
    /// What to do.
    pub cmd: McaCmd,
    /// [`MCA_INTERFACE_VERSION`].
    pub interface_version: u32,
    /// The operation's own argument.
    pub u: [u8; 144],
}

payload!(Mc, u);

/// [`McFetch::flags`], out: there is no record.
#[doc(alias = "XEN_MC_NODATA")]
pub const MC_NODATA: u32 = 2;

/// Argument of [`McaCmd::FETCH`].
#[doc(alias = "xen_mc_fetch")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct McFetch {
    /// In: which queue, or an acknowledgement. Out: what came of it.
    pub flags: u32,
    /// Padding.
    pub _pad0: u32,
    /// Identifies the record between fetch and acknowledgement.
    pub fetch_id: u64,
    /// Out: the record (`struct mc_info`).
    pub data: GuestHandle<u8>,
}

/// Argument of [`McaCmd::PHYSCPUINFO`].
#[doc(alias = "xen_mc_physcpuinfo")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct McPhyscpuinfo {
    /// In: room in `info`. Out: CPUs there are.
    pub ncpus: u32,
    /// Padding.
    pub _pad0: u32,
    /// Out: one element a CPU; null to ask for the number only.
    pub info: GuestHandle<McLogicalCpu>,
}

/// A register and its value.
#[doc(alias = "mcinfo_msr")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct McMsr {
    /// Number.
    pub reg: u64,
    /// Contents.
    pub value: u64,
}

/// A CPU as the machine-check call describes it.
#[doc(alias = "mcinfo_logical_cpu")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct McLogicalCpu {
    /// CPU number.
    pub mc_cpunr: u32,
    /// Socket.
    pub mc_chipid: u32,
    /// Core within the socket.
    pub mc_coreid: u16,
    /// Thread within the core.
    pub mc_threadid: u16,
    /// Local APIC id.
    pub mc_apicid: u32,
    /// Cluster.
    pub mc_clusterid: u32,
    /// Cores.
    pub mc_ncores: u32,
    /// Cores in use.
    pub mc_ncores_active: u32,
    /// Threads.
    pub mc_nthreads: u32,
    /// Highest basic CPUID leaf.
    pub mc_cpuid_level: i32,
    /// Family.
    pub mc_family: u32,
    /// Vendor, as Xen numbers them.
    pub mc_vendor: u32,
    /// Model.
    pub mc_model: u32,
    /// Stepping.
    pub mc_step: u32,
    /// Vendor string, NUL-terminated.
    pub mc_vendorid: [u8; 16],
    /// Brand string.
    pub mc_brandid: [u8; 64],
    /// Feature words.
    pub mc_cpu_caps: [u32; 7],
    /// Cache size in KiB.
    pub mc_cache_size: u32,
    /// Cache line.
    pub mc_cache_alignment: u32,
    /// Elements of `mc_msrvalues` that are used.
    pub mc_nmsrvals: i32,
    /// Padding.
    pub _pad: [u8; 4],
    /// Machine-check registers.
    pub mc_msrvalues: [McMsr; 8],
}

// The sizes the headers give; every offset is checked by tests/layout.
const _: () = {
    assert!(size_of::<Mc>() == 0x98);
    assert!(size_of::<McFetch>() == 0x18);
    assert!(size_of::<McPhyscpuinfo>() == 0x10);
    assert!(size_of::<McLogicalCpu>() == 0x130);
};
