// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Why a domain could not be built: the step, the cause, the remedy.

use std::fmt;
use std::path::PathBuf;

use xen_control::ControlError;

use crate::config::Place;

/// What was being done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Reading and checking the kernel.
    Kernel(PathBuf),
    /// Reading and checking the RAM disk.
    Ramdisk(PathBuf),
    /// Laying out the guest's memory.
    Layout,
    /// Making the domain and setting its limits.
    Create,
    /// Choosing CPUs.
    Cpus,
    /// Giving it memory.
    Memory,
    /// Making its event channels.
    Events,
    /// Filling its memory.
    Load,
    /// Making its page tables valid and its first vCPU ready.
    Start,
    /// Granting the console's and the store's page.
    Grants,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kernel(path) => write!(f, "kernel {}", path.display()),
            Self::Ramdisk(path) => write!(f, "RAM disk {}", path.display()),
            Self::Layout => f.write_str("lay out the guest"),
            Self::Create => f.write_str("create the domain"),
            Self::Cpus => f.write_str("choose CPUs"),
            Self::Memory => f.write_str("give the domain memory"),
            Self::Events => f.write_str("make event channels"),
            Self::Load => f.write_str("load the guest"),
            Self::Start => f.write_str("make the guest ready"),
            Self::Grants => f.write_str("grant console and store"),
        }
    }
}

/// What kind of failure it is: exit codes depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// A file the configuration names is missing or unusable, or a setting does not fit.
    Configuration,
    /// The machine has too little free memory.
    NoMemory,
    /// The hypervisor or the kernel refused something.
    Refused,
    /// The caller's callback asked for an end.
    Cancelled,
}

/// A domain that was not built. Nothing of it is left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildError {
    /// What was being done.
    pub step: Step,
    /// Why it failed.
    pub cause: String,
    /// What to do about it; empty if the cause says so already.
    pub remedy: String,
    /// The setting it comes from.
    pub place: Option<Place>,
    /// What kind of failure.
    pub class: Class,
}

/// What this crate's builders return.
pub type Result<T> = std::result::Result<T, BuildError>;

impl BuildError {
    /// An error of a kind.
    pub(crate) fn new(step: Step, class: Class, cause: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { step, cause: cause.into(), remedy: remedy.into(), place: None, class }
    }

    /// The hypervisor's or the kernel's refusal.
    pub(crate) fn control(step: Step, error: &ControlError) -> Self {
        let class = if error.is_no_memory() { Class::NoMemory } else { Class::Refused };
        Self::new(step, class, error.to_string(), "")
    }

    /// The callback's wish to stop.
    pub(crate) fn cancelled(step: Step) -> Self {
        Self::new(step, Class::Cancelled, "cancelled", "")
    }

    /// With the setting that has to be changed.
    pub(crate) fn at(self, place: Option<&Place>) -> Self {
        Self { place: place.cloned(), ..self }
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.step, self.cause)?;
        if !self.remedy.is_empty() {
            write!(f, "; {}", self.remedy)?;
        }
        match &self.place {
            Some(place) => write!(f, " ({place})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for BuildError {}
