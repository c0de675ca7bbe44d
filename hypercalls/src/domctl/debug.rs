// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Toolstack operations for debuggers, introspection, monitoring and HVM guests; named here so that each can be
//! refused by name.

use crate::frame::Pfn;
use crate::handle::GuestHandle;
use crate::ids::{DomId, Port, VcpuId};
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// Lets debug traps pause the domain.
#[doc(alias = "xen_domctl_setdebugging")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct Setdebugging {
    /// 1 or 0.
    pub enable: u8,
}

/// Presses a button.
#[doc(alias = "xen_domctl_sendtrigger")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct Sendtrigger {
    /// 0 NMI, 1 reset, 2 INIT, 3 power, 4 sleep.
    pub trigger: u32,
    /// Of which vCPU.
    pub vcpu: VcpuId,
}

/// Obsolete.
#[doc(alias = "xen_domctl_subscribe")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct Subscribe {
    /// Port.
    pub port: Port,
}

/// An HVM guest's devices.
#[doc(alias = "xen_domctl_hvmcontext")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct Hvmcontext {
    /// In: room; out: bytes.
    pub size: u32,
    /// Padding.
    pub _pad: [u8; 4],
    /// The records.
    pub buffer: GuestHandle<u8>,
}

/// One record of them.
#[doc(alias = "xen_domctl_hvmcontext_partial")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct HvmcontextPartial {
    /// Which.
    pub record_type: u32,
    /// Of which.
    pub instance: u32,
    /// In: room; out: bytes.
    pub bufsz: u64,
    /// The record.
    pub buffer: GuestHandle<u8>,
}

/// Single steps.
#[doc(alias = "xen_domctl_debug_op")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct DebugOp {
    /// 0 off, 1 on.
    pub op: u32,
    /// Of which vCPU.
    pub vcpu: VcpuId,
}

/// Reads or writes a domain's memory.
#[doc(alias = "xen_domctl_gdbsx_memio")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct GdbsxMemio {
    /// Page table, or 0.
    pub pgd3val: u64,
    /// The domain's address.
    pub gva: u64,
    /// The caller's address.
    pub uva: u64,
    /// Bytes.
    pub len: u32,
    /// 1 writes.
    pub gwr: u8,
    /// Padding.
    pub _pad: [u8; 3],
    /// Out: bytes not done.
    pub remain: u32,
    /// Padding.
    pub _pad1: [u8; 4],
}

/// Pauses or unpauses a vCPU.
#[doc(alias = "xen_domctl_gdbsx_pauseunp_vcpu")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct GdbsxPauseunpVcpu {
    /// Which.
    pub vcpu: VcpuId,
}

/// Why a domain is paused.
#[doc(alias = "xen_domctl_gdbsx_domstatus")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct GdbsxDomstatus {
    /// Out: it is.
    pub paused: u8,
    /// Padding.
    pub _pad: [u8; 3],
    /// Out: because of this vCPU.
    pub vcpu_id: VcpuId,
    /// Out: by this event.
    pub vcpu_ev: u32,
}

/// Introspection rings.
#[doc(alias = "xen_domctl_vm_event_op")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct VmEventOp {
    /// What.
    pub op: u32,
    /// Which ring.
    pub mode: u32,
    /// Out: port or version.
    pub u: u32,
}

/// Memory sharing.
#[doc(alias = "xen_domctl_mem_sharing_op")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct MemSharingOp {
    /// What.
    pub op: u8,
    /// 1 or 0.
    pub enable: u8,
}

/// Whether a listener is required.
#[doc(alias = "xen_domctl_set_access_required")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct SetAccessRequired {
    /// 1 or 0.
    pub access_required: u8,
}

/// Counts of inconsistent entries; all out.
#[doc(alias = "xen_domctl_audit_p2m")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct AuditP2m {
    /// Frames nobody maps.
    pub orphans: u64,
    /// Bad entries.
    pub m2p_bad: u64,
    /// Bad entries.
    pub p2m_bad: u64,
}

/// A frame that failed.
#[doc(alias = "xen_domctl_set_broken_page_p2m")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct SetBrokenPageP2m {
    /// Which.
    pub pfn: Pfn,
}

/// Frames to write back.
#[doc(alias = "xen_domctl_cacheflush")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct Cacheflush {
    /// First.
    pub start_pfn: Pfn,
    /// How many.
    pub nr_pfns: u64,
}

/// Cache monitoring.
#[doc(alias = "xen_domctl_psr_cmt_op")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct PsrCmtOp {
    /// 0 detach, 1 attach, 2 ask.
    pub cmd: u32,
    /// Out: the id.
    pub data: u32,
}

/// Introspection events.
#[doc(alias = "xen_domctl_monitor_op")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C, align(8))]
pub struct MonitorOp {
    /// 0 enable, 1 disable, 2 capabilities and more.
    pub op: u32,
    /// Which; out: capabilities.
    pub event: u32,
    /// The event's own argument.
    pub u: [u8; 16],
}

/// Cache allocation.
#[doc(alias = "xen_domctl_psr_alloc")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct PsrAlloc {
    /// What.
    pub cmd: u32,
    /// Socket.
    pub target: u32,
    /// In or out.
    pub data: u64,
}

/// A virtual UART; Arm.
#[doc(alias = "xen_domctl_vuart_op")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct VuartOp {
    /// What.
    pub cmd: u32,
    /// Which.
    pub uart_type: u32,
    /// Its page.
    pub gfn: Pfn,
    /// Who serves it.
    pub console_domid: DomId,
    /// Zero.
    pub _pad: [u8; 2],
    /// Out: its port.
    pub evtchn: Port,
}

/// Processor trace.
#[doc(alias = "xen_domctl_vmtrace_op")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct VmtraceOp {
    /// What.
    pub cmd: u32,
    /// Of which vCPU.
    pub vcpu: VcpuId,
    /// Option.
    pub key: u64,
    /// In or out.
    pub value: u64,
}

// The sizes the headers give; every offset is checked by tests/layout.
const _: () = {
    assert!(size_of::<Setdebugging>() == 0x1);
    assert!(size_of::<Sendtrigger>() == 0x8);
    assert!(size_of::<Subscribe>() == 0x4);
    assert!(size_of::<Hvmcontext>() == 0x10);
    assert!(size_of::<HvmcontextPartial>() == 0x18);
    assert!(size_of::<DebugOp>() == 0x8);
    assert!(size_of::<GdbsxMemio>() == 0x28);
    assert!(size_of::<GdbsxPauseunpVcpu>() == 0x4);
    assert!(size_of::<GdbsxDomstatus>() == 0xc);
    assert!(size_of::<VmEventOp>() == 0xc);
    assert!(size_of::<MemSharingOp>() == 0x2);
    assert!(size_of::<SetAccessRequired>() == 0x1);
    assert!(size_of::<AuditP2m>() == 0x18);
    assert!(size_of::<SetBrokenPageP2m>() == 0x8);
    assert!(size_of::<Cacheflush>() == 0x10);
    assert!(size_of::<PsrCmtOp>() == 0x8);
    assert!(size_of::<MonitorOp>() == 0x18);
    assert!(size_of::<PsrAlloc>() == 0x10);
    assert!(size_of::<VuartOp>() == 0x18);
    assert!(size_of::<VmtraceOp>() == 0x18);
};
