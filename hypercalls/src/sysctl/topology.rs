// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Cores, nodes and CPU pools.

use crate::domctl::XenctlBitmap;
use crate::domctl::vcpu::SchedulerId;
use crate::handle::GuestHandle;
use crate::macros::open_enum;
use crate::physdev::PhysdevPciDevice;
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// [`Cputopo::core`] of a CPU that does not exist.
#[doc(alias = "XEN_INVALID_CORE_ID")]
pub const INVALID_CORE_ID: u32 = 0xffff_ffff;
/// [`Cputopo::socket`] of a CPU that does not exist.
#[doc(alias = "XEN_INVALID_SOCKET_ID")]
pub const INVALID_SOCKET_ID: u32 = 0xffff_ffff;
/// [`Cputopo::node`] of a CPU that does not exist.
#[doc(alias = "XEN_INVALID_NODE_ID")]
pub const INVALID_NODE_ID: u32 = 0xffff_ffff;

/// In [`Pcitopoinfo::nodes`]: the hypervisor knows no such device.
#[doc(alias = "XEN_INVALID_DEV")]
pub const INVALID_DEV: u32 = INVALID_NODE_ID - 1;

/// Where a CPU is.
#[doc(alias = "xen_sysctl_cputopo")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct Cputopo {
    /// Core in the socket.
    pub core: u32,
    /// Socket.
    pub socket: u32,
    /// NUMA node.
    pub node: u32,
}

/// Argument of [`super::SysctlCmd::CPUTOPOINFO`].
#[doc(alias = "xen_sysctl_cputopoinfo")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct Cputopoinfo {
    /// In: room; out: CPUs.
    pub num_cpus: u32,
    /// Padding.
    pub _pad: [u8; 4],
    /// Out; null asks for the number.
    pub cputopo: GuestHandle<Cputopo>,
}

/// A node's memory.
#[doc(alias = "xen_sysctl_meminfo")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct Meminfo {
    /// Bytes.
    pub memsize: u64,
    /// Bytes.
    pub memfree: u64,
}

/// Argument of [`super::SysctlCmd::NUMAINFO`].
#[doc(alias = "xen_sysctl_numainfo")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct Numainfo {
    /// In: room; out: nodes.
    pub num_nodes: u32,
    /// Padding.
    pub _pad: [u8; 4],
    /// Out: memory of each.
    pub meminfo: GuestHandle<Meminfo>,
    /// Out: a square of distances.
    pub distance: GuestHandle<u32>,
}

open_enum! {
    /// [`CpupoolOp::op`].
    pub struct CpupoolCmd: u32 {
        /// Makes one.
        #[doc(alias = "XEN_SYSCTL_CPUPOOL_OP_CREATE")]
        CREATE = 1,
        /// Removes it.
        #[doc(alias = "XEN_SYSCTL_CPUPOOL_OP_DESTROY")]
        DESTROY = 2,
        /// Describes it, or the next.
        #[doc(alias = "XEN_SYSCTL_CPUPOOL_OP_INFO")]
        INFO = 3,
        /// Adds a CPU.
        #[doc(alias = "XEN_SYSCTL_CPUPOOL_OP_ADDCPU")]
        ADDCPU = 4,
        /// Removes a CPU.
        #[doc(alias = "XEN_SYSCTL_CPUPOOL_OP_RMCPU")]
        RMCPU = 5,
        /// Moves a domain there.
        #[doc(alias = "XEN_SYSCTL_CPUPOOL_OP_MOVEDOMAIN")]
        MOVEDOMAIN = 6,
        /// CPUs in no pool.
        #[doc(alias = "XEN_SYSCTL_CPUPOOL_OP_FREEINFO")]
        FREEINFO = 7,
    }
}

/// Any pool, any CPU.
#[doc(alias = "XEN_SYSCTL_CPUPOOL_PAR_ANY")]
pub const CPUPOOL_PAR_ANY: u32 = 0xffff_ffff;

/// Argument of [`super::SysctlCmd::CPUPOOL_OP`].
#[doc(alias = "xen_sysctl_cpupool_op")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct CpupoolOp {
    /// In: what.
    pub op: CpupoolCmd,
    /// In and out: which.
    pub cpupool_id: u32,
    /// In and out: its scheduler.
    pub sched_id: SchedulerId,
    /// In: which domain.
    pub domid: u32,
    /// In: which CPU.
    pub cpu: u32,
    /// Out: domains in it.
    pub n_dom: u32,
    /// Out: CPUs in it.
    pub cpumap: XenctlBitmap,
}

/// Argument of [`super::SysctlCmd::PCITOPOINFO`].
#[doc(alias = "xen_sysctl_pcitopoinfo")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct Pcitopoinfo {
    /// In: how many; out: how many were done.
    pub num_devs: u32,
    /// Padding.
    pub _pad: [u8; 4],
    /// In: which.
    pub devs: GuestHandle<PhysdevPciDevice>,
    /// Out: their nodes.
    pub nodes: GuestHandle<u32>,
}

// The sizes the headers give; every offset is checked by tests/layout.
const _: () = {
    assert!(size_of::<Cputopo>() == 0xc);
    assert!(size_of::<Cputopoinfo>() == 0x10);
    assert!(size_of::<Meminfo>() == 0x10);
    assert!(size_of::<Numainfo>() == 0x18);
    assert!(size_of::<CpupoolOp>() == 0x28);
    assert!(size_of::<Pcitopoinfo>() == 0x18);
};
