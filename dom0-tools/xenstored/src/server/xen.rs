// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Xen as the server sees it: pages of domains, their channels, and which domains there are.

use super::peer::Page;
use crate::store::ConnId;
use hypercalls::frame::Mfn;
use hypercalls::ids::{DomId, GrantRef, Port, Virq};
use std::collections::HashMap;
use std::fmt::Display;
use std::io;
use xen_control::{Control, DomainInfo};
use xen_sys::{EventChannels, Grants, StoreRing};

/// The grant by which every domain offers its ring page.
const STORE_GRANT: GrantRef = GrantRef::new(1);

/// The devices.
#[derive(Debug)]
pub(crate) struct Xen {
    pub(crate) events: EventChannels,
    grants: Grants,
    control: Control,
    /// Our port of the virtual interrupt that tells of dead domains.
    pub(crate) virq: Port,
    pub(crate) ports: HashMap<Port, ConnId>,
}

/// What failed, and why.
pub(crate) fn failed(what: &str, error: impl Display) -> String {
    format!("{what}: {error}")
}

impl Xen {
    pub(crate) fn open() -> Result<Self, String> {
        let control = Control::open().map_err(|error| failed("control interface", error))?;
        let events = EventChannels::open().map_err(|error| failed(EventChannels::PATH, error))?;
        let grants = Grants::open().map_err(|error| failed(Grants::PATH, error))?;
        let virq = events.bind_virq(Virq::DOM_EXC).map_err(|error| {
            failed("cannot be told of dead domains; does another xenstored run? binding VIRQ_DOM_EXC", error)
        })?;
        Ok(Self { events, grants, control, virq, ports: HashMap::new() })
    }

    /// What dom0's kernel offers.
    pub(crate) fn own_ring() -> Result<StoreRing, String> {
        StoreRing::open().map_err(|error| failed("the ring of dom0's kernel", error))
    }

    /// The page of another domain: by its grant, or else by the frame the toolstack named.
    pub(crate) fn map(&self, domain: DomId, frame: u64) -> Result<Page, String> {
        self.grants.map(domain, &[STORE_GRANT], true).map(Page::Granted).or_else(|granted| {
            let page = self.control.map(domain, &[Mfn::new(frame)], true);
            page.map(Page::Foreign)
                .map_err(|error| format!("its ring page: by grant 1: {granted}; by frame {frame:#x}: {error}"))
        })
    }

    /// Connects to the port of a domain. Its events are looked up in `ports`.
    pub(crate) fn bind(&self, domain: DomId, remote: u32) -> Result<Port, String> {
        let port = self.events.bind_interdomain(domain, Port::new(remote));
        port.map_err(|error| failed(&format!("its event channel {remote}"), error))
    }

    /// Gives up our end of a channel.
    pub(crate) fn unbind(&mut self, port: Port) -> io::Result<()> {
        self.ports.remove(&port);
        self.events.unbind(port)
    }

    /// All domains.
    pub(crate) fn domains(&self) -> Result<HashMap<DomId, DomainInfo>, String> {
        let all = self.control.domains().map_err(|error| failed("the list of domains", error))?;
        Ok(all.into_iter().map(|info| (info.id, info)).collect())
    }
}
