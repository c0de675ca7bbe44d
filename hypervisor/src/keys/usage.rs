// SPDX-License-Identifier: MIT OR Apache-2.0
//! What everything is used for: printed before and after a test, the same numbers mean that nothing was lost.
#![forbid(unsafe_code)]

use alloc::collections::BTreeMap;

use hypercalls::frame::Mfn;
use hypercalls::ids::DomId;

use super::Progress;
use crate::console::line;
use crate::domain::{Domain, table, units};
use crate::mm::{frame_table, heap};

/// Frames of one owner.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Frames {
    /// Allocated to it as its memory.
    allocated: u64,
    /// Given up, but referred to.
    lingering: u64,
    /// The hypervisor's, which it may map.
    shared: u64,
}

/// What is being done, in [`Progress::minor`]; the other number counts frames, or domains.
const COUNTING: u32 = 0;
const OWNERS: u32 = 1;
/// Frames looked at in one step, the third of a budget.
const FRAMES: u32 = 256;

/// Prints the next bit of the frames of each owner by the frame table itself, and of what each domain holds by its own account.
pub(super) fn print(progress: &mut Progress) -> bool {
    match progress.minor {
        COUNTING => count_frames(progress),
        OWNERS => print_owner(progress),
        _ => return print_account(progress),
    }
    true
}

fn count_frames(progress: &mut Progress) {
    let (from, end) = (u64::from(progress.major), frame_table::max_page());
    progress.major = progress.major.saturating_add(FRAMES);
    // Neighbours often have one owner.
    let mut last: Option<(u16, &mut Frames)> = None;
    for frame in (from..end.min(progress.major.into())).filter_map(|number| frame_table::ram(Mfn::new(number))) {
        let Some(owner) = frame.owner() else { continue };
        let owner = owner.raw();
        if last.as_ref().is_none_or(|(of, _)| *of != owner) {
            last = Some((owner, progress.owners.entry(owner).or_default()));
        }
        let Some((_, frames)) = &mut last else { continue };
        if frame.is_shared() {
            frames.shared += 1;
        } else if frame.is_allocated() {
            frames.allocated += 1;
        } else {
            frames.lingering += 1;
        }
    }
    // As many frames as a number can count are beyond what the tables can have (16 TiB).
    if u64::from(progress.major) >= end || progress.major == u32::MAX {
        print_sums(&progress.owners);
        (progress.major, progress.minor) = (0, OWNERS);
    }
}

fn print_sums(owners: &BTreeMap<u16, Frames>) {
    let (mapped, used) = heap::usage();
    let (total, free) = (frame_table::total_frames(), frame_table::free_frames());
    let owned: u64 = owners.values().map(|frames| frames.allocated + frames.lingering + frames.shared).sum();
    line(format_args!(
        "  frames: {total}, {free} free, {owned} of domains, {} the hypervisor's ({} of them heap)",
        total.saturating_sub(free + owned),
        mapped >> 12
    ));
    line(format_args!("  heap: {used} bytes in use; {} vCPUs; {} domains", units::count(), table::all().len()));
}

fn print_owner(progress: &mut Progress) {
    let Some((owner, frames)) = progress.owners.pop_first() else {
        progress.minor = OWNERS + 1;
        return;
    };
    line(format_args!(
        "  d{owner}: frames {} allocated, {} lingering, {} shared{}",
        frames.allocated,
        frames.lingering,
        frames.shared,
        if table::find(DomId::new(owner)).is_none() { "; THERE IS NO SUCH DOMAIN" } else { "" }
    ));
}

fn print_account(progress: &mut Progress) -> bool {
    let from = u16::try_from(progress.major).ok().map(DomId::new);
    let Some(domain) = from.and_then(table::find_from) else { return false };
    account(&domain);
    progress.major = u32::from(domain.id.raw()) + 1;
    true
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
