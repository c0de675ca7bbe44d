// SPDX-License-Identifier: MIT OR Apache-2.0
//! Grants: the calls, and entries of a table the guest has mapped.
#![forbid(unsafe_code)]

use crate::abi;
use crate::hypercall::grant_table_op;
use crate::memory::{self, Page};

/// `GTF_permit_access`
pub const PERMIT: u16 = 1;
/// `GTF_readonly`
pub const READONLY: u16 = 4;
/// `GTF_reading`
pub const READING: u16 = 8;
/// `GTF_writing`
pub const WRITING: u16 = 16;
/// `GNTMAP_device_map`
pub const DEVICE_MAP: u32 = 1;
/// `GNTMAP_host_map`
pub const HOST_MAP: u32 = 2;
/// `GNTMAP_readonly`
pub const MAP_READONLY: u32 = 4;
/// `GNTMAP_application_map`
pub const APPLICATION_MAP: u32 = 8;
/// `GNTMAP_contains_pte`
pub const CONTAINS_PTE: u32 = 16;

/// `GNTTABOP_setup_table`: the result, the status, and the first four frames.
pub fn setup_table(dom: u64, frames: u32) -> (i64, i16, [u64; 4]) {
    let mut list = [0u64; 64];
    let mut arg = [dom | u64::from(frames) << 32, 0xffff_ffff, crate::hypercall::addr(&mut list)];
    let result = grant_table_op(abi::GNTTABOP_SETUP_TABLE, &mut arg, 1);
    (result, arg[1] as i16, [list[0], list[1], list[2], list[3]])
}

/// Sets up one frame and maps it: the table as a page.
pub fn map_table() -> Page {
    let (result, status, frames) = setup_table(abi::DOMID_SELF, 1);
    memory::must(result, "setup_table");
    memory::must(i64::from(status), "setup_table status");
    let window = memory::alloc();
    let pte = frames[0] << 12 | memory::RW;
    memory::must(memory::update_va(window.va, pte, memory::UVMF_INVLPG_ALL), "map the grant table");
    Page { va: window.va, mfn: frames[0] }
}

/// Writes a v1 entry: the frame first, the flags last.
pub fn set_v1(table: Page, gref: u32, dom: u16, mfn: u64, flags: u16) {
    let at = table.va + u64::from(gref) * 8;
    memory::write32(at + 4, mfn as u32);
    memory::write16(at + 2, dom);
    memory::write16(at, flags);
}

/// The flags of a v1 entry.
pub fn flags_v1(table: Page, gref: u32) -> u16 {
    memory::read16(table.va + u64::from(gref) * 8)
}

/// What `GNTTABOP_map_grant_ref` answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapped {
    /// The hypercall's result.
    pub result: i64,
    /// `GNTST_*`
    pub status: i16,
    /// The handle.
    pub handle: u32,
    /// Machine address of the frame.
    pub dev_bus_addr: u64,
}

/// `GNTTABOP_map_grant_ref` of one grant.
pub fn map(host_addr: u64, flags: u32, gref: u32, dom: u64) -> Mapped {
    let mut arg = [host_addr, u64::from(flags) | u64::from(gref) << 32, dom | 0x7fff << 16, 0];
    arg[2] |= 0xffff_ffff << 32;
    let result = grant_table_op(abi::GNTTABOP_MAP_GRANT_REF, &mut arg, 1);
    Mapped { result, status: (arg[2] >> 16) as i16, handle: (arg[2] >> 32) as u32, dev_bus_addr: arg[3] }
}

/// `GNTTABOP_unmap_grant_ref`; gives the status.
pub fn unmap(host_addr: u64, dev_bus_addr: u64, handle: u32) -> i16 {
    let mut arg = [host_addr, dev_bus_addr, u64::from(handle) | 0x7fff << 32];
    memory::must(grant_table_op(abi::GNTTABOP_UNMAP_GRANT_REF, &mut arg, 1), "unmap_grant_ref");
    (arg[2] >> 32) as i16
}

/// One side of a copy.
#[derive(Clone, Copy, Debug)]
pub struct Side {
    /// A grant reference or a frame.
    pub what: u64,
    /// Whose it is.
    pub dom: u64,
    /// Byte offset in the page.
    pub offset: u16,
}

/// `GNTTABOP_copy`; gives the status. Flags: 1 the source is a grant, 2 the destination is one.
pub fn copy(source: Side, dest: Side, len: u16, flags: u16) -> i16 {
    let side = |side: Side| [side.what, side.dom | u64::from(side.offset) << 16];
    let ([s0, s1], [d0, d1]) = (side(source), side(dest));
    let mut arg = [s0, s1, d0, d1, u64::from(len) | u64::from(flags) << 16 | 0x7fff << 32];
    memory::must(grant_table_op(abi::GNTTABOP_COPY, &mut arg, 1), "grant copy");
    (arg[4] >> 32) as i16
}

/// `GNTTABOP_query_size`: (result, frames, maximum, status).
pub fn query_size(dom: u64) -> (i64, u32, u32, i16) {
    let mut arg = [dom as u32, 0, 0, 0xffff];
    let result = grant_table_op(abi::GNTTABOP_QUERY_SIZE, &mut arg, 1);
    (result, arg[1], arg[2], arg[3] as i16)
}

/// `GNTTABOP_set_version`: the result, and the version afterwards.
pub fn set_version(version: u32) -> (i64, u32) {
    let mut arg = [version];
    let result = grant_table_op(abi::GNTTABOP_SET_VERSION, &mut arg, 1);
    (result, arg[0])
}
