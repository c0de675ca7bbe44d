// SPDX-License-Identifier: MIT OR Apache-2.0
//! Links the kernel binary at its fixed address, and tells the library which compiler it is (`XENVER_compile_info`).
#![forbid(unsafe_code)]

fn main() {
    println!("cargo:rerun-if-changed=link.ld");
    println!("cargo:rustc-env=XENOLITH_COMPILER={}", compiler());
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("none") {
        let dir = std::env::var("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR");
        println!("cargo:rustc-link-arg-bins=-T{dir}/link.ld");
        // The target defaults to a static PIE; the image runs at one fixed address instead.
        println!("cargo:rustc-link-arg-bins=--no-pie");
        println!("cargo:rustc-link-arg-bins=-zmax-page-size=4096");
        println!("cargo:rustc-link-arg-bins=-znoexecstack");
    }
}

/// What `rustc --version` says.
fn compiler() -> String {
    let rustc = std::env::var_os("RUSTC").expect("cargo sets RUSTC");
    let output = std::process::Command::new(rustc).arg("--version").output();
    output.map_or_else(|_| "rustc".into(), |output| String::from_utf8_lossy(&output.stdout).trim().into())
}
