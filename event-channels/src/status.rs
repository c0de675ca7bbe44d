// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! What can be asked about a port.

use crate::channel::State;
use crate::error::EventError;
use crate::table::{Abi, EventTable};
use hypercalls::{DomId, Pirq, Port, VcpuId, Virq};

/// What `status` reports (`evtchn_status`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[doc(alias = "evtchn_status")]
pub struct Status {
    /// The vCPU its events go to.
    pub vcpu: VcpuId,
    /// What it is connected to.
    pub kind: StatusKind,
}

/// The states of a channel as the guest sees them (`EVTCHNSTAT_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusKind {
    /// `EVTCHNSTAT_closed`
    Closed,
    /// `EVTCHNSTAT_unbound`: the domain that may bind.
    Unbound(DomId),
    /// `EVTCHNSTAT_interdomain`: the other end.
    Interdomain(DomId, Port),
    /// `EVTCHNSTAT_pirq`
    Pirq(Pirq),
    /// `EVTCHNSTAT_virq`
    Virq(Virq),
    /// `EVTCHNSTAT_ipi`
    Ipi,
}

impl EventTable<'_> {
    /// `EVTCHNOP_status`.
    ///
    /// # Errors
    /// [`EventError::BadPort`], [`EventError::XenOwnedStatus`].
    #[doc(alias = "EVTCHNOP_status")]
    #[inline]
    pub fn status(&self, port: Port) -> Result<Status, EventError> {
        let channel = self.ports.get(port).ok_or(EventError::BadPort)?;
        if channel.consumer.is_some() {
            return Err(EventError::XenOwnedStatus);
        }
        let kind = match channel.state {
            State::Free | State::Reserved => StatusKind::Closed,
            State::Unbound { remote } => StatusKind::Unbound(remote),
            State::Interdomain { remote, port } => StatusKind::Interdomain(remote, port),
            State::Pirq(pirq) => StatusKind::Pirq(pirq),
            State::Virq(virq) => StatusKind::Virq(virq),
            State::Ipi => StatusKind::Ipi,
        };
        Ok(Status { vcpu: channel.vcpu, kind })
    }

    /// Whether `port` is pending, for `SCHEDOP_poll`.
    ///
    /// # Errors
    /// [`EventError::BadPort`].
    #[doc(alias = "SCHEDOP_poll")]
    pub fn is_port_pending(&self, port: Port) -> Result<bool, EventError> {
        let channel = self.ports.get(port).ok_or(EventError::BadPort)?;
        Ok(channel.is_usable()
            && match &self.abi {
                Abi::TwoLevel => self.two_level.is_pending(port),
                Abi::Fifo(array) => array.is_pending(port),
            })
    }
}
