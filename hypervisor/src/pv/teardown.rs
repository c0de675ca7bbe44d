// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a dying domain still holds of others is given back, in steps that may be interrupted.
#![forbid(unsafe_code)]

use core::sync::atomic::Ordering;

use grant_tables::Drain;

use crate::budget::{Budget, Preempted};
use crate::domain::{Domain, table};
use crate::pv::promote;

/// Gives back every grant that a dying domain, none of whose vCPUs runs any more, has mapped. Its page tables keep their
/// own references to the pages until they are taken down.
#[expect(dead_code, reason = "domain destruction comes with the toolstack")]
pub(crate) fn release_mappings(domain: &Domain, budget: &mut Budget) -> Result<(), Preempted> {
    /// Handles looked at for one unit of the budget.
    const HANDLES: u32 = 16;
    let mut cursor = domain.grants_drained.load(Ordering::Relaxed);
    loop {
        budget.spend(1)?;
        let mut handles = HANDLES;
        let step = domain.grants.lock().drain_mapping(&mut cursor, &mut handles);
        domain.grants_drained.store(cursor, Ordering::Relaxed);
        match step {
            Drain::Done => return Ok(()),
            Drain::Preempted => {}
            Drain::Release(_, release) => {
                let access = release.access();
                if access.is_device() {
                    // Not in any page table: the handle held it.
                    promote::put_mapped_page(release.frame(), !access.is_readonly());
                }
                if let Some(granter) = table::find(release.granter()) {
                    granter.grants.lock().release(release);
                }
            }
        }
    }
}
