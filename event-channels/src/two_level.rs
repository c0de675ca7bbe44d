// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! The two-level ABI: a pending and a mask bit per port in `shared_info`, a selector bit per 64 ports in each `vcpu_info`.

use crate::sync::{self, AtomicU64, Ordering};
use crate::upcall::{Delivery, Wake};
use crate::vcpu::VcpuSlot;
use hypercalls::{Port, VcpuId};

/// How many ports the two-level ABI has (`EVTCHN_2L_NR_CHANNELS`).
#[doc(alias = "EVTCHN_2L_NR_CHANNELS")]
pub const TWO_LEVEL_PORTS: u32 = 4096;

/// Words of each bitmap. Fewer under loom, whose models cannot have so many.
pub const TWO_LEVEL_WORDS: usize = if cfg!(loom) { 2 } else { 64 };

/// The bitmaps of a domain's `shared_info`.
#[derive(Clone, Copy, Debug)]
pub struct TwoLevelWords<'g> {
    /// `evtchn_pending`.
    pub pending: &'g [AtomicU64; TWO_LEVEL_WORDS],
    /// `evtchn_mask`.
    pub mask: &'g [AtomicU64; TWO_LEVEL_WORDS],
}

impl<'g> TwoLevelWords<'g> {
    /// The word of `array` that holds `port`'s bit, its number, and the bit.
    #[inline(always)]
    fn bit(array: &'g [AtomicU64; TWO_LEVEL_WORDS], port: Port) -> Option<(&'g AtomicU64, u32, u64)> {
        let number = port.raw() >> 6;
        let word = array.get(number as usize)?;
        Some((word, number, 1_u64.wrapping_shl(port.raw() & 63)))
    }

    /// Raises `port` for `vcpu`.
    #[inline(always)]
    pub(crate) fn set_pending(&self, vcpus: &[VcpuSlot<'g>], vcpu: VcpuId, port: Port) -> Delivery {
        let (Some((word, number, bit)), Some((mask, ..))) = (Self::bit(self.pending, port), Self::bit(self.mask, port))
        else {
            return Delivery::Quiet;
        };
        if word.fetch_or(bit, Ordering::SeqCst) & bit != 0 {
            return Delivery::Quiet;
        }
        // The guest unmasks by clearing the mask and then looking at pending; we do it the other way round.
        sync::store_load();
        if mask.load(Ordering::SeqCst) & bit == 0 && select(vcpus, vcpu, number) {
            Delivery::Wake(Wake { vcpu, port })
        } else {
            Delivery::Pollers(port)
        }
    }

    /// Unmasks `port` for the guest and delivers what waited behind the mask.
    #[inline]
    pub(crate) fn unmask(&self, vcpus: &[VcpuSlot<'g>], vcpu: VcpuId, port: Port) -> Delivery {
        let Some((mask, number, bit)) = Self::bit(self.mask, port) else {
            return Delivery::Quiet;
        };
        if mask.fetch_and(!bit, Ordering::SeqCst) & bit == 0 {
            return Delivery::Quiet;
        }
        sync::store_load();
        if self.is_pending(port) && select(vcpus, vcpu, number) {
            Delivery::Wake(Wake { vcpu, port })
        } else {
            Delivery::Quiet
        }
    }

    /// Whether `port`'s pending bit is set.
    #[inline]
    pub(crate) fn is_pending(&self, port: Port) -> bool {
        Self::bit(self.pending, port).is_some_and(|(word, _, bit)| word.load(Ordering::SeqCst) & bit != 0)
    }

    /// Forgets a pending event.
    pub(crate) fn clear_pending(&self, port: Port) {
        if let Some((word, _, bit)) = Self::bit(self.pending, port) {
            word.fetch_and(!bit, Ordering::SeqCst);
        }
    }
}

/// Marks pending word `number` for `vcpu`. True if the vCPU must be kicked. Without a `vcpu_info` nothing is marked: the vCPU finds
/// its events when it registers one, because everything is then marked (see `EventTable::mark_all_pending`).
#[inline(always)]
fn select(vcpus: &[VcpuSlot<'_>], vcpu: VcpuId, number: u32) -> bool {
    vcpus.get(vcpu.raw() as usize).and_then(|slot| slot.words).is_some_and(|words| words.mark_selected(number))
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use core::array::from_fn;

    #[test]
    fn masked_events_wait_and_are_delivered_when_unmasked() {
        let pending = from_fn(|_| AtomicU64::new(0));
        let mask = from_fn(|_| AtomicU64::new(0));
        let words = TwoLevelWords { pending: &pending, mask: &mask };
        let (upcall, masked, sel) = (sync::AtomicU8::new(0), sync::AtomicU8::new(0), AtomicU64::new(0));
        let mut slot = VcpuSlot::new();
        slot.words =
            Some(crate::upcall::VcpuWords { upcall_pending: &upcall, upcall_mask: &masked, pending_sel: &sel });
        let (vcpus, vcpu, port) = ([slot], VcpuId::new(0), Port::new(4095));
        mask[63].store(1 << 63, Ordering::SeqCst);
        assert_eq!(words.set_pending(&vcpus, vcpu, port), Delivery::Pollers(port));
        assert_eq!(words.set_pending(&vcpus, vcpu, port), Delivery::Quiet);
        assert_eq!(sel.load(Ordering::SeqCst), 0);
        let wake = Delivery::Wake(Wake { vcpu, port });
        assert_eq!(words.unmask(&vcpus, vcpu, port), wake);
        assert_eq!(sel.load(Ordering::SeqCst), 1 << 63);
        assert_eq!(words.unmask(&vcpus, vcpu, port), Delivery::Quiet);
        assert_eq!(words.set_pending(&vcpus, vcpu, Port::new(4096)), Delivery::Quiet, "beyond the bitmap");
    }

    #[test]
    fn without_a_vcpu_info_the_event_stays_pending() {
        let pending = from_fn(|_| AtomicU64::new(0));
        let mask = from_fn(|_| AtomicU64::new(0));
        let words = TwoLevelWords { pending: &pending, mask: &mask };
        let port = Port::new(1);
        let vcpus = [VcpuSlot::new()];
        assert_eq!(words.set_pending(&vcpus, VcpuId::new(0), port), Delivery::Pollers(port));
        assert!(words.is_pending(port));
    }
}
