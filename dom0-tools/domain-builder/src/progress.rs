// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! How far a long operation is, and the way to stop it.

use std::ops::ControlFlow;

use hypercalls::DomId;

use crate::error::{BuildError, Result, Step};

/// What is being done right now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Unpacking a kernel that is not in the cache, which takes seconds.
    Unpacking,
    /// Checking a RAM disk that was not seen before.
    CheckingRamdisk,
    /// The domain exists and has a number, but no memory yet. What it needs besides can be made from here on.
    Created {
        /// Its number.
        domid: DomId,
    },
    /// Giving the domain its memory.
    Populating {
        /// Pages it has.
        done: u64,
        /// Pages it gets.
        total: u64,
    },
    /// Filling its memory.
    Loading {
        /// Bytes of kernel and RAM disk done.
        done: u64,
        /// Bytes in all.
        total: u64,
    },
}

/// Told about progress; answers [`ControlFlow::Break`] to have everything undone.
pub type Callback<'a> = dyn FnMut(Progress) -> ControlFlow<()> + 'a;

/// Tells the callback, and makes its wish an error.
pub(crate) fn report(callback: &mut Callback<'_>, step: impl FnOnce() -> Step, progress: Progress) -> Result<()> {
    match callback(progress) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(BuildError::cancelled(step())),
    }
}
