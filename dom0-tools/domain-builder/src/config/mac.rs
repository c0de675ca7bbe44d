// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Ethernet addresses.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The address of a network interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Mac([u8; 6]);

/// The text is no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAMac;

impl fmt::Display for NotAMac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an address looks like 00:16:3e:12:34:56")
    }
}

impl std::error::Error for NotAMac {}

impl Mac {
    /// From its bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 6]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 6] {
        self.0
    }

    /// An address of Xen's own range (00:16:3e) with the last three bytes given, of which the top bit is cleared as
    /// the range's users agreed.
    #[must_use]
    pub const fn of_xen(low: [u8; 3]) -> Self {
        let [a, b, c] = low;
        Self([0x00, 0x16, 0x3e, a & 0x7f, b, c])
    }

    /// Whether it names a group of interfaces, so that none can have it.
    #[must_use]
    pub const fn is_group(self) -> bool {
        let [first, ..] = self.0;
        first & 1 != 0
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl FromStr for Mac {
    type Err = NotAMac;

    fn from_str(text: &str) -> Result<Self, NotAMac> {
        let mut parts = text.split(':');
        let mut bytes = [0; 6];
        for byte in &mut bytes {
            let part = parts.next().filter(|part| part.len() == 2 && part.bytes().all(|b| b.is_ascii_hexdigit()));
            *byte = part.and_then(|part| u8::from_str_radix(part, 16).ok()).ok_or(NotAMac)?;
        }
        if parts.next().is_some() { Err(NotAMac) } else { Ok(Self(bytes)) }
    }
}

impl TryFrom<String> for Mac {
    type Error = NotAMac;

    fn try_from(text: String) -> Result<Self, NotAMac> {
        text.parse()
    }
}

impl From<Mac> for String {
    fn from(mac: Mac) -> Self {
        mac.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_back() {
        assert_eq!("00:16:3E:74:3d:76".parse::<Mac>().unwrap().to_string(), "00:16:3e:74:3d:76");
        for bad in ["", "00:16:3e:74:3d", "00:16:3e:74:3d:7", "00:16:3e:74:3d:76:00", "00:16:3e:74:3d:+6"] {
            assert_eq!(bad.parse::<Mac>(), Err(NotAMac), "{bad}");
        }
        assert!(Mac::from_bytes([1, 0, 0, 0, 0, 0]).is_group());
        assert_eq!(Mac::of_xen([0xff, 2, 3]).to_string(), "00:16:3e:7f:02:03");
    }
}
