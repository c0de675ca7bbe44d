// SPDX-License-Identifier: MIT OR Apache-2.0
//! Pausing, and the end of a domain.
#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use alloc::sync::Arc;

use hypercalls::errno::Errno;

use crate::domain::DomainRef;
use crate::hypercall::{Cx, HypercallResult, Outcome};

/// pausedomain. EINVAL: oneself.
pub(super) fn pause(cx: &Cx<'_>, domain: &DomainRef) -> HypercallResult {
    if Arc::ptr_eq(domain, cx.domain()) {
        return Err(Errno::EINVAL.into());
    }
    domain.pause_by_toolstack();
    Ok(Outcome::DONE)
}

/// unpausedomain. EINVAL: it is not paused.
pub(super) fn unpause(domain: &DomainRef) -> HypercallResult {
    domain.unpause_by_toolstack()?;
    Ok(Outcome::DONE)
}
