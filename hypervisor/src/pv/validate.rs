// SPDX-License-Identifier: MIT OR Apache-2.0
//! May this page-table entry be here, and what must be held for it?
//!
//! Pure rules, one entry at a time: flags, address width, the adjustments a guest can read back, the references an entry
//! stands for, and which changes need no new ones. `mmu_update.rs` takes the references and writes the entry. The
//! invariant these rules serve: every present entry holds the references named by [`references`], so that no frame is
//! writable by a guest and a page or descriptor table at once.
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::arithmetic_side_effects
    )
)]

use hypercalls::errno::Errno;
use hypercalls::frame::Mfn;

use crate::mm::page_type::Level;

/// The entry is used by the processor.
pub(crate) const PRESENT: u64 = 1 << 0;
/// Writable.
pub(crate) const WRITABLE: u64 = 1 << 1;
/// Usable at CPL 3.
pub(crate) const USER: u64 = 1 << 2;
/// Write-through: bit 0 of the PAT index.
pub(crate) const WRITE_THROUGH: u64 = 1 << 3;
/// Cache disable: bit 1 of the PAT index.
pub(crate) const CACHE_DISABLE: u64 = 1 << 4;
/// Set by the processor on use.
pub(crate) const ACCESSED: u64 = 1 << 5;
/// Set by the processor on a write.
pub(crate) const DIRTY: u64 = 1 << 6;
/// In L1: bit 2 of the PAT index.
pub(crate) const PAT: u64 = 1 << 7;
/// In L2 and L3: a large page. Guests have none.
#[cfg(test)]
pub(crate) const LARGE: u64 = 1 << 7;
/// Survives a CR3 load (if CR4.PGE is on).
pub(crate) const GLOBAL: u64 = 1 << 8;
/// Bits for software.
pub(crate) const AVAILABLE: u64 = 7 << 9;
/// Bits for software.
pub(crate) const AVAILABLE_HIGH: u64 = 0x7ff << 52;
/// The software bit that marks a kernel page, whose USER bit is ours.
pub(crate) const GUEST_KERNEL: u64 = 1 << 52;
/// Not executable.
pub(crate) const NO_EXECUTE: u64 = 1 << 63;

const ADDRESS: u64 = 0x000f_ffff_ffff_f000;
const CACHE: u64 = WRITE_THROUGH | CACHE_DISABLE | PAT;
/// Flags that every level may have.
const ALLOWED: u64 = PRESENT | WRITABLE | USER | ACCESSED | DIRTY | AVAILABLE | AVAILABLE_HIGH | NO_EXECUTE;

/// The first L4 slot that is ours.
pub(crate) const FIRST_XEN_SLOT: usize = 256;
/// Behind the last L4 slot that is ours.
pub(crate) const END_XEN_SLOT: usize = 272;

/// Whether an L4 slot is the guest's to fill. The others are ignored at promotion and may not be updated.
#[inline(always)]
pub(crate) fn is_guest_slot(slot: usize) -> bool {
    !(FIRST_XEN_SLOT..END_XEN_SLOT).contains(&slot)
}

/// The frame an entry points at.
#[inline(always)]
pub(crate) fn target(entry: u64) -> Mfn {
    Mfn::from_addr(entry & ADDRESS)
}

/// What the rules depend on besides the entry.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Context {
    /// Bits of a physical address on this machine, at most 52.
    pub(crate) address_bits: u32,
    /// The domain has device rights: its mappings may choose a cache type.
    pub(crate) has_hardware: bool,
    /// The frames to be mapped belong to another domain than the table: only L1 entries can do that.
    pub(crate) is_foreign: bool,
}

/// The references an entry stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum References {
    /// The entry is not present.
    None,
    /// A general reference to memory, and a writable type reference as well if it may be written. Device frames have
    /// neither; they need the right to use them.
    Page {
        /// The page.
        mfn: Mfn,
        /// It may be written.
        writable: bool,
    },
    /// A type reference as a table of this level.
    Table {
        /// The table.
        mfn: Mfn,
        /// Its level.
        level: Level,
    },
}

/// The references that a valid entry of a table at `level` stands for.
#[inline(always)]
pub(crate) fn references(level: Level, entry: u64) -> References {
    if entry & PRESENT == 0 {
        return References::None;
    }
    let mfn = target(entry);
    match level.below() {
        None => References::Page { mfn, writable: entry & WRITABLE != 0 },
        Some(level) => References::Table { mfn, level },
    }
}

/// How to carry out an update.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Update {
    /// Write `entry`; the references stay as they are.
    FlagsOnly {
        /// What to write.
        entry: u64,
    },
    /// The same page of the same cache type, which may be written from now on or no more: write `entry`; only the writable
    /// type reference is taken or dropped. Not for devices: those go the way of [`Update::Replace`].
    Access {
        /// What to write.
        entry: u64,
        /// The page.
        mfn: Mfn,
        /// It may be written from now on.
        writable: bool,
    },
    /// Take `take`, write `entry`, drop `drop`. A device page's entry goes through [`for_device`] first.
    Replace {
        /// What to write.
        entry: u64,
        /// References of the new entry.
        take: References,
        /// References of the old entry.
        drop: References,
    },
}

/// Decides an update of a live entry from `old` to the guest's `new`.
///
/// EINVAL: a flag the guest may not set, a table beyond the machine's addresses, or a foreign one.
#[inline(always)]
pub(crate) fn update(level: Level, old: u64, new: u64, cx: &Context) -> Result<Update, Errno> {
    if level != Level::L1 && cx.is_foreign {
        return Err(Errno::EINVAL);
    }
    if new & PRESENT == 0 {
        return Ok(Update::Replace { entry: new, take: References::None, drop: references(level, old) });
    }
    let entry = adjust(level, new);
    match changed(level, old, entry) {
        0 => return Ok(Update::FlagsOnly { entry }),
        WRITABLE => return Ok(Update::Access { entry, mfn: target(entry), writable: entry & WRITABLE != 0 }),
        _ => {}
    }
    replace(level, old, new, cx)
}

/// The update of an entry of which nothing is known: [`update`] without its short cuts.
pub(crate) fn replace(level: Level, old: u64, new: u64, cx: &Context) -> Result<Update, Errno> {
    let entry = check(level, new, cx)?;
    Ok(Update::Replace { entry, take: references(level, entry), drop: references(level, old) })
}

/// Checks one entry on its own, as at promotion of a whole table, and returns it as it has to stand in the table.
///
/// EINVAL as for [`update`]. An entry that is not present may hold anything.
#[inline(always)]
pub(crate) fn check(level: Level, entry: u64, cx: &Context) -> Result<u64, Errno> {
    if entry & PRESENT == 0 {
        return Ok(entry);
    }
    let allowed = match level {
        // Any address will do here: where there is no memory is a device, which one may use or not.
        Level::L1 if cx.has_hardware => ALLOWED | GLOBAL | CACHE | ADDRESS,
        Level::L1 => ALLOWED | GLOBAL | ADDRESS,
        Level::L2 | Level::L3 | Level::L4 => ALLOWED | ADDRESS & low_bits(cx.address_bits),
    };
    if entry & !allowed != 0 || (level != Level::L1 && cx.is_foreign) {
        return Err(Errno::EINVAL);
    }
    Ok(adjust(level, entry))
}

/// What an update of a present entry changes apart from bits without consequence: for 0 frame, presence, cache type and, for
/// pages, writability stay, and no reference changes hands. What the guest may not set differs from a checked old entry, so
/// it shows here; so does everything in an entry that was not present.
#[inline(always)]
fn changed(level: Level, old: u64, entry: u64) -> u64 {
    const FREE: u64 = ACCESSED | DIRTY | NO_EXECUTE | AVAILABLE | AVAILABLE_HIGH | USER;
    let free = match level {
        Level::L1 => FREE | GLOBAL,
        // Tables are only reached through the walk: the bit limits the walk and gives no access to the table.
        Level::L2 | Level::L3 | Level::L4 => FREE | WRITABLE,
    };
    // Entry is present: an old one that is not differs in that bit.
    (old ^ entry) & !free
}

/// Guest kernels run at CPL 3: all their pages must be user pages, and a software bit remembers which were not.
#[inline(always)]
fn adjust(level: Level, entry: u64) -> u64 {
    match level {
        // A kernel page may say that it is global, which means nothing while CR4.PGE is off.
        Level::L1 if entry & USER == 0 || entry & GUEST_KERNEL != 0 => entry | USER | GUEST_KERNEL,
        Level::L1 => entry | GLOBAL,
        Level::L2 | Level::L3 => entry | USER,
        Level::L4 => entry | USER | ACCESSED,
    }
}

/// The L1 entry for a granted page: never executable, of the kernel unless `user`; `available` goes to bits 9 to 11.
#[inline(always)]
pub(crate) fn for_grant(mfn: Mfn, writable: bool, user: bool, available: u64) -> u64 {
    let mut entry = mfn.to_addr() & ADDRESS | PRESENT | ACCESSED | DIRTY | NO_EXECUTE | available << 9 & AVAILABLE;
    if writable {
        entry |= WRITABLE;
    }
    if user {
        entry |= USER;
    }
    adjust(Level::L1, entry)
}

/// The L1 entry for a device's frame: never cached as memory, and not writable if the frame is on the read-only list.
pub(crate) fn for_device(entry: u64, is_read_only: bool) -> u64 {
    // The PAT is fixed (abi: IA32_PAT): index 0 WB, 1 WT, 2 UC-, 3 UC, 4 WC, 5 WP, 6 and 7 UC.
    let entry = match entry & CACHE {
        0 => entry | WRITE_THROUGH | CACHE_DISABLE,
        WRITE_THROUGH => entry | CACHE_DISABLE,
        c if c == PAT | WRITE_THROUGH => entry | CACHE_DISABLE,
        _ => entry,
    };
    if is_read_only { entry & !WRITABLE } else { entry }
}

/// The new entry with the processor's accessed and dirty marks of the old one kept (`MMU_PT_UPDATE_PRESERVE_AD`).
#[inline(always)]
pub(crate) fn preserve_marks(old: u64, new: u64) -> u64 {
    new | old & (ACCESSED | DIRTY)
}

/// May a domain map something that is not memory? `permitted`: it has the right to that page, and so has the named owner.
///
/// EINVAL: the address is all ones. EPERM: no right.
pub(crate) fn device_access(mfn: Mfn, permitted: bool) -> Result<(), Errno> {
    match permitted {
        true => Ok(()),
        false if mfn.to_addr() == ADDRESS => Err(Errno::EINVAL),
        false => Err(Errno::EPERM),
    }
}

fn low_bits(bits: u32) -> u64 {
    1u64.checked_shl(bits).map_or(u64::MAX, |bound| bound.wrapping_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CX: Context = Context { address_bits: 40, has_hardware: false, is_foreign: false };
    const LEVELS: [Level; 4] = [Level::L1, Level::L2, Level::L3, Level::L4];
    const FRAME: u64 = 0x1234_5000;

    #[test]
    fn each_flag_at_each_level() {
        for level in LEVELS {
            for bit in 1..64 {
                let entry = FRAME | PRESENT | 1u64 << bit;
                let is_l1 = level == Level::L1;
                let expect = match bit {
                    1 | 2 | 5 | 6 | 9..=39 | 52..=63 => [true, true],
                    3 | 4 | 7 => [false, is_l1],
                    8 => [is_l1, is_l1],
                    40..=51 => [is_l1, is_l1],
                    _ => unreachable!(),
                };
                for (has_hardware, expect) in [false, true].into_iter().zip(expect) {
                    let got = check(level, entry, &Context { has_hardware, ..CX });
                    assert_eq!(got.is_ok(), expect, "{level:?} bit {bit} hardware {has_hardware}");
                }
            }
        }
    }

    #[test]
    fn adjustments_can_be_read_back() {
        let kernel = FRAME | PRESENT | WRITABLE | ACCESSED | DIRTY;
        assert_eq!(check(Level::L1, kernel, &CX), Ok(kernel | USER | GUEST_KERNEL));
        assert_eq!(check(Level::L1, kernel | GLOBAL, &CX), Ok(kernel | USER | GUEST_KERNEL | GLOBAL));
        assert_eq!(check(Level::L1, kernel | USER, &CX), Ok(kernel | USER | GLOBAL));
        assert_eq!(check(Level::L2, kernel, &CX), Ok(kernel | USER));
        assert_eq!(check(Level::L4, FRAME | PRESENT, &CX), Ok(FRAME | PRESENT | USER | ACCESSED));
        assert_eq!(check(Level::L3, !PRESENT, &CX), Ok(!PRESENT));
        let foreign = Context { is_foreign: true, ..CX };
        assert!(check(Level::L1, kernel, &foreign).is_ok());
        assert_eq!(check(Level::L2, kernel, &foreign), Err(Errno::EINVAL));
    }

    #[test]
    fn grants() {
        let mfn = Mfn::from_addr(FRAME);
        let fixed = FRAME | PRESENT | ACCESSED | DIRTY | NO_EXECUTE | USER;
        assert_eq!(for_grant(mfn, true, false, 0), fixed | WRITABLE | GUEST_KERNEL);
        assert_eq!(for_grant(mfn, false, true, 0b101), fixed | GLOBAL | 0b101 << 9);
        assert_eq!(references(Level::L1, for_grant(mfn, false, true, !0)), References::Page { mfn, writable: false });
        assert_eq!(check(Level::L1, for_grant(mfn, true, true, 7), &CX), Ok(for_grant(mfn, true, true, 7)));
    }

    #[test]
    fn updates() {
        let old = check(Level::L1, FRAME | PRESENT | WRITABLE, &CX).unwrap();
        assert_eq!(update(Level::L1, old, old | DIRTY, &CX), Ok(Update::FlagsOnly { entry: old | DIRTY }));
        let page = |writable| References::Page { mfn: Mfn::from_addr(FRAME), writable };
        let access = |entry, writable| Ok(Update::Access { entry, mfn: Mfn::from_addr(FRAME), writable });
        assert_eq!(update(Level::L1, old, old & !WRITABLE, &CX), access(old & !WRITABLE, false));
        assert_eq!(update(Level::L1, old & !WRITABLE, old | DIRTY, &CX), access(old | DIRTY, true));
        assert_eq!(
            replace(Level::L1, old, old & !WRITABLE, &CX),
            Ok(Update::Replace { entry: old & !WRITABLE, take: page(false), drop: page(true) })
        );
        assert_eq!(
            update(Level::L1, 0, old, &CX),
            Ok(Update::Replace { entry: old, take: page(true), drop: References::None })
        );
        assert_eq!(
            update(Level::L1, old, 0, &CX),
            Ok(Update::Replace { entry: 0, take: References::None, drop: page(true) })
        );
        assert_eq!(update(Level::L1, old, old | LARGE, &CX), Err(Errno::EINVAL));
        let table = check(Level::L2, FRAME | PRESENT | WRITABLE, &CX).unwrap();
        assert_eq!(
            update(Level::L2, table, table & !WRITABLE, &CX),
            Ok(Update::FlagsOnly { entry: table & !WRITABLE })
        );
        assert_eq!(references(Level::L2, table), References::Table { mfn: Mfn::from_addr(FRAME), level: Level::L1 });
        let foreign = Context { is_foreign: true, ..CX };
        assert_eq!(update(Level::L2, table, table, &foreign), Err(Errno::EINVAL));
        assert_eq!(update(Level::L2, table, 0, &foreign), Err(Errno::EINVAL));
        for bit in [WRITE_THROUGH, CACHE_DISABLE, LARGE, GLOBAL, 1 << 45] {
            assert_eq!(update(Level::L2, table, table | bit, &CX), Err(Errno::EINVAL));
        }
    }

    #[test]
    fn devices_and_owners() {
        assert_eq!(for_device(PRESENT, false), PRESENT | WRITE_THROUGH | CACHE_DISABLE);
        assert_eq!(for_device(PAT | WRITABLE, true), PAT);
        assert_eq!(for_device(PAT | WRITE_THROUGH, false), CACHE);
        assert_eq!(for_device(CACHE_DISABLE, false), CACHE_DISABLE);
        let mfn = Mfn::from_addr(FRAME);
        assert_eq!(device_access(mfn, true), Ok(()));
        assert_eq!(device_access(mfn, false), Err(Errno::EPERM));
        assert_eq!(device_access(Mfn::from_addr(ADDRESS), false), Err(Errno::EINVAL));
        assert_eq!(preserve_marks(PRESENT | DIRTY, WRITABLE), WRITABLE | DIRTY);
        assert!(is_guest_slot(255) && !is_guest_slot(256) && !is_guest_slot(271) && is_guest_slot(272));
    }

    proptest! {
        /// The safety argument: without new references, nothing but harmless bits may differ from a checked entry.
        #[test]
        fn fast_path_gives_nothing_away(old: u64, flip: u64, narrow: u64, level in 0usize..4, has_hardware: bool) {
            let level = LEVELS[level];
            let cx = Context { has_hardware, ..CX };
            let allowed = ALLOWED | GLOBAL | ADDRESS & low_bits(40);
            let Ok(old) = check(level, old & allowed | PRESENT, &cx) else { return Ok(()) };
            let new = old ^ (flip & narrow & !ADDRESS);
            // One bit alone, too: many flips at once are rarely harmless.
            let new = if narrow & 1 != 0 { old ^ (1 << (flip & 63) & !ADDRESS) } else { new };
            match update(level, old, new, &cx) {
                Ok(Update::FlagsOnly { entry }) => {
                    prop_assert_eq!(references(level, entry), references(level, old));
                    prop_assert_eq!(check(level, entry, &cx), Ok(entry));
                    prop_assert_eq!(entry & (CACHE | PRESENT | ADDRESS), old & (CACHE | PRESENT | ADDRESS));
                    prop_assert!(entry & USER != 0);
                }
                Ok(Update::Access { entry, mfn, writable }) => {
                    prop_assert_eq!(level, Level::L1);
                    prop_assert_eq!(references(level, entry), References::Page { mfn, writable });
                    prop_assert_eq!(references(level, old), References::Page { mfn, writable: !writable });
                    prop_assert_eq!(check(level, entry, &cx), Ok(entry));
                }
                Ok(Update::Replace { entry, take, drop }) => {
                    prop_assert_eq!(take, references(level, entry));
                    prop_assert_eq!(drop, references(level, old));
                    prop_assert_eq!(check(level, entry, &cx), Ok(entry));
                }
                Err(errno) => prop_assert_eq!(errno, Errno::EINVAL),
            }
        }
    }
}
