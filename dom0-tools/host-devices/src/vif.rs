// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Network interfaces: what the configuration says, and the store nodes that make one.

use crate::bridge;
use crate::error::{Error, ErrorKind};
use crate::links::Links;
use crate::mac::Mac;
use crate::nodes::{self, Dir};
use hypercalls::ids::DomId;

/// A limit on what the guest sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Bytes that may be sent in each interval.
    pub bytes: u64,
    /// The interval in microseconds.
    pub interval_us: u32,
}

/// An interface as the configuration describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VifSpec {
    /// Its number within the domain, from 0.
    pub handle: u32,
    /// The guest's address: see [`free_mac`](crate::free_mac) if the configuration has none.
    pub mac: Mac,
    /// The bridge; [`bridge::DEFAULT`] if absent.
    pub bridge: Option<String>,
    /// The name of dom0's end; `vifDOMAIN.HANDLE` if absent.
    pub name: Option<String>,
    /// The limit on what the guest sends.
    pub rate: Option<Rate>,
    /// The largest packet, in bytes; 1500 if absent.
    pub mtu: Option<u32>,
    /// The guest's IP addresses, for those who read them in the store.
    pub ip: Option<String>,
    /// Whether the guest is told not to trust dom0 with its data.
    pub untrusted: bool,
}

impl VifSpec {
    /// The bridge it joins.
    #[must_use]
    pub fn bridge_name(&self) -> &str {
        self.bridge.as_deref().unwrap_or(bridge::DEFAULT)
    }

    /// The name of dom0's end.
    #[must_use]
    pub fn link_name(&self, domain: DomId) -> String {
        self.name.clone().unwrap_or_else(|| kernel_name(domain, self.handle))
    }

    /// Checks what can be checked before anything is made; the default bridge need not be there yet.
    ///
    /// # Errors
    /// `Missing` for a bridge, `Unsuitable` for a name, `InUse` for the name of an interface that exists.
    pub fn check(&self, links: &mut Links) -> Result<(), Error> {
        let of = |error: Error| error.of(format_args!("vif {}", self.handle));
        let bridge = self.bridge_name();
        if bridge != bridge::DEFAULT || links.find(bridge)?.is_some() {
            bridge::require(links, bridge).map_err(of)?;
        }
        let Some(name) = &self.name else { return Ok(()) };
        bridge::check_name(name).map_err(of)?;
        if links.find(name)?.is_some() {
            let cause = format!("dom0 has an interface {name} already");
            return Err(of(Error::new(ErrorKind::InUse, cause, "choose another vifname= in 'vif'")));
        }
        Ok(())
    }

    /// The two directories of the store that make the interface.
    pub(crate) fn dirs(&self, domain: DomId) -> [Dir; 2] {
        let handle = self.handle.to_string();
        let (front, back) = (nodes::frontend(domain, "vif", &handle), nodes::backend(domain, "vif", &handle));
        let frontend = Dir::of_guest(
            front.clone(),
            domain,
            vec![
                ("backend", back.clone()),
                ("backend-id", "0".into()),
                ("state", nodes::INITIALISING.into()),
                ("handle", handle.clone()),
                ("mac", self.mac.to_string()),
                ("trusted", if self.untrusted { "0" } else { "1" }.into()),
                ("mtu", self.mtu.unwrap_or(1500).to_string()),
            ],
        )
        .guard("mtu");
        let mut entries = vec![
            ("frontend", front),
            ("frontend-id", domain.raw().to_string()),
            ("online", "1".into()),
            ("state", nodes::INITIALISING.into()),
            // The kernel's driver insists on this node, but only hands it to those who run scripts. There is none.
            ("script", String::new()),
            ("mac", self.mac.to_string()),
            ("bridge", self.bridge_name().to_owned()),
            ("handle", handle),
            ("type", "vif".into()),
        ];
        if let Some(name) = &self.name {
            entries.push(("vifname", name.clone()));
        }
        if let Some(rate) = self.rate {
            entries.push(("rate", format!("{},{}", rate.bytes, rate.interval_us)));
        }
        if let Some(ip) = &self.ip {
            entries.push(("ip", ip.clone()));
        }
        [frontend, Dir::of_dom0(back, domain, entries)]
    }
}

/// The name the kernel gives dom0's end.
pub(crate) fn kernel_name(domain: DomId, handle: u32) -> String {
    format!("vif{}.{handle}", domain.raw())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nodes_are_those_xl_writes() {
        let mut spec = VifSpec {
            handle: 0,
            mac: Mac::new([0, 0x16, 0x3e, 1, 2, 3]),
            bridge: None,
            name: Some("web".into()),
            rate: Some(Rate { bytes: 62_500, interval_us: 50_000 }),
            mtu: None,
            ip: None,
            untrusted: false,
        };
        let [front, back] = spec.dirs(DomId::new(5));
        assert_eq!((front.path(), front.get("mac")), ("/local/domain/5/device/vif/0", Some("00:16:3e:01:02:03")));
        assert_eq!((back.path(), back.get("bridge")), ("/local/domain/0/backend/vif/5/0", Some("xenbr0")));
        assert_eq!((back.get("rate"), back.get("vifname")), (Some("62500,50000"), Some("web")));
        assert_eq!(spec.link_name(DomId::new(5)), "web");
        spec.name = None;
        assert_eq!(spec.link_name(DomId::new(5)), "vif5.0");
    }
}
