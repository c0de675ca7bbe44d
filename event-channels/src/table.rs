// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! A domain's table: what it holds, and how ports are found, opened and freed.

use crate::channel::{Channel, State};
use crate::error::EventError;
use crate::fifo::{EventArray, FIFO_PORTS};
use crate::ports::Ports;
use crate::two_level::{TWO_LEVEL_PORTS, TwoLevelWords};
use crate::upcall::XenConsumer;
use crate::vcpu::VcpuSlot;
use alloc::vec::Vec;
use hypercalls::{DomId, Port, VcpuId};

/// What a table is made for.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// The domain.
    pub dom: DomId,
    /// Its vCPUs; more come by [`EventTable::add_vcpus`].
    pub vcpus: u32,
    /// The highest port it may use (`max_evtchn_port` of `XEN_DOMCTL_createdomain`; `u32::MAX` for no limit but the ABI's).
    pub max_port: u32,
    /// How many physical interrupts it may number.
    pub pirqs: u32,
}

/// How the guest sees its events.
#[derive(Debug)]
pub(crate) enum Abi<'g> {
    /// Bitmaps in `shared_info`.
    TwoLevel,
    /// Event words and queues.
    Fifo(EventArray<'g>),
}

impl Abi<'_> {
    /// How many ports the ABI has.
    fn ports(&self) -> u32 {
        match self {
            Self::TwoLevel => TWO_LEVEL_PORTS,
            Self::Fifo(_) => FIFO_PORTS,
        }
    }
}

/// All event channels of one domain.
#[derive(Debug)]
pub struct EventTable<'g> {
    pub(crate) dom: DomId,
    pub(crate) abi: Abi<'g>,
    pub(crate) two_level: TwoLevelWords<'g>,
    pub(crate) vcpus: Vec<VcpuSlot<'g>>,
    pub(crate) ports: Ports,
    /// The port of each physical interrupt.
    pub(crate) pirqs: Vec<Option<Port>>,
    max_port: u32,
    /// No port below this one can be allocated.
    first_free: u32,
    /// Open channels, and those of them that the hypervisor owns.
    open: u32,
    open_xen: u32,
    dying: bool,
    /// Where a reset or the teardown goes on.
    pub(crate) drained: u32,
}

impl<'g> EventTable<'g> {
    /// A table with no channel but the reserved port 0, in the two-level ABI.
    ///
    /// # Errors
    /// [`EventError::NoMemory`].
    pub fn new(config: Config, two_level: TwoLevelWords<'g>) -> Result<Self, EventError> {
        let mut pirqs = Vec::new();
        pirqs.try_reserve_exact(config.pirqs as usize).map_err(|_| EventError::NoMemory)?;
        pirqs.resize(config.pirqs as usize, None);
        let mut table = Self {
            dom: config.dom,
            abi: Abi::TwoLevel,
            two_level,
            vcpus: Vec::new(),
            ports: Ports::new(),
            pirqs,
            max_port: config.max_port,
            first_free: 1,
            open: 0,
            open_xen: 0,
            dying: false,
            drained: 0,
        };
        table.add_vcpus(config.vcpus)?;
        table.ports.grow()?;
        if let Some(zero) = table.ports.get_mut(Port::new(0)) {
            zero.state = State::Reserved;
        }
        Ok(table)
    }

    /// The domain the table belongs to.
    #[must_use]
    pub const fn dom(&self) -> DomId {
        self.dom
    }

    /// Ports below this number have a channel, open or not; others do not exist yet.
    #[inline]
    #[must_use]
    pub fn port_limit(&self) -> u32 {
        self.ports.count()
    }

    /// How many channels are open.
    #[must_use]
    pub const fn open_channels(&self) -> u32 {
        self.open
    }

    /// How many of the open channels the guest could close.
    pub(crate) const fn open_guest_channels(&self) -> u32 {
        self.open.saturating_sub(self.open_xen)
    }

    /// No port can be allocated from now on. The domain's death; followed by a drain.
    pub const fn set_dying(&mut self) {
        self.dying = true;
        self.drained = 0;
    }

    /// The lowest port that may be given to a new channel. It stays free until [`EventTable::occupy`].
    pub(crate) fn find_free(&mut self) -> Result<Port, EventError> {
        if self.dying {
            return Err(EventError::Dying);
        }
        let limit = self.max_port.saturating_add(1).min(self.abi.ports());
        // A free port that the guest still has in a queue cannot be given out, but later it can.
        let mut lowest_linked = None;
        let mut found = Err(EventError::NoFreePort);
        let mut raw = self.first_free;
        while raw < limit {
            if raw >= self.ports.count() {
                self.ports.grow()?;
            }
            let port = Port::new(raw);
            if self.ports.get(port).is_some_and(|channel| channel.state == State::Free) {
                if !matches!(&self.abi, Abi::Fifo(array) if array.is_linked(port)) {
                    found = Ok(port);
                    break;
                }
                lowest_linked = lowest_linked.or(Some(raw));
            }
            raw = raw.saturating_add(1);
        }
        self.first_free = lowest_linked.unwrap_or(raw).max(self.first_free);
        found
    }

    /// Opens the channel of a port from [`EventTable::find_free`].
    pub(crate) fn occupy(&mut self, port: Port, state: State, vcpu: VcpuId, consumer: Option<XenConsumer>) {
        if let Some(channel) = self.ports.get_mut(port) {
            // The queue it was in last is kept: it may still be that queue's tail.
            *channel = Channel {
                state,
                vcpu,
                consumer,
                last_vcpu: channel.last_vcpu,
                last_priority: channel.last_priority,
                ..Channel::FREE
            };
            self.open = self.open.saturating_add(1);
            self.open_xen = self.open_xen.saturating_add(u32::from(consumer.is_some()));
        }
    }

    /// Closes the channel of `port`, which nothing refers to any more, and forgets a pending event.
    pub(crate) fn release(&mut self, port: Port) {
        let Some(channel) = self.ports.get_mut(port) else {
            return;
        };
        let usable = channel.is_usable();
        let owned = channel.consumer.is_some();
        *channel = Channel { last_vcpu: channel.last_vcpu, last_priority: channel.last_priority, ..Channel::FREE };
        if usable {
            match &self.abi {
                Abi::TwoLevel => self.two_level.clear_pending(port),
                Abi::Fifo(array) => array.clear_pending(port),
            }
        }
        self.open = self.open.saturating_sub(1);
        self.open_xen = self.open_xen.saturating_sub(u32::from(owned));
        self.first_free = self.first_free.min(port.raw());
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::close::{Closed, Closer};
    use crate::sync::AtomicU64;
    use crate::{Peer, VcpuWords};
    use core::array::from_fn;

    #[test]
    fn ports_are_given_out_lowest_first_and_chunk_by_chunk() {
        let words = [0, 1].map(|_| from_fn(|_| AtomicU64::new(0)));
        let [pending, mask] = &words;
        let config = Config { dom: DomId::DOM0, vcpus: 1, max_port: 200, pirqs: 0 };
        let mut table = EventTable::new(config, TwoLevelWords { pending, mask }).unwrap();
        for raw in 1..=200 {
            assert_eq!(table.bind_ipi(VcpuId::new(0)), Ok(Port::new(raw)));
        }
        assert_eq!(table.bind_ipi(VcpuId::new(0)), Err(EventError::NoFreePort));
        for raw in [150, 3] {
            let closed = table.close(Port::new(raw), Peer::Itself, Closer::Guest);
            assert_eq!(closed, Ok(Closed::Done(None)));
        }
        assert_eq!(table.bind_ipi(VcpuId::new(0)), Ok(Port::new(3)));
        assert_eq!(table.bind_ipi(VcpuId::new(0)), Ok(Port::new(150)));
        assert_eq!(table.open_channels(), 200);
    }

    #[test]
    fn a_moved_vcpu_info_is_told_to_look_everywhere() {
        let words = [0, 1].map(|_| from_fn(|_| AtomicU64::new(0)));
        let [pending, mask] = &words;
        let config = Config { dom: DomId::DOM0, vcpus: 0, max_port: u32::MAX, pirqs: 0 };
        let mut table = EventTable::new(config, TwoLevelWords { pending, mask }).unwrap();
        let vcpu = VcpuId::new(0);
        assert_eq!(table.set_vcpu_words(vcpu, None), Err(EventError::NoVcpu));
        table.add_vcpus(1).unwrap();
        assert_eq!(table.mark_all_pending(vcpu), None, "no vcpu_info yet");
        let (upcall_pending, upcall_mask) = (Default::default(), Default::default());
        let pending_sel = AtomicU64::new(0);
        let info = VcpuWords { upcall_pending: &upcall_pending, upcall_mask: &upcall_mask, pending_sel: &pending_sel };
        table.set_vcpu_words(vcpu, Some(info)).unwrap();
        assert!(!table.pending_upcall(vcpu));
        assert!(table.mark_all_pending(vcpu).is_some());
        assert!(table.pending_upcall(vcpu));
        assert_eq!(info.pending_sel.load(crate::sync::Ordering::SeqCst), u64::MAX);
    }
}
