// SPDX-License-Identifier: MIT OR Apache-2.0
//! The kernel binary: the panic hook and the link to the library that holds everything else.
#![cfg_attr(target_os = "none", no_std, no_main)]
#![forbid(unsafe_code)]

#[cfg(target_os = "none")]
#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    xenolith::panic::report(info)
}

#[cfg(target_os = "none")]
use xenolith as _;

#[cfg(not(target_os = "none"))]
fn main() {
    eprintln!("xenolith is a kernel: build it with `cargo xtask build`, boot it with `cargo xtask run`");
    std::process::exit(2);
}
