// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Event channels and grants made in another domain's name.

use crate::control::Control;
use crate::error::{ControlError, Result};
use hypercalls::event_channel::{EventChannelOp, EvtchnAllocUnbound, EvtchnReset};
use hypercalls::grant_table::GrantFlags;
use hypercalls::{DomId, GrantRef, HypercallNumber, Mfn, Port};

impl Control {
    /// Makes a port of `domain` to which `remote` may connect.
    ///
    /// # Errors
    /// `ENOSPC` past the domain's limit, `ESRCH`.
    pub fn alloc_unbound(&self, domain: DomId, remote: DomId) -> Result<Port> {
        let mut argument = EvtchnAllocUnbound { dom: domain, remote_dom: remote, port: Port::new(0) };
        let op = u64::from(EventChannelOp::ALLOC_UNBOUND.raw());
        self.sub_op(HypercallNumber::EVENT_CHANNEL_OP, op, &mut argument)
            .map_err(|error| ControlError::new("make an event channel", Some(domain), error))?;
        Ok(argument.port)
    }

    /// Closes all ports of a domain.
    ///
    /// # Errors
    /// `ESRCH`.
    pub fn reset_event_channels(&self, domain: DomId) -> Result<()> {
        let mut argument = EvtchnReset { dom: domain };
        let op = u64::from(EventChannelOp::RESET.raw());
        self.sub_op(HypercallNumber::EVENT_CHANNEL_OP, op, &mut argument)
            .map(drop)
            .map_err(|error| ControlError::new("reset event channels", Some(domain), error))
    }

    /// Writes entries of the first page of a new domain's grant table (version 1, which it starts with): each lets a
    /// domain map a machine frame, writable. For the console's and the store's pages, before the domain first runs.
    ///
    /// # Errors
    /// As [`Control::map_grant_table`].
    pub fn seed_grants(&self, domain: DomId, grants: &[(GrantRef, DomId, Mfn)]) -> Result<()> {
        let table = self.map_grant_table(domain, 0, 1)?;
        for (reference, grantee, frame) in grants {
            let entry = reference.raw() as usize * 8;
            let done = u32::try_from(frame.raw()).map_err(std::io::Error::other).and_then(|frame| {
                table.store_u32(entry + 4, frame)?;
                // Flags and grantee in one word: the entry becomes valid at once, after its frame.
                let head = u32::from(GrantFlags::PERMIT_ACCESS.raw()) | u32::from(grantee.raw()) << 16;
                Ok(table.store_u32(entry, head)?)
            });
            done.map_err(|error| ControlError::new("seed a grant table", Some(domain), error))?;
        }
        Ok(())
    }
}
