// SPDX-License-Identifier: MIT OR Apache-2.0
//! Ctrl-C and the like, while something is under way that must be undone.

use crate::error::{Class, Failure};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether the user wants it to end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cancel {
    wanted: Arc<AtomicBool>,
    /// Nothing would be undone any more: signals do what they do to any program.
    over: Arc<AtomicBool>,
}

impl Cancel {
    /// Turns Ctrl-C, and requests to end, into a wish that [`Cancel::check`] finds, until [`Cancel::over`].
    pub(crate) fn on_signals() -> Result<Self, Failure> {
        let cancel = Self::default();
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            signal_hook::flag::register_conditional_default(signal, Arc::clone(&cancel.over))
                .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&cancel.wanted)))
                .map_err(|error| Failure::new(Class::Failed, format!("cannot catch signals: {error}")))?;
        }
        Ok(cancel)
    }

    /// What was under way is done.
    pub(crate) fn over(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    /// Whether it is wanted.
    pub(crate) fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Relaxed)
    }

    /// An error if it is wanted.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        if self.is_wanted() { Err(interrupted()) } else { Ok(()) }
    }
}

/// What is said then.
pub(crate) fn interrupted() -> Failure {
    Failure::new(Class::Interrupted, "interrupted; all that was done is undone")
}
