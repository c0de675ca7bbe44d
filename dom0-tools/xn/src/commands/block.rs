// SPDX-License-Identifier: MIT OR Apache-2.0
//! `xn block-attach`, `block-detach`, `block-list`.

use crate::context::Context;
use crate::error::{At, Class, Failure};
use crate::guests::{devices, hot_plug};
use crate::output::{Align, OutputArgs, Table};
use domain_builder::config::{self, Vdev};
use host_devices::Class as Device;
use serde::Serialize;

/// Options of `xn block-attach`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: xn block-attach demo format=raw,vdev=xvdb,access=rw,target=/srv/data.img")]
pub(crate) struct AttachArgs {
    /// Name or number
    pub(crate) domain: String,
    /// The disk as in the configuration's 'disk', in one word or several
    #[arg(value_name = "DISK", required = true)]
    pub(crate) disk: Vec<String>,
}

/// Options of `xn block-detach`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: xn block-detach demo xvdb")]
pub(crate) struct DetachArgs {
    /// Do not wait for the guest
    #[arg(long)]
    pub(crate) force: bool,
    /// Name or number
    pub(crate) domain: String,
    /// Virtual device: its name (xvdb) or number
    #[arg(value_name = "DEVICE")]
    pub(crate) device: String,
}

/// Options of `xn block-list`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: xn block-list demo -o json")]
pub(crate) struct ListArgs {
    /// Names or numbers
    #[arg(value_name = "DOMAIN", required = true)]
    pub(crate) domains: Vec<String>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Adds a disk.
pub(crate) fn attach(args: &AttachArgs, context: &mut Context) -> Result<(), Failure> {
    let add = || -> Result<(), Failure> {
        let wanted = config::parse_disk("command line", &args.disk.join(","));
        let wanted = wanted.map_err(|error| Failure::new(Class::Usage, error))?;
        let guest = hot_plug::Guest::find(context, &args.domain)?;
        let number = wanted.vdev.number();
        if guest.has(Device::Vbd, number)? {
            let why = format!("{} has a disk {} already", args.domain, wanted.vdev);
            return Err(Failure::new(Class::Conflict, why).remedy("choose another vdev"));
        }
        host_devices::check_drivers(true, false)?;
        let disk = devices::open(&wanted)?;
        guest.attach(Device::Vbd, number, &[disk], &[])?;
        guest.remember(|config| config.disks.push(wanted.clone()))
    };
    add().at(|| "block-attach")
}

/// Takes a disk away.
pub(crate) fn detach(args: &DetachArgs, context: &mut Context) -> Result<(), Failure> {
    let remove = || -> Result<(), Failure> {
        let vdev: Vdev = args
            .device
            .parse()
            .map_err(|error: config::BadVdev| Failure::new(Class::Usage, format!("'{}': {error}", args.device)))?;
        let guest = hot_plug::Guest::find(context, &args.domain)?;
        guest.detach(Device::Vbd, vdev.number(), args.force)?;
        guest.remember(|config| config.disks.retain(|disk| disk.vdev.number() != vdev.number()))
    };
    remove().at(|| "block-detach")
}

/// A disk in `xn block-list -o json`.
#[derive(Debug, Serialize)]
struct Row {
    domain: u16,
    vdev: u32,
    name: Option<String>,
    backend_domain: u16,
    /// The backend's XenbusState: 4 is connected.
    state: u32,
    event_channel: Option<u32>,
    ring_ref: Option<u32>,
    target: Option<String>,
    writable: bool,
    backend_path: String,
}

/// Lists disks.
pub(crate) fn list(args: &ListArgs, context: &mut Context) -> Result<(), Failure> {
    let mut rows = Vec::new();
    for text in &args.domains {
        let domain = context.domain(text).at(|| "block-list")?;
        let found = host_devices::devices(context.store()?, domain, Device::Vbd).at(|| "block-list")?;
        rows.extend(found.into_iter().map(|device| Row {
            domain: domain.raw(),
            vdev: device.number,
            name: device.detail("dev").map(str::to_owned),
            backend_domain: 0,
            state: device.state,
            event_channel: device.event_channel,
            ring_ref: device.ring,
            target: device.detail("params").map(str::to_owned),
            writable: device.detail("mode") == Some("w"),
            backend_path: device.backend,
        }));
    }
    args.output.print(&rows, |rows| table(rows))
}

fn table(rows: &[Row]) -> String {
    let left = Align::Left;
    let mut table = Table::new(&[
        ("Vdev", 5, left),
        ("BE", 3, left),
        ("handle", 6, left),
        ("state", 5, left),
        ("evt-ch", 6, left),
        ("ring-ref", 8, left),
        ("BE-path", 0, left),
    ]);
    for row in rows {
        table.row([
            row.vdev.to_string(),
            row.backend_domain.to_string(),
            row.domain.to_string(),
            row.state.to_string(),
            hot_plug::or_none(row.event_channel),
            hot_plug::or_none(row.ring_ref),
            row.backend_path.clone(),
        ]);
    }
    table.render()
}
