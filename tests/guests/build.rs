// SPDX-License-Identifier: MIT OR Apache-2.0
//! Links every guest at its fixed address with the runtime's linker script.
#![forbid(unsafe_code)]

fn main() {
    let here = std::env::var("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR");
    let script = format!("{here}/../guest-rt/link.ld");
    println!("cargo:rerun-if-changed={script}");
    println!("cargo:rerun-if-changed=build.rs");
    // Arguments of later flags win, so this undoes the target's default of a relocatable image.
    for arg in ["--no-pie", "-znorelro", "--build-id=none", &format!("-T{script}")] {
        println!("cargo:rustc-link-arg-bins={arg}");
    }
}
