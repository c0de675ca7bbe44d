// SPDX-License-Identifier: MIT OR Apache-2.0
//! Frames, page types, references and mappings.

pub(crate) mod boot_memory;
pub(crate) mod buddy;
pub(crate) mod flush;
pub(crate) mod frame_table;
pub(crate) mod guest_access;
pub(crate) mod heap;
pub(crate) mod host_pt;
pub(crate) mod layout;
pub(crate) mod m2p;
pub(crate) mod map;
pub(crate) mod page_type;
pub(crate) mod type_ref;
