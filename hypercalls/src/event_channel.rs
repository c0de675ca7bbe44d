// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Event channels (`event_channel.h`): numbered one-bit signals between domains, from virtual and physical
//! interrupts, and between vCPUs.

use crate::frame::Mfn;
use crate::ids::{DomId, Pirq, Port, VcpuId, Virq};
use crate::macros::{flags, open_enum, payload};
use zerocopy::{FromBytes, Immutable, IntoBytes};

open_enum! {
    /// Sub-operations of `event_channel_op` (first argument).
    pub struct EventChannelOp: u32 {
        /// Connects to a port another domain offered. Argument [`EvtchnBindInterdomain`].
        #[doc(alias = "EVTCHNOP_bind_interdomain")]
        BIND_INTERDOMAIN = 0,
        /// Receives a virtual interrupt. Argument [`EvtchnBindVirq`].
        #[doc(alias = "EVTCHNOP_bind_virq")]
        BIND_VIRQ = 1,
        /// Receives a physical interrupt. Argument [`EvtchnBindPirq`].
        #[doc(alias = "EVTCHNOP_bind_pirq")]
        BIND_PIRQ = 2,
        /// Closes a port. Argument [`EvtchnClose`].
        #[doc(alias = "EVTCHNOP_close")]
        CLOSE = 3,
        /// Signals the other end. Argument [`EvtchnSend`].
        #[doc(alias = "EVTCHNOP_send")]
        SEND = 4,
        /// Describes a port. Argument [`EvtchnStatus`].
        #[doc(alias = "EVTCHNOP_status")]
        STATUS = 5,
        /// Makes a port another domain may connect to. Argument [`EvtchnAllocUnbound`].
        #[doc(alias = "EVTCHNOP_alloc_unbound")]
        ALLOC_UNBOUND = 6,
        /// Makes a port for signals between the domain's own vCPUs. Argument [`EvtchnBindIpi`].
        #[doc(alias = "EVTCHNOP_bind_ipi")]
        BIND_IPI = 7,
        /// Chooses the vCPU that is notified. Argument [`EvtchnBindVcpu`].
        #[doc(alias = "EVTCHNOP_bind_vcpu")]
        BIND_VCPU = 8,
        /// Unmasks a port and delivers what is pending. Argument [`EvtchnUnmask`].
        #[doc(alias = "EVTCHNOP_unmask")]
        UNMASK = 9,
        /// Closes all ports of a domain. Argument [`EvtchnReset`].
        #[doc(alias = "EVTCHNOP_reset")]
        RESET = 10,
        /// Starts the FIFO ABI on a vCPU. Argument [`EvtchnInitControl`].
        #[doc(alias = "EVTCHNOP_init_control")]
        INIT_CONTROL = 11,
        /// Adds a page of FIFO event words. Argument [`EvtchnExpandArray`].
        #[doc(alias = "EVTCHNOP_expand_array")]
        EXPAND_ARRAY = 12,
        /// Sets a port's FIFO priority. Argument [`EvtchnSetPriority`].
        #[doc(alias = "EVTCHNOP_set_priority")]
        SET_PRIORITY = 13,
    }
}

/// Argument of [`EventChannelOp::ALLOC_UNBOUND`].
#[doc(alias = "evtchn_alloc_unbound")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct EvtchnAllocUnbound {
    /// In: whose port; [`DomId::SELF`] unless privileged.
    pub dom: DomId,
    /// In: who may connect.
    pub remote_dom: DomId,
    /// Out: the new port.
    pub port: Port,
}

/// Argument of [`EventChannelOp::BIND_INTERDOMAIN`].
#[doc(alias = "evtchn_bind_interdomain")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct EvtchnBindInterdomain {
    /// In: who offered the port.
    pub remote_dom: DomId,
    /// Padding.
    pub _pad: [u8; 2],
    /// In: the offered port.
    pub remote_port: Port,
    /// Out: the caller's end.
    pub local_port: Port,
}

/// Argument of [`EventChannelOp::BIND_VIRQ`].
#[doc(alias = "evtchn_bind_virq")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct EvtchnBindVirq {
    /// In: which virtual interrupt.
    pub virq: Virq,
    /// In: for which vCPU; 0 for a global one.
    pub vcpu: VcpuId,
    /// Out: the new port.
    pub port: Port,
}

flags! {
    /// Flags of [`EvtchnBindPirq`].
    pub struct BindPirqFlags: u32 {
        /// The guest can share the line with others.
        #[doc(alias = "BIND_PIRQ__WILL_SHARE")]
        WILL_SHARE = 1,
    }
}

/// Argument of [`EventChannelOp::BIND_PIRQ`].
#[doc(alias = "evtchn_bind_pirq")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct EvtchnBindPirq {
    /// In: which interrupt.
    pub pirq: Pirq,
    /// In: whether it may be shared.
    pub flags: BindPirqFlags,
    /// Out: the new port.
    pub port: Port,
}

/// Argument of [`EventChannelOp::BIND_IPI`].
#[doc(alias = "evtchn_bind_ipi")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct EvtchnBindIpi {
    /// In: the vCPU to be notified.
    pub vcpu: VcpuId,
    /// Out: the new port.
    pub port: Port,
}

/// Argument of [`EventChannelOp::CLOSE`].
#[doc(alias = "evtchn_close")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct EvtchnClose {
    /// In: the port to close.
    pub port: Port,
}

/// Argument of [`EventChannelOp::SEND`].
#[doc(alias = "evtchn_send")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct EvtchnSend {
    /// In: the caller's end.
    pub port: Port,
}

open_enum! {
    /// What a port is, in [`EvtchnStatus::status`].
    pub struct EvtchnState: u32 {
        /// Not in use.
        #[doc(alias = "EVTCHNSTAT_closed")]
        CLOSED = 0,
        /// Waits for a connection.
        #[doc(alias = "EVTCHNSTAT_unbound")]
        UNBOUND = 1,
        /// Connected to another domain.
        #[doc(alias = "EVTCHNSTAT_interdomain")]
        INTERDOMAIN = 2,
        /// Carries a physical interrupt.
        #[doc(alias = "EVTCHNSTAT_pirq")]
        PIRQ = 3,
        /// Carries a virtual interrupt.
        #[doc(alias = "EVTCHNSTAT_virq")]
        VIRQ = 4,
        /// Carries signals between the domain's own vCPUs.
        #[doc(alias = "EVTCHNSTAT_ipi")]
        IPI = 5,
    }
}

/// Argument of [`EventChannelOp::STATUS`].
#[doc(alias = "evtchn_status")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct EvtchnStatus {
    /// In: whose port; [`DomId::SELF`] unless privileged.
    pub dom: DomId,
    /// Padding.
    pub _pad: [u8; 2],
    /// In: which port.
    pub port: Port,
    /// Out: what it is.
    pub status: EvtchnState,
    /// Out: who is notified.
    pub vcpu: VcpuId,
    /// Out: by [`EvtchnStatus::status`]: [`EvtchnStatusUnbound`], [`EvtchnStatusInterdomain`], [`Pirq`] or
    /// [`Virq`].
    pub u: [u8; 8],
}

payload!(EvtchnStatus, u);

/// [`EvtchnStatus::u`] of an unbound port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct EvtchnStatusUnbound {
    /// Who may connect.
    pub dom: DomId,
}

/// [`EvtchnStatus::u`] of a connected port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct EvtchnStatusInterdomain {
    /// The domain at the other end.
    pub dom: DomId,
    /// Padding.
    pub _pad: [u8; 2],
    /// Its port.
    pub port: Port,
}

/// Argument of [`EventChannelOp::BIND_VCPU`].
#[doc(alias = "evtchn_bind_vcpu")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct EvtchnBindVcpu {
    /// In: which port.
    pub port: Port,
    /// In: the vCPU to be notified from now on.
    pub vcpu: VcpuId,
}

/// Argument of [`EventChannelOp::UNMASK`].
#[doc(alias = "evtchn_unmask")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct EvtchnUnmask {
    /// In: which port.
    pub port: Port,
}

/// Argument of [`EventChannelOp::RESET`].
#[doc(alias = "evtchn_reset")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct EvtchnReset {
    /// In: whose ports; [`DomId::SELF`] unless privileged.
    pub dom: DomId,
}

/// Argument of [`EventChannelOp::INIT_CONTROL`].
#[doc(alias = "evtchn_init_control")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct EvtchnInitControl {
    /// In: the frame which holds the [`EvtchnFifoControlBlock`].
    pub control_gfn: Mfn,
    /// In: where in the frame, in bytes; 8-byte aligned.
    pub offset: u32,
    /// In: for which vCPU.
    pub vcpu: VcpuId,
    /// Out: width of the link field of an event word.
    pub link_bits: u8,
    /// Padding.
    pub _pad: [u8; 7],
}

/// Argument of [`EventChannelOp::EXPAND_ARRAY`].
#[doc(alias = "evtchn_expand_array")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct EvtchnExpandArray {
    /// In: the frame to use for the next event words.
    pub array_gfn: Mfn,
}

/// Argument of [`EventChannelOp::SET_PRIORITY`].
#[doc(alias = "evtchn_set_priority")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct EvtchnSetPriority {
    /// In: which port.
    pub port: Port,
    /// In: [`FIFO_PRIORITY_MAX`] is the most urgent, [`FIFO_PRIORITY_MIN`] the least.
    pub priority: u32,
}

/// The one argument of the older `event_channel_op` (hypercall 16).
#[doc(alias = "evtchn_op")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct EvtchnOp {
    /// Which operation.
    pub cmd: EventChannelOp,
    /// The operation's own argument.
    pub u: [u8; 24],
}

payload!(EvtchnOp, u);

/// Ports of the two-level ABI.
#[doc(alias = "EVTCHN_2L_NR_CHANNELS")]
pub const TWO_LEVEL_CHANNELS: u32 = 4096;
/// The most urgent priority.
#[doc(alias = "EVTCHN_FIFO_PRIORITY_MAX")]
pub const FIFO_PRIORITY_MAX: u32 = 0;
/// The priority of a new port.
#[doc(alias = "EVTCHN_FIFO_PRIORITY_DEFAULT")]
pub const FIFO_PRIORITY_DEFAULT: u32 = 7;
/// The least urgent priority.
#[doc(alias = "EVTCHN_FIFO_PRIORITY_MIN")]
pub const FIFO_PRIORITY_MIN: u32 = 15;
/// Queues a vCPU has, one per priority.
#[doc(alias = "EVTCHN_FIFO_MAX_QUEUES")]
pub const FIFO_MAX_QUEUES: u32 = 16;
/// Width of the link field.
#[doc(alias = "EVTCHN_FIFO_LINK_BITS")]
pub const FIFO_LINK_BITS: u32 = 17;
/// The bits of an event word which name the next port in the queue.
#[doc(alias = "EVTCHN_FIFO_LINK_MASK")]
pub const FIFO_LINK_MASK: u32 = 0x1ffff;
/// Ports of the FIFO ABI.
#[doc(alias = "EVTCHN_FIFO_NR_CHANNELS")]
pub const FIFO_CHANNELS: u32 = 0x20000;

flags! {
    /// State bits of a FIFO event word (`event_word_t`); the rest is the link, see [`FIFO_LINK_MASK`].
    pub struct EventWord: u32 {
        /// An event waits. Set by the hypervisor, cleared by the guest.
        #[doc(alias = "EVTCHN_FIFO_PENDING")]
        PENDING = 1 << 31,
        /// The guest wants no notification.
        #[doc(alias = "EVTCHN_FIFO_MASKED")]
        MASKED = 1 << 30,
        /// The word is on a queue. Set by the hypervisor, cleared by the guest.
        #[doc(alias = "EVTCHN_FIFO_LINKED")]
        LINKED = 1 << 29,
        /// The hypervisor is working on the link; the guest must not clear it meanwhile.
        #[doc(alias = "EVTCHN_FIFO_BUSY")]
        BUSY = 1 << 28,
    }
}

/// Per-vCPU page part through which FIFO queues are found. Shared memory: the hypervisor accesses it with atomics
/// only.
#[doc(alias = "evtchn_fifo_control_block")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct EvtchnFifoControlBlock {
    /// One bit per priority whose queue is not empty.
    pub ready: u32,
    /// Reserved.
    pub _rsvd: u32,
    /// The first port of each queue, 0 for none.
    pub head: [u32; 16],
}

// The sizes the headers give; every offset is checked by tests/layout.
const _: () = {
    assert!(size_of::<EvtchnAllocUnbound>() == 0x8);
    assert!(size_of::<EvtchnBindInterdomain>() == 0xc);
    assert!(size_of::<EvtchnBindVirq>() == 0xc);
    assert!(size_of::<EvtchnBindPirq>() == 0xc);
    assert!(size_of::<EvtchnBindIpi>() == 0x8);
    assert!(size_of::<EvtchnClose>() == 0x4);
    assert!(size_of::<EvtchnSend>() == 0x4);
    assert!(size_of::<EvtchnStatus>() == 0x18);
    assert!(size_of::<EvtchnStatusUnbound>() == 0x2);
    assert!(size_of::<EvtchnStatusInterdomain>() == 0x8);
    assert!(size_of::<EvtchnBindVcpu>() == 0x8);
    assert!(size_of::<EvtchnUnmask>() == 0x4);
    assert!(size_of::<EvtchnReset>() == 0x2);
    assert!(size_of::<EvtchnInitControl>() == 0x18);
    assert!(size_of::<EvtchnExpandArray>() == 0x8);
    assert!(size_of::<EvtchnSetPriority>() == 0x8);
    assert!(size_of::<EvtchnOp>() == 0x1c);
    assert!(size_of::<EvtchnFifoControlBlock>() == 0x48);
};
