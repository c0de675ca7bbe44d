// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Who uses which file or device, and which Ethernet addresses are given away: kept in the store below `/xenolith`, so that creations that run in
//! parallel agree by the store's transactions, without a lock.
//!
//! A claim is worth as much as its domain: that of a domain which is gone counts for nothing.

use crate::disk::Disk;
use crate::error::{Error, ErrorKind};
use crate::mac::Mac;
use crate::nodes;
use hypercalls::ids::DomId;
use xenstore::client::{Error as StoreError, Nodes};

const DISKS: &str = "/xenolith/disk";
const MACS: &str = "/xenolith/mac";

/// Claims a disk's source for a domain; who has it already if that excludes it.
pub(crate) fn claim_disk(nodes: &Nodes<'_>, domain: DomId, disk: &Disk) -> Result<Result<(), Error>, StoreError> {
    let dir = format!("{DISKS}/{}", disk.source.key());
    let own = format!("{}-{}", domain.raw(), disk.spec.number);
    let mode = if disk.spec.writable { "w" } else { "r" };
    for other in nodes::list(nodes, &dir)? {
        if other == own {
            continue;
        }
        let path = format!("{dir}/{other}");
        let user = other.split('-').next().unwrap_or_default();
        if !nodes.exists(&format!("/local/domain/{user}"))? {
            nodes.discard(&path)?;
            continue;
        }
        let writes = nodes.find_text(&path)?.as_deref() == Some("w");
        if writes || disk.spec.writable {
            return Ok(Err(in_use(nodes, disk, user, writes)?));
        }
    }
    nodes.write(&format!("{dir}/{own}"), mode)?;
    Ok(Ok(()))
}

fn in_use(nodes: &Nodes<'_>, disk: &Disk, user: &str, writes: bool) -> Result<Error, StoreError> {
    let name = nodes.find_text(&format!("/local/domain/{user}/name"))?;
    let name = name.map_or_else(String::new, |name| format!(" ({name})"));
    let how = if writes { "writes to it" } else { "reads it, so nobody may write" };
    let target = disk.spec.target.display();
    let cause = format!("disk {}: {target}: in use: domain {user}{name} {how}", disk.spec.name);
    Ok(Error::new(ErrorKind::InUse, cause, "share it with access 'r' in all domains, or give each its own copy"))
}

/// Gives up the claim on `source`.
pub(crate) fn release_disk(nodes: &Nodes<'_>, source: &str, domain: DomId, number: &str) -> Result<(), StoreError> {
    nodes::remove_up_to(nodes, &format!("{DISKS}/{source}/{}-{number}", domain.raw()), "")
}

/// Notes that an address is given away, unless it already is, to somebody else.
pub(crate) fn claim_mac(nodes: &Nodes<'_>, domain: DomId, handle: u32, mac: Mac) -> Result<(), StoreError> {
    let path = mac_path(&mac.to_string());
    let own = format!("{}/{handle}", domain.raw());
    if let Some(other) = nodes.find_text(&path)? {
        let user = other.split('/').next().unwrap_or_default();
        if other != own && nodes.exists(&format!("/local/domain/{user}"))? {
            return Ok(());
        }
    }
    nodes.write(&path, own)
}

/// Whether an address is given away.
pub(crate) fn is_claimed(nodes: &Nodes<'_>, mac: Mac) -> Result<bool, StoreError> {
    nodes.exists(&mac_path(&mac.to_string()))
}

/// Gives up the claim on an address, if it is this interface's.
pub(crate) fn release_mac(nodes: &Nodes<'_>, domain: DomId, handle: &str, mac: &str) -> Result<(), StoreError> {
    let path = mac_path(mac);
    if nodes.find_text(&path)?.is_some_and(|own| own == format!("{}/{handle}", domain.raw())) {
        nodes::remove_up_to(nodes, &path, "")?;
    }
    Ok(())
}

/// Colons cannot stand in the names of nodes.
fn mac_path(mac: &str) -> String {
    format!("{MACS}/{}", mac.replace(':', "-"))
}
