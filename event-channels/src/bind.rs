// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Opening channels: unbound, interdomain, virtual and physical interrupts, IPIs; and moving them to another vCPU.

use crate::channel::{State, virq_is_global};
use crate::error::EventError;
use crate::table::EventTable;
use crate::upcall::{Delivery, XenConsumer};
use hypercalls::{DomId, Pirq, Port, VcpuId, Virq};

/// Where the other end of an interdomain channel lives.
#[derive(Debug)]
pub enum Peer<'a, 'g> {
    /// In the same table: a loop, as xenstored in the control domain uses it.
    Itself,
    /// In another domain's.
    Other(&'a mut EventTable<'g>),
}

impl<'g> EventTable<'g> {
    /// `EVTCHNOP_alloc_unbound`: opens a port that `remote` (resolved, not `DOMID_SELF`) may bind to.
    ///
    /// # Errors
    /// [`EventError::Dying`], [`EventError::NoFreePort`], [`EventError::NoMemory`].
    #[doc(alias = "EVTCHNOP_alloc_unbound")]
    pub fn alloc_unbound(&mut self, remote: DomId) -> Result<Port, EventError> {
        let port = self.find_free()?;
        self.occupy(port, State::Unbound { remote }, VcpuId::new(0), None);
        Ok(port)
    }

    /// Opens a port whose events `consumer` in the hypervisor takes, for `vcpu`. The guest can neither close, move nor send through it.
    ///
    /// # Errors
    /// As [`EventTable::alloc_unbound`], and [`EventError::NoVcpu`].
    pub fn alloc_unbound_xen(
        &mut self,
        vcpu: VcpuId,
        remote: DomId,
        consumer: XenConsumer,
    ) -> Result<Port, EventError> {
        self.check_vcpu(vcpu)?;
        let port = self.find_free()?;
        self.occupy(port, State::Unbound { remote }, vcpu, Some(consumer));
        Ok(port)
    }

    /// `EVTCHNOP_bind_interdomain`: connects a new local port to `remote_port` of `peer`, which must wait for this domain. The local
    /// port is raised at once, in case the peer sent before anyone listened.
    ///
    /// # Errors
    /// [`EventError::Dying`], [`EventError::NoFreePort`], [`EventError::NoMemory`], [`EventError::BadPort`],
    /// [`EventError::NotOffered`].
    #[doc(alias = "EVTCHNOP_bind_interdomain")]
    pub fn bind_interdomain(&mut self, peer: Peer<'_, 'g>, remote_port: Port) -> Result<(Port, Delivery), EventError> {
        let here = self.dom;
        let port = self.find_free()?;
        let remote_dom = {
            let remote = match peer {
                Peer::Itself => &mut *self,
                Peer::Other(table) => table,
            };
            let dom = remote.dom;
            let channel = remote.ports.get_mut(remote_port).ok_or(EventError::BadPort)?;
            if channel.state != (State::Unbound { remote: here }) {
                return Err(EventError::NotOffered);
            }
            channel.state = State::Interdomain { remote: here, port };
            dom
        };
        let state = State::Interdomain { remote: remote_dom, port: remote_port };
        self.occupy(port, state, VcpuId::new(0), None);
        Ok((port, self.raise(port)))
    }

    /// `EVTCHNOP_bind_virq`: opens a port for a virtual interrupt of `vcpu` (0 for a global one).
    ///
    /// # Errors
    /// [`EventError::BadVirq`], [`EventError::NoVcpu`], [`EventError::AlreadyBound`], and those of allocation.
    #[doc(alias = "EVTCHNOP_bind_virq")]
    pub fn bind_virq(&mut self, virq: Virq, vcpu: VcpuId) -> Result<Port, EventError> {
        if virq.raw() >= Virq::COUNT || (virq_is_global(virq) && vcpu.raw() != 0) {
            return Err(EventError::BadVirq);
        }
        if self.port_of_virq(vcpu, virq)?.is_some() {
            return Err(EventError::AlreadyBound);
        }
        let port = self.find_free()?;
        self.occupy(port, State::Virq(virq), vcpu, None);
        self.set_virq_port(vcpu, virq, Some(port));
        Ok(port)
    }

    /// The port a virtual interrupt is bound to. Global ones are on vCPU 0, whichever is given.
    ///
    /// # Errors
    /// [`EventError::NoVcpu`], [`EventError::BadVirq`].
    #[inline]
    pub fn port_of_virq(&self, vcpu: VcpuId, virq: Virq) -> Result<Option<Port>, EventError> {
        let slot = self.vcpus.get(virq_home(vcpu, virq).raw() as usize).ok_or(EventError::NoVcpu)?;
        slot.virqs.get(virq.raw() as usize).copied().ok_or(EventError::BadVirq)
    }

    pub(crate) fn set_virq_port(&mut self, vcpu: VcpuId, virq: Virq, port: Option<Port>) {
        if let Ok(slot) = self.vcpu_mut(virq_home(vcpu, virq))
            && let Some(entry) = slot.virqs.get_mut(virq.raw() as usize)
        {
            *entry = port;
        }
    }

    /// `EVTCHNOP_bind_pirq`: opens a port for a physical interrupt, whose use the caller has checked. The caller then attaches the
    /// line; if that fails it closes the port again, under the same lock.
    ///
    /// # Errors
    /// [`EventError::BadPirq`], [`EventError::AlreadyBound`], and those of allocation.
    #[doc(alias = "EVTCHNOP_bind_pirq")]
    pub fn bind_pirq(&mut self, pirq: Pirq) -> Result<Port, EventError> {
        match self.pirqs.get(pirq.raw() as usize) {
            None => return Err(EventError::BadPirq),
            Some(Some(_)) => return Err(EventError::AlreadyBound),
            Some(None) => {}
        }
        let port = self.find_free()?;
        self.occupy(port, State::Pirq(pirq), VcpuId::new(0), None);
        self.set_pirq_port(pirq, Some(port));
        Ok(port)
    }

    /// The port a physical interrupt is bound to.
    #[must_use]
    pub fn port_of_pirq(&self, pirq: Pirq) -> Option<Port> {
        self.pirqs.get(pirq.raw() as usize).copied().flatten()
    }

    pub(crate) fn set_pirq_port(&mut self, pirq: Pirq, port: Option<Port>) {
        if let Some(entry) = self.pirqs.get_mut(pirq.raw() as usize) {
            *entry = port;
        }
    }

    /// `EVTCHNOP_bind_ipi`: opens a port through which the domain raises events on its own `vcpu`.
    ///
    /// # Errors
    /// [`EventError::NoVcpu`], and those of allocation.
    #[doc(alias = "EVTCHNOP_bind_ipi")]
    pub fn bind_ipi(&mut self, vcpu: VcpuId) -> Result<Port, EventError> {
        self.check_vcpu(vcpu)?;
        let port = self.find_free()?;
        self.occupy(port, State::Ipi, vcpu, None);
        Ok(port)
    }

    /// `EVTCHNOP_bind_vcpu`: events of `port` go to `vcpu` from now on. For a physical interrupt the result names it, so that its line
    /// can be steered to the CPU of that vCPU.
    ///
    /// # Errors
    /// [`EventError::NoVcpu`], [`EventError::BadPort`], [`EventError::XenOwned`], [`EventError::WrongState`] (closed, an IPI, or a
    /// virtual interrupt of one vCPU).
    #[doc(alias = "EVTCHNOP_bind_vcpu")]
    pub fn bind_vcpu(&mut self, port: Port, vcpu: VcpuId) -> Result<Option<Pirq>, EventError> {
        self.check_vcpu(vcpu)?;
        let channel = self.ports.get_mut(port).ok_or(EventError::BadPort)?;
        if channel.consumer.is_some() {
            return Err(EventError::XenOwned);
        }
        let line = match channel.state {
            State::Virq(virq) if virq_is_global(virq) => None,
            State::Unbound { .. } | State::Interdomain { .. } => None,
            State::Pirq(pirq) => Some(pirq),
            State::Virq(_) | State::Ipi | State::Free | State::Reserved => {
                return Err(EventError::WrongState);
            }
        };
        channel.vcpu = vcpu;
        Ok(line)
    }
}

/// The vCPU whose table a virtual interrupt's port is in.
#[inline]
fn virq_home(vcpu: VcpuId, virq: Virq) -> VcpuId {
    if virq_is_global(virq) { VcpuId::new(0) } else { vcpu }
}
