// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Giving a domain disks and interfaces: before it runs, or while it does.

use crate::bridge;
use crate::claims;
use crate::disk::{Disk, Source};
use crate::error::{Error, ErrorKind};
use crate::links::{LinkNews, Links};
use crate::loops::{self, Loop};
use crate::mac::Mac;
use crate::netlink::Link;
use crate::nodes;
use crate::vif::{self, VifSpec};
use crate::wait::Deadline;
use crate::watching::{self, RETURN};
use hypercalls::ids::DomId;
use std::path::Path;
use xenstore::client::{Client, Error as StoreError, Nodes};

/// Where the kernel shows its backend drivers.
const DRIVERS: &str = "/sys/bus/xen-backend/drivers";

/// Checks that dom0's kernel has the drivers that these devices need.
///
/// # Errors
/// `Backend`, with the module to load.
pub fn check_drivers(disks: bool, vifs: bool) -> Result<(), Error> {
    for (wanted, class, module) in [(disks, "vbd", "xen-blkback"), (vifs, "vif", "xen-netback")] {
        if wanted && !Path::new(DRIVERS).join(class).exists() {
            let cause = format!("dom0's kernel has no {class} backend");
            return Err(Error::new(ErrorKind::Backend, cause, format!("load it: modprobe {module}")));
        }
    }
    Ok(())
}

/// Gives a domain these devices and waits until dom0's side is ready for the guest; the guest's side comes when it likes. `store` must be a
/// connection of its own: events of other watches are lost.
///
/// On failure the nodes and loop devices made so far stay for [`remove_all`](crate::remove_all) or [`detach`](crate::detach), which the
/// caller must call; only a failure to make the nodes leaves nothing.
///
/// # Errors
/// Those of [`Error`], named by device.
pub fn attach(
    store: &Client,
    domain: DomId,
    disks: &[Disk],
    vifs: &[VifSpec],
    deadline: Deadline,
) -> Result<(), Error> {
    let mut bound = Vec::new();
    for disk in disks {
        bound.push(bind(domain, disk).map_err(|error| error.of(format_args!("disk {}", disk.spec.name)))?);
    }
    let mut links = None;
    let mut bridges = Vec::new();
    if !vifs.is_empty() {
        let links = links.insert((Links::open()?, LinkNews::open()?));
        for vif in vifs {
            let bridge = bridge::require(&mut links.0, vif.bridge_name());
            bridges.push(bridge.map_err(|error| error.of(format_args!("vif {}", vif.handle)))?);
        }
    }
    watching::transaction(store, |nodes, again| {
        for (disk, bound) in disks.iter().zip(&bound) {
            if let Err(error) = write_disk(nodes, domain, disk, bound, again)? {
                return Ok(Err(error));
            }
        }
        for vif in vifs {
            if let Err(error) = write_vif(nodes, domain, vif, again)? {
                return Ok(Err(error));
            }
        }
        Ok(Ok(()))
    })?;
    for bound in bound {
        if let Bound::Loop(device) = bound {
            device.keep();
        }
    }
    if let Some((links, news)) = &mut links {
        for (vif, bridge) in vifs.iter().zip(&bridges) {
            let done = connect(store, links, news, domain, vif, bridge, deadline);
            done.map_err(|error| error.of(format_args!("vif {}", vif.handle)))?;
        }
    }
    for disk in disks {
        ready(store, domain, disk, deadline).map_err(|error| error.of(format_args!("disk {}", disk.spec.name)))?;
    }
    Ok(())
}

/// The block device that blkback shall open.
enum Bound {
    Loop(Loop),
    Direct(u32, u32),
}

fn bind(domain: DomId, disk: &Disk) -> Result<Bound, Error> {
    match disk.source {
        Source::Block { major, minor } => Ok(Bound::Direct(major, minor)),
        Source::File { .. } => {
            Loop::attach(&disk.file, !disk.spec.writable, &loops::tag(domain, disk.spec.number)).map(Bound::Loop)
        }
    }
}

fn write_disk(
    nodes: &Nodes<'_>,
    domain: DomId,
    disk: &Disk,
    bound: &Bound,
    again: bool,
) -> Result<Result<(), Error>, StoreError> {
    let number = disk.spec.number.to_string();
    if again && is_written(nodes, domain, "vbd", &number)? {
        return Ok(Ok(()));
    }
    if let Err(error) = claims::claim_disk(nodes, domain, disk)? {
        return Ok(Err(error));
    }
    let (major, minor) = match bound {
        Bound::Loop(device) => (loops::MAJOR, device.number()),
        Bound::Direct(major, minor) => (*major, *minor),
    };
    for dir in disk.dirs(domain, major, minor) {
        dir.write(nodes)?;
    }
    Ok(Ok(()))
}

/// An address that is given away already is no obstacle: two interfaces on different bridges may well have the same.
fn write_vif(nodes: &Nodes<'_>, domain: DomId, vif: &VifSpec, again: bool) -> Result<Result<(), Error>, StoreError> {
    if again && is_written(nodes, domain, "vif", &vif.handle.to_string())? {
        return Ok(Ok(()));
    }
    claims::claim_mac(nodes, domain, vif.handle, vif.mac)?;
    for dir in vif.dirs(domain) {
        dir.write(nodes)?;
    }
    Ok(Ok(()))
}

/// A random address that no domain has.
///
/// # Errors
/// `Store`, or `System` without random numbers.
pub fn free_mac(store: &Client) -> Result<Mac, Error> {
    loop {
        let mac = Mac::random().map_err(|error| Error::system("random numbers", &error))?;
        if !store.persist(RETURN, |store| claims::is_claimed(&store.nodes(), mac))? {
            return Ok(mac);
        }
    }
}

/// Whether a transaction whose answer was lost went through: then the drivers are at work already, and no state may be set back.
fn is_written(nodes: &Nodes<'_>, domain: DomId, class: &str, device: &str) -> Result<bool, StoreError> {
    nodes.exists(&format!("{}/frontend", nodes::backend(domain, class, device)))
}

/// Puts dom0's end, once netback has made it, on the bridge.
fn connect(
    store: &Client,
    links: &mut Links,
    news: &LinkNews,
    domain: DomId,
    vif: &VifSpec,
    bridge: &Link,
    deadline: Deadline,
) -> Result<(), Error> {
    let made = vif::kernel_name(domain, vif.handle);
    let backend = nodes::backend(domain, "vif", &vif.handle.to_string());
    let link = match news.wait(links, &made, true, deadline) {
        Err(error) if error.kind == ErrorKind::Timeout => {
            let said = said(store, &backend)?.unwrap_or_else(|| format!("netback did not make {made} in time"));
            return Err(Error::new(ErrorKind::Backend, said, "see dom0's kernel messages (dmesg)"));
        }
        other => other?,
    };
    let Some(link) = link else { return Err(Error::new(ErrorKind::Backend, format!("{made} is gone again"), "")) };
    bridge::join(links, &link, &vif.link_name(domain), bridge, vif.mtu)?;
    store.persist(RETURN, |store| store.write(&format!("{backend}/hotplug-status"), "connected"))?;
    Ok(())
}

/// Waits until blkback has taken a disk on.
fn ready(store: &Client, domain: DomId, disk: &Disk, deadline: Deadline) -> Result<(), Error> {
    let backend = nodes::backend(domain, "vbd", &disk.spec.number.to_string());
    let state = watching::until(store, &[format!("{backend}/state")], deadline, |nodes| {
        Ok(nodes::state(nodes, &backend)?.filter(|state| *state >= nodes::INIT_WAIT))
    })?;
    match state {
        Some(state) if state < nodes::CLOSING => Ok(()),
        _ => {
            let said = said(store, &backend)?.unwrap_or_else(|| "blkback did not take it on".to_owned());
            Err(Error::new(ErrorKind::Backend, said, "see dom0's kernel messages (dmesg)"))
        }
    }
}

/// What a backend driver has left in the store about its failure.
fn said(store: &Client, backend: &str) -> Result<Option<String>, Error> {
    let path = backend.replacen("/local/domain/0/", "/local/domain/0/error/", 1);
    Ok(store.persist(RETURN, |store| store.nodes().find_text(&format!("{path}/error")))?)
}
