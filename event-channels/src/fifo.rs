// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! The FIFO ABI: one event word per port, and per vCPU sixteen queues of ports linked through those words.
//!
//! Who writes what: we set PENDING and LINKED, write LINK of a queue's last word, and `head` and `ready` of the control block. The guest
//! clears PENDING, sets MASKED, clears LINKED together with LINK when it takes a port off a queue, clears MASKED itself if not PENDING
//! and not BUSY, and exchanges `ready` with 0. Only `tail`, which tells us where a queue ends, is not shared. A guest that breaks these
//! rules loses its own events; every step here is bounded and none trusts a LINK.

use crate::channel::Channel;
use crate::error::EventError;
use crate::sync::{AtomicU32, Ordering};
use crate::upcall::{Delivery, Wake};
use crate::vcpu::VcpuSlot;
use alloc::vec::Vec;
use hypercalls::Port;

/// Event word: the event is raised.
pub const PENDING: u32 = 1 << 31;
/// Event word: the guest does not want it now.
pub const MASKED: u32 = 1 << 30;
/// Event word: it is in a queue.
pub const LINKED: u32 = 1 << 29;
/// Event word: we are writing LINK; the guest waits before it clears MASKED.
pub const BUSY: u32 = 1 << 28;
/// How many low bits of an event word name the next port of the queue (`link_bits` of `evtchn_init_control`).
#[doc(alias = "EVTCHN_FIFO_LINK_BITS")]
pub const LINK_BITS: u8 = 17;
/// Those bits.
#[doc(alias = "EVTCHN_FIFO_LINK_MASK")]
pub const LINK_MASK: u32 = (1 << LINK_BITS) - 1;
/// How many ports the FIFO ABI has.
#[doc(alias = "EVTCHN_FIFO_NR_CHANNELS")]
pub const FIFO_PORTS: u32 = 1 << LINK_BITS;
/// Queues of a vCPU, one per priority.
#[doc(alias = "EVTCHN_FIFO_MAX_QUEUES")]
pub const QUEUES: usize = 16;
/// The priority a channel starts with; 0 is the most urgent.
#[doc(alias = "EVTCHN_FIFO_PRIORITY_DEFAULT")]
pub const PRIORITY_DEFAULT: u8 = 7;
/// The least urgent priority.
#[doc(alias = "EVTCHN_FIFO_PRIORITY_MIN")]
pub const PRIORITY_MIN: u32 = 15;
/// A priority's bits, so that an index can be seen to be in range.
const PRIORITY_MASK: u8 = 15;
/// Size of a control block in bytes (`struct evtchn_fifo_control_block`).
pub const CONTROL_BLOCK_BYTES: u32 = 0x48;
/// The same in words: `ready`, a reserved word, `head[16]`.
pub const CONTROL_BLOCK_WORDS: usize = 18;
/// Event words in one page of the event array. Fewer under loom, whose models cannot have so many.
pub const WORDS_PER_PAGE: usize = if cfg!(loom) { 8 } else { 1024 };
/// Pages of a full event array.
pub const MAX_ARRAY_PAGES: usize = FIFO_PORTS as usize / 1024;

/// One page of the event array.
pub type ArrayPage = [AtomicU32; WORDS_PER_PAGE];
/// A vCPU's control block.
pub type ControlBlock = [AtomicU32; CONTROL_BLOCK_WORDS];

/// How often we try to write a LINK while BUSY holds back the guest. A correct guest can interfere at most three times: clear PENDING,
/// set MASKED, unlink.
const LINK_TRIES: usize = 4;

/// A vCPU's side of the FIFO ABI.
#[derive(Debug)]
pub(crate) struct VcpuQueues<'g> {
    /// The shared block, once the guest has given one.
    pub(crate) control: Option<&'g ControlBlock>,
    /// The last port of each queue as we linked it; 0 if none.
    tails: [u32; QUEUES],
}

impl VcpuQueues<'_> {
    /// No control block, empty queues.
    pub(crate) const fn new() -> Self {
        Self { control: None, tails: [0; QUEUES] }
    }
}

/// The event array of a domain.
#[derive(Debug)]
pub(crate) struct EventArray<'g> {
    pages: Vec<&'g ArrayPage>,
}

impl<'g> EventArray<'g> {
    /// An array without pages, with room for all of them so that growing cannot fail.
    pub(crate) fn new() -> Result<Self, EventError> {
        let mut pages = Vec::new();
        pages.try_reserve_exact(MAX_ARRAY_PAGES).map_err(|_| EventError::NoMemory)?;
        Ok(Self { pages })
    }

    /// Whether no page can be added.
    pub(crate) fn is_full(&self) -> bool {
        self.pages.len() >= MAX_ARRAY_PAGES
    }

    /// Adds a page and gives the ports it serves.
    pub(crate) fn push(&mut self, page: &'g ArrayPage) -> Result<core::ops::Range<u32>, EventError> {
        if self.is_full() {
            return Err(EventError::ArrayFull);
        }
        let first = self.pages.len().saturating_mul(WORDS_PER_PAGE);
        let end = first.saturating_add(WORDS_PER_PAGE);
        self.pages.push(page);
        Ok(first as u32..end as u32)
    }

    /// The event word of `port`, if its page was given.
    #[inline]
    fn word(&self, port: u32) -> Option<&'g AtomicU32> {
        let port = port as usize;
        let page = self.pages.get(port / WORDS_PER_PAGE)?;
        page.get(port % WORDS_PER_PAGE)
    }

    /// Raises `port`.
    #[inline(always)]
    pub(crate) fn set_pending(&self, vcpus: &mut [VcpuSlot<'g>], channel: &mut Channel, port: Port) -> Delivery {
        let Some(word) = self.word(port.raw()) else {
            channel.deferred = true;
            return Delivery::Quiet;
        };
        let was_pending = test_and_set_pending(word);
        // A guest that unmasks after this load saw PENDING and asks us to; one that unlinks after it looks at PENDING then.
        if word.load(Ordering::SeqCst) & (MASKED | LINKED) == 0 && self.link(vcpus, channel, port, word) {
            Delivery::Wake(Wake { vcpu: channel.vcpu, port })
        } else if was_pending {
            Delivery::Quiet
        } else {
            Delivery::Pollers(port)
        }
    }

    /// Appends `port` to the queue of its vCPU and priority. True if the vCPU must be kicked.
    #[inline]
    fn link(&self, vcpus: &mut [VcpuSlot<'g>], channel: &mut Channel, port: Port, word: &AtomicU32) -> bool {
        let target = channel.vcpu.raw() as usize;
        // Before its control block exists a vCPU has no queue; its guest unmasks only afterwards, so nothing is lost.
        let Some(control) = vcpus.get(target).and_then(|slot| slot.queues.control) else {
            return false;
        };
        if word.fetch_or(LINKED, Ordering::SeqCst) & LINKED != 0 {
            return false;
        }
        if channel.last_vcpu != channel.vcpu || channel.last_priority != channel.priority {
            leave_old_queue(vcpus, channel, port);
        }
        let priority = channel.priority & PRIORITY_MASK;
        let Some(slot) = vcpus.get_mut(target) else {
            return false;
        };
        let Some(tail) = slot.queues.tails.get_mut(usize::from(priority)) else {
            return false;
        };
        let previous = core::mem::replace(tail, port.raw());
        // If it was the tail itself the queue is empty, though its word looks linked: that was us, just now.
        if previous != 0
            && previous != port.raw()
            && let Some(previous) = self.word(previous)
            && set_link(previous, port.raw())
        {
            // The guest is still before `port` in this queue and will find it: no upcall.
            return false;
        }
        let [ready, _, heads @ ..] = control;
        let Some(head) = heads.get(usize::from(priority)) else {
            return false;
        };
        head.store(port.raw(), Ordering::Release);
        // Publishes `head`: the guest reads it after it took the ready bit.
        let bit = 1_u32.wrapping_shl(u32::from(priority));
        ready.fetch_or(bit, Ordering::SeqCst) & bit == 0 && slot.words.is_some_and(|words| words.mark_pending())
    }

    /// Unmasks `port` for the guest and delivers what waited behind the mask.
    #[inline]
    pub(crate) fn unmask(&self, vcpus: &mut [VcpuSlot<'g>], channel: &mut Channel, port: Port) -> Delivery {
        let Some(word) = self.word(port.raw()) else {
            return Delivery::Quiet;
        };
        word.fetch_and(!MASKED, Ordering::SeqCst);
        if word.load(Ordering::SeqCst) & PENDING == 0 {
            return Delivery::Quiet;
        }
        self.set_pending(vcpus, channel, port)
    }

    /// Whether `port` is raised.
    #[inline]
    pub(crate) fn is_pending(&self, port: Port) -> bool {
        self.word(port.raw()).is_some_and(|word| word.load(Ordering::SeqCst) & PENDING != 0)
    }

    /// Whether `port` is still in a queue, so that it must not be given to a new channel.
    pub(crate) fn is_linked(&self, port: Port) -> bool {
        self.word(port.raw()).is_some_and(|word| word.load(Ordering::SeqCst) & LINKED != 0)
    }

    /// Forgets a pending event. It stays linked; the guest unlinks it and finds nothing pending.
    pub(crate) fn clear_pending(&self, port: Port) {
        if let Some(word) = self.word(port.raw()) {
            word.fetch_and(!PENDING, Ordering::SeqCst);
        }
    }
}

/// Sets PENDING and says whether it was set.
#[inline(always)]
fn test_and_set_pending(word: &AtomicU32) -> bool {
    // A constant bit 31 would be tested as a sign, which x86 can only do in a compare-exchange loop that the guest could keep
    // spinning; a bit number the compiler does not know becomes one `lock bts`.
    let bit = 1_u32.wrapping_shl(core::hint::black_box(PENDING.trailing_zeros()));
    word.fetch_or(bit, Ordering::SeqCst) & bit != 0
}

/// `port` goes to another queue than last time. If it ended that one, that queue is empty now: left there, its tail would tie the old
/// queue's next event to the new queue.
#[cold]
fn leave_old_queue(vcpus: &mut [VcpuSlot<'_>], channel: &mut Channel, port: Port) {
    if let Some(slot) = vcpus.get_mut(channel.last_vcpu.raw() as usize)
        && let Some(tail) = slot.queues.tails.get_mut(usize::from(channel.last_priority))
        && *tail == port.raw()
    {
        *tail = 0;
    }
    channel.last_vcpu = channel.vcpu;
    channel.last_priority = channel.priority;
}

/// Makes `word`, the last one of a queue, point to `port`, unless the guest has taken it off. True if the guest will find `port`.
#[inline]
fn set_link(word: &AtomicU32, port: u32) -> bool {
    match try_set_link(word, port) {
        Some(linked) => linked,
        None => set_link_contended(word, port),
    }
}

/// As [`set_link`], when the guest is changing the word.
#[cold]
fn set_link_contended(word: &AtomicU32, port: u32) -> bool {
    // Keep the guest from unmasking in a loop under our feet.
    word.fetch_or(BUSY, Ordering::SeqCst);
    for _ in 0..LINK_TRIES {
        match try_set_link(word, port) {
            Some(true) => return true,
            Some(false) => break,
            None => {}
        }
    }
    word.fetch_and(!BUSY, Ordering::SeqCst);
    // Still linked after all tries: the guest rewrites the word against the rules. Its queue is its own loss; the head stays untouched.
    word.load(Ordering::SeqCst) & LINKED != 0
}

/// One try: the new link if the word is linked, `Some(false)` if it is not, `None` if the guest changed it meanwhile.
#[inline]
fn try_set_link(word: &AtomicU32, port: u32) -> Option<bool> {
    let old = word.load(Ordering::SeqCst);
    if old & LINKED == 0 {
        return Some(false);
    }
    let new = (old & !(BUSY | LINK_MASK)) | (port & LINK_MASK);
    word.compare_exchange(old, new, Ordering::SeqCst, Ordering::SeqCst).ok().map(|_| true)
}
