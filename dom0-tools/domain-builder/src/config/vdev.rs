// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Names of virtual disks and the numbers the block protocol knows them by (xen-vbd-interface(7)).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::error::{Fault, Problem};
use super::piece::Piece;

/// A virtual disk or partition.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Vdev {
    name: String,
    number: u32,
}

/// Why a name is no virtual disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadVdev {
    /// No name of a disk.
    Unknown,
    /// Such names exist, but not this far.
    TooHigh,
}

impl BadVdev {
    /// What the name should look like.
    const fn form(self) -> &'static str {
        match self {
            Self::Unknown => "xvda, xvdb2, sda, hdc, d0p1, or the number itself (51712)",
            Self::TooHigh => "xvda to d1048575p255, sda to sdp15, or hda to hdd63",
        }
    }
}

impl fmt::Display for BadVdev {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a virtual disk must look like {}", self.form())
    }
}

impl std::error::Error for BadVdev {}

/// The error for a piece of a configuration.
pub(crate) fn fault(piece: &Piece, error: BadVdev) -> Fault {
    Fault::new(piece, Problem::Malformed(error.form()))
}

impl Vdev {
    /// The name as it was given.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The number in the store's `virtual-device`.
    #[must_use]
    pub const fn number(&self) -> u32 {
        self.number
    }
}

impl fmt::Display for Vdev {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl FromStr for Vdev {
    type Err = BadVdev;

    fn from_str(name: &str) -> Result<Self, BadVdev> {
        Ok(Self { name: name.to_owned(), number: number(name)? })
    }
}

impl TryFrom<String> for Vdev {
    type Error = BadVdev;

    fn try_from(name: String) -> Result<Self, BadVdev> {
        name.parse()
    }
}

impl From<Vdev> for String {
    fn from(vdev: Vdev) -> Self {
        vdev.name
    }
}

fn number(name: &str) -> Result<u32, BadVdev> {
    if name.starts_with(|c: char| c.is_ascii_digit()) {
        let number = super::number::parse(name).and_then(|number| u32::try_from(number).ok());
        return number.filter(|&number| number < 2 << 28).ok_or(BadVdev::Unknown);
    }
    if let Some(rest) = name.strip_prefix("xvd") {
        let (disk, partition) = lettered(rest)?;
        return virtual_disk(disk, partition);
    }
    if let Some(rest) = name.strip_prefix("sd") {
        let (disk, partition) = lettered(rest)?;
        return if disk < 16 && partition < 16 { Ok(8 << 8 | disk << 4 | partition) } else { Err(BadVdev::TooHigh) };
    }
    if let Some(rest) = name.strip_prefix("hd") {
        let (disk, partition) = lettered(rest)?;
        return match (disk, partition) {
            (0..2, 0..64) => Ok(3 << 8 | disk << 6 | partition),
            (2..4, 0..64) => Ok(22 << 8 | (disk - 2) << 6 | partition),
            _ => Err(BadVdev::TooHigh),
        };
    }
    let rest = name.strip_prefix('d').ok_or(BadVdev::Unknown)?;
    let (disk, partition) = rest.split_once('p').unwrap_or((rest, "0"));
    virtual_disk(decimal(disk)?, decimal(partition)?)
}

fn virtual_disk(disk: u32, partition: u32) -> Result<u32, BadVdev> {
    match (disk, partition) {
        (0..16, 0..16) => Ok(202 << 8 | disk << 4 | partition),
        (0..0x10_0000, 0..256) => Ok(1 << 28 | disk << 8 | partition),
        _ => Err(BadVdev::TooHigh),
    }
}

/// Disk letters (a, b, .. z, aa, ab, ..) and a partition number.
fn lettered(text: &str) -> Result<(u32, u32), BadVdev> {
    let digits = text.find(|c: char| c.is_ascii_digit()).unwrap_or(text.len());
    let (letters, partition) = text.split_at(digits);
    let mut disk = 0_u32;
    for letter in letters.bytes() {
        if !letter.is_ascii_lowercase() {
            return Err(BadVdev::Unknown);
        }
        disk = disk
            .checked_mul(26)
            .and_then(|disk| disk.checked_add(u32::from(letter - b'a') + 1))
            .ok_or(BadVdev::TooHigh)?;
    }
    let disk = disk.checked_sub(1).ok_or(BadVdev::Unknown)?;
    Ok((disk, if partition.is_empty() { 0 } else { decimal(partition)? }))
}

/// A number without sign and leading zeros, as names have them.
fn decimal(text: &str) -> Result<u32, BadVdev> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits || text.len() > 1 && text.starts_with('0') {
        return Err(BadVdev::Unknown);
    }
    text.parse().map_err(|_| BadVdev::TooHigh)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_numbers() {
        for (name, number) in [
            ("xvda", 51712),
            ("xvdb", 51728),
            ("xvda1", 51713),
            ("xvdp15", 51712 + 255),
            ("xvda16", 1 << 28 | 16),
            ("xvdq", 1 << 28 | 16 << 8),
            ("xvdz", 1 << 28 | 25 << 8),
            ("xvdaa", 1 << 28 | 26 << 8),
            ("xvdtq37", 1 << 28 | 536 << 8 | 37),
            ("d536p37", 1 << 28 | 536 << 8 | 37),
            ("d0", 51712),
            ("d1p2", 51730),
            ("sda", 2048),
            ("sdb3", 2048 + 19),
            ("hda", 768),
            ("hdc2", 22 << 8 | 2),
            ("51728", 51728),
            ("0xca00", 51712),
        ] {
            assert_eq!(name.parse::<Vdev>().map(|vdev| vdev.number()), Ok(number), "{name}");
        }
    }

    #[test]
    fn other_names_are_refused() {
        for name in ["", "xvd", "foo", "xvd1", "xvda01", "XVDA", "xvda ", "d", "dp1", "sda1p2", "536870912"] {
            assert_eq!(name.parse::<Vdev>(), Err(BadVdev::Unknown), "{name}");
        }
        for name in ["sdq", "sda16", "hde", "hda64", "xvda256", "d1048576", "xvdzzzzzz", "d99999999999"] {
            assert_eq!(name.parse::<Vdev>(), Err(BadVdev::TooHigh), "{name}");
        }
    }
}
