// SPDX-License-Identifier: MIT OR Apache-2.0
//! A configuration's disks and interfaces in the words of `host-devices`.

use crate::error::{Class, Failure};
use domain_builder::config;
use host_devices::{Disk, DiskSpec, ErrorKind, Links, Mac, Rate, VifSpec};
use std::time::Duration;
use xenstore::client::Client;

/// How long dom0's kernel may take to make or remove devices: it does so for one domain after the other, and many may be waiting.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

impl From<host_devices::Error> for Failure {
    fn from(error: host_devices::Error) -> Self {
        let class = match error.kind {
            ErrorKind::Missing
            | ErrorKind::Unsuitable
            | ErrorKind::Backend
            | ErrorKind::NotPermitted
            | ErrorKind::System => Class::Device,
            ErrorKind::InUse => Class::Conflict,
            ErrorKind::Timeout => Class::Timeout,
            ErrorKind::Store => Class::Service,
        };
        let failure = Self::new(class, &error.cause);
        if error.remedy.is_empty() { failure } else { failure.remedy(&error.remedy) }
    }
}

/// A disk of the configuration.
pub(crate) fn disk(disk: &config::Disk) -> DiskSpec {
    DiskSpec {
        name: disk.vdev.name().to_owned(),
        number: disk.vdev.number(),
        target: disk.target.clone().into(),
        writable: !disk.read_only,
        cdrom: disk.cdrom,
        discard: disk.discard,
        trusted: disk.trusted,
    }
}

/// An interface of the configuration, which has an address.
fn vif(vif: &config::Vif, mac: config::Mac) -> VifSpec {
    VifSpec {
        handle: vif.devid,
        mac: Mac::new(mac.to_bytes()),
        bridge: vif.bridge.clone(),
        name: vif.vifname.clone(),
        rate: vif.rate.map(|rate| Rate { bytes: rate.bytes_per_interval(), interval_us: rate.interval_us() }),
        mtu: vif.mtu,
        ip: vif.ip.clone(),
        untrusted: !vif.trusted,
    }
}

/// Opens a disk; a failure names the place in the configuration.
pub(crate) fn open(wanted: &config::Disk) -> Result<Disk, Failure> {
    Disk::open(disk(wanted)).map_err(|error| {
        // A file that is no disk is the image's fault, not the device's.
        let missing = matches!(error.kind, ErrorKind::Missing | ErrorKind::Unsuitable | ErrorKind::NotPermitted);
        let failure = placed(error, wanted.place.as_ref());
        if missing { failure.class_is(Class::Image) } else { failure }
    })
}

/// Checks an interface, and gives it an address if it has none, which it then keeps over restarts. A failure names the place in the
/// configuration.
pub(crate) fn check(links: &mut Links, store: &Client, wanted: &mut config::Vif) -> Result<VifSpec, Failure> {
    let mac = match wanted.mac {
        Some(mac) => mac,
        None => config::Mac::from_bytes(host_devices::free_mac(store)?.bytes()),
    };
    wanted.mac = Some(mac);
    let spec = vif(wanted, mac);
    spec.check(links).map_err(|error| placed(error, wanted.place.as_ref()))?;
    Ok(spec)
}

fn placed(mut error: host_devices::Error, place: Option<&config::Place>) -> Failure {
    if let Some(place) = place {
        let end = if error.remedy.is_empty() { &mut error.cause } else { &mut error.remedy };
        *end = format!("{end} ({place})");
    }
    error.into()
}
