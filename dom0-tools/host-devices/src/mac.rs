// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Ethernet addresses.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::str::FromStr;

/// The vendor number of Xen: the first half of addresses made up for guests.
const XEN: [u8; 3] = [0x00, 0x16, 0x3e];

/// An Ethernet address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Mac([u8; 6]);

impl Mac {
    /// An address.
    #[must_use]
    pub const fn new(bytes: [u8; 6]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    #[must_use]
    pub const fn bytes(self) -> [u8; 6] {
        self.0
    }

    /// A random address for a guest, with Xen's vendor number.
    ///
    /// # Errors
    /// If dom0 has no random numbers.
    pub fn random() -> io::Result<Self> {
        let [a, b, c, ..] = random_bytes()?;
        let [x, y, z] = XEN;
        Ok(Self([x, y, z, a & 0x7f, b, c]))
    }

    /// A random address for something of dom0's own, such as a bridge: locally administered.
    pub(crate) fn random_local() -> io::Result<Self> {
        let [a, b, c, d, e, f] = random_bytes()?;
        Ok(Self([a & 0xfc | 2, b, c, d, e, f]))
    }
}

fn random_bytes() -> io::Result<[u8; 6]> {
    let mut bytes = [0; 6];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

/// The text is no Ethernet address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoMac;

impl FromStr for Mac {
    type Err = NoMac;

    fn from_str(text: &str) -> Result<Self, NoMac> {
        let mut bytes = [0; 6];
        let mut parts = text.split(':');
        for byte in &mut bytes {
            let part = parts.next().filter(|part| matches!(part.len(), 1 | 2)).ok_or(NoMac)?;
            // Not left to `from_str_radix` alone, which takes a sign.
            let digits = part.bytes().all(|byte| byte.is_ascii_hexdigit());
            *byte = u8::from_str_radix(part, 16).ok().filter(|_| digits).ok_or(NoMac)?;
        }
        if parts.next().is_some() { Err(NoMac) } else { Ok(Self(bytes)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_go_both_ways() {
        let mac: Mac = "00:16:3E:0:01:ff".parse().unwrap();
        assert_eq!(mac.to_string(), "00:16:3e:00:01:ff");
        for bad in
            ["", "00:16:3e:00:01", "00:16:3e:00:01:02:03", "00:16:3e:00:01:0g", "00:16:3e:00:01:+1", "001:6:3e:0:1:2"]
        {
            assert_eq!(bad.parse::<Mac>(), Err(NoMac), "{bad}");
        }
    }

    #[test]
    fn made_up_addresses_are_xens_and_differ() {
        let (one, two) = (Mac::random().unwrap(), Mac::random().unwrap());
        assert!(one.to_string().starts_with("00:16:3e:") && one != two);
        assert_eq!(Mac::random_local().unwrap().bytes()[0] & 3, 2);
    }
}
