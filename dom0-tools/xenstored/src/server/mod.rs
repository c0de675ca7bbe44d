// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! The daemon around the store: sockets and rings, fair turns, and the state that outlives it.

mod detach;
mod hub;
mod journal;
mod lifecycle;
mod log;
mod options;
mod peer;
mod queue;
mod record;
mod restore;
mod ring;
mod run;
mod socket;
#[cfg(test)]
mod tests;
mod xen;

pub use run::main;
