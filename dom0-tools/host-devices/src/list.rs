// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! A domain's devices as the store shows them.

use crate::error::Error;
use crate::nodes;
use crate::remove::Class;
use crate::watching::RETURN;
use hypercalls::ids::DomId;
use xenstore::client::{Client, Error as StoreError, Nodes};

/// A device, with what both sides say of it. Whatever the frontend side says is the guest's claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Disk or interface.
    pub class: Class,
    /// The virtual device number, or the handle.
    pub number: u32,
    /// The backend's state (XenbusState), 0 if unknown.
    pub state: u32,
    /// The backend's directory.
    pub backend: String,
    /// The guest's event channel.
    pub event_channel: Option<u32>,
    /// The grant of the (first) ring, of an interface the one for sending.
    pub ring: Option<u32>,
    /// An interface's grant of the ring for receiving.
    pub receive_ring: Option<u32>,
    /// Nodes of the backend: `params`, `mode`, `dev` of a disk; `mac`, `bridge`, `vifname`, `rate`, `ip` of an interface.
    pub details: Vec<(&'static str, String)>,
}

impl Device {
    /// A detail, or nothing.
    #[must_use]
    pub fn detail(&self, name: &str) -> Option<&str> {
        self.details.iter().find(|(own, _)| *own == name).map(|(_, value)| value.as_str())
    }

    fn read(nodes: &Nodes<'_>, domain: DomId, class: Class, device: &str) -> Result<Option<Self>, StoreError> {
        let Ok(number) = device.parse() else { return Ok(None) };
        let backend = nodes::backend(domain, class.name(), device);
        let front = nodes::frontend(domain, class.name(), device);
        let Some(state) = nodes::state(nodes, &backend)? else { return Ok(None) };
        let number_of = |names: [&str; 2]| -> Result<Option<u32>, StoreError> {
            for name in names {
                if let Ok(bytes) = nodes.read(&format!("{front}/{name}")) {
                    return Ok(str::from_utf8(&bytes).ok().and_then(|text| text.parse().ok()));
                }
            }
            Ok(None)
        };
        let (wanted, ring, receive): (&[&str], _, _) = match class {
            Class::Vbd => (&["params", "mode", "dev"], ["ring-ref", "ring-ref0"], None),
            // With several queues the nodes are one level down.
            Class::Vif => (
                &["mac", "bridge", "vifname", "rate", "ip"],
                ["tx-ring-ref", "queue-0/tx-ring-ref"],
                Some(["rx-ring-ref", "queue-0/rx-ring-ref"]),
            ),
        };
        let mut details = Vec::new();
        for name in wanted.iter().copied() {
            if let Some(value) = nodes.find_text(&format!("{backend}/{name}"))? {
                details.push((name, value));
            }
        }
        let channels = if class == Class::Vif { ["event-channel", "event-channel-tx"] } else { ["event-channel"; 2] };
        Ok(Some(Self {
            class,
            number,
            state,
            event_channel: number_of(channels)?,
            ring: number_of(ring)?,
            receive_ring: receive.map(number_of).transpose()?.flatten(),
            backend,
            details,
        }))
    }
}

/// The devices of one kind of a domain, by number.
///
/// # Errors
/// `Store`.
pub fn devices(store: &Client, domain: DomId, class: Class) -> Result<Vec<Device>, Error> {
    let mut found = store.persist(RETURN, |store| {
        let nodes = store.nodes();
        let mut found = Vec::new();
        for device in nodes::list(&nodes, &format!("{}/{}/{}", nodes::BACKENDS, class.name(), domain.raw()))? {
            found.extend(Device::read(&nodes, domain, class, &device)?);
        }
        Ok(found)
    })?;
    found.sort_by_key(|device| device.number);
    Ok(found)
}
