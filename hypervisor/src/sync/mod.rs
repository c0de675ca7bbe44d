// SPDX-License-Identifier: MIT OR Apache-2.0
//! Locks that know their place in the order, and the exclusive cell that a vCPU's state lives in.

mod owned;
mod rank;
mod spin;

pub(crate) use owned::Owned;
pub(crate) use rank::Rank;
pub(crate) use spin::{SpinGuard, SpinLock, relax, set_relax_hook};
