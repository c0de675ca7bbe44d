// SPDX-License-Identifier: MIT OR Apache-2.0
//! Devices for a domain that runs.

use crate::context::Context;
use crate::error::{Class, Failure};
use crate::guests::devices::PATIENCE;
use crate::guests::record::{Lock, Record};
use domain_builder::config::{Config, Uuid};
use host_devices::{Class as Device, Deadline, Disk, Mac, VifSpec};
use hypercalls::DomId;
use std::time::Duration;
use xenstore::client::Client;

/// How long a guest may take to let go of a device.
const ASKED: Duration = Duration::from_secs(20);

/// A domain whose lock is held.
#[derive(Debug)]
pub(crate) struct Guest {
    domain: DomId,
    uuid: Uuid,
    store: Client,
    _lock: Lock,
}

impl Guest {
    /// The guest that `text` names.
    pub(crate) fn find(context: &Context, text: &str) -> Result<Self, Failure> {
        let info = context.domain_info(text)?;
        if info.id == DomId::DOM0 {
            return Err(Failure::new(Class::Usage, "dom0 has the devices of the machine"));
        }
        let uuid = Uuid::from_bytes(info.uuid);
        let guest = Self { domain: info.id, uuid, _lock: Lock::take(uuid)?, store: Client::connect()? };
        // It may have ended while the lock was waited for.
        match context.control()?.domain_info(info.id)? {
            Some(info) if !info.dying && info.shutdown.is_none() => Ok(guest),
            _ => Err(Failure::new(Class::Conflict, format!("{text} has ended")).remedy("see 'xn list'")),
        }
    }

    /// The connection to the store.
    pub(crate) fn store(&self) -> &Client {
        &self.store
    }

    /// Whether it has such a device.
    pub(crate) fn has(&self, class: Device, number: u32) -> Result<bool, Failure> {
        let devices = host_devices::devices(&self.store, self.domain, class)?;
        Ok(devices.iter().any(|device| device.number == number))
    }

    /// The lowest number no device has.
    pub(crate) fn free_number(&self, class: Device) -> Result<u32, Failure> {
        let devices = host_devices::devices(&self.store, self.domain, class)?;
        let taken = |number: &u32| devices.iter().any(|device| device.number == *number);
        Ok((0..).find(|number| !taken(number)).unwrap_or(0))
    }

    /// The interface with this address.
    pub(crate) fn with_mac(&self, mac: Mac) -> Result<u32, Failure> {
        let devices = host_devices::devices(&self.store, self.domain, Device::Vif)?;
        let own = mac.to_string();
        let found = devices.iter().find(|device| device.detail("mac") == Some(&own));
        found.map(|device| device.number).ok_or_else(|| {
            let why = format!("domain {} has no interface {mac}", self.domain.raw());
            Failure::new(Class::Device, why).remedy("see 'xn network-list'")
        })
    }

    /// Adds a device (one of the two); takes it back if that fails.
    pub(crate) fn attach(&self, class: Device, number: u32, disks: &[Disk], vifs: &[VifSpec]) -> Result<(), Failure> {
        let deadline = Deadline::after(PATIENCE);
        let done = host_devices::attach(&self.store, self.domain, disks, vifs, deadline).map_err(Failure::from);
        done.map_err(|failure| {
            let undone = host_devices::detach(&self.store, self.domain, class, number, true, Deadline::after(PATIENCE));
            match undone {
                Err(error) if error.kind != host_devices::ErrorKind::Missing => failure.and_left(&error.into()),
                _ => failure,
            }
        })
    }

    /// Takes a device away.
    pub(crate) fn detach(&self, class: Device, number: u32, force: bool) -> Result<(), Failure> {
        let patience = if force { PATIENCE } else { ASKED };
        Ok(host_devices::detach(&self.store, self.domain, class, number, force, Deadline::after(patience))?)
    }

    /// Changes what the domain is made from at its next restart.
    pub(crate) fn remember(&self, change: impl FnOnce(&mut Config)) -> Result<(), Failure> {
        let Some(mut record) = Record::load(self.uuid)? else { return Ok(()) };
        change(&mut record.config);
        record.save()
    }
}

/// A number of the guest's for a table; `xl` shows -1 for one that is not there.
pub(crate) fn or_none(number: Option<u32>) -> String {
    number.map_or_else(|| "-1".to_owned(), |number| number.to_string())
}
