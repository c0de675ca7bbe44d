// SPDX-License-Identifier: MIT OR Apache-2.0
//! Links every guest at its fixed address with the runtime's linker script. Guests that run as domUs leave out the note that
//! wants the p2m list at an address of its own: its tables would not fit into 4 MiB.
#![forbid(unsafe_code)]

use std::fs;
use std::path::Path;

fn main() {
    let here = std::env::var("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR");
    let out = std::env::var("OUT_DIR").expect("cargo sets OUT_DIR");
    let script = format!("{here}/../guest-rt/link.ld");
    println!("cargo:rerun-if-changed={script}");
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=src/bin");
    let text = fs::read_to_string(&script).expect("the runtime has a linker script");
    let small = text
        .replace("*(.note.Xen .note.Xen.p2m)", "*(.note.Xen)")
        .replace("/DISCARD/ : {", "/DISCARD/ : { *(.note.Xen.p2m)");
    let small_script = format!("{out}/link-small.ld");
    fs::write(&small_script, small).expect("cargo's folder can be written");
    for entry in fs::read_dir(Path::new(&here).join("src/bin")).expect("there are guests") {
        let name = entry.expect("a guest").path().file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let script = if name.starts_with("domu_") { &small_script } else { &script };
        // Arguments of later flags win, so this undoes the target's default of a relocatable image.
        for argument in ["--no-pie", "-znorelro", "--build-id=none", &format!("-T{script}")] {
            println!("cargo:rustc-link-arg-bin={name}={argument}");
        }
    }
}
