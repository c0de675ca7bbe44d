// SPDX-License-Identifier: MIT OR Apache-2.0
//! Delivery while the guest takes events, masks and unmasks: every interleaving loom finds. The table is behind the domain's lock, as in
//! the hypervisor; the guest's words are not.
//!
//! Checked at the end of each run: no event is stuck. A port that is pending and unmasked has its upcall pending, and was found by no one
//! twice. (XSA-340 and XSA-359 were missing barriers in just these places.)
#![forbid(unsafe_code)]
#![cfg(loom)]

mod common;

use common::{Shared, guest_unmask};
use event_channels::fifo::{LINKED, MASKED, PENDING, QUEUES};
use event_channels::sync::Ordering::SeqCst;
use event_channels::{Delivery, EventTable, SendEffect};
use hypercalls::{Port, VcpuId};
use loom::sync::Mutex;
use loom::thread;

/// What both sides of a run share. Leaked: loom's threads want `'static`, and a run is short.
struct World {
    shared: &'static Shared,
    table: Mutex<EventTable<'static>>,
}

fn world(fifo: bool) -> &'static World {
    let shared: &'static Shared = Box::leak(Box::new(Shared::new(1, 1)));
    let mut table = shared.table(1);
    if fifo {
        let control = &shared.vcpus[0].control;
        table.init_control(VcpuId::new(0), 0, control).unwrap();
        table.expand_array(&shared.pages[0], |_| ()).unwrap();
    }
    Box::leak(Box::new(World { shared, table: Mutex::new(table) }))
}

impl World {
    fn bind(&self) -> Port {
        self.table.lock().unwrap().bind_ipi(VcpuId::new(0)).unwrap()
    }

    /// Another CPU raises `port`. True if our vCPU is to be kicked.
    fn raise(&self, port: Port) -> bool {
        match self.table.lock().unwrap().send(port).unwrap() {
            SendEffect::Local(delivery) => delivery.wake().is_some(),
            other => panic!("an IPI stays at home: {other:?}"),
        }
    }

    fn unmask(&self, port: Port) -> Delivery {
        self.table.lock().unwrap().unmask(port).unwrap()
    }

    fn upcall_pending(&self) -> bool {
        self.shared.vcpus[0].upcall_pending.load(SeqCst) != 0
    }
}

/// Two-level: an event is raised while the guest is in its upcall for another one.
#[test]
fn two_level_nothing_is_lost() {
    loom::model(|| {
        let world = world(false);
        let (one, two) = (world.bind(), world.bind());
        assert!(world.raise(one));
        let raiser = thread::spawn(move || world.raise(two));
        let mut found = world.shared.consume_two_level(0);
        let kicked = raiser.join().unwrap();
        assert!(found.contains(&one.raw()));
        if !found.contains(&two.raw()) {
            assert!(world.upcall_pending(), "pending, and no upcall to find it");
            assert!(kicked, "the vCPU may sleep already");
        }
        found.extend(world.shared.consume_two_level(0));
        found.sort_unstable();
        assert_eq!(found, [one.raw(), two.raw()], "each exactly once");
    });
}

/// Two-level: the guest unmasks by itself, as it may on the vCPU the port is bound to, while the event is raised.
#[test]
fn two_level_guest_unmasks() {
    loom::model(|| {
        let world = world(false);
        let port = world.bind();
        let bit = 1 << port.raw();
        world.shared.mask[0].fetch_or(bit, SeqCst);
        let raiser = thread::spawn(move || world.raise(port));
        world.shared.mask[0].fetch_and(!bit, SeqCst);
        loom::sync::atomic::fence(SeqCst);
        let saw_pending = world.shared.pending[0].load(SeqCst) & bit != 0;
        let kicked = raiser.join().unwrap();
        assert!(saw_pending || (kicked && world.upcall_pending()), "neither side noticed the other");
    });
}

/// Two-level: one CPU unmasks by hypercall while another raises. They take turns at the lock; the guest consumes meanwhile.
#[test]
fn two_level_unmask_against_consumption() {
    loom::model(|| {
        let world = world(false);
        let port = world.bind();
        world.shared.mask[0].fetch_or(1 << port.raw(), SeqCst);
        let raiser = thread::spawn(move || {
            let _ = world.raise(port);
            let _ = world.unmask(port);
        });
        let mut found = world.shared.consume_two_level(0);
        raiser.join().unwrap();
        if found.is_empty() {
            assert!(world.upcall_pending());
        }
        found.extend(world.shared.consume_two_level(0));
        assert_eq!(found, [port.raw()]);
    });
}

/// FIFO: an event is linked behind one that the guest is taking off the queue.
#[test]
fn fifo_nothing_is_lost() {
    loom::model(|| {
        let world = world(true);
        let (one, two) = (world.bind(), world.bind());
        assert!(world.raise(one));
        let raiser = thread::spawn(move || world.raise(two));
        let mut heads = [0; QUEUES];
        let mut found = world.shared.consume_fifo(0, &mut heads);
        let kicked = raiser.join().unwrap();
        assert!(found.contains(&one.raw()));
        if !found.contains(&two.raw()) {
            assert!(world.upcall_pending(), "pending, and no upcall to find it");
            assert!(kicked, "the vCPU may sleep already");
        }
        found.extend(world.shared.consume_fifo(0, &mut heads));
        assert_eq!(found, [one.raw(), two.raw()], "each exactly once, in order");
        for port in [one, two] {
            assert_eq!(world.shared.word(port.raw()).load(SeqCst) & LINKED, 0);
        }
    });
}

/// FIFO: the same event again while the guest handles it; it is linked once at a time.
#[test]
fn fifo_raised_again() {
    loom::model(|| {
        let world = world(true);
        let port = world.bind();
        assert!(world.raise(port));
        let raiser = thread::spawn(move || world.raise(port));
        let mut heads = [0; QUEUES];
        let mut found = world.shared.consume_fifo(0, &mut heads);
        let kicked = raiser.join().unwrap();
        let word = world.shared.word(port.raw()).load(SeqCst);
        if word & PENDING != 0 {
            assert_ne!(word & LINKED, 0, "pending, unmasked and in no queue");
            assert!(world.upcall_pending() && kicked);
        }
        found.extend(world.shared.consume_fifo(0, &mut heads));
        assert!(found == [port.raw()] || found == [port.raw(), port.raw()]);
        assert_eq!(world.shared.word(port.raw()).load(SeqCst), 0);
    });
}

/// FIFO: the guest unmasks by itself, and asks the hypervisor if it sees the event, while the event is raised.
#[test]
fn fifo_guest_unmasks() {
    loom::model(|| {
        let world = world(true);
        let port = world.bind();
        world.shared.word(port.raw()).store(MASKED, SeqCst);
        let raiser = thread::spawn(move || world.raise(port));
        let asked =
            if guest_unmask(world.shared.word(port.raw())) { false } else { world.unmask(port).wake().is_some() };
        let kicked = raiser.join().unwrap();
        assert!(kicked || asked, "neither side noticed the other");
        assert!(world.upcall_pending());
        let found = world.shared.consume_fifo(0, &mut [0; QUEUES]);
        assert_eq!(found, [port.raw()]);
    });
}

/// FIFO: a link is written into a word the guest masks and unmasks at the same time (the BUSY protocol).
#[test]
fn fifo_link_against_masking() {
    loom::model(|| {
        let world = world(true);
        let (one, two) = (world.bind(), world.bind());
        assert!(world.raise(one));
        let raiser = thread::spawn(move || world.raise(two));
        let word = world.shared.word(one.raw());
        word.fetch_and(!PENDING, SeqCst);
        word.fetch_or(MASKED, SeqCst);
        raiser.join().unwrap();
        assert!(guest_unmask(word));
        let found = world.shared.consume_fifo(0, &mut [0; QUEUES]);
        assert_eq!(found, [two.raw()], "one was taken back, two was linked behind it");
    });
}
