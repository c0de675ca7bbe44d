// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! The hypervisor's file system (`hypfs.h`): what it was built as, and parameters that change while it runs.

use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::macros::open_enum;

/// The interface version.
#[doc(alias = "XEN_HYPFS_VERSION")]
pub const VERSION: u32 = 1;
/// The longest path, with its zero byte.
#[doc(alias = "XEN_HYPFS_MAX_PATHLEN")]
pub const MAX_PATH_LEN: u32 = 1024;

open_enum! {
    /// First argument of `hypfs_op`.
    pub struct HypfsOp: u32 {
        /// Returns [`VERSION`]; the other arguments are 0.
        #[doc(alias = "XEN_HYPFS_OP_get_version")]
        GET_VERSION = 0,
        /// Path, its length, buffer, its size: fills it with a [`HypfsDirentry`] and the content.
        #[doc(alias = "XEN_HYPFS_OP_read")]
        READ = 1,
        /// Path, its length, content, its size.
        #[doc(alias = "XEN_HYPFS_OP_write_contents")]
        WRITE_CONTENTS = 2,
    }
}

open_enum! {
    /// What an entry is.
    pub struct HypfsType: u8 {
        /// A directory.
        #[doc(alias = "XEN_HYPFS_TYPE_DIR")]
        DIR = 0,
        /// Bytes.
        #[doc(alias = "XEN_HYPFS_TYPE_BLOB")]
        BLOB = 1,
        /// Text with a zero byte.
        #[doc(alias = "XEN_HYPFS_TYPE_STRING")]
        STRING = 2,
        /// A number.
        #[doc(alias = "XEN_HYPFS_TYPE_UINT")]
        UINT = 3,
        /// A number with a sign.
        #[doc(alias = "XEN_HYPFS_TYPE_INT")]
        INT = 4,
        /// A byte, 0 or 1.
        #[doc(alias = "XEN_HYPFS_TYPE_BOOL")]
        BOOL = 5,
    }
}

/// What stands before the content of an entry. In a directory's content it is followed by the distance of the next one (16 bits, 0 for the
/// last) and the name with a zero byte.
#[doc(alias = "xen_hypfs_direntry")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct HypfsDirentry {
    /// Its type.
    pub kind: HypfsType,
    /// 0: plain.
    pub encoding: u8,
    /// 0.
    pub pad: u16,
    /// Bytes of content.
    pub content_len: u32,
    /// The most that may be written; 0: read-only.
    pub max_write_len: u32,
}

// The size the header gives; every offset is checked by tests/layout.
const _: () = assert!(size_of::<HypfsDirentry>() == 12);
