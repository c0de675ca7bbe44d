// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Lists of physical CPUs: `cpus="0-3,5,^1"`.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::error::{Fault, Problem};
use super::piece::Piece;

/// What a wrong list should look like.
const FORM: &str = "all, 0-3,5,^1 or nodes:0-1,^node:2";
/// No machine has more CPUs.
const MAX_CPU: u32 = 4095;

/// A set of physical CPUs, as written; what it means depends on the machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CpuList(Vec<Part>);

/// One part between commas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Part {
    /// Takes the CPUs out instead.
    except: bool,
    which: Which,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Which {
    All,
    Cpus { first: u32, last: u32 },
    Nodes { first: u32, last: u32 },
}

impl CpuList {
    /// Reads a list.
    pub(crate) fn parse(piece: &Piece) -> Result<Self, Fault> {
        let part = |part: &Piece| {
            let part = part.trim();
            parse_part(part.as_str()).ok_or_else(|| Fault::new(&part, Problem::Malformed(FORM)))
        };
        Ok(Self(piece.split(',').iter().map(part).collect::<Result<_, _>>()?))
    }

    /// The CPUs of a machine with `cpus` of them, where `node_of` tells each one's NUMA node: a bit for each, low first.
    ///
    /// A list that starts by taking out starts from nothing, as with `xl`.
    #[must_use]
    pub fn resolve(&self, cpus: u32, node_of: impl Fn(u32) -> u32) -> Vec<bool> {
        let mut set: Vec<bool> = (0..cpus).map(|_| false).collect();
        for part in &self.0 {
            for (cpu, member) in (0..).zip(&mut set) {
                let named = match part.which {
                    Which::All => true,
                    Which::Cpus { first, last } => (first..=last).contains(&cpu),
                    Which::Nodes { first, last } => (first..=last).contains(&node_of(cpu)),
                };
                if named {
                    *member = !part.except;
                }
            }
        }
        set
    }
}

fn parse_part(text: &str) -> Option<Part> {
    let (except, text) = text.strip_prefix('^').map_or((false, text), |rest| (true, rest));
    let nodes = text.strip_prefix("nodes:").or_else(|| text.strip_prefix("node:"));
    let (except, nodes) = match nodes {
        // Both orders are in use: `^node:2` and `nodes:^2`.
        Some(rest) => rest.strip_prefix('^').map_or((except, Some(rest)), |rest| (true, Some(rest))),
        None => (except, None),
    };
    if text == "all" || nodes == Some("all") {
        return Some(Part { except, which: Which::All });
    }
    let (first, last) = parse_range(nodes.unwrap_or(text))?;
    let which = if nodes.is_some() { Which::Nodes { first, last } } else { Which::Cpus { first, last } };
    Some(Part { except, which })
}

fn parse_range(text: &str) -> Option<(u32, u32)> {
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|&cpu: &u32| digits && cpu <= MAX_CPU)
    };
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (number(first.trim())?, number(last.trim())?);
    (first <= last).then_some((first, last))
}

impl fmt::Display for CpuList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, part) in self.0.iter().enumerate() {
            let (comma, except) = (if index > 0 { "," } else { "" }, if part.except { "^" } else { "" });
            write!(f, "{comma}{except}")?;
            match part.which {
                Which::All => f.write_str("all")?,
                Which::Cpus { first, last } if first == last => write!(f, "{first}")?,
                Which::Cpus { first, last } => write!(f, "{first}-{last}")?,
                Which::Nodes { first, last } if first == last => write!(f, "node:{first}")?,
                Which::Nodes { first, last } => write!(f, "nodes:{first}-{last}")?,
            }
        }
        Ok(())
    }
}

impl TryFrom<String> for CpuList {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.split(',').map(|part| parse_part(part.trim())).collect::<Option<_>>().map(Self).ok_or(FORM)
    }
}

impl From<CpuList> for String {
    fn from(list: CpuList) -> Self {
        list.to_string()
    }
}

/// Which physical CPUs the vCPUs may run on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Affinity {
    /// All vCPUs on the same ones.
    Together(CpuList),
    /// vCPU by vCPU; those behind the end of the list run anywhere.
    Each(Vec<CpuList>),
}

impl Affinity {
    /// The list for one vCPU; `None`: anywhere.
    #[must_use]
    pub fn of(&self, vcpu: u32) -> Option<&CpuList> {
        match self {
            Self::Together(list) => Some(list),
            Self::Each(lists) => lists.get(usize::try_from(vcpu).ok()?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cpus(text: &str) -> Vec<u32> {
        let list = CpuList::try_from(text.to_owned()).unwrap();
        assert_eq!(CpuList::try_from(list.to_string()).unwrap(), list);
        (0..).zip(list.resolve(8, |cpu| cpu / 4)).filter(|(_, member)| *member).map(|(cpu, _)| cpu).collect()
    }

    #[test]
    fn lists_name_cpus() {
        assert_eq!(cpus("0-3,5,^1"), [0, 2, 3, 5]);
        assert_eq!(cpus("all,^7"), [0, 1, 2, 3, 4, 5, 6]);
        assert_eq!(cpus("1,node:1,^6"), [1, 4, 5, 7]);
        assert_eq!(cpus("all,^nodes:1"), [0, 1, 2, 3]);
        assert_eq!(cpus("^3"), [0; 0]);
        assert_eq!(cpus("100"), [0; 0]);
    }

    #[test]
    fn nonsense_is_refused() {
        for bad in ["", "0-", "-1", "3-1", "x", "0,,1", "^", "nodes:", "4096", "+1"] {
            assert!(CpuList::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }
}
