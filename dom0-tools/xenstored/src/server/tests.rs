// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! The server on private memory in the place of rings: crashes at every point, and domains that misbehave.

use super::hub::Hub;
use super::journal::{self, Journal};
use super::log::Log;
use super::peer::{Page, Peer};
use super::record::Entry;
use super::restore;
use super::ring::Ring;
use super::ring::tests::Guest;
use crate::effect::{Effect, Kind};
use crate::{ConnId, Limits, Store};
use hypercalls::ids::DomId;
use hypercalls::io::xs_wire::XsMessageType as Op;
use proptest::prelude::*;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering, fence};
use std::time::{Duration, Instant};
use xen_sys::SharedMemory;
use xenstore::Message;

const A: DomId = DomId::new(5);
const B: DomId = DomId::new(6);

struct Bench {
    hub: Option<Hub>,
    folder: PathBuf,
    pages: Vec<(DomId, Arc<SharedMemory>)>,
}

impl Drop for Bench {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.folder).ok();
    }
}

impl Bench {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("xenstored-hub-{}-{count}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let mut hub = Hub::new(Store::new(Limits::default()), Log::open(Some(&folder.join("log"))).unwrap(), None);
        let mut pages = Vec::new();
        for domain in [A, B] {
            let page = Arc::new(SharedMemory::private(4096).unwrap());
            let id = hub.store.attach(domain, 1, 1);
            let ring = Ring::open(Page::Test(Arc::clone(&page))).unwrap();
            hub.add(id, Peer::of_ring(domain, ring, None));
            pages.push((domain, page));
            let dom0 = hub.store.connect();
            let home = format!("/local/domain/{}\0", domain.raw());
            for (op, payload) in [(Op::MKDIR, home.clone()), (Op::SET_PERMS, format!("{home}n{}\0", domain.raw()))] {
                hub.store.handle(dom0, &Message::new(op, 0, 0, payload.as_bytes()));
            }
            hub.store.disconnect(dom0);
        }
        hub.keep(&folder).unwrap();
        Self { hub: Some(hub), folder, pages }
    }

    fn hub(&mut self) -> &mut Hub {
        self.hub.as_mut().unwrap()
    }

    fn page(&self, domain: DomId) -> Arc<SharedMemory> {
        Arc::clone(&self.pages.iter().find(|(own, _)| *own == domain).unwrap().1)
    }

    fn wake_all(&mut self) {
        let ids: Vec<ConnId> = self.hub().store.rings().map(|ring| ring.connection).collect();
        ids.into_iter().for_each(|id| self.hub().wake(id));
    }

    /// Turns until there is nothing left to do.
    fn settle(&mut self) {
        self.wake_all();
        while self.hub().is_busy() {
            self.hub().turn();
        }
    }

    /// The server dies, and a new one takes over.
    fn crash(&mut self) {
        self.hub = None;
        let entries = Journal::load(&self.folder).unwrap().unwrap();
        let (store, mut progress) = restore::replay(entries);
        let mut hub = Hub::new(store, Log::open(Some(&self.folder.join("log"))).unwrap(), None);
        let rings: Vec<_> = hub.store.rings().collect();
        for ring in rings {
            let page = Page::Test(self.page(ring.domain));
            let progress = progress.remove(&ring.domain).unwrap();
            hub.add(ring.connection, restore::resume(ring.domain, page, None, progress).unwrap());
        }
        hub.keep(&self.folder).unwrap();
        self.hub = Some(hub);
    }
}

/// Messages as a domain reads them.
#[derive(Default)]
struct Reader(Vec<u8>);

impl Reader {
    fn take(&mut self, page: &SharedMemory, most: usize) -> Vec<Message> {
        self.0.extend(Guest(page).receive(most));
        let mut all = Vec::new();
        while let Some((message, used)) = Message::decode(&self.0).unwrap() {
            self.0.drain(..used);
            all.push(message);
        }
        all
    }
}

/// Without what a restart changes: generations.
fn essence(store: &Store) -> Vec<Effect> {
    store.describe().into_iter().filter(|effect| !matches!(effect.0, Kind::Generation(_))).collect()
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// The domain writes at most so many bytes of its requests.
    Send(usize),
    /// It reads at most so many bytes.
    Receive(usize),
    /// A turn; the number says how far it gets before the server dies, if it does.
    Turn(Option<usize>),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (1..1500_usize).prop_map(Step::Send),
        (1..1500_usize).prop_map(Step::Receive),
        prop::option::weighted(0.4, 0..4_usize).prop_map(Step::Turn),
    ];
    prop::collection::vec(step, 1..80)
}

/// Requests whose answers depend on all that was done before, some longer than the ring.
fn requests() -> Vec<Message> {
    let mut all = vec![(Op::WATCH, b"data\0token\0".to_vec())];
    for n in 0..40_usize {
        let value = vec![b'a' + (n % 26) as u8; n * 37 % 1900];
        all.push((Op::WRITE, [format!("data/{}\0", n % 7).as_bytes(), &value].concat()));
        all.push((Op::READ, format!("data/{}\0", n % 5).into_bytes()));
        all.push((Op::DIRECTORY, b"data\0".to_vec()));
        if n % 6 == 5 {
            all.push((Op::RM, format!("data/{}\0", n % 7).into_bytes()));
        }
    }
    all.into_iter().zip(1..).map(|((op, payload), id)| Message::new(op, id, 0, &payload)).collect()
}

/// What a server that never dies says: answers only.
fn expected(requests: &[Message]) -> (Vec<Message>, Vec<Effect>) {
    let mut bench = Bench::new();
    let store = &mut bench.hub().store;
    let id = store.ring_of(A).unwrap();
    let mut all = Vec::new();
    for request in requests {
        all.extend(store.handle(id, request).messages.into_iter().map(|(_, message)| message));
    }
    all.retain(|message| message.kind != Op::WATCH_EVENT);
    (all, essence(store))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn a_domain_does_not_notice_that_the_server_dies(steps in steps()) {
        let requests = requests();
        let (answers, end) = expected(&requests);
        let mut bench = Bench::new();
        let page = bench.page(A);
        let mut stream: &[u8] = &requests.iter().flat_map(Message::encode).collect::<Vec<u8>>();
        let (mut reader, mut got) = (Reader::default(), Vec::new());
        for step in steps {
            match step {
                Step::Send(most) => stream = &stream[Guest(&page).send(&stream[..most.min(stream.len())])..],
                Step::Receive(most) => got.extend(reader.take(&page, most)),
                Step::Turn(dies) => {
                    bench.wake_all();
                    bench.hub().turn_until(dies);
                    if dies.is_some() {
                        bench.crash();
                    }
                }
            }
        }
        // And now to the end.
        loop {
            stream = &stream[Guest(&page).send(stream)..];
            bench.settle();
            let before = (reader.0.len(), got.len());
            got.extend(reader.take(&page, usize::MAX));
            if stream.is_empty() && before == (reader.0.len(), got.len()) {
                break;
            }
        }
        let last = got.last().cloned();
        got.retain(|message| message.kind != Op::WATCH_EVENT);
        let ids = |all: &[Message]| all.iter().map(|message| message.req_id).collect::<Vec<_>>();
        prop_assert_eq!(ids(&got), ids(&answers));
        prop_assert!(got == answers && essence(&bench.hub().store) == end);
        prop_assert!(last.is_some());
    }

    #[test]
    fn every_prefix_of_the_journal_is_the_store_of_its_time(
        steps in prop::collection::vec((0..4_usize, any::<bool>(), 0..9_usize, "[ab]/[ab]", 0..9_u8), 1..60)
    ) {
        let mut bench = Bench::new();
        let store = &mut bench.hub().store;
        let dom0 = store.connect();
        let clients = [store.ring_of(A).unwrap(), store.ring_of(B).unwrap(), dom0, dom0];
        store.take_effects().clear();
        let mut file = [b"xenolith store, format 1\nboot\n".to_vec(), journal::record(
            &store.describe().into_iter().map(Entry::Effect).collect::<Vec<_>>())].concat();
        let mut open = [0; 4];
        let mut times = vec![(file.len(), essence(store))];
        for (who, in_transaction, what, path, value) in steps {
            let home = if who >= 2 { format!("/local/domain/{}/", 3 + who) } else { String::new() };
            let tx = if in_transaction { open[who] } else { 0 };
            let (op, payload) = match what {
                0 => (Op::WRITE, format!("{home}{path}\0{value}")),
                1 => (Op::MKDIR, format!("{home}{path}\0")),
                2 => (Op::RM, format!("{home}{}\0", &path[..1])),
                3 => (Op::SET_PERMS, format!("{home}{path}\0n{}\0r{value}\0", 5 + value % 2)),
                4 => (Op::WATCH, format!("{home}{path}\0{value}\0")),
                5 => (Op::UNWATCH, format!("{home}{path}\0{value}\0")),
                6 => (Op::TRANSACTION_START, "\0".to_owned()),
                7 => (Op::TRANSACTION_END, if value > 2 { "T\0" } else { "F\0" }.to_owned()),
                _ if value == 0 => (Op::RELEASE, "6\0".to_owned()),
                _ => (Op::RESET_WATCHES, "\0".to_owned()),
            };
            let tx = if what == 6 { 0 } else if what == 7 { open[who] } else { tx };
            let outcome = store.handle(clients[who], &Message::new(op, 1, tx, payload.as_bytes()));
            if what == 6 && let Some((_, answer)) = outcome.messages.first() {
                open[who] = String::from_utf8_lossy(&answer.payload).trim_end_matches('\0').parse().unwrap_or(0);
            }
            let effects: Vec<_> = store.take_effects().into_iter().map(Entry::Effect).collect();
            if !effects.is_empty() {
                file.extend(journal::record(&effects));
                times.push((file.len(), essence(store)));
            }
        }
        for (len, then) in times {
            let (mut again, _) = restore::replay(journal::read(&file[..len], "boot").unwrap());
            prop_assert_eq!(essence(&again), then);
            let dom0 = again.connect();
            let check = again.handle(dom0, &Message::new(Op::CONTROL, 0, 0, b"check\0"));
            prop_assert_eq!(&check.messages[0].1.payload, b"OK\0");
        }
    }
}

#[test]
fn transactions_of_a_ring_fail_after_a_restart_and_only_then() {
    let mut bench = Bench::new();
    let (page, mut reader) = (bench.page(A), Reader::default());
    let mut ask = |bench: &mut Bench, op, tx, payload: &[u8]| {
        Guest(&page).send(&Message::new(op, 1, tx, payload).encode());
        bench.settle();
        let answer = reader.take(&page, usize::MAX).pop().unwrap();
        String::from_utf8(answer.payload).unwrap()
    };
    let tx = ask(&mut bench, Op::TRANSACTION_START, 0, b"\0").trim_end_matches('\0').parse().unwrap();
    assert_eq!(ask(&mut bench, Op::WRITE, tx, b"x\x001"), "OK\0");
    bench.crash();
    assert_eq!(ask(&mut bench, Op::WRITE, tx, b"y\x001"), "OK\0");
    assert_eq!(ask(&mut bench, Op::TRANSACTION_END, tx, b"T\0"), "EAGAIN\0");
    assert_eq!(ask(&mut bench, Op::DIRECTORY, 0, b"/local/domain/5\0"), "");
    let next: u32 = ask(&mut bench, Op::TRANSACTION_START, 0, b"\0").trim_end_matches('\0').parse().unwrap();
    assert!(next != tx);
    assert_eq!(ask(&mut bench, Op::WRITE, next, b"x\x001"), "OK\0");
    assert_eq!(ask(&mut bench, Op::TRANSACTION_END, next, b"T\0"), "OK\0");
}

#[test]
fn a_flood_leaves_the_other_domain_its_turn() {
    let mut bench = Bench::new();
    let (flood, quiet) = (bench.page(A), bench.page(B));
    let write = Message::new(Op::WRITE, 1, 0, b"x\x001").encode();
    let mut flooded = Reader::default();
    for _ in 0..50 {
        // As many requests as the ring holds, and all answers read.
        while Guest(&flood).send(&write) == write.len() {}
        Guest(&flood)
            .0
            .store_u32(2052, {
                // Takes the last, cut one back.
                let prod = Guest(&flood).0.load_u32(2052).unwrap();
                prod - prod.wrapping_sub(Guest(&flood).0.load_u32(2048).unwrap()) % write.len() as u32
            })
            .unwrap();
        flooded.take(&flood, usize::MAX);
        Guest(&quiet).send(&Message::new(Op::READ, 7, 0, b"none\0").encode());
        bench.wake_all();
        // One request of the flood at most goes first; a turn may end after any request, if the machine is slow.
        bench.hub().turn();
        bench.hub().turn();
        let answers = Reader::default().take(&quiet, usize::MAX);
        assert_eq!(answers.len(), 1, "answered at once");
    }
}

#[test]
fn garbage_and_silence_hurt_only_their_domain() {
    let mut bench = Bench::new();
    let (bad, good) = (bench.page(A), bench.page(B));
    Guest(&bad).send(&[0xff; 16]);
    bench.settle();
    assert_eq!(bad.load_u32(2072), Ok(3), "XENSTORE_ERROR_PROTO");
    let ask = |bench: &mut Bench, page: &SharedMemory, payload: &[u8]| {
        Guest(page).send(&Message::new(Op::READ, 7, 0, payload).encode());
        bench.settle();
        Reader::default().take(page, usize::MAX).len()
    };
    assert_eq!(ask(&mut bench, &bad, b"x\0"), 0);
    assert_eq!(ask(&mut bench, &good, b"x\0"), 1);

    // One that asks and asks, and reads nothing: so much is answered, then it must read.
    let mut bench = Bench::new();
    let silent = bench.page(A);
    for _ in 0..2000 {
        Guest(&silent).send(&Message::new(Op::DIRECTORY, 7, 0, b"/local/domain/5\0").encode());
        bench.settle();
    }
    let id = bench.hub().store.ring_of(A).unwrap();
    assert!(bench.hub().peers[&id].queue.len() <= 21 && bench.hub().peers[&id].input.len() <= 2048);
    // Events that it does not read wait once each; too many different ones are the end.
    let dom0 = bench.hub().store.connect();
    let watch = Message::new(Op::WATCH, 1, 0, b"/local/domain/5\0t\0");
    bench.hub().store.handle(id, &watch);
    for n in 0..3000 {
        for _ in 0..2 {
            let path = format!("/local/domain/5/{n}/{}\0v", "x".repeat(1900));
            let outcome = bench.hub().store.handle(dom0, &Message::new(Op::WRITE, 1, 0, path.as_bytes()));
            bench.hub().deliver(outcome, None);
        }
        let remove = Message::new(Op::RM, 1, 0, format!("/local/domain/5/{n}\0").as_bytes());
        let outcome = bench.hub().store.handle(dom0, &remove);
        bench.hub().deliver(outcome, None);
    }
    assert!(bench.hub().peers[&id].ended.is_some() && bench.hub().peers[&id].queue.is_empty());
    bench.settle();
    assert_eq!(silent.load_u32(2072), Ok(1), "XENSTORE_ERROR_COMM");
    assert_eq!(bench.hub().store.usage(A).refused.total(), 1);
    // What had gone out before is still there to read.
    Guest(&silent).receive(usize::MAX);
    assert_eq!(ask(&mut bench, &silent, b"x\0"), 0);
    let good = bench.page(B);
    assert_eq!(ask(&mut bench, &good, b"x\0"), 1);
}

/// Says that a thread has ended.
struct Done<'d>(&'d AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn a_domain_that_signals_as_little_as_linux_does_is_never_left_waiting() {
    let mut bench = Bench::new();
    let page = bench.page(A);
    let signal = AtomicBool::new(false);
    let done = AtomicBool::new(false);
    let small = Message::new(Op::WRITE, 1, 0, b"x\x001").encode();
    let write = Message::new(Op::WRITE, 1, 0, [&b"big\0"[..], &[b'v'; 1900]].concat().as_slice()).encode();
    let read = Message::new(Op::READ, 1, 0, b"big\0").encode();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // Also when it fails: the server would serve for ever.
            let _done = Done(&done);
            let (mut reader, mut pending) = (Reader::default(), 0);
            for n in 0..6000 {
                let mut request: &[u8] = [&small, &read, &small, &write][n % 4];
                let until = Instant::now() + Duration::from_secs(10);
                pending += 1;
                // Several at once, now and then.
                while !request.is_empty() || pending > n % 3 {
                    let before = page.load_u32(2052).unwrap();
                    let sent = Guest(&page).send(request);
                    fence(Ordering::SeqCst);
                    if sent > 0 && page.load_u32(2048).unwrap() == before {
                        signal.store(true, Ordering::SeqCst);
                    }
                    request = &request[sent..];
                    let cons = page.load_u32(2056).unwrap();
                    pending -= reader.take(&page, 1 + n % 700).len();
                    fence(Ordering::SeqCst);
                    if page.load_u32(2060).unwrap().wrapping_sub(cons) >= 1024 {
                        signal.store(true, Ordering::SeqCst);
                    }
                    assert!(Instant::now() < until, "request {n} waits for ever");
                }
            }
        });
        let id = bench.hub().store.ring_of(A).unwrap();
        while !done.load(Ordering::SeqCst) {
            if signal.swap(false, Ordering::SeqCst) {
                bench.hub().wake(id);
            }
            while bench.hub().is_busy() {
                bench.hub().turn();
            }
            std::thread::yield_now();
        }
    });
}
