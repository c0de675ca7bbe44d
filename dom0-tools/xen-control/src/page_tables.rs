// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Page tables of a domain that is being built: pins, and the machine-to-physical table.

use crate::control::{Control, get};
use crate::error::{ControlError, Result};
use hypercalls::mmu::{MmuUpdate, MmuUpdateCmd, MmuextCmd, MmuextOp};
use hypercalls::{DomId, HypercallNumber, Mfn, Pfn};
use zerocopy::IntoBytes;

/// How many updates one hypercall gets.
const UPDATES_AT_ONCE: usize = 4096;

/// The level of a page table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Maps pages.
    L1,
    /// Maps L1 tables.
    L2,
    /// Maps L2 tables.
    L3,
    /// The top.
    L4,
}

impl Control {
    /// Has a frame checked as a page table of that level, with all below it, and keeps it one.
    ///
    /// # Errors
    /// `EINVAL` if it is no valid table: the hypervisor's log says why.
    pub fn pin_table(&self, domain: DomId, level: Level, frame: Mfn) -> Result<()> {
        let cmd = match level {
            Level::L1 => MmuextCmd::PIN_L1_TABLE,
            Level::L2 => MmuextCmd::PIN_L2_TABLE,
            Level::L3 => MmuextCmd::PIN_L3_TABLE,
            Level::L4 => MmuextCmd::PIN_L4_TABLE,
        };
        self.mmuext("pin a page table", domain, cmd, frame)
    }

    /// Undoes a pin.
    ///
    /// # Errors
    /// `EINVAL` if it is not pinned.
    pub fn unpin_table(&self, domain: DomId, frame: Mfn) -> Result<()> {
        self.mmuext("unpin a page table", domain, MmuextCmd::UNPIN_TABLE, frame)
    }

    /// Zeroes a frame of a domain.
    ///
    /// # Errors
    /// `EINVAL` if it is not its own or a page table.
    pub fn clear_frame(&self, domain: DomId, frame: Mfn) -> Result<()> {
        self.mmuext("clear a frame", domain, MmuextCmd::CLEAR_PAGE, frame)
    }

    fn mmuext(&self, operation: &'static str, domain: DomId, cmd: MmuextCmd, frame: Mfn) -> Result<()> {
        let op = MmuextOp { cmd, _pad: [0; 4], arg1: frame.raw(), arg2: 0 };
        let done = self.put(&op).and_then(|buffer| {
            self.call(HypercallNumber::MMUEXT_OP, [buffer.address(), 1, 0, u64::from(domain.raw()), 0])
        });
        done.map(drop).map_err(|error| ControlError::new(operation, Some(domain), error))
    }

    /// Tells the machine-to-physical table which of a domain's own frame numbers its machine frames have.
    /// [`Control::populate`] does that already.
    ///
    /// # Errors
    /// `EINVAL` if a frame is not its own.
    pub fn set_machine_to_physical(&self, domain: DomId, frames: &[(Mfn, Pfn)]) -> Result<()> {
        let operation = "update the machine-to-physical table";
        let failed = |error| ControlError::new(operation, Some(domain), error);
        for some in frames.chunks(UPDATES_AT_ONCE) {
            let updates: Vec<MmuUpdate> = some
                .iter()
                .map(|(mfn, pfn)| MmuUpdate {
                    ptr: mfn.to_addr() | MmuUpdateCmd::MACHPHYS_UPDATE.raw(),
                    val: pfn.raw(),
                })
                .collect();
            let list = self.put(updates.as_bytes()).map_err(failed)?;
            let done = self.put(&0_u32).map_err(failed)?;
            let args = [list.address(), some.len() as u64, done.address(), u64::from(domain.raw()), 0];
            self.call(HypercallNumber::MMU_UPDATE, args).map_err(failed)?;
            debug_assert_eq!(get::<u32>(&done) as usize, some.len());
        }
        Ok(())
    }
}
