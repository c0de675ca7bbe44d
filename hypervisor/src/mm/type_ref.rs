// SPDX-License-Identifier: MIT OR Apache-2.0
//! Type references that need no page-table lock: writable data.
#![forbid(unsafe_code)]

use crate::mm::flush;
use crate::mm::page_type::{Frame, PageType, Taken, TypeError};
use crate::sync;

/// Takes a writable type reference of a frame on which a general reference is held.
#[inline(always)]
pub(crate) fn get_writable(frame: &Frame) -> Result<(), TypeError> {
    if frame.try_get_writable() { Ok(()) } else { make_writable(frame) }
}

#[inline(never)]
fn make_writable(frame: &Frame) -> Result<(), TypeError> {
    loop {
        match frame.get_type(PageType::Writable)? {
            Taken::Ready => return Ok(()),
            Taken::Retyped(old) => {
                if old != PageType::None {
                    // Everybody, not only the owner's CPUs: others may have mapped it by grants.
                    flush::everyone_since(frame.stamp());
                }
                frame.set_validated();
                return Ok(());
            }
            Taken::InFlight => sync::relax(),
            Taken::Partial => return Err(TypeError::InUse),
        }
    }
}
