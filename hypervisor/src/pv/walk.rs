// SPDX-License-Identifier: MIT OR Apache-2.0
//! Looks through a guest's page tables without trusting them, for reports: nothing faults, nothing is changed.
#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use core::sync::atomic::Ordering;

use hypercalls::frame::Mfn;

use crate::mm::{frame_table, map};
use crate::pv::validate;

const PRESENT: u64 = 1;
const LARGE: u64 = 0x80;
const NO_EXECUTE: u64 = 1 << 63;
const ADDRESS: u64 = 0x000f_ffff_ffff_f000;

/// One level of a walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// 4 to 1.
    pub(crate) level: u8,
    /// Which entry.
    pub(crate) index: usize,
    /// The entry.
    pub(crate) entry: u64,
}

impl Step {
    /// The frame it points to.
    pub(crate) fn target(&self) -> Mfn {
        Mfn::from_addr(self.entry & ADDRESS)
    }

    /// Does it point to anything?
    pub(crate) fn is_present(&self) -> bool {
        self.entry & PRESENT != 0
    }
}

/// The steps from a root to the end: the last level, an absent entry, a large page or a table that is no memory.
pub(crate) fn steps(root: Mfn, address: u64) -> impl Iterator<Item = Step> {
    let mut next = Some((root, 4_u8));
    core::iter::from_fn(move || {
        let (table, level) = next.take()?;
        frame_table::ram(table)?;
        let index = (address >> (12 + 9 * (u32::from(level) - 1)) & 511) as usize;
        let step = Step { level, index, entry: map::words(table).get(index)?.load(Ordering::Relaxed) };
        if level > 1 && step.is_present() && (level == 4 || step.entry & LARGE == 0) {
            next = Some((step.target(), level - 1));
        }
        Some(step)
    })
}

/// A 4 KiB page of memory that an address of the guest's is mapped to, and whether it may be executed there.
pub(crate) fn page(root: Mfn, address: u64) -> Option<(Mfn, bool)> {
    if !validate::is_guest_slot((address >> 39 & 511) as usize) {
        return None;
    }
    let mut executable = true;
    let mut last = None;
    for step in steps(root, address) {
        executable &= step.entry & NO_EXECUTE == 0;
        last = Some(step);
    }
    let leaf = last.filter(|step| step.level == 1 && step.is_present())?;
    frame_table::ram(leaf.target())?;
    Some((leaf.target(), executable))
}

/// Reads bytes of guest memory; stops at the first that is not mapped to memory. Returns how many.
pub(crate) fn read(root: Mfn, address: u64, out: &mut [u8]) -> usize {
    let mut done = 0;
    while let Some(rest) = out.get_mut(done..).filter(|rest| !rest.is_empty()) {
        let Some(at) = address.checked_add(done as u64) else { break };
        let Some((mfn, _)) = page(root, at) else { break };
        let offset = (at & 0xfff) as usize;
        let now = rest.len().min(4096 - offset);
        let Some(piece) = rest.get_mut(..now) else { break };
        map::read(mfn, offset, piece);
        done += now;
    }
    done
}

/// Reads a 64-bit word.
pub(crate) fn read_word(root: Mfn, address: u64) -> Option<u64> {
    let mut bytes = [0; 8];
    (read(root, address, &mut bytes) == bytes.len()).then(|| u64::from_le_bytes(bytes))
}
