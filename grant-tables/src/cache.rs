// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! The arguments of a cache flush. Which page it is and whether the caller has it granted is found by
//! [`GrantTable::next_pinned`](crate::GrantTable::next_pinned) on the owner's table.

use hypercalls::grant_table::GnttabCacheFlush;
use hypercalls::{Mfn, PAGE_SIZE};

use crate::{GrantError, copy};

/// A cache flush that was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheFlush {
    /// The page.
    pub frame: Mfn,
    /// First byte in it.
    pub offset: u16,
    /// Number of bytes, none of them past the page.
    pub length: u16,
    /// Write dirty lines back.
    pub clean: bool,
    /// Drop the lines.
    pub invalidate: bool,
}

impl CacheFlush {
    /// `GNTTAB_CACHE_CLEAN`
    const CLEAN: u32 = 1 << 0;
    /// `GNTTAB_CACHE_INVAL`
    const INVALIDATE: u32 = 1 << 1;

    /// Checks the arguments. `None` means there is nothing to do, which is success.
    ///
    /// # Errors
    /// [`GrantError::BadArgument`] for a range outside the page or an unknown operation; naming the page by a reference
    /// is one, as in Xen 4.17.
    #[doc(alias = "GNTTABOP_cache_flush")]
    pub const fn parse(flush: &GnttabCacheFlush) -> Result<Option<Self>, GrantError> {
        let GnttabCacheFlush { a: dev_bus_addr, offset, length, op } = *flush;
        if offset as usize >= PAGE_SIZE
            || copy::end(offset, length) as usize > PAGE_SIZE
            || op & !(Self::CLEAN | Self::INVALIDATE) != 0
        {
            return Err(GrantError::BadArgument);
        }
        if length == 0 || op == 0 {
            return Ok(None);
        }
        Ok(Some(Self {
            frame: Mfn::from_addr(dev_bus_addr),
            offset,
            length,
            clean: op & Self::CLEAN != 0,
            invalidate: op & Self::INVALIDATE != 0,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(a: u64, offset: u16, length: u16, op: u32) -> Result<Option<CacheFlush>, GrantError> {
        CacheFlush::parse(&GnttabCacheFlush { a, offset, length, op })
    }

    #[test]
    fn arguments_are_checked_before_anything_is_done() {
        let bad = Err(GrantError::BadArgument);
        assert_eq!(parse(0x5000, 4096, 0, 1), bad);
        assert_eq!(parse(0x5000, 1, 4096, 1), bad);
        assert_eq!(parse(0x5000, 0xfff, 0xffff, 1), bad);
        assert_eq!(parse(0x5000, 0, 1, 4), bad);
        assert_eq!(parse(0x5000, 0, 1, 1 << 31), bad);
        assert_eq!(parse(0x5000, 0, 0, 3), Ok(None));
        assert_eq!(parse(0x5000, 9, 9, 0), Ok(None));
        let flush = parse(0x5fff, 0, 4096, 3).unwrap().unwrap();
        assert_eq!(flush.frame, Mfn::new(5));
        assert!(flush.clean && flush.invalidate);
    }
}
