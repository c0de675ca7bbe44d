// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! One channel and its states.

use crate::fifo;
use crate::upcall::XenConsumer;
use hypercalls::{DomId, Pirq, Port, VcpuId, Virq};

/// What a channel is connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// May be allocated.
    Free,
    /// Port 0: never allocated, never used.
    Reserved,
    /// Waits for `remote` to bind to it.
    Unbound {
        /// Who may bind.
        remote: DomId,
    },
    /// Connected to `port` of `remote`, which may be the same domain.
    Interdomain {
        /// The domain at the other end.
        remote: DomId,
        /// Its port.
        port: Port,
    },
    /// A physical interrupt.
    Pirq(Pirq),
    /// A virtual interrupt.
    Virq(Virq),
    /// Raised by the domain itself.
    Ipi,
}

/// One channel.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Channel {
    /// What it is connected to.
    pub(crate) state: State,
    /// The vCPU its events go to; always one the domain has.
    pub(crate) vcpu: VcpuId,
    /// FIFO: the vCPU whose queue the event was last linked into.
    pub(crate) last_vcpu: VcpuId,
    /// FIFO: the priority of that queue.
    pub(crate) last_priority: u8,
    /// FIFO: the priority of the next event.
    pub(crate) priority: u8,
    /// FIFO: raised before its event word existed.
    pub(crate) deferred: bool,
    /// The hypervisor's function that takes the events, instead of the guest.
    pub(crate) consumer: Option<XenConsumer>,
}

impl Channel {
    /// A channel nobody uses.
    pub(crate) const FREE: Self = Self {
        state: State::Free,
        vcpu: VcpuId::new(0),
        last_vcpu: VcpuId::new(0),
        last_priority: fifo::PRIORITY_DEFAULT,
        priority: fifo::PRIORITY_DEFAULT,
        deferred: false,
        consumer: None,
    };

    /// Whether the channel is in use.
    #[inline]
    pub(crate) fn is_open(&self) -> bool {
        !matches!(self.state, State::Free | State::Reserved)
    }

    /// Whether its events reach the guest.
    #[inline]
    pub(crate) fn is_usable(&self) -> bool {
        self.is_open() && self.consumer.is_none()
    }
}

/// Whether one channel serves the whole domain (vCPU 0's), rather than one per vCPU. Unassigned numbers count as global, as in Xen.
#[must_use]
pub fn virq_is_global(virq: Virq) -> bool {
    !matches!(virq, Virq::TIMER | Virq::DEBUG | Virq::XENOPROF | Virq::XENPMU)
}
