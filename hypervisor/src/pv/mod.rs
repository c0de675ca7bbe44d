// SPDX-License-Identifier: MIT OR Apache-2.0
//! Guest-visible CPU and MMU behaviour.

pub(crate) mod guest_access;
pub(crate) mod decode;
pub(crate) mod decode_write;
pub(crate) mod rmw;
pub(crate) mod descriptor;
pub(crate) mod validate;
pub(crate) mod cpuid_policy;
pub(crate) mod msr_policy;
pub(crate) mod io;
