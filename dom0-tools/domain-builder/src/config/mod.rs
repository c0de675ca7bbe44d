// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! xl.cfg(5): from the text of a configuration file to a [`Config`]. Pure: bytes in, values out.
//!
//! ```
//! use domain_builder::config::{Source, parse};
//!
//! let file = Source { name: "demo.cfg", text: b"name = 'demo'\nkernel = '/boot/vmlinuz'\nmemory = 256\n" };
//! let arguments = Source { name: "command line", text: b"memory = 128" };
//! let parsed = parse(&[file, arguments]).unwrap();
//! assert_eq!(parsed.config.memory_mib, 128);
//!
//! let wrong = Source { name: "demo.cfg", text: b"name = 'demo'\nmemroy = 256\n" };
//! let error = parse(&[wrong]).unwrap_err();
//! assert_eq!(
//!     error.to_string(),
//!     "demo.cfg:2:1: 'memroy': unknown option; correct or remove it; did you mean 'memory'?"
//! );
//! ```

mod action;
mod cpus;
mod disk;
mod error;
mod keys;
mod mac;
mod nearest;
mod number;
mod options;
mod piece;
mod print;
mod rate;
mod source;
mod syntax;
mod uuid;
mod vdev;
mod vif;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use action::Action;
pub use cpus::{Affinity, CpuList};
pub use disk::Disk;
pub use error::{ConfigError, Place, Problem, Warning};
pub use mac::{Mac, NotAMac};
pub use rate::Rate;
pub use source::Source;
pub use uuid::{NotAUuid, Uuid};
pub use vdev::{BadVdev, Vdev};
pub use vif::Vif;

/// Everything a file says about a domain. Its JSON form is what is kept for a reboot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The domain's name.
    pub name: String,
    /// Its UUID; `None`: one is made up when it is created.
    pub uuid: Option<Uuid>,
    /// Memory it starts with, in MiB.
    pub memory_mib: u64,
    /// Memory it can ever have, in MiB; at least `memory_mib`.
    pub maxmem_mib: u64,
    /// vCPUs it starts with.
    pub vcpus: u32,
    /// vCPUs it can ever have; at least `vcpus`.
    pub maxvcpus: u32,
    /// Physical CPUs the vCPUs may run on; `None`: all.
    pub cpus: Option<Affinity>,
    /// Those they run on by preference.
    pub cpus_soft: Option<Affinity>,
    /// Share of the CPUs; `None`: the scheduler's default, 256.
    pub cpu_weight: Option<u16>,
    /// Most CPU time, in percent of one CPU; `None` or 0: no limit.
    pub cap: Option<u16>,
    /// The kernel's file.
    pub kernel: PathBuf,
    /// The RAM disk's file.
    pub ramdisk: Option<PathBuf>,
    /// The kernel's command line: `cmdline`, or `root` and `extra`.
    pub cmdline: String,
    /// Virtual disks.
    pub disks: Vec<Disk>,
    /// Virtual network interfaces.
    pub vifs: Vec<Vif>,
    /// What happens when it powers off.
    pub on_poweroff: Action,
    /// When it reboots.
    pub on_reboot: Action,
    /// When it crashes.
    pub on_crash: Action,
    /// When its watchdog bites.
    pub on_watchdog: Action,
    /// Pages of its grant table; `None`: the hypervisor's default.
    pub max_grant_frames: Option<u32>,
    /// Pages of its table of others' grants; `None`: the hypervisor's default.
    pub max_maptrack_frames: Option<u32>,
    /// Newest version of the grant table it may use; `None`: the newest there is.
    pub max_grant_version: Option<u32>,
    /// Event channels it may have; `None`: 1023.
    pub max_event_channels: Option<u32>,
    /// Where some of it stands, for messages.
    #[serde(default)]
    pub places: Places,
}

/// Where settings stand whose faults show only when the domain is created.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Places {
    /// `name`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Place>,
    /// `memory`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<Place>,
    /// `vcpus`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vcpus: Option<Place>,
    /// `cpus`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpus: Option<Place>,
    /// `kernel`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernel: Option<Place>,
    /// `ramdisk`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ramdisk: Option<Place>,
}

impl Config {
    /// Takes all places out: two configurations that mean the same are then equal.
    pub fn forget_places(&mut self) {
        self.places = Places::default();
        self.disks.iter_mut().for_each(|disk| disk.place = None);
        self.vifs.iter_mut().for_each(|vif| vif.place = None);
    }
}

/// A configuration that was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// What it says.
    pub config: Config,
    /// What the user should know about it.
    pub warnings: Vec<Warning>,
}

/// Reads a configuration. Settings of later sources replace those of earlier ones, or add to them by `+=`.
///
/// # Errors
/// The first thing that is wrong, with its place.
pub fn parse(sources: &[Source<'_>]) -> Result<Parsed, ConfigError> {
    let mut settings = Vec::new();
    for (index, source) in sources.iter().enumerate() {
        settings.extend(syntax::parse(index, source).map_err(|fault| fault.resolve(sources))?);
    }
    let (config, warnings) = options::Options::new(sources, settings)
        .and_then(options::Options::interpret)
        .map_err(|fault| fault.resolve(sources))?;
    Ok(Parsed { config, warnings })
}

/// Reads one disk, as `block-attach` takes it. `name` is what messages call the text.
///
/// # Errors
/// What is wrong with it.
pub fn parse_disk(name: &str, spec: &str) -> Result<Disk, ConfigError> {
    let sources = [Source { name, text: spec.as_bytes() }];
    Disk::parse(&whole(spec)).map_err(|fault| fault.resolve(&sources))
}

/// Reads one network interface, as `network-attach` takes it; without `devid=` it is number `devid`.
///
/// # Errors
/// What is wrong with it.
pub fn parse_vif(name: &str, spec: &str, devid: u32) -> Result<(Vif, Vec<Warning>), ConfigError> {
    let sources = [Source { name, text: spec.as_bytes() }];
    let parsed = Vif::parse(&whole(spec), devid).map_err(|fault| fault.resolve(&sources))?;
    let warning = |(piece, why): (piece::Piece, &str)| Warning {
        place: error::place_of(piece.start(), &sources),
        text: piece.as_str().to_owned(),
        message: format!("ignored: {why}"),
    };
    Ok((parsed.vif, parsed.ignored.into_iter().map(warning).collect()))
}

fn whole(spec: &str) -> piece::Piece {
    piece::Piece::verbatim(spec, piece::Mark { source: 0, offset: 0 })
}
