// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Closing channels: one, or all of them in bounded steps.

use crate::bind::Peer;
use crate::channel::State;
use crate::error::EventError;
use crate::table::{Abi, EventTable};
use hypercalls::{DomId, Pirq, Port};

/// Who closes. The hypervisor may close channels that are its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closer {
    /// The guest, by `EVTCHNOP_close` or `EVTCHNOP_reset`.
    Guest,
    /// The hypervisor, for its own channels and at the domain's death.
    Xen,
}

/// How far a close got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "the channel may still be open"]
pub enum Closed {
    /// The channel is closed. If it was a physical interrupt's, its line must be detached.
    Done(Option<Pirq>),
    /// Nothing has changed: the other end is in this domain. Lock both tables, the lower domain first, and call again with it; the
    /// channel may be another one by then, so be ready for any answer.
    NeedsPeer(DomId),
}

/// What a drain needs next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drain {
    /// Close this port (see [`EventTable::close`]), then ask again.
    Close(Port),
    /// The step's budget is used up: a good moment to be preempted.
    More,
    /// Every port has been visited.
    Done,
}

impl<'g> EventTable<'g> {
    /// `EVTCHNOP_close`: frees `port`; the other end of an interdomain channel waits for this domain again. A pending event is
    /// forgotten. `peer` matters only for a channel to another domain.
    ///
    /// # Errors
    /// [`EventError::BadPort`], [`EventError::WrongState`] (closed already), [`EventError::XenOwned`] (guest only).
    #[doc(alias = "EVTCHNOP_close")]
    pub fn close(&mut self, port: Port, peer: Peer<'_, 'g>, by: Closer) -> Result<Closed, EventError> {
        let here = self.dom;
        let channel = *self.ports.get(port).ok_or(EventError::BadPort)?;
        if by == Closer::Guest && channel.consumer.is_some() {
            return Err(EventError::XenOwned);
        }
        let mut line = None;
        match channel.state {
            State::Free | State::Reserved => return Err(EventError::WrongState),
            State::Unbound { .. } | State::Ipi => {}
            State::Virq(virq) => self.set_virq_port(channel.vcpu, virq, None),
            State::Pirq(pirq) => {
                self.set_pirq_port(pirq, None);
                line = Some(pirq);
            }
            State::Interdomain { remote, port: other_end } => match peer {
                Peer::Other(table) if table.dom == remote => {
                    table.disconnect(other_end, here, port);
                }
                _ if remote == here => self.disconnect(other_end, here, port),
                _ => return Ok(Closed::NeedsPeer(remote)),
            },
        }
        self.release(port);
        Ok(Closed::Done(line))
    }

    /// The other end of `port` is about to close: wait for a new connection from there.
    fn disconnect(&mut self, port: Port, from_dom: DomId, from_port: Port) {
        let expected = State::Interdomain { remote: from_dom, port: from_port };
        if let Some(channel) = self.ports.get_mut(port)
            && channel.state == expected
        {
            channel.state = State::Unbound { remote: from_dom };
        }
    }

    /// The next open channel to close, for `EVTCHNOP_reset` ([`Closer::Guest`]) or the domain's death ([`Closer::Xen`], after
    /// [`EventTable::set_dying`]). Looks at no more than `budget` ports, counting it down, and remembers where it was.
    #[doc(alias = "EVTCHNOP_reset")]
    pub fn drain(&mut self, by: Closer, budget: &mut u32) -> Drain {
        while self.drained < self.ports.count() {
            let Some(left) = budget.checked_sub(1) else {
                return Drain::More;
            };
            *budget = left;
            let port = Port::new(self.drained);
            match self.ports.get(port) {
                // Stays here until it is closed: the close may need another lock and be retried.
                Some(channel) if channel.is_open() && (by == Closer::Xen || channel.consumer.is_none()) => {
                    return Drain::Close(port);
                }
                _ => self.drained = self.drained.saturating_add(1),
            }
        }
        Drain::Done
    }

    /// Ends a reset or the teardown after [`Drain::Done`]: back to the two-level ABI. True if the domain used the FIFO ABI, whose control
    /// blocks and event array the table refers to no more.
    ///
    /// # Errors
    /// [`EventError::StillOpen`] if the guest opened channels meanwhile.
    pub fn finish_drain(&mut self) -> Result<bool, EventError> {
        self.drained = 0;
        if self.open_guest_channels() != 0 {
            return Err(EventError::StillOpen);
        }
        let was_fifo = matches!(self.abi, Abi::Fifo(_));
        self.abi = Abi::TwoLevel;
        for slot in &mut self.vcpus {
            slot.queues = crate::fifo::VcpuQueues::new();
        }
        Ok(was_fifo)
    }
}
