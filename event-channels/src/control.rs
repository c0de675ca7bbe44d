// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Switching a domain to the FIFO ABI and growing it.

use crate::error::EventError;
use crate::fifo::{ArrayPage, CONTROL_BLOCK_BYTES, ControlBlock, EventArray, PRIORITY_MIN};
use crate::table::{Abi, EventTable};
use crate::upcall::Delivery;
use hypercalls::{PAGE_SIZE, Port, VcpuId};

impl<'g> EventTable<'g> {
    /// The checks of [`EventTable::init_control`] that need no frame, to be made before the frame is pinned.
    ///
    /// # Errors
    /// [`EventError::NoVcpu`], [`EventError::BadControlBlock`].
    pub fn check_control(&self, vcpu: VcpuId, offset: u32) -> Result<(), EventError> {
        let slot = self.vcpus.get(vcpu.raw() as usize).ok_or(EventError::NoVcpu)?;
        let room = (PAGE_SIZE as u32).saturating_sub(CONTROL_BLOCK_BYTES);
        if offset > room || !offset.is_multiple_of(8) || slot.queues.control.is_some() {
            return Err(EventError::BadControlBlock);
        }
        Ok(())
    }

    /// `EVTCHNOP_init_control`: gives `vcpu` its control block, at `offset` bytes in its page. The domain's first call switches it to the
    /// FIFO ABI; events pending then are raised again when their event words appear.
    ///
    /// # Errors
    /// [`EventError::NoVcpu`], [`EventError::BadControlBlock`], [`EventError::NoMemory`]. The caller then releases the frame.
    #[doc(alias = "EVTCHNOP_init_control")]
    pub fn init_control(&mut self, vcpu: VcpuId, offset: u32, block: &'g ControlBlock) -> Result<(), EventError> {
        self.check_control(vcpu, offset)?;
        if matches!(self.abi, Abi::TwoLevel) {
            let array = EventArray::new()?;
            for raw in 1..self.ports.count() {
                let port = Port::new(raw);
                let pending = self.two_level.is_pending(port);
                if let Some(channel) = self.ports.get_mut(port) {
                    channel.deferred = pending && channel.is_usable();
                }
            }
            self.abi = Abi::Fifo(array);
        }
        self.vcpu_mut(vcpu)?.queues.control = Some(block);
        Ok(())
    }

    /// The check of [`EventTable::expand_array`], to be made before the frame is pinned.
    ///
    /// # Errors
    /// [`EventError::NotFifo`], [`EventError::ArrayFull`].
    pub fn check_expand(&self) -> Result<(), EventError> {
        match &self.abi {
            Abi::TwoLevel => Err(EventError::NotFifo),
            Abi::Fifo(array) if array.is_full() => Err(EventError::ArrayFull),
            Abi::Fifo(_) => Ok(()),
        }
    }

    /// `EVTCHNOP_expand_array`: adds a page to the event array and raises the events that waited for its words. Each one's effect goes to
    /// `effect`, at most 1024 of them.
    ///
    /// # Errors
    /// [`EventError::NotFifo`], [`EventError::ArrayFull`]. The caller then releases the frame.
    #[doc(alias = "EVTCHNOP_expand_array")]
    pub fn expand_array(&mut self, page: &'g ArrayPage, mut effect: impl FnMut(Delivery)) -> Result<(), EventError> {
        let Abi::Fifo(array) = &mut self.abi else {
            return Err(EventError::NotFifo);
        };
        for raw in array.push(page)? {
            let port = Port::new(raw);
            let Some(channel) = self.ports.get_mut(port) else {
                break;
            };
            if core::mem::take(&mut channel.deferred) {
                effect(self.raise(port));
            }
        }
        Ok(())
    }

    /// `EVTCHNOP_set_priority`: the next event of `port` goes to this queue; one that is linked already stays where it is.
    ///
    /// # Errors
    /// [`EventError::BadPort`], [`EventError::NoPriorities`], [`EventError::Unusable`], [`EventError::BadPriority`].
    #[doc(alias = "EVTCHNOP_set_priority")]
    pub fn set_priority(&mut self, port: Port, priority: u32) -> Result<(), EventError> {
        let fifo = matches!(self.abi, Abi::Fifo(_));
        let channel = self.ports.get_mut(port).ok_or(EventError::BadPort)?;
        if !fifo {
            return Err(EventError::NoPriorities);
        }
        if !channel.is_usable() {
            return Err(EventError::Unusable);
        }
        if priority > PRIORITY_MIN {
            return Err(EventError::BadPriority);
        }
        channel.priority = priority as u8;
        Ok(())
    }
}
