// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Entries of the shared grant table, versions 1 and 2.

use crate::ids::{DomId, GrantRef};
use crate::macros::{flags, payload};
use zerocopy::{FromBytes, Immutable, IntoBytes};

flags! {
    /// [`GrantEntryV1::flags`]: the type in the low two bits, then rights, then what is in use.
    pub struct GrantFlags: u16 {
        /// Type: no grant.
        #[doc(alias = "GTF_invalid")]
        INVALID = 0,
        /// Type: the frame may be mapped or copied.
        #[doc(alias = "GTF_permit_access")]
        PERMIT_ACCESS = 1,
        /// Type: a frame is welcome.
        #[doc(alias = "GTF_accept_transfer")]
        ACCEPT_TRANSFER = 2,
        /// Type: refers to another domain's grant (version 2, copy only).
        #[doc(alias = "GTF_transitive")]
        TRANSITIVE = 3,
        /// The bits that hold the type.
        #[doc(alias = "GTF_type_mask")]
        TYPE_MASK = 3,
        /// May only be read. In a transfer entry the same bit is [`TRANSFER_COMMITTED`].
        #[doc(alias = "GTF_readonly")]
        READONLY = 1 << 2,
        /// Set by the hypervisor while mapped or read. In a transfer entry [`TRANSFER_COMPLETED`].
        #[doc(alias = "GTF_reading")]
        READING = 1 << 3,
        /// Set by the hypervisor while mapped writable or written.
        #[doc(alias = "GTF_writing")]
        WRITING = 1 << 4,
        /// Cache attribute.
        #[doc(alias = "GTF_PWT")]
        PWT = 1 << 5,
        /// Cache attribute.
        #[doc(alias = "GTF_PCD")]
        PCD = 1 << 6,
        /// Cache attribute.
        #[doc(alias = "GTF_PAT")]
        PAT = 1 << 7,
        /// Only part of the frame (version 2, copy only).
        #[doc(alias = "GTF_sub_page")]
        SUB_PAGE = 1 << 8,
    }
}

/// In a transfer entry: the hypervisor has begun.
#[doc(alias = "GTF_transfer_committed")]
pub const TRANSFER_COMMITTED: u16 = 1 << 2;
/// In a transfer entry: the frame number has been written.
#[doc(alias = "GTF_transfer_completed")]
pub const TRANSFER_COMPLETED: u16 = 1 << 3;

/// A shared entry of version 1. Both sides write it at any time: the hypervisor accesses it with atomics only.
#[doc(alias = "grant_entry_v1")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct GrantEntryV1 {
    /// Type, rights and use.
    pub flags: GrantFlags,
    /// To whom.
    pub domid: DomId,
    /// Machine frame number, or out: pseudo-physical frame of a transfer.
    pub frame: u32,
}

/// The first half of a version-2 entry's word.
#[doc(alias = "grant_entry_header")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct GrantEntryHeader {
    /// Type and rights; use is in the status words.
    pub flags: GrantFlags,
    /// To whom.
    pub domid: DomId,
}

/// A shared entry of version 2.
#[doc(alias = "grant_entry_v2")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C, align(8))]
pub struct GrantEntryV2 {
    /// Type, rights and grantee.
    pub hdr: GrantEntryHeader,
    /// [`GrantV2FullPage`], [`GrantV2SubPage`] or [`GrantV2Transitive`].
    pub u: [u8; 12],
}

payload!(GrantEntryV2, u);

/// [`GrantEntryV2::u`] of a whole frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct GrantV2FullPage {
    /// Zero.
    pub pad0: u32,
    /// Machine frame number, low half first: the field is 4-byte aligned within [`GrantEntryV2::u`].
    pub frame: [u32; 2],
}

/// [`GrantEntryV2::u`] of a part of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct GrantV2SubPage {
    /// Where the part starts, in bytes.
    pub page_off: u16,
    /// Its length in bytes.
    pub length: u16,
    /// Machine frame number, low half first.
    pub frame: [u32; 2],
}

/// [`GrantEntryV2::u`] of a grant that refers to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct GrantV2Transitive {
    /// The domain which made the other grant.
    pub trans_domid: DomId,
    /// Zero.
    pub pad0: u16,
    /// Its reference there.
    pub gref: GrantRef,
}

// The sizes the headers give; every offset is checked by tests/layout.
const _: () = {
    assert!(size_of::<GrantEntryV1>() == 0x8);
    assert!(size_of::<GrantEntryHeader>() == 0x4);
    assert!(size_of::<GrantEntryV2>() == 0x10);
    assert!(size_of::<GrantV2FullPage>() == 0xc);
    assert!(size_of::<GrantV2SubPage>() == 0xc);
    assert!(size_of::<GrantV2Transitive>() == 0x8);
};
