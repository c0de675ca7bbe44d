// SPDX-License-Identifier: MIT OR Apache-2.0
//! What boot found out about the host and domains may ask for: the memory map, the command line.
#![forbid(unsafe_code)]

use alloc::string::String;
use alloc::vec::Vec;

use hypercalls::memory::{E820Entry, E820Type};

use crate::domain::rangeset::RangeSet;

static MEMORY_MAP: spin::Once<Vec<E820Entry>> = spin::Once::new();
static COMMAND_LINE: spin::Once<String> = spin::Once::new();

/// Records the firmware's memory map, sorted and disjoint. Once, at boot.
pub(crate) fn set_memory_map(map: Vec<E820Entry>) {
    MEMORY_MAP.call_once(|| map);
}

/// The host's memory map.
pub(crate) fn memory_map() -> &'static [E820Entry] {
    MEMORY_MAP.get().map_or(&[], Vec::as_slice)
}

/// Records the hypervisor's command line. Once, at boot.
pub(crate) fn set_command_line(line: &str) {
    COMMAND_LINE.call_once(|| line.into());
}

/// The hypervisor's command line.
pub(crate) fn command_line() -> &'static str {
    COMMAND_LINE.get().map_or("", String::as_str)
}

/// One entry of a memory map.
pub(crate) fn entry(start: u64, end: u64, kind: E820Type) -> E820Entry {
    E820Entry { addr: start.into(), size: end.saturating_sub(start).into(), entry_type: kind.raw().into() }
}

/// The host's map as a domain with device rights sees it: holes whose frames it may not map (interrupt controllers) are
/// reserved, so that it places nothing there. `address_bits`: width of machine addresses.
pub(crate) fn map_for(host: &[E820Entry], iomem: &RangeSet, address_bits: u32) -> Vec<E820Entry> {
    let mut map = Vec::with_capacity(host.len().saturating_add(8));
    let mut next = 0;
    for known in host {
        let (start, end) = (known.addr.get(), known.addr.get().saturating_add(known.size.get()));
        reserve_denied(&mut map, next, start >> 12, iomem);
        map.push(*known);
        next = next.max(end.div_ceil(4096));
    }
    reserve_denied(&mut map, next, 1_u64.checked_shl(address_bits.saturating_sub(12)).unwrap_or(0), iomem);
    map
}

/// Adds the parts of frames `start .. end` that are not in `iomem`.
fn reserve_denied(map: &mut Vec<E820Entry>, start: u64, end: u64, iomem: &RangeSet) {
    let mut next = start;
    let mut reserve = |from: u64, to: u64| {
        if from < to {
            map.push(entry(from << 12, to << 12, E820Type::RESERVED));
        }
    };
    for (low, high) in iomem.iter().filter(|&(low, high)| low < end && high >= start) {
        reserve(next, low.min(end));
        next = high.saturating_add(1).max(next);
    }
    reserve(next, end);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(map: &[E820Entry]) -> Vec<(u64, u64, u32)> {
        map.iter().map(|e| (e.addr.get(), e.size.get(), e.entry_type.get())).collect()
    }

    #[test]
    fn holes_that_are_denied_become_reserved() {
        let host = [entry(0, 0x9_fc00, E820Type::RAM), entry(0x10_0000, 0x800_0000, E820Type::RAM)];
        let mut iomem = RangeSet::new();
        iomem.add(0, (1 << 40 >> 12) - 1);
        assert_eq!(plain(&map_for(&host, &iomem, 40)), plain(&host), "everything may be mapped");
        iomem.remove(0xfec00, 0xfec00);
        iomem.remove(0xfee00, 0xfeeff);
        let map = plain(&map_for(&host, &iomem, 40));
        assert_eq!(&map[2..], [(0xfec0_0000, 0x1000, 2), (0xfee0_0000, 0x10_0000, 2)]);
    }

    #[test]
    fn denied_frames_inside_known_regions_add_nothing() {
        let host = [entry(0x1000, 0x5000, E820Type::RESERVED)];
        let mut iomem = RangeSet::new();
        iomem.add(0x6, 0xff);
        let map = plain(&map_for(&host, &iomem, 20));
        assert_eq!(map, [(0, 0x1000, 2), (0x1000, 0x4000, 2), (0x5000, 0x1000, 2)]);
    }
}
