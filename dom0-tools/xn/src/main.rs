// SPDX-License-Identifier: MIT OR Apache-2.0
#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod cli;
mod commands;
mod context;
mod cpu_set;
mod domain;
mod error;
mod guests;
mod monitor;
mod near;
mod output;
mod size;

use std::process::ExitCode;

fn main() -> ExitCode {
    let parsed = match cli::parse(std::env::args_os()) {
        Ok(parsed) => parsed,
        Err(refusal) => return refusal.report(),
    };
    let mut context = context::Context::new(parsed.verbose);
    match commands::run(&parsed.command, &mut context) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
