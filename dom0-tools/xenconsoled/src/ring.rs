// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! The console page: two rings of bytes whose indices the guest can set to anything.
//!
//! Indices run freely; the slot is the index modulo the ring's size. Each is read once per operation and believed only if
//! no more bytes are claimed than the ring holds. Nothing about a ring is remembered here, so a daemon that starts again
//! goes on where the page says.

use hypercalls::io::console::XenconsInterface;
use std::mem::offset_of;
use xen_sys::{OutOfBounds, SharedMemory};

const IN: usize = offset_of!(XenconsInterface, in_);
const IN_SIZE: u32 = 1024;
const IN_CONS: usize = offset_of!(XenconsInterface, in_cons);
const IN_PROD: usize = offset_of!(XenconsInterface, in_prod);
const OUT: usize = offset_of!(XenconsInterface, out);
const OUT_SIZE: u32 = 2048;
const OUT_CONS: usize = offset_of!(XenconsInterface, out_cons);
const OUT_PROD: usize = offset_of!(XenconsInterface, out_prod);

/// Indices that cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lie {
    /// Which ring.
    pub(crate) ring: &'static str,
    /// What its writer claims to have written.
    pub(crate) produced: u32,
    /// What its reader claims to have read.
    pub(crate) consumed: u32,
}

impl std::fmt::Display for Lie {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { ring, produced, consumed } = self;
        write!(f, "the {ring} ring claims {produced:#x} bytes written and {consumed:#x} read")
    }
}

/// Why a ring cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The guest lies.
    Lie(Lie),
    /// The mapping is smaller than a page: a mistake of ours.
    Mapping(OutOfBounds),
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Lie(lie) => lie.fmt(f),
            Self::Mapping(error) => error.fmt(f),
        }
    }
}

impl From<OutOfBounds> for Fault {
    fn from(error: OutOfBounds) -> Self {
        Self::Mapping(error)
    }
}

/// How many bytes are in a ring.
fn used(ring: &'static str, produced: u32, consumed: u32, size: u32) -> Result<u32, Fault> {
    let used = produced.wrapping_sub(consumed);
    if used > size { Err(Fault::Lie(Lie { ring, produced, consumed })) } else { Ok(used) }
}

/// Splits `count` bytes from `index` on into the part up to the ring's end and the part from its start: offset in the
/// ring and length of the first; the second starts at 0.
fn slots(index: u32, count: u32, size: u32) -> (usize, usize) {
    let start = index % size;
    (start as usize, count.min(size - start) as usize)
}

/// Takes all the guest has written.
pub(crate) fn take_output(page: &SharedMemory) -> Result<Vec<u8>, Fault> {
    let produced = page.load_u32(OUT_PROD)?;
    let consumed = page.load_u32(OUT_CONS)?;
    let count = used("output", produced, consumed, OUT_SIZE)?;
    let (start, first) = slots(consumed, count, OUT_SIZE);
    let mut bytes = vec![0; count as usize];
    let (head, tail) = bytes.split_at_mut_checked(first).unwrap_or_default();
    page.read(OUT + start, head)?;
    page.read(OUT, tail)?;
    page.store_u32(OUT_CONS, produced)?;
    Ok(bytes)
}

/// How many bytes the guest can be given now.
pub(crate) fn input_room(page: &SharedMemory) -> Result<usize, Fault> {
    let produced = page.load_u32(IN_PROD)?;
    let consumed = page.load_u32(IN_CONS)?;
    Ok((IN_SIZE - used("input", produced, consumed, IN_SIZE)?) as usize)
}

/// Gives the guest as much of `bytes` as there is room for; answers with how much that is.
pub(crate) fn give_input(page: &SharedMemory, bytes: &[u8]) -> Result<usize, Fault> {
    let produced = page.load_u32(IN_PROD)?;
    let consumed = page.load_u32(IN_CONS)?;
    let room = IN_SIZE - used("input", produced, consumed, IN_SIZE)?;
    let count = u32::try_from(bytes.len()).unwrap_or(u32::MAX).min(room);
    let given = bytes.get(..count as usize).unwrap_or_default();
    let (start, first) = slots(produced, count, IN_SIZE);
    let (head, tail) = given.split_at_checked(first).unwrap_or_default();
    page.write(IN + start, head)?;
    page.write(IN, tail)?;
    page.store_u32(IN_PROD, produced.wrapping_add(count))?;
    Ok(count as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn page() -> SharedMemory {
        SharedMemory::private(4096).unwrap()
    }

    /// What a guest does to write.
    fn guest_writes(page: &SharedMemory, bytes: &[u8]) -> usize {
        let (produced, consumed) = (page.load_u32(OUT_PROD).unwrap(), page.load_u32(OUT_CONS).unwrap());
        let room = 2048 - produced.wrapping_sub(consumed) as usize;
        for (n, byte) in bytes.iter().take(room).enumerate() {
            page.write(OUT + (produced as usize + n) % 2048, &[*byte]).unwrap();
        }
        let count = bytes.len().min(room);
        page.store_u32(OUT_PROD, produced.wrapping_add(count as u32)).unwrap();
        count
    }

    /// What a guest does to read up to `most` bytes.
    fn guest_reads(page: &SharedMemory, most: usize) -> Vec<u8> {
        let (produced, consumed) = (page.load_u32(IN_PROD).unwrap(), page.load_u32(IN_CONS).unwrap());
        let count = (produced.wrapping_sub(consumed) as usize).min(most);
        let bytes = (0..count)
            .map(|n| {
                let mut byte = [0];
                page.read(IN + (consumed as usize + n) % 1024, &mut byte).unwrap();
                byte[0]
            })
            .collect();
        page.store_u32(IN_CONS, consumed.wrapping_add(count as u32)).unwrap();
        bytes
    }

    #[test]
    fn a_full_ring_across_the_end_of_the_numbers_is_taken_whole() {
        let page = page();
        page.store_u32(OUT_CONS, u32::MAX - 5).unwrap();
        page.store_u32(OUT_PROD, u32::MAX - 5).unwrap();
        let text: Vec<u8> = (0..2048_u32).map(|n| n as u8 ^ 0x5a).collect();
        assert_eq!(guest_writes(&page, &text), 2048);
        assert_eq!(take_output(&page), Ok(text));
        assert_eq!(take_output(&page), Ok(vec![]));
    }

    #[test]
    fn a_lie_is_refused_and_changes_nothing() {
        let page = page();
        page.store_u32(OUT_PROD, 2049).unwrap();
        let lie = Lie { ring: "output", produced: 2049, consumed: 0 };
        assert_eq!(take_output(&page), Err(Fault::Lie(lie)));
        assert_eq!(page.load_u32(OUT_CONS), Ok(0));
        page.store_u32(IN_CONS, 1).unwrap();
        assert_eq!(give_input(&page, b"x"), Err(Fault::Lie(Lie { ring: "input", produced: 0, consumed: 1 })));
        assert!(input_room(&page).is_err());
        assert_eq!(page.load_u32(IN_PROD), Ok(0));
    }

    proptest! {
        /// Any indices at all: refused, or no more bytes than the ring has.
        #[test]
        fn any_indices_are_survived(words in any::<[u32; 4]>(), bytes in any::<Vec<u8>>()) {
            let page = page();
            for (offset, word) in [IN_CONS, IN_PROD, OUT_CONS, OUT_PROD].into_iter().zip(words) {
                page.store_u32(offset, word).unwrap();
            }
            if let Ok(output) = take_output(&page) {
                prop_assert!(output.len() <= 2048);
                prop_assert_eq!(take_output(&page), Ok(vec![]));
            }
            if let Ok(given) = give_input(&page, &bytes) {
                prop_assert!(given <= bytes.len().min(1024));
            }
        }

        /// Both ways, in pieces of any size, from any start: the bytes arrive in order.
        #[test]
        fn bytes_arrive_in_order(start in any::<u32>(), sizes in prop::collection::vec(0_usize..3000, 1..40)) {
            let page = page();
            for offset in [IN_CONS, IN_PROD, OUT_CONS, OUT_PROD] {
                page.store_u32(offset, start).unwrap();
            }
            let (mut wrote, mut took, mut gave, mut read) = (vec![], vec![], vec![], vec![]);
            let mut next = 0_u8;
            for size in sizes {
                let bytes: Vec<u8> = (0..size).map(|_| { next = next.wrapping_add(1); next }).collect();
                wrote.extend_from_slice(&bytes[..guest_writes(&page, &bytes)]);
                if size % 3 != 0 {
                    took.extend(take_output(&page).unwrap());
                }
                let room = input_room(&page).unwrap();
                let given = give_input(&page, &bytes).unwrap();
                prop_assert_eq!(given, room.min(size));
                gave.extend_from_slice(&bytes[..given]);
                read.extend(guest_reads(&page, size / 2));
            }
            took.extend(take_output(&page).unwrap());
            read.extend(guest_reads(&page, 5000));
            prop_assert_eq!(wrote, took);
            prop_assert_eq!(gave, read);
        }
    }
}
