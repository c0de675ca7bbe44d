// SPDX-License-Identifier: MIT OR Apache-2.0
#![doc = include_str!("../README.md")]
#![no_std]

pub mod abi;
pub mod bench;
pub mod console;
pub mod console_ring;
pub mod control;
pub mod event;
pub mod grant;
pub mod hypercall;
pub mod memory;
pub mod report;
mod start;
pub mod time;
pub mod trap;
pub mod vcpu;

/// Names the function that is the test. It returns when all checks held.
#[macro_export]
macro_rules! guest_main {
    ($main:path) => {
        /// What the runtime calls once the guest is set up.
        #[allow(unsafe_code, reason = "the runtime finds the test by this symbol")]
        #[unsafe(no_mangle)]
        extern "Rust" fn guest_entry() {
            $crate::report::set_name(env!("CARGO_BIN_NAME"));
            let main: fn() = $main;
            main();
        }
    };
}
