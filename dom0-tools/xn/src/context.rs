// SPDX-License-Identifier: MIT OR Apache-2.0
//! What commands need: made when it is first asked for, so that a command pays only for what it uses.

/// Passed to every command.
#[derive(Debug)]
pub(crate) struct Context {
    verbose: bool,
}

impl Context {
    /// Nothing is opened yet.
    pub(crate) fn new(verbose: bool) -> Self {
        Self { verbose }
    }

    /// Says what is being done, if that is wanted.
    pub(crate) fn say(&self, what: impl std::fmt::Display) {
        if self.verbose {
            eprintln!("xn: {what}");
        }
    }
}
