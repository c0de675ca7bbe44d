// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Raising events: by the guest through a port, and by the hypervisor for virtual and physical interrupts.

use crate::channel::{Channel, State};
use crate::error::EventError;
use crate::table::{Abi, EventTable};
use crate::two_level::TwoLevelWords;
use crate::upcall::Delivery;
use crate::vcpu::VcpuSlot;
use hypercalls::{DomId, Pirq, Port, VcpuId, Virq};

/// Where a sent event goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a remote event is not delivered yet"]
pub enum SendEffect {
    /// It was for this domain and is delivered.
    Local(Delivery),
    /// It is for another domain: give up this table's lock, take that one's, and call [`EventTable::deliver_from`].
    Remote {
        /// The domain.
        dom: DomId,
        /// Its port.
        port: Port,
    },
    /// Nobody is bound yet. Not an error.
    Dropped,
}

impl EventTable<'_> {
    /// `EVTCHNOP_send`: raises the event at the other end of `port`.
    ///
    /// # Errors
    /// [`EventError::BadPort`], [`EventError::XenOwned`], [`EventError::WrongState`] (neither interdomain, IPI nor unbound).
    #[doc(alias = "EVTCHNOP_send")]
    #[inline]
    pub fn send(&mut self, port: Port) -> Result<SendEffect, EventError> {
        let channel = self.ports.get(port).ok_or(EventError::BadPort)?;
        if channel.consumer.is_some() {
            return Err(EventError::XenOwned);
        }
        // Apart from the rest, so that the way to another domain stays a handful of instructions.
        match channel.state {
            State::Interdomain { remote, port: end } if remote != self.dom => {
                Ok(SendEffect::Remote { dom: remote, port: end })
            }
            _ => self.send_here(port),
        }
    }

    /// A send that does not leave the domain.
    #[inline]
    fn send_here(&mut self, port: Port) -> Result<SendEffect, EventError> {
        let channel = self.ports.get_mut(port).ok_or(EventError::BadPort)?;
        // Not one match: it would become a jump table.
        if channel.state == State::Ipi {
            let delivery = raise_channel(&self.abi, &self.two_level, &mut self.vcpus, channel, port);
            return Ok(SendEffect::Local(delivery));
        }
        if let State::Interdomain { port: end, .. } = channel.state {
            return Ok(SendEffect::Local(self.deliver_from(end, self.dom, port)));
        }
        match channel.state {
            State::Unbound { .. } => Ok(SendEffect::Dropped),
            _ => Err(EventError::WrongState),
        }
    }

    /// As [`EventTable::send`], for the hypervisor through a port it owns.
    pub fn send_from_xen(&mut self, port: Port) -> SendEffect {
        match self.ports.get(port).map(|channel| channel.state) {
            Some(State::Interdomain { remote, port: remote_port }) if remote != self.dom => {
                SendEffect::Remote { dom: remote, port: remote_port }
            }
            Some(State::Interdomain { port: other_end, .. }) => {
                SendEffect::Local(self.deliver_from(other_end, self.dom, port))
            }
            _ => SendEffect::Dropped,
        }
    }

    /// The receiving half of a send: raises `port` if it is still the other end of `from_port` of `from_dom`. Between the two locks
    /// either side may have closed or rebound its end; the event is then nobody's.
    #[inline(always)]
    pub fn deliver_from(&mut self, port: Port, from_dom: DomId, from_port: Port) -> Delivery {
        let Some(channel) = self.ports.get_mut(port) else {
            return Delivery::Quiet;
        };
        let expected = State::Interdomain { remote: from_dom, port: from_port };
        if channel.state != expected {
            return Delivery::Quiet;
        }
        match channel.consumer {
            Some(consumer) => Delivery::Xen { consumer, vcpu: channel.vcpu, port },
            None => raise_channel(&self.abi, &self.two_level, &mut self.vcpus, channel, port),
        }
    }

    /// Raises a virtual interrupt: of `vcpu`, or wherever the guest has moved a global one. Quiet if it is not bound.
    #[inline]
    pub fn raise_virq(&mut self, vcpu: VcpuId, virq: Virq) -> Delivery {
        match self.port_of_virq(vcpu, virq) {
            Ok(Some(port)) => self.raise(port),
            _ => Delivery::Quiet,
        }
    }

    /// Raises a physical interrupt. `None` if the domain has not bound it, so that its line must not wait for an end of interrupt.
    #[inline]
    pub fn raise_pirq(&mut self, pirq: Pirq) -> Option<Delivery> {
        let port = self.port_of_pirq(pirq)?;
        Some(self.raise(port))
    }

    /// `EVTCHNOP_unmask`: lets events of `port` through again, and delivers one that waited.
    ///
    /// # Errors
    /// [`EventError::BadPort`]. A closed channel is no error.
    #[doc(alias = "EVTCHNOP_unmask")]
    #[inline]
    pub fn unmask(&mut self, port: Port) -> Result<Delivery, EventError> {
        let channel = self.ports.get_mut(port).ok_or(EventError::BadPort)?;
        if !channel.is_usable() {
            return Ok(Delivery::Quiet);
        }
        Ok(match &self.abi {
            Abi::TwoLevel => self.two_level.unmask(&self.vcpus, channel.vcpu, port),
            Abi::Fifo(array) => array.unmask(&mut self.vcpus, channel, port),
        })
    }

    /// Raises `port` if its events reach the guest.
    #[inline]
    pub(crate) fn raise(&mut self, port: Port) -> Delivery {
        match self.ports.get_mut(port) {
            Some(channel) if channel.is_usable() => {
                raise_channel(&self.abi, &self.two_level, &mut self.vcpus, channel, port)
            }
            _ => Delivery::Quiet,
        }
    }
}

/// Raises the usable `channel` of `port`. The one place where an event becomes pending.
#[inline(always)]
fn raise_channel<'g>(
    abi: &Abi<'g>,
    two_level: &TwoLevelWords<'g>,
    vcpus: &mut [VcpuSlot<'g>],
    channel: &mut Channel,
    port: Port,
) -> Delivery {
    match abi {
        Abi::TwoLevel => two_level.set_pending(vcpus, channel.vcpu, port),
        Abi::Fifo(array) => array.set_pending(vcpus, channel, port),
    }
}
