// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Bridges in dom0: found, made, given addresses; a guest's interface joins one.

use crate::error::{Error, ErrorKind};
use crate::links::Links;
use crate::mac::Mac;
use crate::netlink::Link;
use std::fs;
use std::io;
use std::net::IpAddr;

/// The bridge of interfaces whose configuration names none; made when it is not there.
pub const DEFAULT: &str = "xenbr0";

/// Longest name of an interface, in bytes (`IFNAMSIZ` without the NUL).
pub(crate) const NAME_MAX: usize = 15;

/// The bridge `name`, which the configuration names or, if it is [`DEFAULT`], is made when absent.
///
/// # Errors
/// `Missing` with how to make it; `Unsuitable` for an interface that is no bridge.
pub fn require(links: &mut Links, name: &str) -> Result<Link, Error> {
    match links.find(name)? {
        Some(link) if link.kind == "bridge" => {
            if !link.up {
                links.up(link.index).map_err(|error| Error::system(format_args!("bridge {name}"), &error))?;
            }
            Ok(link)
        }
        Some(_) => Err(Error::new(
            ErrorKind::Unsuitable,
            format!("{name} is a network interface of dom0, but no bridge"),
            "name a bridge in 'vif', such as bridge=xenbr0",
        )),
        None if name == DEFAULT => create(links, name, None),
        None => Err(Error::new(
            ErrorKind::Missing,
            format!("dom0 has no bridge {name}"),
            format!("make it with 'ip link add {name} type bridge', or correct bridge= in 'vif'"),
        )),
    }
}

/// Makes the bridge `name` unless it is there, switches it on and gives it an address of dom0's.
///
/// # Errors
/// `Unsuitable` for a bad name, or an interface that is no bridge; the kernel's.
pub fn create(links: &mut Links, name: &str, address: Option<(IpAddr, u8)>) -> Result<Link, Error> {
    check_name(name)?;
    let system = |error: io::Error| match error.raw_os_error().map(rustix::io::Errno::from_raw_os_error) {
        Some(rustix::io::Errno::OPNOTSUPP) => {
            let remedy = "load its driver into dom0's kernel: modprobe bridge";
            Error::new(ErrorKind::System, format!("bridge {name}: dom0's kernel has no bridges"), remedy)
        }
        _ => Error::system(format_args!("bridge {name}"), &error),
    };
    if links.find(name)?.is_none() {
        let mac = Mac::random_local().map_err(system)?;
        match links.create_bridge(name, mac.bytes()) {
            // Two creations at a time may both miss it.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            other => other.map_err(system)?,
        }
    }
    let gone =
        || Error::new(ErrorKind::Missing, format!("bridge {name} was removed just after it was made"), "try again");
    let link = links.find(name)?.ok_or_else(gone)?;
    if link.kind != "bridge" {
        let cause = format!("{name} is a network interface of dom0, but no bridge");
        return Err(Error::new(ErrorKind::Unsuitable, cause, "choose another name"));
    }
    links.up(link.index).map_err(system)?;
    if let Some((address, prefix)) = address {
        links.add_address(link.index, address, prefix).map_err(system)?;
    }
    Ok(link)
}

/// Lets a guest's interface join `bridge`, and switches it on. The name the kernel gave it is exchanged for `name` first.
///
/// # Errors
/// The kernel's.
pub(crate) fn join(links: &mut Links, link: &Link, name: &str, bridge: &Link, mtu: Option<u32>) -> Result<(), Error> {
    let system = |error: io::Error| Error::system(format_args!("interface {name}"), &error);
    if link.name != name {
        links.rename(link.index, name).map_err(system)?;
    }
    // Dom0 itself shall not speak IPv6 on the guest's wire. A kernel without IPv6 has no such switch, and needs none.
    let switch = format!("/proc/sys/net/ipv6/conf/{name}/disable_ipv6");
    match fs::write(switch, "1") {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(system(error)),
        _ => {}
    }
    if let Some(mtu) = mtu {
        links.set_mtu(link.index, mtu).map_err(system)?;
    }
    links.set_master(link.index, bridge.index).map_err(system)?;
    links.up(link.index).map_err(system)
}

/// Checks that the kernel will take `name` for an interface.
///
/// # Errors
/// `Unsuitable`.
pub fn check_name(name: &str) -> Result<(), Error> {
    let bad = name.is_empty()
        || name.len() > NAME_MAX
        || matches!(name, "." | "..")
        || name.contains(|c: char| c.is_whitespace() || c == '/' || c == ':');
    if !bad {
        return Ok(());
    }
    let cause = format!("'{name}' is no name for a network interface");
    Err(Error::new(ErrorKind::Unsuitable, cause, format!("use 1 to {NAME_MAX} characters without spaces, '/' and ':'")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        assert!(check_name("xenbr0").is_ok() && check_name("a-name.of_15xxx").is_ok());
        for bad in ["", "sixteen-letters-", "a b", "a/b", ".."] {
            assert_eq!(check_name(bad).unwrap_err().kind, ErrorKind::Unsuitable);
        }
    }
}
