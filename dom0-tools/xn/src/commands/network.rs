// SPDX-License-Identifier: MIT OR Apache-2.0
//! `xn network-attach`, `network-detach`, `network-list`, `network-bridge`.

use crate::context::Context;
use crate::error::{At, Class, Failure};
use crate::guests::{devices, hot_plug};
use crate::output::{self, Align, OutputArgs, Table};
use domain_builder::config;
use host_devices::{Class as Device, Links, Mac, bridge};
use serde::Serialize;
use std::net::IpAddr;

/// Options of `xn network-attach`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: xn network-attach demo bridge=xenbr0 mac=00:16:3e:01:02:03")]
pub(crate) struct AttachArgs {
    /// Name or number
    pub(crate) domain: String,
    /// The interface as in the configuration's 'vif', in one word or several
    #[arg(value_name = "VIF")]
    pub(crate) vif: Vec<String>,
}

/// Options of `xn network-detach`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: xn network-detach demo 0")]
pub(crate) struct DetachArgs {
    /// Do not wait for the guest
    #[arg(long)]
    pub(crate) force: bool,
    /// Name or number
    pub(crate) domain: String,
    /// Number of the interface, or its MAC address
    #[arg(value_name = "DEVICE|MAC")]
    pub(crate) device: String,
}

/// Options of `xn network-list`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: xn network-list demo -o json")]
pub(crate) struct ListArgs {
    /// Names or numbers
    #[arg(value_name = "DOMAIN", required = true)]
    pub(crate) domains: Vec<String>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Options of `xn network-bridge`.
#[derive(Debug, clap::Args)]
#[command(after_help = "'xn create' makes xenbr0 by itself when it is missing, without an address.\n\
                        Example: xn network-bridge xenbr0 192.168.100.1/24")]
pub(crate) struct BridgeArgs {
    /// Name of the bridge
    #[arg(default_value = bridge::DEFAULT)]
    pub(crate) name: String,
    /// Address of dom0 on it, with the length of the network's prefix
    #[arg(value_name = "ADDRESS/LENGTH")]
    pub(crate) address: Option<String>,
}

/// Makes a bridge unless it is there, and gives dom0 an address on it.
pub(crate) fn bridge(args: &BridgeArgs, _context: &mut Context) -> Result<(), Failure> {
    let make = || -> Result<(), Failure> {
        let address = args.address.as_deref().map(parse_address).transpose()?;
        bridge::create(&mut Links::open()?, &args.name, address)?;
        Ok(())
    };
    make().at(|| "network-bridge")
}

fn parse_address(text: &str) -> Result<(IpAddr, u8), Failure> {
    let parse = || {
        let (address, length) = text.split_once('/')?;
        let (address, length) = (address.parse::<IpAddr>().ok()?, length.parse::<u8>().ok()?);
        let most = if address.is_ipv4() { 32 } else { 128 };
        (length <= most).then_some((address, length))
    };
    let wrong = || Failure::new(Class::Usage, format!("'{text}' is no address")).remedy("such as 192.168.100.1/24");
    parse().ok_or_else(wrong)
}

/// Adds an interface.
pub(crate) fn attach(args: &AttachArgs, context: &mut Context) -> Result<(), Failure> {
    let add = || -> Result<(), Failure> {
        let guest = hot_plug::Guest::find(context, &args.domain)?;
        let free = guest.free_number(Device::Vif)?;
        let parsed = config::parse_vif("command line", &args.vif.join(","), free);
        let (mut wanted, warnings) = parsed.map_err(|error| Failure::new(Class::Usage, error))?;
        for warning in warnings {
            output::note(format_args!("warning: {warning}"));
        }
        if guest.has(Device::Vif, wanted.devid)? {
            let why = format!("{} has an interface {} already", args.domain, wanted.devid);
            return Err(Failure::new(Class::Conflict, why).remedy("leave devid= out"));
        }
        host_devices::check_drivers(false, true)?;
        let vif = devices::check(&mut Links::open()?, guest.store(), &mut wanted)?;
        guest.attach(Device::Vif, wanted.devid, &[], &[vif])?;
        guest.remember(|config| config.vifs.push(wanted.clone()))
    };
    add().at(|| "network-attach")
}

/// Takes an interface away.
pub(crate) fn detach(args: &DetachArgs, context: &mut Context) -> Result<(), Failure> {
    let remove = || -> Result<(), Failure> {
        let guest = hot_plug::Guest::find(context, &args.domain)?;
        let number = match (args.device.parse::<u32>(), args.device.parse::<Mac>()) {
            (Ok(number), _) => number,
            (_, Ok(mac)) => guest.with_mac(mac)?,
            _ => {
                let why = format!("'{}' is neither a number nor a MAC address", args.device);
                return Err(Failure::new(Class::Usage, why).remedy("see 'xn network-list'"));
            }
        };
        guest.detach(Device::Vif, number, args.force)?;
        guest.remember(|config| config.vifs.retain(|vif| vif.devid != number))
    };
    remove().at(|| "network-detach")
}

/// An interface in `xn network-list -o json`.
#[derive(Debug, Serialize)]
struct Row {
    domain: u16,
    devid: u32,
    backend_domain: u16,
    mac: Option<String>,
    bridge: Option<String>,
    /// The interface in dom0.
    vifname: String,
    ip: Option<String>,
    /// The backend's XenbusState: 4 is connected.
    state: u32,
    event_channel: Option<u32>,
    tx_ring_ref: Option<u32>,
    rx_ring_ref: Option<u32>,
    backend_path: String,
}

/// Lists interfaces.
pub(crate) fn list(args: &ListArgs, context: &mut Context) -> Result<(), Failure> {
    let mut rows = Vec::new();
    for text in &args.domains {
        let domain = context.domain(text).at(|| "network-list")?;
        let found = host_devices::devices(context.store()?, domain, Device::Vif).at(|| "network-list")?;
        rows.extend(found.into_iter().map(|device| {
            let own = |name: &str| device.detail(name).map(str::to_owned);
            Row {
                domain: domain.raw(),
                devid: device.number,
                backend_domain: 0,
                mac: own("mac"),
                bridge: own("bridge"),
                vifname: own("vifname").unwrap_or_else(|| format!("vif{}.{}", domain.raw(), device.number)),
                ip: own("ip"),
                state: device.state,
                event_channel: device.event_channel,
                tx_ring_ref: device.ring,
                rx_ring_ref: device.receive_ring,
                backend_path: device.backend,
            }
        }));
    }
    args.output.print(&rows, |rows| table(rows))
}

fn table(rows: &[Row]) -> String {
    let left = Align::Left;
    let mut table = Table::new(&[
        ("Idx", 3, left),
        ("BE", 2, left),
        ("Mac Addr.", 17, left),
        ("handle", 6, left),
        ("state", 5, left),
        ("evt-ch", 6, left),
        ("tx-/rx-ring-ref", 15, left),
        ("BE-path", 0, left),
    ]);
    for row in rows {
        table.row([
            row.devid.to_string(),
            row.backend_domain.to_string(),
            row.mac.clone().unwrap_or_default(),
            row.devid.to_string(),
            row.state.to_string(),
            hot_plug::or_none(row.event_channel),
            format!("{}/{}", hot_plug::or_none(row.tx_ring_ref), hot_plug::or_none(row.rx_ring_ref)),
            row.backend_path.clone(),
        ]);
    }
    table.render()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_a_length() {
        assert_eq!(parse_address("10.0.0.1/8"), Ok(("10.0.0.1".parse().unwrap(), 8)));
        for bad in ["10.0.0.1", "10.0.0.1/33", "x/8", "fe80::1/129"] {
            assert_eq!(parse_address(bad).unwrap_err().class(), Class::Usage, "{bad}");
        }
    }
}
