// SPDX-License-Identifier: MIT OR Apache-2.0
//! The daemon `xenstored`; see the README.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    xenstored::server::main()
}
