// SPDX-License-Identifier: MIT OR Apache-2.0
//! A test case: a name and a closure that says how it went.

use crate::dom0::Hypervisor;
use anyhow::Result;
use std::path::PathBuf;

/// What a case may want to know.
#[derive(Clone, Debug)]
pub struct Context {
    /// What is tested.
    pub hypervisor: Hypervisor,
    /// Whether Debian's Xen may be booted to compare with.
    pub oracle: bool,
    /// Which QEMU.
    pub qemu: PathBuf,
    /// Whether time does not matter: longer stress, more phases, every CPU in a thread of its own.
    pub long: bool,
}

/// How a case went. An `Err` in its place is a failure too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// As it must.
    Pass,
    /// It means nothing here, for this reason.
    Skip(String),
    /// Something is wrong; what, and what the console said last.
    Fail(String),
}

type Body = Box<dyn Fn(&Context) -> Result<Outcome> + Send + Sync>;

/// A test case.
pub struct Case {
    /// Lower case, words joined by hyphens, the area first.
    pub name: String,
    /// It measures time or fills the machine, so nothing else may run beside it.
    pub alone: bool,
    /// It waits most of the time, so it may run beside as many others as there are.
    pub idles: bool,
    body: Body,
}

impl Case {
    /// A case that may run beside another.
    pub fn new(name: impl Into<String>, body: impl Fn(&Context) -> Result<Outcome> + Send + Sync + 'static) -> Self {
        Self { name: name.into(), alone: false, idles: false, body: Box::new(body) }
    }

    /// The same, but alone.
    #[must_use]
    pub fn alone(mut self) -> Self {
        self.alone = true;
        self
    }

    /// The same, but it waits most of the time.
    #[must_use]
    pub fn idles(mut self) -> Self {
        self.idles = true;
        self
    }

    /// Runs it.
    pub fn run(&self, context: &Context) -> Outcome {
        (self.body)(context).unwrap_or_else(|error| Outcome::Fail(format!("{error:#}")))
    }
}
