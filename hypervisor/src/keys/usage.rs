// SPDX-License-Identifier: MIT OR Apache-2.0
//! What everything is used for: printed before and after a test, the same numbers mean that nothing was lost.
#![forbid(unsafe_code)]

use alloc::collections::BTreeMap;

use hypercalls::frame::Mfn;
use hypercalls::ids::DomId;

use crate::console::line;
use crate::domain::{Domain, table, units};
use crate::mm::{frame_table, heap};

/// Frames of one owner.
#[derive(Clone, Copy, Debug, Default)]
struct Frames {
    /// Allocated to it as its memory.
    allocated: u64,
    /// Given up, but referred to.
    lingering: u64,
    /// The hypervisor's, which it may map.
    shared: u64,
}

/// Prints the frames of each owner by the frame table itself, and what each domain holds by its own account.
pub(super) fn print() {
    let (mapped, used) = heap::usage();
    let (total, free) = (frame_table::total_frames(), frame_table::free_frames());
    let owners = frames_by_owner();
    let owned: u64 = owners.values().map(|frames| frames.allocated + frames.lingering + frames.shared).sum();
    line(format_args!(
        "  frames: {total}, {free} free, {owned} of domains, {} the hypervisor's ({} of them heap)",
        total.saturating_sub(free + owned),
        mapped >> 12
    ));
    line(format_args!("  heap: {used} bytes in use; {} vCPUs; {} domains", units::count(), table::all().len()));
    for (owner, frames) in owners {
        line(format_args!(
            "  d{owner}: frames {} allocated, {} lingering, {} shared{}",
            frames.allocated,
            frames.lingering,
            frames.shared,
            if table::find(DomId::new(owner)).is_none() { "; THERE IS NO SUCH DOMAIN" } else { "" }
        ));
    }
    table::all().iter().for_each(|domain| account(domain));
}

fn account(domain: &Domain) {
    let (pages, shared, claimed) = {
        let memory = domain.memory.lock();
        (memory.tot_pages, memory.shared_pages, memory.claimed)
    };
    let (frames, pinned, mappings) = {
        let grants = domain.grants.lock();
        (grants.frames(), grants.pinned(), grants.mappings())
    };
    let ports = domain.events.lock().table.open_channels();
    let stage = *domain.stage.lock();
    line(format_args!(
        "  d{} {stage:?}: {pages} pages, {shared} shared, {claimed} claimed; {frames} grant frames, {pinned} grants in use, {mappings} mapped of others; {ports} ports",
        domain.id.raw()
    ));
}

fn frames_by_owner() -> BTreeMap<u16, Frames> {
    let mut owners = BTreeMap::<u16, Frames>::new();
    for frame in (0..frame_table::max_page()).filter_map(|number| frame_table::ram(Mfn::new(number))) {
        let Some(owner) = frame.owner() else { continue };
        let frames = owners.entry(owner.raw()).or_default();
        if frame.is_shared() {
            frames.shared += 1;
        } else if frame.is_allocated() {
            frames.allocated += 1;
        } else {
            frames.lingering += 1;
        }
    }
    owners
}
