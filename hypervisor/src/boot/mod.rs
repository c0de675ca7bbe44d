// SPDX-License-Identifier: MIT OR Apache-2.0
//! The boot order: from the loader to the first domain.

pub(crate) mod cmdline;
pub(crate) mod dom0_mem;
