// SPDX-License-Identifier: MIT OR Apache-2.0
//! `cargo xtask`: builds, runs and tests Xenolith. The only build tool besides cargo.
#![forbid(unsafe_code)]

mod bench;
mod build;
mod deb;
mod flags;
mod iso;
mod lint;
mod run;
mod test;
mod tidy;
mod tools;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let done = match flags::Cli::parse().task {
        flags::Task::Run(arguments) => run::run(&arguments),
        flags::Task::Test(arguments) => test::run(&arguments),
        flags::Task::Bench(arguments) => bench::run(&arguments),
        flags::Task::Build(arguments) => build::run(&arguments).map(|()| ExitCode::SUCCESS),
        flags::Task::Deb => deb::run().map(|()| ExitCode::SUCCESS),
        flags::Task::Iso(arguments) => iso::run(&arguments).map(|()| ExitCode::SUCCESS),
    };
    done.unwrap_or_else(|error| {
        eprintln!("xtask: {error:#}");
        ExitCode::FAILURE
    })
}
