// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Taking devices away: from a domain that runs and is asked, or one that is dead or not asked. When a function here returns `Ok`, both sides'
//! nodes, the loop device, the interface and the claims are gone.

use crate::claims;
use crate::error::{Error, ErrorKind};
use crate::links::{LinkNews, Links};
use crate::loops;
use crate::nodes;
use crate::vif;
use crate::wait::Deadline;
use crate::watching::{self, RETURN};
use hypercalls::ids::DomId;
use std::collections::BTreeSet;
use std::path::Path;
use xenstore::client::{Client, Error as StoreError, Nodes};

/// The kind of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// A disk.
    Vbd,
    /// A network interface.
    Vif,
}

impl Class {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Vbd, Self::Vif];

    /// Its name in the store.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Vbd => "vbd",
            Self::Vif => "vif",
        }
    }
}

/// What must be known of a device to remove all of it.
#[derive(Debug)]
struct Remains {
    class: Class,
    device: String,
    /// A loop device's number.
    loop_device: Option<u32>,
    /// The key of a disk's claim.
    source: Option<String>,
    mac: Option<String>,
    /// The name of an interface in dom0.
    link: Option<String>,
    /// The backend's.
    state: Option<u32>,
}

impl Remains {
    fn read(nodes: &Nodes<'_>, domain: DomId, class: Class, device: &str) -> Result<Option<Self>, StoreError> {
        let backend = nodes::backend(domain, class.name(), device);
        let paths = ["state", "physical-device", "source", "mac", "vifname"].map(|name| format!("{backend}/{name}"));
        let [state, physical, source, mac, link] = paths.each_ref().map(String::as_str);
        let [there, state, physical, source, mac, link] =
            nodes.find_texts([&backend, state, physical, source, mac, link])?;
        if there.is_none() {
            return Ok(None);
        }
        let state = state.and_then(|state| state.parse().ok());
        let mut remains =
            Self { class, device: device.to_owned(), loop_device: None, source: None, mac: None, link: None, state };
        match class {
            Class::Vbd => {
                remains.loop_device = physical.as_deref().and_then(loop_number);
                remains.source = source;
            }
            Class::Vif => {
                remains.mac = mac;
                let own = device.parse().map(|handle| vif::kernel_name(domain, handle)).ok();
                remains.link = link.or(own);
            }
        }
        Ok(Some(remains))
    }

    /// Whether the frontend may be asked.
    fn is_connected(&self) -> bool {
        self.state == Some(nodes::CONNECTED)
    }

    fn backend(&self, domain: DomId) -> String {
        nodes::backend(domain, self.class.name(), &self.device)
    }

    fn frontend(&self, domain: DomId) -> String {
        nodes::frontend(domain, self.class.name(), &self.device)
    }

    /// Whether dom0's kernel has a device for it: otherwise nobody will ever say that it is closed.
    fn has_driver(&self, domain: DomId) -> bool {
        let name = format!("{}-{}-{}", self.class.name(), domain.raw(), self.device);
        Path::new("/sys/bus/xen-backend/devices").join(name).exists()
    }

    /// Tells the driver in dom0 that this is the end; `by_force` without asking the guest.
    fn close(&self, nodes: &Nodes<'_>, domain: DomId, by_force: bool) -> Result<(), StoreError> {
        let backend = self.backend(domain);
        nodes.write(&format!("{backend}/online"), "0")?;
        if self.state != Some(nodes::CLOSED) {
            nodes.write(&format!("{backend}/state"), nodes::CLOSING.to_string())?;
        }
        // A backend whose frontend has vanished unregisters at once.
        if by_force { nodes.discard(&self.frontend(domain)) } else { Ok(()) }
    }

    fn is_closed(&self, nodes: &Nodes<'_>, domain: DomId) -> Result<bool, StoreError> {
        let state = nodes::state(nodes, &self.backend(domain))?;
        Ok(state.is_none_or(|state| state == nodes::CLOSED) || !self.has_driver(domain))
    }

    /// Removes what is left once the driver has let go.
    fn sweep(&self, store: &Client, domain: DomId, deadline: Deadline) -> Result<(), Error> {
        if let Some(name) = &self.link {
            let (mut links, news) = (Links::open()?, LinkNews::open()?);
            news.wait(&mut links, name, false, deadline)?;
        }
        watching::transaction(store, |nodes, _| {
            nodes::remove_up_to(nodes, &self.backend(domain), nodes::BACKENDS)?;
            nodes::remove_up_to(nodes, &self.frontend(domain), &format!("/local/domain/{}/device", domain.raw()))?;
            let error = self.backend(domain).replacen("/local/domain/0/", "/local/domain/0/error/", 1);
            nodes::remove_up_to(nodes, &error, "/local/domain/0")?;
            if let Some(source) = &self.source {
                claims::release_disk(nodes, source, domain, &self.device)?;
            }
            if let Some(mac) = &self.mac {
                claims::release_mac(nodes, domain, &self.device, mac)?;
            }
            Ok(Ok(()))
        })?;
        if let (Some(number), Ok(disk)) = (self.loop_device, self.device.parse()) {
            loops::release(number, &loops::tag(domain, disk), deadline)?;
        }
        Ok(())
    }

    fn name(&self) -> String {
        format!("{} {}", self.class.name(), self.device)
    }
}

/// The loop device behind `physical-device`, which has hexadecimal numbers.
fn loop_number(physical: &str) -> Option<u32> {
    let (major, minor) = physical.split_once(':')?;
    let major = u32::from_str_radix(major, 16).ok()?;
    (major == loops::MAJOR).then(|| u32::from_str_radix(minor, 16).ok()).flatten()
}

/// Takes one device from a domain. A frontend that is connected is asked and must agree, unless `force` is set. `store` must be a connection of
/// its own: events of other watches are lost.
///
/// # Errors
/// `Missing` for a device that is not there; `Timeout` if the guest does not let go, or dom0's kernel does not.
pub fn detach(
    store: &Client,
    domain: DomId,
    class: Class,
    number: u32,
    force: bool,
    deadline: Deadline,
) -> Result<(), Error> {
    let device = number.to_string();
    let remains = store.persist(RETURN, |store| {
        store.transaction(|nodes| {
            let remains = Remains::read(nodes, domain, class, &device)?;
            if let Some(remains) = &remains {
                remains.close(nodes, domain, force || !remains.is_connected())?;
            }
            Ok(remains)
        })
    })?;
    let Some(remains) = remains else {
        let cause = format!("domain {} has no {} {number}", domain.raw(), class.name());
        return Err(Error::new(
            ErrorKind::Missing,
            cause,
            "list its devices with 'xn block-list' or 'xn network-list'",
        ));
    };
    let closed = watching::until(store, &[format!("{}/state", remains.backend(domain))], deadline, |nodes| {
        Ok(remains.is_closed(nodes, domain)?.then_some(()))
    })?;
    if closed.is_none() {
        let (cause, remedy) = if force || !remains.is_connected() {
            ("dom0's kernel does not let go of it", "see dom0's kernel messages (dmesg)")
        } else {
            ("the guest does not let go of it", "stop using it in the guest (unmount it), or use --force")
        };
        return Err(Error::new(ErrorKind::Timeout, format!("{}: {cause}", remains.name()), remedy));
    }
    remains.sweep(store, domain, deadline).map_err(|error| error.of(remains.name()))
}

/// Takes all devices from a domain that is dead, or shall be. Goes on after a failure, and returns the first. `store` must be a connection of its
/// own: events of other watches are lost.
///
/// # Errors
/// `Timeout` if dom0's kernel does not let go of a device, `Store`, `System`.
pub fn remove_all(store: &Client, domain: DomId, deadline: Deadline) -> Result<(), Error> {
    let dirs = Class::ALL.map(|class| format!("{}/{}/{}", nodes::BACKENDS, class.name(), domain.raw()));
    let there = store.persist(RETURN, |store| store.nodes().find_texts(dirs.each_ref().map(String::as_str)))?;
    if there.iter().all(Option::is_none) {
        return Ok(());
    }
    let all = store.persist(RETURN, |store| {
        store.transaction(|nodes| {
            let mut all = Vec::new();
            for (class, dir) in Class::ALL.into_iter().zip(&dirs) {
                for device in nodes::list(nodes, dir)? {
                    all.extend(Remains::read(nodes, domain, class, &device)?);
                }
            }
            for remains in &all {
                remains.close(nodes, domain, true)?;
            }
            Ok(all)
        })
    })?;
    if all.is_empty() {
        return Ok(());
    }
    let mut first = Ok(());
    let watched: Vec<String> = all.iter().map(|remains| format!("{}/state", remains.backend(domain))).collect();
    let closed = watching::until(store, &watched, deadline, |nodes| {
        for remains in &all {
            if !remains.is_closed(nodes, domain)? {
                return Ok(None);
            }
        }
        Ok(Some(()))
    })?;
    if closed.is_none() {
        let cause = "dom0's kernel does not let go of a device";
        first = Err(Error::new(ErrorKind::Timeout, cause, "see dom0's kernel messages (dmesg)"));
    }
    for remains in &all {
        let done = remains.sweep(store, domain, deadline).map_err(|error| error.of(remains.name()));
        first = first.and(done);
    }
    first
}

/// Frees loop devices made for a domain that never came to have nodes in the store: their maker was killed.
///
/// # Errors
/// Those of the kernel.
pub fn release_loops(domain: DomId, deadline: Deadline) -> Result<(), Error> {
    for (number, owner, disk) in loops::tagged()? {
        if owner == domain {
            loops::release(number, &loops::tag(domain, disk), deadline)?;
        }
    }
    Ok(())
}

/// The domains, dead or alive, that have backends or loop devices in dom0.
///
/// # Errors
/// Those of the store and the kernel.
pub fn owners(store: &Client) -> Result<BTreeSet<DomId>, Error> {
    let mut owners: BTreeSet<DomId> = loops::tagged()?.into_iter().map(|(_, owner, _)| owner).collect();
    for class in Class::ALL {
        let dir = format!("{}/{}", nodes::BACKENDS, class.name());
        let names = store.persist(RETURN, |store| nodes::list(&store.nodes(), &dir))?;
        owners.extend(names.iter().filter_map(|name| name.parse().ok()).map(DomId::new));
    }
    Ok(owners)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loop_devices_are_known_by_their_number() {
        assert_eq!(loop_number("7:a"), Some(10));
        assert_eq!(loop_number("8:1"), None);
        assert_eq!(loop_number("7"), None);
    }
}
