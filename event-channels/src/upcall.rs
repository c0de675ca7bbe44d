// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! The words a vCPU shares with us (`vcpu_info`), and when the vCPU must be interrupted.

use crate::sync::{AtomicU8, AtomicU64, Ordering};
use hypercalls::{Port, VcpuId};

/// The event words of one vCPU's `vcpu_info`. The guest writes them at any moment.
#[derive(Clone, Copy, Debug)]
pub struct VcpuWords<'g> {
    /// `evtchn_upcall_pending`: set by us, cleared by the guest before it looks for events.
    pub upcall_pending: &'g AtomicU8,
    /// `evtchn_upcall_mask`: set by us at an upcall and by the guest; like a disabled interrupt flag.
    pub upcall_mask: &'g AtomicU8,
    /// `evtchn_pending_sel`: bit n says that pending word n wants a look (two-level ABI).
    pub pending_sel: &'g AtomicU64,
}

impl VcpuWords<'_> {
    /// Whether the vCPU must be given an upcall before it runs on: something is pending and upcalls are not masked.
    ///
    /// Needs no lock; the hypervisor asks on every way back to the guest.
    #[inline]
    #[must_use]
    pub fn needs_upcall(&self) -> bool {
        self.upcall_pending.load(Ordering::SeqCst) != 0 && self.upcall_mask.load(Ordering::SeqCst) == 0
    }

    /// Says that events wait. True if the guest had seen all before, so that the vCPU must be kicked.
    #[inline]
    #[must_use]
    pub fn mark_pending(&self) -> bool {
        // A swap, not an or: an or of a byte is a compare-exchange loop on x86, which the guest could keep spinning.
        self.upcall_pending.swap(1, Ordering::SeqCst) & 1 == 0
    }

    /// Marks selector bit `word` and, if it was clear, the upcall. True as for [`VcpuWords::mark_pending`].
    #[inline]
    pub(crate) fn mark_selected(&self, word: u32) -> bool {
        let bit = 1_u64.wrapping_shl(word);
        self.pending_sel.fetch_or(bit, Ordering::SeqCst) & bit == 0 && self.mark_pending()
    }
}

/// An upcall became pending for a vCPU: make it runnable, or interrupt the CPU it runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wake {
    /// Who is to be kicked.
    pub vcpu: VcpuId,
    /// The event's port, for vCPUs that poll on it.
    pub port: Port,
}

/// A function of the hypervisor that receives the events of a channel, numbered by the hypervisor from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct XenConsumer(core::num::NonZeroU8);

impl XenConsumer {
    /// Names a consumer.
    #[must_use]
    pub const fn new(number: core::num::NonZeroU8) -> Self {
        Self(number)
    }

    /// The number given to [`XenConsumer::new`].
    #[must_use]
    pub const fn raw(self) -> u8 {
        self.0.get()
    }
}

/// What the hypervisor has to do after an event was raised on one of a domain's ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a vCPU that is not woken sleeps on"]
pub enum Delivery {
    /// Nothing: it was pending already, or nobody listens.
    Quiet,
    /// No upcall (masked, or one is pending already), but the port became pending: wake vCPUs that poll on it.
    Pollers(Port),
    /// Kick the vCPU, and wake vCPUs that poll on the port.
    Wake(Wake),
    /// The channel is the hypervisor's: call the consumer, for this vCPU.
    Xen {
        /// Whom to call.
        consumer: XenConsumer,
        /// The vCPU given when the channel was made.
        vcpu: VcpuId,
        /// The local port.
        port: Port,
    },
}

impl Delivery {
    /// The wake-up, if this is one.
    #[must_use]
    pub const fn wake(self) -> Option<Wake> {
        match self {
            Self::Wake(wake) => Some(wake),
            _ => None,
        }
    }

    /// The port whose pollers must be woken, if any.
    #[must_use]
    pub const fn polled_port(self) -> Option<Port> {
        match self {
            Self::Wake(Wake { port, .. }) | Self::Pollers(port) => Some(port),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upcall_needs_pending_and_unmasked() {
        let (pending, mask, sel) = (AtomicU8::new(0), AtomicU8::new(1), AtomicU64::new(0));
        let words = VcpuWords { upcall_pending: &pending, upcall_mask: &mask, pending_sel: &sel };
        assert!(!words.needs_upcall());
        assert!(words.mark_pending());
        assert!(!words.mark_pending(), "already known");
        assert!(!words.needs_upcall(), "masked");
        mask.store(0, Ordering::SeqCst);
        assert!(words.needs_upcall());
    }

    #[test]
    fn a_selected_word_wakes_once() {
        let (pending, mask, sel) = (AtomicU8::new(0), AtomicU8::new(0), AtomicU64::new(0));
        let words = VcpuWords { upcall_pending: &pending, upcall_mask: &mask, pending_sel: &sel };
        assert!(words.mark_selected(63));
        assert!(!words.mark_selected(63));
        assert!(!words.mark_selected(0), "an upcall is pending already");
        assert_eq!(sel.load(Ordering::SeqCst), 1 << 63 | 1);
    }
}
