// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! What a table keeps for each vCPU: its shared words, its queues, its virtual interrupts.

use crate::error::EventError;
use crate::fifo::VcpuQueues;
use crate::sync::Ordering;
use crate::table::EventTable;
use crate::upcall::{VcpuWords, Wake};
use hypercalls::{Port, VcpuId, Virq};

/// What the table keeps for one vCPU.
#[derive(Debug)]
pub(crate) struct VcpuSlot<'g> {
    /// Its `vcpu_info`, once it has one.
    pub(crate) words: Option<VcpuWords<'g>>,
    /// FIFO: its control block and queues.
    pub(crate) queues: VcpuQueues<'g>,
    /// The port of each virtual interrupt bound on this vCPU (global ones: on vCPU 0).
    pub(crate) virqs: [Option<Port>; Virq::COUNT as usize],
}

impl VcpuSlot<'_> {
    /// A vCPU without a `vcpu_info` or any channel.
    pub(crate) const fn new() -> Self {
        Self { words: None, queues: VcpuQueues::new(), virqs: [None; Virq::COUNT as usize] }
    }
}

impl<'g> EventTable<'g> {
    /// Adds `count` vCPUs after those there are, without `vcpu_info`.
    ///
    /// # Errors
    /// [`EventError::NoMemory`].
    pub fn add_vcpus(&mut self, count: u32) -> Result<(), EventError> {
        self.vcpus.try_reserve_exact(count as usize).map_err(|_| EventError::NoMemory)?;
        self.vcpus.extend((0..count).map(|_| VcpuSlot::new()));
        Ok(())
    }

    /// Where `vcpu`'s `vcpu_info` is from now on; `None` if it has none. Copies nothing: see [`EventTable::mark_all_pending`].
    ///
    /// # Errors
    /// [`EventError::NoVcpu`].
    pub fn set_vcpu_words(&mut self, vcpu: VcpuId, words: Option<VcpuWords<'g>>) -> Result<(), EventError> {
        self.vcpu_mut(vcpu)?.words = words;
        Ok(())
    }

    /// Tells `vcpu` to look at every event, after its `vcpu_info` moved: between the caller's copy and the move the old words may have
    /// been written. The guest copes with a spurious upcall.
    pub fn mark_all_pending(&mut self, vcpu: VcpuId) -> Option<Wake> {
        let words = self.vcpus.get(vcpu.raw() as usize)?.words?;
        words.pending_sel.store(u64::MAX, Ordering::SeqCst);
        words.mark_pending().then_some(Wake { vcpu, port: Port::new(0) })
    }

    /// Whether an upcall is due for `vcpu` (see [`VcpuWords::needs_upcall`]).
    #[inline]
    #[must_use]
    pub fn pending_upcall(&self, vcpu: VcpuId) -> bool {
        self.vcpus.get(vcpu.raw() as usize).and_then(|slot| slot.words).is_some_and(|words| words.needs_upcall())
    }

    pub(crate) fn vcpu_mut(&mut self, vcpu: VcpuId) -> Result<&mut VcpuSlot<'g>, EventError> {
        self.vcpus.get_mut(vcpu.raw() as usize).ok_or(EventError::NoVcpu)
    }

    pub(crate) fn check_vcpu(&self, vcpu: VcpuId) -> Result<(), EventError> {
        match self.vcpus.get(vcpu.raw() as usize) {
            Some(_) => Ok(()),
            None => Err(EventError::NoVcpu),
        }
    }
}
