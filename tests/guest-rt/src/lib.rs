// SPDX-License-Identifier: MIT OR Apache-2.0
//! A tiny PV kernel runtime for test guests.
//!
//! A guest is one ELF that boots as dom0 on Xenolith and on real Xen, checks one behaviour and prints its verdict on the console:
//!
//! ```text
//! XENOLITH-TEST name: step
//! XENOLITH-VERDICT name success|skip|error|failure: reason
//! ```
//!
//! *error* means the test is broken, *failure* means the hypervisor is wrong. After the verdict the guest reboots the machine.
//!
//! The runtime owns the whole address space of its domain. Functions that poke at arbitrary addresses are safe to call here
//! because breaking the guest is what a test is for: nothing but the guest itself can be harmed, and the trap handler turns each
//! stray fault into an *error* verdict.
#![no_std]

pub mod abi;
pub mod console;
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
