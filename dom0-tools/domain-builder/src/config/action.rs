// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! What happens when a domain stops.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The `ACTION` of `on_poweroff`, `on_reboot`, `on_crash` and `on_watchdog`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Destroy it.
    Destroy,
    /// Destroy it and create it anew.
    Restart,
    /// Rename it, keep it, and create it anew.
    RenameRestart,
    /// Keep it.
    Preserve,
    /// Write its memory to a file, then destroy it.
    CoredumpDestroy,
    /// Write its memory to a file, then create it anew.
    CoredumpRestart,
}

impl Action {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Destroy,
        Self::Restart,
        Self::RenameRestart,
        Self::Preserve,
        Self::CoredumpDestroy,
        Self::CoredumpRestart,
    ];

    /// The word in configurations.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Destroy => "destroy",
            Self::Restart => "restart",
            Self::RenameRestart => "rename-restart",
            Self::Preserve => "preserve",
            Self::CoredumpDestroy => "coredump-destroy",
            Self::CoredumpRestart => "coredump-restart",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
