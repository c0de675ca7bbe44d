// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! A guest's side of its event words: the memory it shares, and how it takes events out of it.
#![allow(dead_code, reason = "each test binary uses its part")]

use event_channels::fifo::{BUSY, WORDS_PER_PAGE};
use event_channels::fifo::{CONTROL_BLOCK_WORDS, LINK_MASK, LINKED, MASKED, PENDING, QUEUES};
use event_channels::sync::{AtomicU8, AtomicU32, AtomicU64, Ordering::SeqCst};
use event_channels::{ArrayPage, Config, ControlBlock, EventTable, TWO_LEVEL_WORDS, TwoLevelWords, VcpuWords};
use hypercalls::{DomId, VcpuId};
use std::array::from_fn;

/// One vCPU's shared words.
pub(crate) struct Vcpu {
    pub(crate) upcall_pending: AtomicU8,
    pub(crate) upcall_mask: AtomicU8,
    pub(crate) pending_sel: AtomicU64,
    pub(crate) control: Box<ControlBlock>,
}

/// A domain's shared words.
pub(crate) struct Shared {
    pub(crate) pending: Box<[AtomicU64; TWO_LEVEL_WORDS]>,
    pub(crate) mask: Box<[AtomicU64; TWO_LEVEL_WORDS]>,
    pub(crate) vcpus: Vec<Vcpu>,
    pub(crate) pages: Vec<Box<ArrayPage>>,
}

/// A page of event words.
pub(crate) fn page() -> Box<ArrayPage> {
    Box::new(from_fn(|_| AtomicU32::new(0)))
}

impl Shared {
    pub(crate) fn new(vcpus: u32, pages: usize) -> Self {
        Self {
            pending: Box::new(from_fn(|_| AtomicU64::new(0))),
            mask: Box::new(from_fn(|_| AtomicU64::new(0))),
            vcpus: (0..vcpus)
                .map(|_| Vcpu {
                    upcall_pending: AtomicU8::new(0),
                    upcall_mask: AtomicU8::new(0),
                    pending_sel: AtomicU64::new(0),
                    control: Box::new(from_fn::<_, CONTROL_BLOCK_WORDS, _>(|_| AtomicU32::new(0))),
                })
                .collect(),
            pages: (0..pages).map(|_| page()).collect(),
        }
    }

    /// A table over these words, every vCPU registered.
    pub(crate) fn table(&self, dom: u16) -> EventTable<'_> {
        let config = Config { dom: DomId::new(dom), vcpus: self.vcpus.len() as u32, max_port: u32::MAX, pirqs: 16 };
        let words = TwoLevelWords { pending: &self.pending, mask: &self.mask };
        let mut table = EventTable::new(config, words).unwrap();
        for (index, vcpu) in self.vcpus.iter().enumerate() {
            let words = VcpuWords {
                upcall_pending: &vcpu.upcall_pending,
                upcall_mask: &vcpu.upcall_mask,
                pending_sel: &vcpu.pending_sel,
            };
            table.set_vcpu_words(VcpuId::new(index as u32), Some(words)).unwrap();
        }
        table
    }

    /// The event word of `port`.
    pub(crate) fn word(&self, port: u32) -> &AtomicU32 {
        let port = port as usize;
        &self.pages[port / WORDS_PER_PAGE][port % WORDS_PER_PAGE]
    }

    /// The guest's upcall in the two-level ABI: every event it finds, in its order.
    pub(crate) fn consume_two_level(&self, vcpu: usize) -> Vec<u32> {
        let mut found = Vec::new();
        self.vcpus[vcpu].upcall_pending.store(0, SeqCst);
        let selected = self.vcpus[vcpu].pending_sel.swap(0, SeqCst);
        for number in (0..TWO_LEVEL_WORDS).filter(|n| selected >> n & 1 != 0) {
            let ready = self.pending[number].load(SeqCst) & !self.mask[number].load(SeqCst);
            for bit in (0..64).filter(|b| ready >> b & 1 != 0) {
                self.pending[number].fetch_and(!(1 << bit), SeqCst);
                found.push((number * 64 + bit) as u32);
            }
        }
        found
    }

    /// The guest's upcall in the FIFO ABI. `heads` is what the guest keeps of each queue between upcalls.
    pub(crate) fn consume_fifo(&self, vcpu: usize, heads: &mut [u32; QUEUES]) -> Vec<u32> {
        let control = &self.vcpus[vcpu].control;
        let mut found = Vec::new();
        self.vcpus[vcpu].upcall_pending.store(0, SeqCst);
        let mut ready = control[0].swap(0, SeqCst);
        let mut steps = 0;
        while ready != 0 {
            steps += 1;
            assert!(steps < 100_000, "a queue is a circle");
            let priority = ready.trailing_zeros() as usize;
            if heads[priority] == 0 {
                heads[priority] = control[2 + priority].load(SeqCst);
            }
            let port = heads[priority];
            assert_ne!(port, 0, "ready without a head");
            let word = self.word(port);
            let next = unlink(word);
            if next == 0 {
                ready &= !(1 << priority);
            }
            let now = word.load(SeqCst);
            if now & PENDING != 0 && now & MASKED == 0 {
                word.fetch_and(!PENDING, SeqCst);
                found.push(port);
            }
            heads[priority] = next;
            ready |= control[0].swap(0, SeqCst);
        }
        found
    }
}

/// Takes a word off its queue: gives the next port and leaves the word unlinked.
pub(crate) fn unlink(word: &AtomicU32) -> u32 {
    loop {
        let old = word.load(SeqCst);
        assert_ne!(old & LINKED, 0, "the head of a queue is not linked");
        let new = old & !(LINKED | LINK_MASK);
        if word.compare_exchange(old, new, SeqCst, SeqCst).is_ok() {
            return old & LINK_MASK;
        }
    }
}

/// The guest unmasks by itself. False if the event is pending, so that it must ask the hypervisor.
pub(crate) fn guest_unmask(word: &AtomicU32) -> bool {
    loop {
        let old = word.load(SeqCst);
        if old & MASKED == 0 {
            return true;
        }
        if old & PENDING != 0 {
            return false;
        }
        if old & BUSY == 0 && word.compare_exchange(old, old & !MASKED, SeqCst, SeqCst).is_ok() {
            return true;
        }
    }
}
