// SPDX-License-Identifier: MIT OR Apache-2.0
//! Frames, page types, references and mappings.

pub(crate) mod buddy;
