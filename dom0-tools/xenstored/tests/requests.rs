// SPDX-License-Identifier: MIT OR Apache-2.0
//! What clients see: answers, error names, events.
#![forbid(unsafe_code)]

use hypercalls::ids::DomId;
use hypercalls::io::xs_wire::XsMessageType as Op;
use xenstore::Message;
use xenstored::{Action, ConnId, Limits, Outcome, Store, Usage};

struct Bench {
    store: Store,
    dom0: ConnId,
    guest: ConnId,
}

impl Bench {
    fn new() -> Self {
        let mut store = Store::new(Limits::default());
        let dom0 = store.connect();
        let mut bench = Self { store, dom0, guest: dom0 };
        let request = Message::new(Op::INTRODUCE, 0, 0, b"1\x0077\x003\0");
        let action = bench.store.handle(dom0, &request).action;
        assert_eq!(action, Some(Action::Introduce { domain: DomId::new(1), frame: 77, port: 3 }));
        bench.store.introduced(dom0, &request, DomId::new(1), 77, 3);
        bench.guest = bench.store.ring_of(DomId::new(1)).unwrap();
        bench.ok(dom0, Op::WRITE, 0, b"/local/domain/1/data\0");
        bench.ok(dom0, Op::SET_PERMS, 0, b"/local/domain/1/data\0n1\0");
        bench
    }

    fn run(&mut self, from: ConnId, op: Op, tx: u32, payload: &[u8]) -> Outcome {
        self.store.handle(from, &Message::new(op, 9, tx, payload))
    }

    fn text(&mut self, from: ConnId, op: Op, tx: u32, payload: &[u8]) -> String {
        let outcome = self.run(from, op, tx, payload);
        let (to, message) = &outcome.messages[0];
        assert_eq!((*to, message.req_id), (from, 9));
        String::from_utf8(message.payload.clone()).unwrap()
    }

    fn ok(&mut self, from: ConnId, op: Op, tx: u32, payload: &[u8]) {
        assert_eq!(self.text(from, op, tx, payload), "OK\0", "{payload:?}");
    }

    fn start(&mut self, from: ConnId) -> u32 {
        self.text(from, Op::TRANSACTION_START, 0, b"\0").trim_end_matches('\0').parse().unwrap()
    }
}

fn events(outcome: &Outcome, to: ConnId) -> Vec<String> {
    let events = outcome.messages.iter().filter(|(id, message)| *id == to && message.kind == Op::WATCH_EVENT);
    events.map(|(_, message)| String::from_utf8(message.payload.clone()).unwrap()).collect()
}

#[test]
fn nodes_are_written_listed_and_removed() {
    let mut b = Bench::new();
    let d = b.dom0;
    b.ok(d, Op::WRITE, 0, b"/z/b\0two");
    b.ok(d, Op::MKDIR, 0, b"/z/a\0");
    assert_eq!(b.text(d, Op::READ, 0, b"/z/b\0"), "two");
    assert_eq!(b.text(d, Op::DIRECTORY, 0, b"/z\0"), "b\0a\0");
    assert!(b.text(d, Op::DIRECTORY_PART, 0, b"/z\x002\0").ends_with("\0a\0\0"));
    assert_eq!(b.text(d, Op::READ, 0, b"/none\0"), "ENOENT\0");
    assert_eq!(b.text(d, Op::READ, 0, b"/z/b"), "EINVAL\0");
    assert_eq!(b.text(d, Op::RM, 0, b"/\0"), "EINVAL\0");
    assert_eq!(b.text(d, Op::RM, 0, b"/q/r\0"), "ENOENT\0");
    b.ok(d, Op::RM, 0, b"/q\0");
    b.ok(d, Op::RM, 0, b"/z\0");
    assert_eq!(b.text(d, Op::READ, 0, b"/z/b\0"), "ENOENT\0");
    assert_eq!(b.text(d, Op::new(99), 0, b""), "ENOSYS\0");
}

#[test]
fn guests_are_kept_in_their_place() {
    let mut b = Bench::new();
    let (d, g) = (b.dom0, b.guest);
    b.ok(g, Op::WRITE, 0, b"data/x/y\0v");
    assert_eq!(b.text(g, Op::GET_PERMS, 0, b"data/x\0"), "n1\0");
    assert_eq!(b.text(g, Op::READ, 0, b"/secret/thing\0"), "EACCES\0");
    assert_eq!(b.text(g, Op::WRITE, 0, b"/local/domain/1/name\0v"), "EACCES\0");
    assert_eq!(b.text(g, Op::SET_PERMS, 0, b"data\0n2\0"), "EPERM\0");
    assert_eq!(b.text(g, Op::SET_PERMS, 0, b"data\0n1\0r1\0r2\0r3\0r4\0r5\0"), "ENOSPC\0");
    assert_eq!(b.text(g, Op::INTRODUCE, 0, b"2\x001\x001\0"), "EACCES\0");
    assert_eq!(b.text(g, Op::IS_DOMAIN_INTRODUCED, 0, b"1\0"), "EACCES\0");
    assert_eq!(b.text(g, Op::WRITE, 0, &[&b"data/big\0"[..], &[b'v'; 2048]].concat()), "ENOSPC\0");
    for n in 0..997 {
        b.ok(g, Op::MKDIR, 0, format!("data/{}/{n}\0", n % 16).as_bytes());
        if b.store.usage(DomId::new(1)).nodes == 1000 {
            break;
        }
    }
    assert_eq!(b.text(g, Op::MKDIR, 0, b"data/more\0"), "ENOSPC\0");
    assert_eq!(b.store.usage(DomId::new(1)).refused.total(), 3);
    b.ok(d, Op::RM, 0, b"/local/domain/1/data\0");
    assert_eq!(b.store.usage(DomId::new(1)).nodes, 0);
}

#[test]
fn watches_hear_what_they_may() {
    let mut b = Bench::new();
    let (d, g) = (b.dom0, b.guest);
    let first = b.run(g, Op::WATCH, 0, b"data\0tok\0");
    assert_eq!(events(&first, g), ["data\0tok\0"]);
    assert_eq!(first.messages[0].1.kind, Op::WATCH);
    assert_eq!(b.text(g, Op::WATCH, 0, b"data\0tok\0"), "EEXIST\0");
    b.run(g, Op::WATCH, 0, b"/\0all\0");
    b.run(d, Op::WATCH, 0, b"@releaseDomain\0rel\0");
    let outcome = b.run(g, Op::WRITE, 0, b"data/x\0v");
    assert_eq!(events(&outcome, g), ["data/x\0tok\0", "/local/domain/1/data/x\0all\0"]);
    assert_eq!(events(&b.run(d, Op::WRITE, 0, b"/secret\0v"), g), [""; 0]);
    b.ok(g, Op::UNWATCH, 0, b"/\0all\0");
    assert_eq!(b.text(g, Op::UNWATCH, 0, b"/\0all\0"), "ENOENT\0");
    assert_eq!(events(&b.store.domain_shut_down(DomId::new(1)), d), ["@releaseDomain\0rel\0"]);
    assert_eq!(events(&b.store.domain_shut_down(DomId::new(1)), d), [""; 0]);
    let released = b.run(d, Op::RELEASE, 0, b"1\0");
    assert_eq!(events(&released, d), ["@releaseDomain\0rel\0"]);
    assert_eq!(released.action, Some(Action::Release(DomId::new(1))));
    assert_eq!(b.text(d, Op::READ, 0, b"/local/domain/1/data\0"), "ENOENT\0");
    assert_eq!(b.text(d, Op::IS_DOMAIN_INTRODUCED, 0, b"1\0"), "F\0");
    assert_eq!(b.run(g, Op::READ, 0, b"data\0"), Outcome::default());
}

#[test]
fn transactions_conflict_or_commit() {
    let mut b = Bench::new();
    let d = b.dom0;
    b.ok(d, Op::WRITE, 0, b"/a\x001");
    b.run(d, Op::WATCH, 0, b"/b\0w\0");
    let (one, two, three) = (b.start(d), b.start(d), b.start(d));
    assert_eq!(b.text(d, Op::TRANSACTION_START, one, b"\0"), "EBUSY\0");
    assert_eq!(b.text(d, Op::READ, one, b"/a\0"), "1");
    assert_eq!(events(&b.run(d, Op::WRITE, two, b"/b/c\x002"), d), [""; 0]);
    assert_eq!(b.text(d, Op::READ, 0, b"/b/c\0"), "ENOENT\0");
    b.ok(d, Op::WRITE, 0, b"/a\x003");
    assert_eq!(b.text(d, Op::TRANSACTION_END, one, b"T\0"), "EAGAIN\0");
    assert_eq!(b.text(d, Op::TRANSACTION_END, one, b"T\0"), "ENOENT\0");
    assert_eq!(events(&b.run(d, Op::TRANSACTION_END, two, b"T\0"), d), ["/b/c\0w\0"]);
    assert_eq!(b.text(d, Op::READ, 0, b"/b/c\0"), "2");
    b.ok(d, Op::RM, three, b"/a\0");
    assert_eq!(b.text(d, Op::TRANSACTION_END, three, b"X\0"), "EINVAL\0");
    b.ok(d, Op::TRANSACTION_END, three, b"F\0");
    assert_eq!(b.text(d, Op::READ, 0, b"/a\0"), "3");
    let left = b.start(d);
    b.ok(d, Op::RESET_WATCHES, 0, b"\0");
    assert_eq!(b.text(d, Op::READ, left, b"/a\0"), "ENOENT\0");
}

#[test]
fn a_transaction_gives_nothing_to_a_domain_that_was_released_meanwhile() {
    let mut b = Bench::new();
    let d = b.dom0;
    let (gift, name, other) = (b.start(d), b.start(d), b.start(d));
    b.ok(d, Op::WRITE, gift, b"/gift\0v");
    b.ok(d, Op::SET_PERMS, gift, b"/gift\0n1\0");
    b.ok(d, Op::WRITE, name, b"/name\0v");
    b.ok(d, Op::SET_PERMS, name, b"/name\0n0\0r1\0");
    b.ok(d, Op::WRITE, other, b"/other/node\0v");
    b.ok(d, Op::MKDIR, 0, b"/kept\0");
    b.ok(d, Op::SET_PERMS, 0, b"/kept\0n0\0b1\0");
    b.run(d, Op::RELEASE, 0, b"1\0");
    assert_eq!(b.text(d, Op::TRANSACTION_END, gift, b"T\0"), "EAGAIN\0");
    assert_eq!(b.text(d, Op::TRANSACTION_END, name, b"T\0"), "EAGAIN\0");
    assert_eq!(b.text(d, Op::GET_PERMS, 0, b"/kept\0"), "n0\0");
    assert_eq!(b.store.usage(DomId::new(1)), Usage::default());
    // It changed something else only.
    b.ok(d, Op::TRANSACTION_END, other, b"T\0");
}

#[test]
fn events_that_are_too_long_are_not_sent_and_none_is_cut() {
    let mut b = Bench::new();
    let d = b.dom0;
    let token = "t".repeat(3000);
    let outcome = b.run(d, Op::WATCH, 0, format!("/w\0{token}\0").as_bytes());
    assert_eq!(events(&outcome, d).len(), 1);
    let outcome = b.run(d, Op::WRITE, 0, format!("/w/{}\0v", "x".repeat(1089)).as_bytes());
    assert_eq!(events(&outcome, d)[0].len(), 3 + 1089 + 1 + 3000 + 1);
    let outcome = b.run(d, Op::WRITE, 0, format!("/w/{}\0v", "x".repeat(1092)).as_bytes());
    assert_eq!(outcome.messages.len(), 1, "the answer only");
}

#[test]
fn the_deepest_path_is_made_and_removed() {
    let mut b = Bench::new();
    let d = b.dom0;
    let deep = "/a".repeat(1024);
    b.ok(d, Op::WRITE, 0, format!("{deep}\0v").as_bytes());
    assert_eq!(b.store.usage(DomId::DOM0).nodes, 4 + 1024);
    assert_eq!(b.text(d, Op::CONTROL, 0, b"check\0"), "OK\0");
    b.run(d, Op::WATCH, 0, format!("{deep}\0deep\0").as_bytes());
    let outcome = b.run(d, Op::RM, 0, b"/a\0");
    assert_eq!(events(&outcome, d), [format!("{deep}\0deep\0")]);
    assert_eq!(b.store.usage(DomId::DOM0).nodes, 4);
}

#[test]
fn what_a_transaction_made_and_removed_again_is_not_heard_of() {
    let mut b = Bench::new();
    let d = b.dom0;
    b.run(d, Op::WATCH, 0, b"/t\0w\0");
    let id = b.start(d);
    b.ok(d, Op::WRITE, id, b"/t/1\0x");
    b.ok(d, Op::WRITE, id, b"/t/2\0x");
    b.ok(d, Op::RM, id, b"/t/2\0");
    assert_eq!(events(&b.run(d, Op::TRANSACTION_END, id, b"T\0"), d), ["/t/1\0w\0"]);
    // Made in this order, listed in this order, whatever their names.
    let id = b.start(d);
    b.ok(d, Op::RM, id, b"/t\0");
    b.ok(d, Op::WRITE, id, b"/t/z\0x");
    b.ok(d, Op::WRITE, id, b"/t/a\0x");
    b.ok(d, Op::TRANSACTION_END, id, b"T\0");
    assert_eq!(b.text(d, Op::DIRECTORY, 0, b"/t\0"), "z\0a\0");
}

#[test]
fn transactions_of_a_domain_keep_so_much_and_no_more() {
    let mut b = Bench::new();
    let g = b.guest;
    let value = "v".repeat(1900);
    let mut written = 0;
    let mut ids = Vec::new();
    let refused = loop {
        if written % 500 == 0 {
            ids.push(b.start(g));
        }
        let request = format!("data/{}\0{value}", written % 500);
        match b.text(g, Op::WRITE, *ids.last().unwrap(), request.as_bytes()).as_str() {
            "OK\0" => written += 1,
            other => break other.to_owned(),
        }
    };
    assert_eq!(refused, "ENOMEM\0");
    assert!((1200..1400).contains(&written), "{written}");
    // What is dropped makes room.
    b.ok(g, Op::TRANSACTION_END, ids[0], b"F\0");
    b.ok(g, Op::WRITE, ids[1], b"data/more\0v");
    b.ok(g, Op::TRANSACTION_END, ids[1], b"T\0");
}

#[test]
fn two_that_make_different_children_do_not_disturb_each_other() {
    let mut b = Bench::new();
    let d = b.dom0;
    b.ok(d, Op::MKDIR, 0, b"/p\0");
    let (one, two, lists, removes) = (b.start(d), b.start(d), b.start(d), b.start(d));
    b.ok(d, Op::WRITE, one, b"/p/1\0x");
    b.ok(d, Op::WRITE, two, b"/p/2/deep\0x");
    assert_eq!(b.text(d, Op::DIRECTORY, lists, b"/p\0"), "");
    b.ok(d, Op::RM, removes, b"/p\0");
    b.ok(d, Op::TRANSACTION_END, one, b"T\0");
    b.ok(d, Op::TRANSACTION_END, two, b"T\0");
    assert_eq!(b.text(d, Op::DIRECTORY, 0, b"/p\0"), "1\x002\0");
    assert_eq!(b.text(d, Op::TRANSACTION_END, lists, b"T\0"), "EAGAIN\0");
    assert_eq!(b.text(d, Op::TRANSACTION_END, removes, b"T\0"), "EAGAIN\0");
    let (same, other) = (b.start(d), b.start(d));
    b.ok(d, Op::WRITE, same, b"/p/3\0x");
    b.ok(d, Op::WRITE, other, b"/p/3\0y");
    b.ok(d, Op::TRANSACTION_END, same, b"T\0");
    assert_eq!(b.text(d, Op::TRANSACTION_END, other, b"T\0"), "EAGAIN\0");
    let (gone, perms) = (b.start(d), b.start(d));
    b.ok(d, Op::WRITE, gone, b"/p/4\0x");
    b.ok(d, Op::WRITE, perms, b"/p/5\0x");
    b.ok(d, Op::SET_PERMS, 0, b"/p\0n0\0r1\0");
    assert_eq!(b.text(d, Op::TRANSACTION_END, perms, b"T\0"), "EAGAIN\0");
    b.ok(d, Op::RM, 0, b"/p\0");
    assert_eq!(b.text(d, Op::TRANSACTION_END, gone, b"T\0"), "EAGAIN\0");
}
