// SPDX-License-Identifier: MIT OR Apache-2.0
//! What went wrong with event channels elsewhere, one test per class of Xen advisory. The hypervisor has its part in some of them (frames,
//! guest pointers, locks); what is tested here is this crate's.
#![forbid(unsafe_code)]
#![cfg(not(loom))]

mod common;

use common::Shared;
use event_channels::fifo::{BUSY, FIFO_PORTS, LINK_MASK, LINKED, MASKED, MAX_ARRAY_PAGES, PENDING, QUEUES};
use event_channels::sync::Ordering::SeqCst;
use event_channels::{
    Closed, Closer, Config, Delivery, Drain, EventError, EventTable, Peer, SendEffect, StatusKind, TWO_LEVEL_PORTS,
    TwoLevelWords, Wake, XenConsumer,
};
use hypercalls::{DomId, Errno, Pirq, Port, VcpuId, Virq};
use std::num::NonZeroU8;

const A: DomId = DomId::new(1);
const B: DomId = DomId::new(2);
const CPU0: VcpuId = VcpuId::new(0);
const CPU1: VcpuId = VcpuId::new(1);

/// A table in the FIFO ABI with all its pages and every vCPU's control block.
fn fifo(shared: &Shared) -> EventTable<'_> {
    let mut table = shared.table(1);
    for (index, vcpu) in shared.vcpus.iter().enumerate() {
        let vcpu_id = VcpuId::new(index as u32);
        table.init_control(vcpu_id, 0, &vcpu.control).unwrap();
    }
    for page in &shared.pages {
        table.expand_array(page, |_| ()).unwrap();
    }
    table
}

/// Connects a port of `a` with one of `b`.
fn connect<'g>(a: &mut EventTable<'g>, b: &mut EventTable<'g>) -> (Port, Port) {
    let offered = b.alloc_unbound(a.dom()).unwrap();
    let (port, _) = a.bind_interdomain(Peer::Other(b), offered).unwrap();
    (port, offered)
}

/// Closes a port that has no peer in another domain.
fn close(table: &mut EventTable<'_>, port: Port) {
    let closed = table.close(port, Peer::Itself, Closer::Guest).unwrap();
    assert!(matches!(closed, Closed::Done(_)));
}

/// Raises through an IPI port.
fn ipi(table: &mut EventTable<'_>, port: Port) -> Delivery {
    match table.send(port).unwrap() {
        SendEffect::Local(delivery) => delivery,
        other => panic!("an IPI stays at home: {other:?}"),
    }
}

/// XSA-47: the expansion of the event array was acted upon before it was known to be allowed.
#[test]
fn xsa_47_a_refused_expansion_changes_nothing() {
    let shared = Shared::new(1, 1);
    let mut table = shared.table(1);
    let refused = table.expand_array(&shared.pages[0], |_| ());
    assert_eq!(refused.map_err(EventError::errno), Err(Errno::EOPNOTSUPP));
    table.init_control(CPU0, 0, &shared.vcpus[0].control).unwrap();
    let port = table.bind_ipi(CPU0).unwrap();
    assert_eq!(ipi(&mut table, port), Delivery::Quiet, "no page yet");
    assert_eq!(shared.word(port.raw()).load(SeqCst), 0, "the refused page is not used");
}

/// XSA-107: operations of the FIFO ABI on a vCPU without a control block.
#[test]
fn xsa_107_no_control_block() {
    let shared = Shared::new(2, 1);
    let mut table = shared.table(1);
    table.init_control(CPU0, 0, &shared.vcpus[0].control).unwrap();
    table.expand_array(&shared.pages[0], |_| ()).unwrap();
    let port = table.bind_ipi(CPU1).unwrap();
    table.set_priority(port, 0).unwrap();
    assert_eq!(ipi(&mut table, port), Delivery::Pollers(port));
    assert_eq!(table.unmask(port).unwrap(), Delivery::Quiet);
    assert_eq!(shared.word(port.raw()).load(SeqCst), PENDING, "pending, in no queue");
    assert_eq!(table.close(port, Peer::Itself, Closer::Guest), Ok(Closed::Done(None)));
    // And a second block is refused, whatever it is.
    for offset in [0, 8, 4, 0xfc0, u32::MAX] {
        let again = table.init_control(CPU0, offset, &shared.vcpus[0].control);
        assert_eq!(again.map_err(EventError::errno), Err(Errno::EINVAL));
    }
    assert_eq!(table.check_control(CPU1, 0xfb8), Ok(()));
    assert_eq!(table.check_control(CPU1, 0xfc0), Err(EventError::BadControlBlock));
    assert_eq!(table.check_control(CPU1, 12), Err(EventError::BadControlBlock));
    assert_eq!(table.check_control(VcpuId::new(2), 0), Err(EventError::NoVcpu));
}

/// XSA-221: unmapped things were followed: polling or unmasking a port without an event word.
#[test]
fn xsa_221_no_event_word() {
    let shared = Shared::new(1, 1);
    let mut table = shared.table(1);
    table.init_control(CPU0, 0, &shared.vcpus[0].control).unwrap();
    let port = table.alloc_unbound(A).unwrap();
    assert_eq!(table.is_port_pending(port), Ok(false));
    assert_eq!(table.unmask(port), Ok(Delivery::Quiet));
    assert_eq!(table.set_priority(port, 3), Ok(()));
    assert_eq!(table.close(port, Peer::Itself, Closer::Guest), Ok(Closed::Done(None)));
}

/// XSA-317: a port number at or beyond the limit.
#[test]
fn xsa_317_ports_out_of_range() {
    let shared = Shared::new(1, 1);
    let mut table = fifo(&shared);
    for raw in [64, 4096, FIFO_PORTS - 1, FIFO_PORTS, 1 << 31, u32::MAX] {
        let port = Port::new(raw);
        assert_eq!(table.send(port), Err(EventError::BadPort));
        assert_eq!(table.unmask(port), Err(EventError::BadPort));
        assert_eq!(table.status(port), Err(EventError::BadPort));
        assert_eq!(table.is_port_pending(port), Err(EventError::BadPort));
        assert_eq!(table.set_priority(port, 0), Err(EventError::BadPort));
        assert_eq!(table.bind_vcpu(port, CPU0), Err(EventError::BadPort));
        assert_eq!(table.close(port, Peer::Itself, Closer::Guest), Err(EventError::BadPort));
        assert_eq!(table.bind_interdomain(Peer::Itself, port), Err(EventError::BadPort));
        assert_eq!(table.deliver_from(port, B, port), Delivery::Quiet);
    }
    assert_eq!(table.status(Port::new(0)).unwrap().kind, StatusKind::Closed);
    assert_eq!(table.send(Port::new(0)), Err(EventError::WrongState));
    assert_eq!(table.bind_virq(Virq::new(24), CPU0), Err(EventError::BadVirq));
    assert_eq!(table.bind_virq(Virq::new(u32::MAX), CPU0), Err(EventError::BadVirq));
    assert_eq!(table.raise_virq(CPU0, Virq::new(u32::MAX)), Delivery::Quiet);
    assert_eq!(table.bind_pirq(Pirq::new(16)), Err(EventError::BadPirq));
    assert_eq!(table.raise_pirq(Pirq::new(u32::MAX)), None);
    // A link the guest invents is never followed.
    let port = table.bind_ipi(CPU0).unwrap();
    shared.word(port.raw()).store(LINK_MASK, SeqCst);
    assert_eq!(ipi(&mut table, port), Delivery::Wake(Wake { vcpu: CPU0, port }));
}

/// XSA-338: a valid port became invalid when a reset took the domain back to the two-level ABI.
#[test]
fn xsa_338_valid_ports_stay_valid() {
    let shared = Shared::new(1, 5);
    let mut table = fifo(&shared);
    for _ in 0..TWO_LEVEL_PORTS {
        table.alloc_unbound(B).unwrap();
    }
    let beyond = Port::new(TWO_LEVEL_PORTS);
    assert!(table.status(beyond).is_ok());
    let consumer = XenConsumer::new(NonZeroU8::MIN);
    let owned = table.alloc_unbound_xen(CPU0, A, consumer).unwrap();
    reset(&mut table);
    assert_eq!(table.status(beyond).unwrap().kind, StatusKind::Closed);
    assert_eq!(table.status(owned), Err(EventError::XenOwnedStatus));
    assert_eq!(table.is_port_pending(owned), Ok(false));
    let (_, delivery) = table.bind_interdomain(Peer::Itself, owned).unwrap();
    assert_eq!(delivery, Delivery::Wake(Wake { vcpu: CPU0, port: Port::new(1) }));
}

/// Closes all of a guest's ports; no peers in other domains.
fn reset(table: &mut EventTable<'_>) -> u32 {
    let mut steps = 1;
    loop {
        let mut budget = 16;
        loop {
            match table.drain(Closer::Guest, &mut budget) {
                Drain::Close(port) => close(table, port),
                Drain::More => break,
                Drain::Done => {
                    table.finish_drain().unwrap();
                    return steps;
                }
            }
        }
        steps += 1;
    }
}

/// XSA-342: a domain could use more ports than its ABI or its limit allows.
#[test]
fn xsa_342_limits() {
    let shared = Shared::new(1, 0);
    let mut table = shared.table(1);
    for raw in 1..TWO_LEVEL_PORTS {
        assert_eq!(table.alloc_unbound(B), Ok(Port::new(raw)));
    }
    let full = table.alloc_unbound(B);
    assert_eq!(full.map_err(EventError::errno), Err(Errno::ENOSPC));
    close(&mut table, Port::new(77));
    assert_eq!(table.alloc_unbound(B), Ok(Port::new(77)), "lowest first");
    table.init_control(CPU0, 0, &shared.vcpus[0].control).unwrap();
    assert_eq!(table.alloc_unbound(B), Ok(Port::new(TWO_LEVEL_PORTS)), "the FIFO ABI has more");

    let config = Config { dom: B, vcpus: 1, max_port: 3, pirqs: 0 };
    let words = TwoLevelWords { pending: &shared.pending, mask: &shared.mask };
    let mut small = EventTable::new(config, words).unwrap();
    for raw in 1..=3 {
        assert_eq!(small.bind_ipi(CPU0), Ok(Port::new(raw)));
    }
    assert_eq!(small.bind_ipi(CPU0), Err(EventError::NoFreePort));

    // And no page beyond the last port.
    let pages = Shared::new(1, MAX_ARRAY_PAGES + 1);
    let mut table = pages.table(3);
    table.init_control(CPU0, 0, &pages.vcpus[0].control).unwrap();
    for page in &pages.pages[..MAX_ARRAY_PAGES] {
        table.expand_array(page, |_| ()).unwrap();
    }
    assert_eq!(table.check_expand(), Err(EventError::ArrayFull));
    let full = table.expand_array(&pages.pages[MAX_ARRAY_PAGES], |_| ());
    assert_eq!(full.map_err(EventError::errno), Err(Errno::ENOSPC));
}

/// XSA-343: a channel was closed, reset or rebound between the two halves of a send.
#[test]
fn xsa_343_the_binding_is_checked_again() {
    let (here, there) = (Shared::new(1, 0), Shared::new(1, 0));
    let (mut a, mut b) = (here.table(1), there.table(2));
    let (port, end) = connect(&mut a, &mut b);
    assert_eq!(a.send(port), Ok(SendEffect::Remote { dom: B, port: end }));
    // The receiver closes and gives its port to something else before the event arrives.
    assert_eq!(b.close(end, Peer::Itself, Closer::Guest), Ok(Closed::NeedsPeer(A)));
    assert_eq!(b.close(end, Peer::Other(&mut a), Closer::Guest), Ok(Closed::Done(None)));
    assert_eq!(a.status(port).unwrap().kind, StatusKind::Unbound(B));
    assert_eq!(b.deliver_from(end, A, port), Delivery::Quiet);
    assert_eq!(b.bind_virq(Virq::TIMER, CPU0), Ok(end));
    assert_eq!(b.deliver_from(end, A, port), Delivery::Quiet);
    assert_eq!(there.pending[0].load(SeqCst), 0);
    assert_eq!(a.send(port), Ok(SendEffect::Dropped));
    // Another domain's table as the peer changes nothing.
    let (port, end) = connect(&mut a, &mut b);
    let other = Shared::new(1, 0);
    let mut c = other.table(3);
    assert_eq!(a.close(port, Peer::Other(&mut c), Closer::Guest), Ok(Closed::NeedsPeer(B)));
    assert_eq!(b.status(end).unwrap().kind, StatusKind::Interdomain(A, port));
}

/// XSA-344: reset and destruction ran over all ports without a break.
#[test]
fn xsa_344_reset_and_death_go_in_bounded_steps() {
    let (here, there) = (Shared::new(1, 0), Shared::new(1, 0));
    let (mut a, mut b) = (here.table(1), there.table(2));
    for _ in 0..200 {
        a.bind_ipi(CPU0).unwrap();
    }
    assert!(reset(&mut a) > 10);
    assert_eq!(a.open_channels(), 0);

    // What was opened behind the drain's back is found at the end.
    let first = a.bind_ipi(CPU0).unwrap();
    a.bind_ipi(CPU0).unwrap();
    close(&mut a, first);
    let mut budget = 2;
    assert_eq!(a.drain(Closer::Guest, &mut budget), Drain::More);
    let mut budget = 1;
    let Drain::Close(port) = a.drain(Closer::Guest, &mut budget) else {
        panic!("the second port is open");
    };
    close(&mut a, port);
    a.bind_ipi(CPU0).unwrap();
    assert_eq!(a.drain(Closer::Guest, &mut 1000), Drain::Done);
    assert_eq!(a.finish_drain().map_err(EventError::errno), Err(Errno::EAGAIN));
    reset(&mut a);

    // Death: nothing new is opened, the hypervisor's ports go too, and the peer learns of it.
    let (_, end) = connect(&mut a, &mut b);
    a.alloc_unbound_xen(CPU0, B, XenConsumer::new(NonZeroU8::MIN)).unwrap();
    a.set_dying();
    assert_eq!(a.alloc_unbound(B).map_err(EventError::errno), Err(Errno::EINVAL));
    while let Drain::Close(port) = a.drain(Closer::Xen, &mut 1000) {
        let _ = a.close(port, Peer::Other(&mut b), Closer::Xen).unwrap();
    }
    assert_eq!(a.finish_drain(), Ok(false));
    assert_eq!(a.open_channels(), 0);
    assert_eq!(b.status(end).unwrap().kind, StatusKind::Unbound(A));
    assert_eq!(b.send(end), Ok(SendEffect::Dropped));
}

/// XSA-358: a queue's tail outlived the port's stay in that queue, or its vCPU.
#[test]
fn xsa_358_a_port_that_changes_queues() {
    let shared = Shared::new(2, 1);
    let mut table = fifo(&shared);
    let (mut heads0, mut heads1) = ([0; QUEUES], [0; QUEUES]);
    let moving = table.alloc_unbound(A).unwrap();
    let (other_end, delivery) = table.bind_interdomain(Peer::Itself, moving).unwrap();
    assert_eq!(delivery, Delivery::Wake(Wake { vcpu: CPU0, port: other_end }));
    assert_eq!(shared.consume_fifo(0, &mut heads0), [other_end.raw()]);
    let staying = table.bind_ipi(CPU0).unwrap();

    // `moving` ends vCPU 0's queue, is taken off, and goes to vCPU 1's.
    let to_moving = |table: &mut EventTable<'_>| match table.send(other_end).unwrap() {
        SendEffect::Local(delivery) => delivery,
        other => panic!("a loop stays at home: {other:?}"),
    };
    assert_eq!(to_moving(&mut table), Delivery::Wake(Wake { vcpu: CPU0, port: moving }));
    assert_eq!(shared.consume_fifo(0, &mut heads0), [moving.raw()]);
    table.bind_vcpu(moving, CPU1).unwrap();
    assert_eq!(to_moving(&mut table), Delivery::Wake(Wake { vcpu: CPU1, port: moving }));
    // vCPU 0's next event must start its queue, not follow `moving` in the other one.
    assert_eq!(ipi(&mut table, staying), Delivery::Wake(Wake { vcpu: CPU0, port: staying }));
    assert_eq!(shared.consume_fifo(0, &mut heads0), [staying.raw()]);
    assert_eq!(shared.consume_fifo(1, &mut heads1), [moving.raw()]);

    // Moved while it is linked, it stays in the old queue until taken off.
    assert_eq!(to_moving(&mut table), Delivery::Wake(Wake { vcpu: CPU1, port: moving }));
    table.bind_vcpu(moving, CPU0).unwrap();
    assert_eq!(to_moving(&mut table), Delivery::Quiet);
    assert_eq!(shared.consume_fifo(0, &mut heads0), [] as [u32; 0]);
    assert_eq!(shared.consume_fifo(1, &mut heads1), [moving.raw()]);
}

/// XSA-358's neighbour: a closed port that is still linked must not start a new life in another queue.
#[test]
fn a_linked_port_is_not_given_out() {
    let shared = Shared::new(1, 1);
    let mut table = fifo(&shared);
    let port = table.bind_ipi(CPU0).unwrap();
    assert_eq!(ipi(&mut table, port), Delivery::Wake(Wake { vcpu: CPU0, port }));
    close(&mut table, port);
    assert_eq!(shared.word(port.raw()).load(SeqCst) & (PENDING | LINKED), LINKED);
    let next = table.bind_ipi(CPU0).unwrap();
    assert_ne!(next, port);
    assert_eq!(shared.consume_fifo(0, &mut [0; QUEUES]), [] as [u32; 0]);
    assert_eq!(table.bind_ipi(CPU0), Ok(port), "unlinked, it is the lowest again");
}

/// XSA-295 and its like: a guest that keeps rewriting its words must not hold us. All values a word can have, one at a time.
#[test]
fn any_word_is_survived() {
    let shared = Shared::new(1, 1);
    let mut table = fifo(&shared);
    let first = table.bind_ipi(CPU0).unwrap();
    let second = table.bind_ipi(CPU0).unwrap();
    for flags in 0..16_u32 {
        for link in [0, 1, 2, 1023, 1024, LINK_MASK] {
            for word in [first, second] {
                shared.word(word.raw()).store(flags << 28 | link, SeqCst);
                for control in shared.vcpus[0].control.iter() {
                    control.store(flags << 28 | link, SeqCst);
                }
                let _ = ipi(&mut table, first);
                let _ = table.unmask(second).unwrap();
                let _ = ipi(&mut table, second);
            }
        }
    }
    // A fair guest is well again after cleaning up.
    reset(&mut table);
    let clean = Shared::new(1, 1);
    let mut table = fifo(&clean);
    let port = table.bind_ipi(CPU0).unwrap();
    clean.word(port.raw()).store(MASKED | BUSY, SeqCst);
    assert_eq!(ipi(&mut table, port), Delivery::Pollers(port), "masked");
    assert_eq!(table.unmask(port), Ok(Delivery::Wake(Wake { vcpu: CPU0, port })));
}

/// The hypervisor's own channels: the guest sees them as taken and cannot touch them.
#[test]
fn owned_channels_are_out_of_reach() {
    let (here, there) = (Shared::new(1, 0), Shared::new(1, 0));
    let (mut a, mut b) = (here.table(1), there.table(2));
    let consumer = XenConsumer::new(NonZeroU8::MIN);
    let port = a.alloc_unbound_xen(CPU0, B, consumer).unwrap();
    assert_eq!(a.close(port, Peer::Itself, Closer::Guest), Err(EventError::XenOwned));
    assert_eq!(a.send(port), Err(EventError::XenOwned));
    assert_eq!(a.bind_vcpu(port, CPU0), Err(EventError::XenOwned));
    assert_eq!(a.status(port).map_err(EventError::errno), Err(Errno::EACCES));
    let (end, _) = b.bind_interdomain(Peer::Other(&mut a), port).unwrap();
    assert_eq!(b.send(end), Ok(SendEffect::Remote { dom: A, port }));
    let delivered = a.deliver_from(port, B, end);
    assert_eq!(delivered, Delivery::Xen { consumer, vcpu: CPU0, port });
    assert_eq!(a.send_from_xen(port), SendEffect::Remote { dom: B, port: end });
    assert_eq!(here.pending[0].load(SeqCst), 0, "the guest sees none of it");
}
