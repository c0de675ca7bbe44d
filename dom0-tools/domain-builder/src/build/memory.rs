// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! A new guest's memory: its frames, and writing to them through a mapping that moves along.

use std::collections::HashSet;
use std::io;

use hypercalls::mmu::{MmuextCmd, MmuextOp};
use hypercalls::{DomId, HypercallNumber, Mfn, PAGE_SHIFT, PAGE_SIZE, Pfn};
use xen_control::{Control, ControlError, ForeignMapping};
use zerocopy::IntoBytes;

use crate::kernel::is_zero;

/// Pages of a 2 MiB extent, and its order.
const LARGE: u64 = 512;
const LARGE_ORDER: u32 = 9;
/// Pages the mapping has at most, and at least: what is written next often lies close behind, and a mapping costs more than its pages.
const WINDOW: usize = 1024;
const SMALL_WINDOW: usize = 64;
/// Frames one hypercall clears at most.
const CLEARED_AT_ONCE: usize = 4096;

/// The frames of a domain, by its own numbers.
#[derive(Debug)]
pub(crate) struct GuestMemory<'a> {
    control: &'a Control,
    domain: DomId,
    frames: Vec<Mfn>,
    /// Frames that were cleared because only a part of them is written.
    cleared: HashSet<Pfn>,
    window: Option<Window>,
}

/// Some of the frames, mapped.
#[derive(Debug)]
struct Window {
    first: Pfn,
    pages: usize,
    mapping: ForeignMapping,
}

impl Window {
    /// Which of its pages that is.
    fn page(&self, pfn: Pfn) -> Option<usize> {
        let page = usize::try_from(pfn.raw().checked_sub(self.first.raw())?).ok()?;
        (page < self.pages).then_some(page)
    }
}

/// Why a guest's memory could not be had or written.
#[derive(Debug)]
pub(crate) enum MemoryError {
    Control(ControlError),
    /// Memory ran out.
    Short,
    /// The callback wants an end.
    Cancelled,
}

impl From<ControlError> for MemoryError {
    fn from(error: ControlError) -> Self {
        Self::Control(error)
    }
}

type Result<T> = std::result::Result<T, MemoryError>;

impl<'a> GuestMemory<'a> {
    /// Gives the domain `count` pages, in large extents as far as there are.
    pub(crate) fn populate(
        control: &'a Control,
        domain: DomId,
        count: u64,
        mut report: impl FnMut(u64) -> bool,
    ) -> Result<Self> {
        /// Extents of one call: 2 GiB, so that somebody who waits sees progress.
        const AT_ONCE: usize = 1024;
        let mut frames = Vec::with_capacity(usize::try_from(count).unwrap_or(0));
        let large: Vec<Pfn> = (0..count / LARGE).map(|n| Pfn::new(n * LARGE)).collect();
        for places in large.chunks(AT_ONCE) {
            let got = control.populate(domain, LARGE_ORDER, places)?;
            for first in &got {
                frames.extend((0..LARGE).map(|n| Mfn::new(first.raw() + n)));
            }
            if !report(frames.len() as u64) {
                return Err(MemoryError::Cancelled);
            }
            if got.len() < places.len() {
                break;
            }
        }
        let small: Vec<Pfn> = (frames.len() as u64..count).map(Pfn::new).collect();
        for places in small.chunks(AT_ONCE * 64) {
            let got = control.populate(domain, 0, places)?;
            frames.extend(&got);
            if got.len() < places.len() {
                return Err(MemoryError::Short);
            }
            if !report(frames.len() as u64) {
                return Err(MemoryError::Cancelled);
            }
        }
        Ok(Self { control, domain, frames, cleared: HashSet::new(), window: None })
    }

    /// The machine frame of one of the guest's; [`Mfn::INVALID`] past its end.
    pub(crate) fn mfn(&self, pfn: Pfn) -> Mfn {
        usize::try_from(pfn.raw()).ok().and_then(|at| self.frames.get(at)).copied().unwrap_or(Mfn::INVALID)
    }

    /// All machine frames.
    pub(crate) fn frames(&self) -> &[Mfn] {
        &self.frames
    }

    /// Zeroes frames, without mapping them.
    pub(crate) fn clear(&self, frames: &[Pfn]) -> Result<()> {
        let failed = |error| ControlError {
            operation: "clear a domain's memory",
            domain: Some(self.domain),
            detail: None,
            error,
        };
        let privcmd = self.control.privcmd();
        for some in frames.chunks(CLEARED_AT_ONCE) {
            let op =
                |pfn: &Pfn| MmuextOp { cmd: MmuextCmd::CLEAR_PAGE, _pad: [0; 4], arg1: self.mfn(*pfn).raw(), arg2: 0 };
            let ops: Vec<MmuextOp> = some.iter().map(op).collect();
            let mut buffer = privcmd.buffer(ops.as_bytes().len()).map_err(failed)?;
            buffer.as_bytes_mut().copy_from_slice(ops.as_bytes());
            let args = [buffer.address(), some.len() as u64, 0, u64::from(self.domain.raw()), 0];
            privcmd.hypercall(HypercallNumber::MMUEXT_OP, args).map_err(failed)?;
        }
        Ok(())
    }

    /// Zeroes `len` bytes from a guest-physical address on.
    pub(crate) fn clear_bytes(&mut self, guest_phys: u64, len: u64) -> Result<()> {
        let end = guest_phys.saturating_add(len);
        let (first, last) = (guest_phys.div_ceil(PAGE_SIZE as u64), end >> PAGE_SHIFT);
        if first < last {
            self.clear(&(first..last).map(Pfn::new).collect::<Vec<_>>())?;
        }
        // What shares its frame with bytes that are written is zero because such frames are cleared before.
        let edges = [guest_phys >> PAGE_SHIFT, end.saturating_sub(1) >> PAGE_SHIFT];
        let partial = edges.into_iter().filter(|&frame| len > 0 && !(first..last).contains(&frame)).map(Pfn::new);
        self.clear_partial(partial.collect())
    }

    /// Clears frames that are written in part, once each.
    fn clear_partial(&mut self, mut frames: Vec<Pfn>) -> Result<()> {
        frames.retain(|pfn| self.cleared.insert(*pfn));
        self.clear(&frames)
    }

    /// Writes bytes from a guest-physical address on. Whole pages of zeros are cleared instead, which needs no mapping.
    pub(crate) fn write(&mut self, guest_phys: u64, bytes: &[u8]) -> Result<()> {
        let (mut zero, mut partial, mut pieces) = (Vec::new(), Vec::new(), Vec::new());
        let (mut at, mut rest) = (guest_phys, bytes);
        while !rest.is_empty() {
            let offset = usize::try_from(at % PAGE_SIZE as u64).unwrap_or(0);
            let (now, later) = rest.split_at(rest.len().min(PAGE_SIZE - offset));
            let pfn = Pfn::from_addr(at);
            if now.len() < PAGE_SIZE {
                partial.push(pfn);
                pieces.push((pfn, offset, now));
            } else if is_zero(now) {
                zero.push(pfn);
            } else {
                pieces.push((pfn, 0, now));
            }
            at = at.saturating_add(now.len() as u64);
            rest = later;
        }
        self.clear(&zero)?;
        self.clear_partial(partial)?;
        let end = Pfn::from_addr(at.saturating_sub(1)).raw().saturating_add(1);
        for (pfn, offset, data) in pieces {
            let (mapping, page) = self.mapped(pfn, end)?;
            mapping.write(page * PAGE_SIZE + offset, data).map_err(|error| ControlError {
                operation: "write to a domain's memory",
                domain: Some(self.domain),
                detail: None,
                error: error.into(),
            })?;
        }
        Ok(())
    }

    /// A mapping with that frame in it, and its place there; the frames up to `end` are wanted next.
    fn mapped(&mut self, pfn: Pfn, end: u64) -> Result<(&ForeignMapping, usize)> {
        if self.window.as_ref().is_none_or(|window| window.page(pfn).is_none()) {
            self.unmap();
            let wanted = usize::try_from(end.saturating_sub(pfn.raw())).unwrap_or(WINDOW).clamp(SMALL_WINDOW, WINDOW);
            let first = usize::try_from(pfn.raw()).unwrap_or(usize::MAX);
            let frames = self.frames.get(first..).unwrap_or_default();
            let frames = frames.get(..wanted).unwrap_or(frames);
            let mapping = self.control.map(self.domain, frames, true)?;
            self.window = Some(Window { first: pfn, pages: frames.len(), mapping });
        }
        let outside = || ControlError {
            operation: "write to a domain's memory",
            domain: Some(self.domain),
            detail: Some(format!("frame {:#x} of {}", pfn.raw(), self.frames.len())),
            error: io::ErrorKind::InvalidInput.into(),
        };
        let window = self.window.as_ref().and_then(|window| Some((&window.mapping, window.page(pfn)?)));
        Ok(window.ok_or_else(outside)?)
    }

    /// Ends the mapping: frames that somebody can write to do not become page tables.
    pub(crate) fn unmap(&mut self) {
        self.window = None;
    }
}
