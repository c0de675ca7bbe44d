// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Block devices (`io/blkif.h`): requests and responses of the 64-bit layout. Sectors are 512 bytes here, always.

use crate::ids::GrantRef;
use crate::macros::{flags, open_enum};
use zerocopy::{FromBytes, Immutable, IntoBytes};

open_enum! {
    /// [`BlkifRequest::operation`].
    pub struct BlkifOp: u8 {
        /// Reads.
        #[doc(alias = "BLKIF_OP_READ")]
        READ = 0,
        /// Writes.
        #[doc(alias = "BLKIF_OP_WRITE")]
        WRITE = 1,
        /// Writes, in order.
        #[doc(alias = "BLKIF_OP_WRITE_BARRIER")]
        WRITE_BARRIER = 2,
        /// Makes what was written last.
        #[doc(alias = "BLKIF_OP_FLUSH_DISKCACHE")]
        FLUSH_DISKCACHE = 3,
        /// Drops sectors ([`BlkifRequestDiscard`]).
        #[doc(alias = "BLKIF_OP_DISCARD")]
        DISCARD = 5,
        /// Segments are in other pages ([`BlkifRequestIndirect`]).
        #[doc(alias = "BLKIF_OP_INDIRECT")]
        INDIRECT = 6,
    }
}

open_enum! {
    /// [`BlkifResponse::status`].
    pub struct BlkifStatus: i16 {
        /// Done.
        #[doc(alias = "BLKIF_RSP_OKAY")]
        OKAY = 0,
        /// Failed.
        #[doc(alias = "BLKIF_RSP_ERROR")]
        ERROR = -1,
        /// Not supported.
        #[doc(alias = "BLKIF_RSP_EOPNOTSUPP")]
        EOPNOTSUPP = -2,
    }
}

/// Segments of a direct request.
#[doc(alias = "BLKIF_MAX_SEGMENTS_PER_REQUEST")]
pub const MAX_SEGMENTS_PER_REQUEST: usize = 11;
/// Pages of segments of an indirect request.
#[doc(alias = "BLKIF_MAX_INDIRECT_PAGES_PER_REQUEST")]
pub const MAX_INDIRECT_PAGES_PER_REQUEST: usize = 8;

/// In the `info` node: a CD drive.
pub const VDISK_CDROM: u32 = 1;
/// In the `info` node: removable.
pub const VDISK_REMOVABLE: u32 = 2;
/// In the `info` node: read-only.
pub const VDISK_READONLY: u32 = 4;

/// A part of a page.
#[doc(alias = "blkif_request_segment")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct BlkifRequestSegment {
    /// The page.
    pub gref: GrantRef,
    /// First sector in it.
    pub first_sect: u8,
    /// Last sector in it, itself included.
    pub last_sect: u8,
    /// Padding.
    pub _pad: [u8; 2],
}

/// A direct request.
#[doc(alias = "blkif_request")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct BlkifRequest {
    /// What to do.
    pub operation: BlkifOp,
    /// How many segments.
    pub nr_segments: u8,
    /// The virtual device.
    pub handle: u16,
    /// Padding.
    pub _pad: [u8; 4],
    /// The response has the same.
    pub id: u64,
    /// Where on the disk.
    pub sector_number: u64,
    /// Where in memory.
    pub seg: [BlkifRequestSegment; 11],
}

flags! {
    /// [`BlkifRequestDiscard::flag`].
    pub struct DiscardFlags: u8 {
        /// The data must not be recoverable.
        #[doc(alias = "BLKIF_DISCARD_SECURE")]
        SECURE = 1 << 0,
    }
}

/// A discard.
#[doc(alias = "blkif_request_discard")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct BlkifRequestDiscard {
    /// [`BlkifOp::DISCARD`].
    pub operation: BlkifOp,
    /// How.
    pub flag: DiscardFlags,
    /// The virtual device.
    pub handle: u16,
    /// Padding.
    pub _pad: [u8; 4],
    /// The response has the same.
    pub id: u64,
    /// First sector.
    pub sector_number: u64,
    /// How many.
    pub nr_sectors: u64,
}

/// A request whose segments are in granted pages.
#[doc(alias = "blkif_request_indirect")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct BlkifRequestIndirect {
    /// [`BlkifOp::INDIRECT`].
    pub operation: BlkifOp,
    /// What to do.
    pub indirect_op: BlkifOp,
    /// How many segments.
    pub nr_segments: u16,
    /// Padding.
    pub _pad: [u8; 4],
    /// The response has the same.
    pub id: u64,
    /// Where on the disk.
    pub sector_number: u64,
    /// The virtual device.
    pub handle: u16,
    /// Padding.
    pub _pad1: [u8; 2],
    /// Pages of [`BlkifRequestSegment`], 512 in each.
    pub indirect_grefs: [GrantRef; 8],
    /// Padding.
    pub _pad2: [u8; 4],
}

/// An answer.
#[doc(alias = "blkif_response")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct BlkifResponse {
    /// As in the request.
    pub id: u64,
    /// As in the request.
    pub operation: BlkifOp,
    /// Padding.
    pub _pad: [u8; 1],
    /// How it went.
    pub status: BlkifStatus,
    /// Padding.
    pub _pad1: [u8; 4],
}

// The sizes the headers give; every offset is checked by tests/layout.
const _: () = {
    assert!(size_of::<BlkifRequestSegment>() == 0x8);
    assert!(size_of::<BlkifRequest>() == 0x70);
    assert!(size_of::<BlkifRequestDiscard>() == 0x20);
    assert!(size_of::<BlkifRequestIndirect>() == 0x40);
    assert!(size_of::<BlkifResponse>() == 0x10);
};
