// SPDX-License-Identifier: MIT OR Apache-2.0
//! Event channels of domains: the crate `event-channels` decides, here stand the locks, the pages behind the shared words, and
//! what wakes a vCPU.
//!
//! Nothing here is called with a lock of rank `DomainLifecycle` or above held; a lock of rank `Pirq` may be held where no delivery
//! follows. Two tables are locked lower `DomId` first.
#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU16, AtomicU64, Ordering, fence};

use event_channels::{
    Closed, Closer, Config, Delivery, Drain, EventError, EventTable, Peer, SendEffect, Status, TwoLevelWords,
    VcpuWords, Wake,
};
use hypercalls::errno::Errno;
use hypercalls::frame::Mfn;
use hypercalls::ids::{DomId, Pirq, Port, VcpuId, Virq};

use crate::config::MAX_VCPUS;
use crate::console;
use crate::domain::memory::WritableRef;
use crate::domain::vcpu::{Vcpu, pause};
use crate::domain::{Domain, DomainRef, table};
use crate::mm::map;
use crate::x86::uaccess;

/// 64-bit words of shared_info before evtchn_pending.
const PENDING_WORD: usize = 0x800 / 8;
/// And before evtchn_mask.
const MASK_WORD: usize = 0xa00 / 8;

/// What a domain's event lock protects.
#[derive(Debug)]
pub(crate) struct Events {
    /// The channels.
    pub(crate) table: EventTable<'static>,
    /// Control blocks and event array pages that `table` refers to; dropped only after `finish_drain`.
    pages: Vec<WritableRef>,
}

impl Events {
    /// No channels yet, in the two-level ABI of the domain's shared_info page, and room for so many pirqs. ENOMEM.
    pub(crate) fn new(dom: DomId, vcpus: u32, max_port: u32, pirqs: u32, shared_info: Mfn) -> Result<Self, Errno> {
        let words = map::words(shared_info);
        let bitmap = |first: usize| words.get(first..).and_then(|rest| rest.first_chunk()).ok_or(Errno::ENOMEM);
        let two_level = TwoLevelWords { pending: bitmap(PENDING_WORD)?, mask: bitmap(MASK_WORD)? };
        let config = Config { dom, vcpus, max_port, pirqs };
        Ok(Self { table: EventTable::new(config, two_level)?, pages: Vec::new() })
    }
}

/// Which vCPUs of a domain are in SCHEDOP_poll. A bit may be set a little too long, never too short.
#[derive(Debug, Default)]
pub(crate) struct Pollers([AtomicU64; MAX_VCPUS as usize / 64]);

impl Pollers {
    fn word(&self, vcpu: VcpuId) -> Option<(&AtomicU64, u64)> {
        self.0.get(vcpu.raw() as usize / 64).map(|word| (word, 1 << (vcpu.raw() % 64)))
    }

    /// The vCPU begins to poll; events that come later are seen to.
    pub(crate) fn insert(&self, vcpu: VcpuId) {
        if let Some((word, bit)) = self.word(vcpu) {
            word.fetch_or(bit, Ordering::SeqCst);
        }
    }

    /// It polls no more.
    pub(crate) fn remove(&self, vcpu: VcpuId) {
        if let Some((word, bit)) = self.word(vcpu) {
            word.fetch_and(!bit, Ordering::SeqCst);
        }
    }

    /// Who polls now.
    fn iter(&self) -> impl Iterator<Item = VcpuId> {
        self.0.iter().zip(0_u32..).flat_map(|(word, index)| {
            let bits = word.load(Ordering::SeqCst);
            (0..64).filter(move |bit| bits >> bit & 1 != 0).map(move |bit| VcpuId::new(index * 64 + bit))
        })
    }

    fn is_empty(&self) -> bool {
        self.0.iter().all(|word| word.load(Ordering::SeqCst) == 0)
    }
}

// ---- raising ----

/// A port that a guest named, if the table has it; a processor that guesses so finds port 0 (Spectre variant 1). EINVAL.
#[inline(always)]
fn existing(table: &EventTable<'static>, port: Port) -> Result<Port, Errno> {
    let (raw, limit) = (u64::from(port.raw()), u64::from(table.port_limit()));
    let masked = Port::new(uaccess::nospec(raw, limit, raw) as u32);
    if raw < limit { Ok(masked) } else { Err(Errno::EINVAL) }
}

/// The state of a port. EINVAL, EACCES.
#[inline]
pub(crate) fn status(domain: &Domain, port: Port) -> Result<Status, Errno> {
    let events = domain.events.lock();
    let port = existing(&events.table, port)?;
    Ok(events.table.status(port)?)
}

/// EVTCHNOP_send by the vCPU that runs on this CPU. EINVAL.
pub(crate) fn send(vcpu: &Vcpu, port: Port) -> Result<(), Errno> {
    let domain = &*vcpu.domain;
    let effect = {
        let mut events = domain.events.lock();
        let port = existing(&events.table, port)?;
        events.table.send(port)?
    };
    match effect {
        SendEffect::Local(Delivery::Quiet) => {}
        // To itself: it is awake, and its upcall is looked for on the way back.
        SendEffect::Local(Delivery::Wake(wake)) if wake.vcpu == vcpu.id => wake_pollers(domain, wake.port),
        SendEffect::Local(delivery) => deliver(domain, delivery),
        SendEffect::Remote { dom, port: end } => {
            if let Some(remote) = table::find(dom) {
                let delivery = remote.events.lock().table.deliver_from(end, domain.id, port);
                deliver(&remote, delivery);
            }
        }
        SendEffect::Dropped => {}
    }
    Ok(())
}

/// Raises a virtual interrupt of one vCPU (VIRQ_TIMER and its like). Nothing happens if it is not bound.
pub(crate) fn notify_virq(vcpu: &Vcpu, virq: Virq) {
    let delivery = vcpu.domain.events.lock().table.raise_virq(vcpu.id, virq);
    deliver(&vcpu.domain, delivery);
}

/// Who takes each global virtual interrupt: the control domain, until XEN_DOMCTL_set_virq_handler says otherwise.
static TAKERS: [AtomicU16; Virq::COUNT as usize] = [const { AtomicU16::new(DomId::DOM0.raw()) }; Virq::COUNT as usize];

/// Raises a global virtual interrupt (VIRQ_DOM_EXC and its like) in the domain that takes it.
pub(crate) fn notify_global_virq(virq: Virq) {
    let taker = TAKERS.get(virq.raw() as usize).map(|taker| DomId::new(taker.load(Ordering::Relaxed)));
    if let Some(domain) = taker.and_then(table::find) {
        let delivery = domain.events.lock().table.raise_virq(VcpuId::new(0), virq);
        deliver(&domain, delivery);
    }
}

/// XEN_DOMCTL_set_virq_handler: gives a global virtual interrupt to a domain. EINVAL if it is not a global one.
pub(crate) fn set_virq_taker(virq: Virq, domain: DomId) -> Result<(), Errno> {
    let taker =
        TAKERS.get(virq.raw() as usize).filter(|_| event_channels::virq_is_global(virq)).ok_or(Errno::EINVAL)?;
    taker.store(domain.raw(), Ordering::Relaxed);
    Ok(())
}

/// Raises a physical interrupt. `false` if nobody has bound it, so that its line must not wait for an end of interrupt.
pub(crate) fn notify_pirq(domain: &Domain, pirq: Pirq) -> bool {
    let delivery = domain.events.lock().table.raise_pirq(pirq);
    delivery.map(|delivery| deliver(domain, delivery)).is_some()
}

/// Tells the domain that reads the console ring when there is something in it.
pub(crate) fn console_output() {
    if console::take_ring_news() {
        notify_global_virq(Virq::CON_RING);
    }
}

/// The serial port has input: takes it, and tells the domain that reads the console. `run_key` does what debug keys stand for.
pub(crate) fn console_input(run_key: fn(char)) {
    if console::receive(run_key) {
        notify_global_virq(Virq::CONSOLE);
    }
}

/// Does what the logic asks for after an event became pending. The event lock has been given up.
pub(crate) fn deliver(domain: &Domain, delivery: Delivery) {
    match delivery {
        Delivery::Quiet => {}
        Delivery::Pollers(port) => wake_pollers(domain, port),
        Delivery::Wake(Wake { vcpu, port }) => {
            if let Some(vcpu) = domain.vcpu(vcpu) {
                // If it blocks from now on, it sees the event itself: what we wrote came before what we read here.
                fence(Ordering::SeqCst);
                if vcpu.pause_flags.load(Ordering::SeqCst) & pause::BLOCKED != 0 {
                    unblock_for(domain, &vcpu, port);
                }
                vcpu.interrupt();
            }
            wake_pollers(domain, port);
        }
        // Xen's own consumers are its device model and paging channels, which PV guests do not have.
        Delivery::Xen { consumer, port, .. } => log::warn!("event {port:?} for unknown consumer {consumer:?}"),
    }
}

/// `vcpu.poll_port` of a vCPU that polls for more than one port.
pub(crate) const SEVERAL_PORTS: u32 = u32::MAX;

fn wake_pollers(domain: &Domain, port: Port) {
    if domain.pollers.is_empty() {
        return;
    }
    for vcpu in domain.pollers.iter().filter_map(|id| domain.vcpu(id)) {
        let waits_for = vcpu.poll_port.load(Ordering::Acquire);
        if (waits_for == SEVERAL_PORTS || waits_for == port.raw()) && vcpu.is_polling() {
            unblock_for(domain, &vcpu, port);
        }
    }
}

/// Ends a vCPU's block or poll for an event, unless it is in a poll and the event is gone: a quick vCPU has taken it before its sender
/// came here, and polls for the next one.
fn unblock_for(domain: &Domain, vcpu: &Vcpu, port: Port) {
    // A poll begins under this lock: it is the same one when we end it as when we look.
    let events = domain.events.lock();
    if !vcpu.is_polling() || vcpu.event_due() || !matches!(events.table.is_port_pending(port), Ok(false)) {
        vcpu.unblock();
    }
}

/// Marks a vCPU as polling. An event from now on, pending when the vCPU looks or not, ends the poll.
pub(crate) fn begin_poll(vcpu: &Vcpu) {
    let _order = vcpu.domain.events.lock();
    vcpu.poll_port.store(SEVERAL_PORTS, Ordering::Relaxed);
    vcpu.pause_flags.fetch_or(pause::BLOCKED | pause::POLLING, Ordering::SeqCst);
    vcpu.domain.pollers.insert(vcpu.id);
}

/// Whether a port is pending, for SCHEDOP_poll. EINVAL for one that is closed or out of range.
pub(crate) fn is_pending(domain: &Domain, port: Port) -> Result<bool, Errno> {
    let events = domain.events.lock();
    match events.table.status(port) {
        Err(_) | Ok(event_channels::Status { kind: event_channels::StatusKind::Closed, .. }) => Err(Errno::EINVAL),
        Ok(_) => Ok(events.table.is_port_pending(port)?),
    }
}

/// EVTCHNOP_unmask. EINVAL.
pub(crate) fn unmask(domain: &Domain, port: Port) -> Result<(), Errno> {
    let delivery = {
        let mut events = domain.events.lock();
        let port = existing(&events.table, port)?;
        events.table.unmask(port)?
    };
    deliver(domain, delivery);
    Ok(())
}

// ---- two domains ----

fn with_both<R>(
    one: &Domain,
    other: &Domain,
    act: impl FnOnce(&mut EventTable<'static>, &mut EventTable<'static>) -> R,
) -> R {
    if one.id.raw() < other.id.raw() {
        let mut one = one.events.lock();
        let mut other = other.events.lock();
        act(&mut one.table, &mut other.table)
    } else {
        let mut other = other.events.lock();
        let mut one = one.events.lock();
        act(&mut one.table, &mut other.table)
    }
}

/// EVTCHNOP_bind_interdomain; errors as [`EventTable::bind_interdomain`].
pub(crate) fn bind_interdomain(domain: &DomainRef, remote: &DomainRef, remote_port: Port) -> Result<Port, Errno> {
    let (port, delivery) = if Arc::ptr_eq(domain, remote) {
        domain.events.lock().table.bind_interdomain(Peer::Itself, remote_port)?
    } else {
        with_both(domain, remote, |own, peer| own.bind_interdomain(Peer::Other(peer), remote_port))?
    };
    deliver(domain, delivery);
    Ok(port)
}

/// Closes a port. The pirq whose line is now to be closed, if it was one's (`irq::guest::unbind`).
pub(crate) fn close(domain: &Domain, port: Port, by: Closer) -> Result<Option<Pirq>, EventError> {
    let mut peer: Option<DomainRef> = None;
    loop {
        let closed = match &peer {
            None => domain.events.lock().table.close(port, Peer::Itself, by)?,
            Some(peer) => with_both(domain, peer, |own, peer| own.close(port, Peer::Other(peer), by))?,
        };
        match closed {
            Closed::Done(line) => return Ok(line),
            // Ends of a domain that is no longer in the table were closed before it left.
            Closed::NeedsPeer(dom) => peer = Some(table::find(dom).ok_or(EventError::WrongState)?),
        }
    }
}

/// One stretch of EVTCHNOP_reset or of a domain's end (after [`set_dying`]): visits up to `budget` ports and closes those that are
/// open; each pirq that lost its channel goes to `line`. `true`: all done, and the pages of the FIFO ABI are given back.
/// EAGAIN: the guest opened channels meanwhile.
pub(crate) fn drain(domain: &Domain, by: Closer, budget: &mut u32, mut line: impl FnMut(Pirq)) -> Result<bool, Errno> {
    loop {
        let next = domain.events.lock().table.drain(by, budget);
        match next {
            // A failure means that it is closed already, or changed: the next look tells.
            Drain::Close(port) => {
                if let Ok(Some(pirq)) = close(domain, port, by) {
                    line(pirq);
                }
            }
            Drain::More => return Ok(false),
            Drain::Done => break,
        }
    }
    let pages = {
        let mut events = domain.events.lock();
        events.table.finish_drain()?;
        core::mem::take(&mut events.pages)
    };
    drop(pages);
    Ok(true)
}

/// No port can be opened from now on; the domain's virtual interrupts go back to the control domain.
pub(crate) fn set_dying(domain: &Domain) {
    domain.events.lock().table.set_dying();
    for taker in &TAKERS {
        let _ = taker.compare_exchange(domain.id.raw(), DomId::DOM0.raw(), Ordering::Relaxed, Ordering::Relaxed);
    }
}

// ---- words and pages ----

fn words_of(vcpu: &Vcpu) -> VcpuWords<'static> {
    let info = vcpu.info();
    VcpuWords {
        upcall_pending: info.upcall_pending(),
        upcall_mask: info.upcall_mask(),
        pending_sel: info.pending_sel(),
    }
}

/// Tells the channels where a new vCPU's vcpu_info is, if it has one.
pub(crate) fn register_vcpu(vcpu: &Vcpu) -> Result<(), Errno> {
    if vcpu.has_info() {
        vcpu.domain.events.lock().table.set_vcpu_words(vcpu.id, Some(words_of(vcpu)))?;
    }
    Ok(())
}

/// A vCPU's vcpu_info moves to a machine address; the caller has copied the contents. Everything is marked pending, because the
/// old place may have been written since.
pub(crate) fn move_vcpu_info(vcpu: &Vcpu, address: u64) -> Result<(), Errno> {
    let wake = {
        let mut events = vcpu.domain.events.lock();
        vcpu.set_info(address);
        events.table.set_vcpu_words(vcpu.id, Some(words_of(vcpu)))?;
        events.table.mark_all_pending(vcpu.id)
    };
    if wake.is_some() {
        vcpu.kick();
    }
    Ok(())
}

/// EVTCHNOP_init_control. ENOENT, EINVAL, ENOMEM.
pub(crate) fn init_control(domain: &Domain, vcpu: VcpuId, frame: Mfn, offset: u32) -> Result<(), Errno> {
    domain.events.lock().table.check_control(vcpu, offset)?;
    let page = WritableRef::get(frame, domain.id).ok_or(Errno::EINVAL)?;
    let block =
        map::words32(frame).get(offset as usize / 4..).and_then(|rest| rest.first_chunk()).ok_or(Errno::EINVAL)?;
    add_page(domain, page, |table| table.init_control(vcpu, offset, block))
}

/// EVTCHNOP_expand_array. EOPNOTSUPP, ENOSPC, EINVAL.
pub(crate) fn expand_array(domain: &Domain, frame: Mfn) -> Result<(), Errno> {
    domain.events.lock().table.check_expand()?;
    let page = WritableRef::get(frame, domain.id).ok_or(Errno::EINVAL)?;
    let mut woken = [0_u64; MAX_VCPUS as usize / 64];
    let mut raised = false;
    add_page(domain, page, |table| {
        table.expand_array(map::words32(frame), |delivery| {
            raised |= delivery.polled_port().is_some();
            if let Some(Wake { vcpu, .. }) = delivery.wake()
                && let Some(word) = woken.get_mut(vcpu.raw() as usize / 64)
            {
                *word |= 1 << (vcpu.raw() % 64);
            }
        })
    })?;
    for vcpu in domain.vcpus() {
        let is_woken = woken.get(vcpu.id.raw() as usize / 64).is_some_and(|word| word >> (vcpu.id.raw() % 64) & 1 != 0);
        // Whoever polls looks again: which ports were raised is not worth a list.
        let polls = raised && vcpu.pause_flags.load(Ordering::Acquire) & pause::POLLING != 0;
        if is_woken || polls {
            vcpu.kick();
        }
    }
    Ok(())
}

/// Gives the table a page to refer to, and keeps the references on the page's frame as long as the table may use it.
fn add_page(
    domain: &Domain,
    page: WritableRef,
    add: impl FnOnce(&mut EventTable<'static>) -> Result<(), EventError>,
) -> Result<(), Errno> {
    let mut events = domain.events.lock();
    events.pages.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
    let added = add(&mut events.table);
    if added.is_ok() {
        events.pages.push(page);
        return Ok(());
    }
    // Not under the lock: the last reference frees the frame.
    drop(events);
    drop(page);
    Ok(added?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pollers_are_found() {
        let pollers = Pollers::default();
        assert!(pollers.is_empty());
        for id in [0, 63, 64, 127, 128] {
            pollers.insert(VcpuId::new(id));
        }
        assert_eq!(pollers.iter().map(VcpuId::raw).collect::<Vec<_>>(), [0, 63, 64, 127]);
        pollers.remove(VcpuId::new(64));
        assert_eq!(pollers.iter().map(VcpuId::raw).collect::<Vec<_>>(), [0, 63, 127]);
    }

    #[test]
    fn only_global_interrupts_change_hands() {
        assert_eq!(set_virq_taker(Virq::TIMER, DomId::new(3)), Err(Errno::EINVAL));
        assert_eq!(set_virq_taker(Virq::new(24), DomId::new(3)), Err(Errno::EINVAL));
        assert_eq!(set_virq_taker(Virq::TBUF, DomId::new(3)), Ok(()));
        assert_eq!(TAKERS[Virq::TBUF.raw() as usize].load(Ordering::Relaxed), 3);
    }
}
