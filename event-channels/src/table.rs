// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! A domain's channels: finding, allocating and freeing ports, and what the domain's vCPUs and ABI are.

use crate::channel::{Channel, State, VcpuSlot};
use crate::error::EventError;
use crate::fifo::{EventArray, FIFO_PORTS};
use crate::two_level::{TWO_LEVEL_PORTS, TwoLevelWords};
use crate::upcall::{Delivery, VcpuWords, Wake, XenConsumer};
use alloc::boxed::Box;
use alloc::vec::Vec;
use hypercalls::{DomId, Pirq, Port, VcpuId, Virq};

/// Channels allocated at once; a page of Xen's, so that a port becomes valid for `status` when it does there.
pub const CHUNK_CHANNELS: u32 = 64;

/// Channels `CHUNK_CHANNELS * n` and following.
type Chunk = Box<[Channel; CHUNK_CHANNELS as usize]>;

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
    chunks: Vec<Chunk>,
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

impl<'g> EventTable<'g> {
    /// A table with no channel but the reserved port 0, in the two-level ABI.
    ///
    /// # Errors
    /// [`EventError::NoMemory`].
    pub fn new(config: Config, two_level: TwoLevelWords<'g>) -> Result<Self, EventError> {
        let mut pirqs = Vec::new();
        pirqs
            .try_reserve_exact(config.pirqs as usize)
            .map_err(|_| EventError::NoMemory)?;
        pirqs.resize(config.pirqs as usize, None);
        let mut table = Self {
            dom: config.dom,
            abi: Abi::TwoLevel,
            two_level,
            vcpus: Vec::new(),
            chunks: Vec::new(),
            pirqs,
            max_port: config.max_port,
            first_free: 1,
            open: 0,
            open_xen: 0,
            dying: false,
            drained: 0,
        };
        table.add_vcpus(config.vcpus)?;
        table.add_chunk()?;
        if let Some(zero) = table.channel_mut(Port::new(0)) {
            zero.state = State::Reserved;
        }
        Ok(table)
    }

    /// The domain the table belongs to.
    #[must_use]
    pub const fn dom(&self) -> DomId {
        self.dom
    }

    /// Adds `count` vCPUs after those there are, without `vcpu_info`.
    ///
    /// # Errors
    /// [`EventError::NoMemory`].
    pub fn add_vcpus(&mut self, count: u32) -> Result<(), EventError> {
        self.vcpus
            .try_reserve_exact(count as usize)
            .map_err(|_| EventError::NoMemory)?;
        self.vcpus.extend((0..count).map(|_| VcpuSlot::new()));
        Ok(())
    }

    /// Where `vcpu`'s `vcpu_info` is from now on; `None` if it has none. Copies nothing: see [`EventTable::mark_all_pending`].
    ///
    /// # Errors
    /// [`EventError::NoVcpu`].
    pub fn set_vcpu_words(
        &mut self,
        vcpu: VcpuId,
        words: Option<VcpuWords<'g>>,
    ) -> Result<(), EventError> {
        self.vcpu_mut(vcpu)?.words = words;
        Ok(())
    }

    /// Tells `vcpu` to look at every event, after its `vcpu_info` moved: between the caller's copy and the move the old words may have
    /// been written. The guest copes with a spurious upcall.
    pub fn mark_all_pending(&mut self, vcpu: VcpuId) -> Option<Wake> {
        let words = self.vcpus.get(vcpu.raw() as usize)?.words?;
        words
            .pending_sel
            .store(u64::MAX, crate::sync::Ordering::SeqCst);
        words.mark_pending().then_some(Wake {
            vcpu,
            port: Port::new(0),
        })
    }

    /// Whether an upcall is due for `vcpu` (see [`VcpuWords::needs_upcall`]).
    #[inline]
    #[must_use]
    pub fn pending_upcall(&self, vcpu: VcpuId) -> bool {
        self.vcpus
            .get(vcpu.raw() as usize)
            .and_then(|slot| slot.words)
            .is_some_and(|words| words.needs_upcall())
    }

    /// `EVTCHNOP_status`.
    ///
    /// # Errors
    /// [`EventError::BadPort`], [`EventError::XenOwnedStatus`].
    #[doc(alias = "EVTCHNOP_status")]
    pub fn status(&self, port: Port) -> Result<Status, EventError> {
        let channel = self.channel(port).ok_or(EventError::BadPort)?;
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
        Ok(Status {
            vcpu: channel.vcpu,
            kind,
        })
    }

    /// Whether `port` is pending, for `SCHEDOP_poll`.
    ///
    /// # Errors
    /// [`EventError::BadPort`].
    #[doc(alias = "SCHEDOP_poll")]
    pub fn is_port_pending(&self, port: Port) -> Result<bool, EventError> {
        let channel = self.channel(port).ok_or(EventError::BadPort)?;
        Ok(channel.is_usable()
            && match &self.abi {
                Abi::TwoLevel => self.two_level.is_pending(port),
                Abi::Fifo(array) => array.is_pending(port),
            })
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

    /// Ports 0 to this one (exclusive) have a channel.
    pub(crate) fn valid_ports(&self) -> u32 {
        (self.chunks.len() as u32).saturating_mul(CHUNK_CHANNELS)
    }

    #[inline]
    pub(crate) fn channel(&self, port: Port) -> Option<&Channel> {
        let chunk = self.chunks.get((port.raw() / CHUNK_CHANNELS) as usize)?;
        chunk.get((port.raw() % CHUNK_CHANNELS) as usize)
    }

    #[inline]
    pub(crate) fn channel_mut(&mut self, port: Port) -> Option<&mut Channel> {
        let chunk = self
            .chunks
            .get_mut((port.raw() / CHUNK_CHANNELS) as usize)?;
        chunk.get_mut((port.raw() % CHUNK_CHANNELS) as usize)
    }

    pub(crate) fn vcpu_mut(&mut self, vcpu: VcpuId) -> Result<&mut VcpuSlot<'g>, EventError> {
        self.vcpus
            .get_mut(vcpu.raw() as usize)
            .ok_or(EventError::NoVcpu)
    }

    pub(crate) fn check_vcpu(&self, vcpu: VcpuId) -> Result<(), EventError> {
        match self.vcpus.get(vcpu.raw() as usize) {
            Some(_) => Ok(()),
            None => Err(EventError::NoVcpu),
        }
    }

    /// Raises `port` if its events reach the guest. The one place where an event becomes pending.
    #[inline]
    pub(crate) fn raise(&mut self, port: Port) -> Delivery {
        let Some(channel) = self
            .chunks
            .get_mut((port.raw() / CHUNK_CHANNELS) as usize)
            .and_then(|chunk| chunk.get_mut((port.raw() % CHUNK_CHANNELS) as usize))
        else {
            return Delivery::Quiet;
        };
        if !channel.is_usable() {
            return Delivery::Quiet;
        }
        match &self.abi {
            Abi::TwoLevel => self.two_level.set_pending(&self.vcpus, channel.vcpu, port),
            Abi::Fifo(array) => array.set_pending(&mut self.vcpus, channel, port),
        }
    }

    /// `EVTCHNOP_unmask`: lets events of `port` through again, and delivers one that waited.
    ///
    /// # Errors
    /// [`EventError::BadPort`]. A closed channel is no error.
    #[doc(alias = "EVTCHNOP_unmask")]
    #[inline]
    pub fn unmask(&mut self, port: Port) -> Result<Delivery, EventError> {
        let channel = self
            .chunks
            .get_mut((port.raw() / CHUNK_CHANNELS) as usize)
            .and_then(|chunk| chunk.get_mut((port.raw() % CHUNK_CHANNELS) as usize))
            .ok_or(EventError::BadPort)?;
        if !channel.is_usable() {
            return Ok(Delivery::Quiet);
        }
        Ok(match &self.abi {
            Abi::TwoLevel => self.two_level.unmask(&self.vcpus, channel.vcpu, port),
            Abi::Fifo(array) => array.unmask(&mut self.vcpus, channel, port),
        })
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
            if raw >= self.valid_ports() {
                self.add_chunk()?;
            }
            let port = Port::new(raw);
            if self
                .channel(port)
                .is_some_and(|channel| channel.state == State::Free)
            {
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
    pub(crate) fn occupy(
        &mut self,
        port: Port,
        state: State,
        vcpu: VcpuId,
        consumer: Option<XenConsumer>,
    ) {
        if let Some(channel) = self.channel_mut(port) {
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
        let Some(channel) = self.channel_mut(port) else {
            return;
        };
        let usable = channel.is_usable();
        let owned = channel.consumer.is_some();
        *channel = Channel {
            last_vcpu: channel.last_vcpu,
            last_priority: channel.last_priority,
            ..Channel::FREE
        };
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

    fn add_chunk(&mut self) -> Result<(), EventError> {
        self.chunks
            .try_reserve(1)
            .map_err(|_| EventError::NoMemory)?;
        let mut channels = Vec::new();
        channels
            .try_reserve_exact(CHUNK_CHANNELS as usize)
            .map_err(|_| EventError::NoMemory)?;
        channels.resize(CHUNK_CHANNELS as usize, Channel::FREE);
        let chunk = channels
            .into_boxed_slice()
            .try_into()
            .map_err(|_| EventError::NoMemory)?;
        self.chunks.push(chunk);
        Ok(())
    }
}
