// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! A guest's console page and event channel, found by its store nodes.

use hypercalls::{DomId, GrantRef, Mfn, Port};
use std::ops::Deref;
use xen_control::Control;
use xen_sys::{EventChannels, ForeignMapping, GrantMapping, Grants, SharedMemory};
use xenstore::client::Client;

/// Where the builder says that the console is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The page's machine frame (`ring-ref`).
    pub(crate) frame: Mfn,
    /// The guest's port.
    pub(crate) port: Port,
}

impl Place {
    /// Reads the nodes; `None` while they are not there, or if another program serves this console.
    pub(crate) fn read(store: &Client, domain: DomId) -> Result<Option<Self>, xenstore::client::Error> {
        let paths = ["type", "ring-ref", "port"].map(|name| format!("/local/domain/{}/console/{name}", domain.raw()));
        let [kind, frame, port] = store.nodes().find_texts(paths.each_ref().map(String::as_str))?;
        if kind.is_some_and(|kind| kind != "xenconsoled") {
            return Ok(None);
        }
        let number = |text: Option<String>| text.and_then(|text| text.trim().parse::<u64>().ok());
        let (frame, port) = (number(frame), number(port));
        Ok(frame.zip(port).and_then(|(frame, port)| {
            Some(Self { frame: Mfn::new(frame), port: Port::new(u32::try_from(port).ok()?) })
        }))
    }
}

/// The page, by whatever way it could be mapped.
#[derive(Debug)]
pub(crate) enum Page {
    /// As the guest's reserved grant.
    Granted(GrantMapping),
    /// By the right to control the guest.
    Foreign(ForeignMapping),
}

impl Deref for Page {
    type Target = SharedMemory;

    fn deref(&self) -> &SharedMemory {
        match self {
            Self::Granted(page) => page,
            Self::Foreign(page) => page,
        }
    }
}

/// A console in use. The page stays, with what is in it, until this is dropped: also when the domain is destroyed
/// meanwhile.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) page: Page,
    /// Our end of the event channel.
    pub(crate) port: Port,
}

impl Connection {
    /// Maps the page and binds the port.
    ///
    /// # Errors
    /// One line for the daemon's own log.
    pub(crate) fn open(
        control: &Control,
        grants: Option<&Grants>,
        channels: &EventChannels,
        domain: DomId,
        place: Place,
    ) -> Result<Self, String> {
        let granted = grants.map(|grants| grants.map(domain, &[GrantRef::CONSOLE], true));
        let page = match granted {
            Some(Ok(page)) => Page::Granted(page),
            // The builder may not have filled the grant table.
            other => Page::Foreign(control.map(domain, &[place.frame], true).map_err(|error| match other {
                Some(Err(by_grant)) => format!("{error} (and as grant 0: {by_grant})"),
                _ => error.to_string(),
            })?),
        };
        let port = channels
            .bind_interdomain(domain, place.port)
            .map_err(|error| format!("bind port {}: {error}", place.port.raw()))?;
        Ok(Self { page, port })
    }
}
