// SPDX-License-Identifier: MIT OR Apache-2.0
#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod control;
mod cpu_map;
mod cpu_policy;
mod cpu_pools;
mod domain;
mod error;
mod events;
mod host;
mod info;
mod memory;
mod page_tables;
mod vcpu;
mod version;

pub use control::Control;
pub use cpu_map::CpuMap;
pub use cpu_policy::Policy;
pub use cpu_pools::CpuPool;
pub use domain::{NewDomain, Trigger};
pub use error::{ControlError, Result};
pub use host::{ConsoleText, CpuPlace, HostInfo, Node};
pub use info::DomainInfo;
pub use page_tables::Level;
pub use vcpu::{Affinity, Share, VcpuInfo};
pub use version::Version;
pub use xen_sys::ForeignMapping;
