// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Network interfaces: `vif=["mac=00:16:3e:00:00:01,bridge=xenbr0,rate=10Mb/s"]`.
//!
//! xl-network-configuration(5) has the rules. `xl` passes over words it does not know; here they are errors.

use serde::{Deserialize, Serialize};

use super::disk::own_backend;
use super::error::{Fault, Place, Problem};
use super::mac::Mac;
use super::number;
use super::piece::Piece;
use super::rate::Rate;

/// A virtual network interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vif {
    /// Its number in the guest.
    pub devid: u32,
    /// Its address; `None`: one is made up when the domain is created.
    #[serde(default)]
    pub mac: Option<Mac>,
    /// The bridge it is put on; `None`: the default one.
    #[serde(default)]
    pub bridge: Option<String>,
    /// Addresses the guest is said to have, for the store.
    #[serde(default)]
    pub ip: Option<String>,
    /// Name of dom0's end; `None`: `vifDOMID.DEVID`.
    #[serde(default)]
    pub vifname: Option<String>,
    /// Limit of what the guest sends.
    #[serde(default)]
    pub rate: Option<Rate>,
    /// Largest packet in bytes; `None`: the bridge's.
    #[serde(default)]
    pub mtu: Option<u32>,
    /// The guest is told that it can trust the backend.
    #[serde(default = "yes")]
    pub trusted: bool,
    /// Where it was configured, for messages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
}

const fn yes() -> bool {
    true
}

const KEYS: [&str; 14] = [
    "mac",
    "bridge",
    "gatewaydev",
    "type",
    "model",
    "vifname",
    "script",
    "ip",
    "backend",
    "rate",
    "devid",
    "mtu",
    "trusted",
    "untrusted",
];

/// Longest name of a network interface, in bytes (`IFNAMSIZ` less its NUL).
const MAX_INTERFACE_NAME: usize = 15;

/// An interface, and what was said about it in vain: text and message.
pub(crate) struct Parsed {
    pub(crate) vif: Vif,
    pub(crate) ignored: Vec<(Piece, &'static str)>,
}

impl Vif {
    /// An interface with nothing said about it.
    #[must_use]
    pub const fn new(devid: u32) -> Self {
        Self {
            devid,
            mac: None,
            bridge: None,
            ip: None,
            vifname: None,
            rate: None,
            mtu: None,
            trusted: true,
            place: None,
        }
    }

    /// Reads one specification; without `devid=` the interface is number `index`.
    pub(crate) fn parse(spec: &Piece, index: u32) -> Result<Parsed, Fault> {
        let mut parsed = Parsed { vif: Self::new(index), ignored: Vec::new() };
        if spec.as_str().trim().is_empty() {
            return Ok(parsed);
        }
        let mut seen: Vec<String> = Vec::new();
        for part in spec.split(',') {
            let part = part.trim();
            let (key, value) = match part.split_once('=') {
                Some((key, value)) => (key.trim(), Some(value.trim())),
                None => (part, None),
            };
            if seen.iter().any(|name| name == key.as_str()) {
                return Err(Fault::new(&key, Problem::Repeated));
            }
            seen.push(key.as_str().to_owned());
            parsed.part(&key, value.as_ref())?;
        }
        Ok(parsed)
    }
}

impl Parsed {
    fn part(&mut self, key: &Piece, value: Option<&Piece>) -> Result<(), Fault> {
        match (key.as_str(), value) {
            ("trusted", None) => self.vif.trusted = true,
            ("untrusted", None) => self.vif.trusted = false,
            (name, None) if KEYS.contains(&name) => {
                return Err(Fault::new(key, Problem::Malformed("key=value")));
            }
            // Empty values are as good as none.
            (name, Some(value)) if value.as_str().is_empty() && KEYS.contains(&name) => {}
            (_, Some(value)) => self.setting(key, value)?,
            (_, None) => return Err(Fault::not_one_of(key, &KEYS)),
        }
        Ok(())
    }

    fn setting(&mut self, key: &Piece, value: &Piece) -> Result<(), Fault> {
        let vif = &mut self.vif;
        let text = || value.as_str().to_owned();
        let narrow = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        match key.as_str() {
            "mac" => {
                let mac: Mac = value
                    .as_str()
                    .parse()
                    .map_err(|_| Fault::new(value, Problem::Malformed("six hexadecimal bytes (00:16:3e:12:34:56)")))?;
                if mac.is_group() {
                    return Err(Fault::new(value, Problem::Malformed("an address of one interface (first byte even)")));
                }
                vif.mac = Some(mac);
            }
            "bridge" => vif.bridge = Some(interface_name(value)?),
            "vifname" => vif.vifname = Some(interface_name(value)?),
            "ip" => vif.ip = Some(text()),
            "rate" => {
                let form = "10Mb/s, 250KB/s or 1MB/s@20ms, at least a byte in an interval";
                vif.rate =
                    Some(Rate::parse(value.as_str()).ok_or_else(|| Fault::new(value, Problem::Malformed(form)))?);
            }
            "devid" => vif.devid = narrow(number::within(value, 0, 255)?),
            "mtu" => vif.mtu = Some(narrow(number::within(value, 68, 65535)?)),
            "backend" => own_backend(value)?,
            "type" => match value.as_str() {
                "vif" | "netfront" => {}
                // What HVM files say; xl gives a PV guest its usual interface then.
                "ioemu" => self.ignored.push((value.clone(), "PV guests have no emulated network cards")),
                _ => return Err(Fault::not_one_of(value, &["vif", "ioemu"])),
            },
            "model" => self.ignored.push((value.clone(), "PV guests have no emulated network cards")),
            "script" => self.ignored.push((value.clone(), "scripts are not run; the interface is put on its bridge")),
            "gatewaydev" | "netdev" => {
                let what = "be routed through an interface; put them on a bridge with bridge=NAME";
                return Err(Fault::new(key, Problem::Refused(what.into())));
            }
            _ => return Err(Fault::not_one_of(key, &KEYS)),
        }
        Ok(())
    }
}

fn interface_name(piece: &Piece) -> Result<String, Fault> {
    let name = piece.as_str();
    let valid = name.len() <= MAX_INTERFACE_NAME
        && !matches!(name, "" | "." | "..")
        && name.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'/' | b':'));
    if valid {
        Ok(name.to_owned())
    } else {
        Err(Fault::new(piece, Problem::Malformed("a network interface's name, at most 15 characters")))
    }
}

#[cfg(test)]
mod tests {
    use super::super::piece::Mark;
    use super::*;

    fn parse(text: &str) -> Result<Parsed, Fault> {
        Vif::parse(&Piece::verbatim(text, Mark { source: 0, offset: 0 }), 2)
    }

    fn vif(text: &str) -> Vif {
        parse(text).unwrap_or_else(|fault| panic!("{text}: {fault:?}")).vif
    }

    #[test]
    fn all_words() {
        assert_eq!(vif(""), Vif::new(2));
        let all = vif(" bridge = br0 , mac=00:16:3E:00:00:01,ip=1.2.3.4 5.6.7.8,vifname=v1,devid=3,mtu=9000,untrusted");
        assert_eq!(all.bridge.as_deref(), Some("br0"));
        assert_eq!(all.mac.unwrap().to_string(), "00:16:3e:00:00:01");
        assert_eq!(all.ip.as_deref(), Some("1.2.3.4 5.6.7.8"));
        assert_eq!((all.vifname.as_deref(), all.devid, all.mtu, all.trusted), (Some("v1"), 3, Some(9000), false));
        assert_eq!(vif("bridge=").bridge, None);
        assert_eq!(vif("rate=10Mb/s").rate.unwrap().to_string(), "10000000b/s@50ms");
    }

    #[test]
    fn words_in_vain_are_said() {
        let parsed = parse("type=ioemu,model=e1000,script=vif-bridge").unwrap_or_else(|fault| panic!("{fault:?}"));
        let said: Vec<_> = parsed.ignored.iter().map(|(piece, _)| piece.as_str()).collect();
        assert_eq!(said, ["ioemu", "e1000", "vif-bridge"]);
    }

    #[test]
    fn refusals_point_at_the_part() {
        let refused = |text: &str, part: &str, near: Option<&str>| {
            let Err(fault) = parse(text) else { panic!("{text} was taken") };
            let error = fault.resolve(&[]);
            assert_eq!((error.text.as_str(), error.nearest.as_deref()), (part, near), "{text}: {error}");
        };
        refused("mac=00:16:3e:74:3d", "00:16:3e:74:3d", None);
        refused("mac=ff:ff:ff:ff:ff:ff", "ff:ff:ff:ff:ff:ff", None);
        refused("bridge=br0,brigde=br1", "brigde", Some("bridge"));
        refused("bridge=br0,bridge=br1", "bridge", None);
        refused("mac", "mac", None);
        refused("bridge=name-longer-than-15", "name-longer-than-15", None);
        refused("rate=x", "x", None);
        refused("mtu=5", "5", None);
        refused("gatewaydev=eth0", "gatewaydev", None);
        refused("backend=dom7", "dom7", None);
        refused("type=vfi", "vfi", Some("vif"));
    }
}
