// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Debian's own kernels: stock images in, the plans real Xen makes out.
//!
//! The images are looked for in `$XENOLITH_DEBIAN_CACHE`, else in `target/debian`, as files named `vmlinuz*`; `cargo xtask`
//! fetches them. Without any there is nothing to test, which is a failure only if `$XENOLITH_REQUIRE_KERNELS` is set.

use std::fs;
use std::path::{Path, PathBuf};

use guest_image::{Format, ImageError, Kernel, PfnRange, Plan, Request, Role, bzimage};
use hypercalls::Pfn;

const HOW: &str = "run `cargo xtask test`, which fetches Debian's kernels, or point XENOLITH_DEBIAN_CACHE to a folder with \
                   a file named vmlinuz*";

/// Every `vmlinuz*` below the folder.
fn find(folder: &Path, depth: u32, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() && depth > 0 {
            find(&path, depth - 1, found);
        } else if path.is_file() && path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("vmlinuz")) {
            found.push(path);
        }
    }
}

/// The kernels at hand; none is a failure where they are required.
fn kernels() -> Vec<PathBuf> {
    let folder = std::env::var_os("XENOLITH_DEBIAN_CACHE")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/debian"), PathBuf::from);
    let mut found = Vec::new();
    find(&folder, 4, &mut found);
    found.sort();
    let required = std::env::var_os("XENOLITH_REQUIRE_KERNELS").is_some();
    assert!(!required || !found.is_empty(), "no Debian kernel in {}: {HOW}", folder.display());
    found
}

fn unpack(image: &[u8]) -> Result<Vec<u8>, ImageError> {
    let mut elf = vec![0; bzimage::kernel_elf_len(image)?];
    bzimage::unpack_into(image, &mut elf)?;
    Ok(elf)
}

#[test]
fn debian_kernels_are_planned_as_xen_does() {
    for path in kernels() {
        let image = fs::read(&path).expect("a readable kernel");
        let elf = unpack(&image).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let kernel = Kernel::parse(&elf).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let notes = kernel.notes();
        assert_eq!((notes.virt_base, notes.paddr_offset), (0xffff_ffff_8000_0000, 0));
        assert_eq!((notes.init_p2m, notes.mod_start_pfn), (Some(0x80_0000_0000), true));
        assert_eq!(notes.supported_features, Some(0x8801));
        assert_eq!(kernel.frames().start(), Pfn::new(0x1000));
        // The image of 6.1, compressed with xz, ends at 0x4a00 in all point releases; for it we have Xen's own numbers.
        if bzimage::format(&image) == Ok(Format::Xz) && kernel.frames().end() == Pfn::new(0x4a00) {
            check_6_1(&kernel);
        }
    }
}

/// The layouts of a reference run of Xen 4.17 with Debian 6.1 (abi.md section 1.4).
fn check_6_1(kernel: &Kernel<'_>) {
    let request = Request { role: Role::Dom0, nr_pages: 0x4_0000, initrd_len: 20 << 20 };
    let dom0 = Plan::new(kernel, &request).expect("1 GiB is enough");
    assert_eq!(dom0.start_info_va(), 0xffff_ffff_84a0_0000);
    assert_eq!(dom0.page_tables, PfnRange::new(Pfn::new(0x4a01), 41));
    assert_eq!(dom0.boot_stack, Pfn::new(0x4a2a));
    assert_eq!(dom0.stack_top(), 0xffff_ffff_84a2_b000);
    assert_eq!(dom0.v_end, 0xffff_ffff_84c0_0000);

    let request = Request { role: Role::DomU, nr_pages: 320 << 8, initrd_len: 0x213 << 12 };
    let domu = Plan::new(kernel, &request).expect("320 MiB are enough");
    let rings = domu.rings.expect("a domU has rings");
    assert_eq!(domu.start_info, Pfn::new(0x4a00));
    assert_eq!((rings.xenstore, rings.console), (Pfn::new(0x4a01), Pfn::new(0x4a02)));
    assert_eq!(domu.page_tables, PfnRange::new(Pfn::new(0x4a03), 0x29));
    assert_eq!(domu.boot_stack, Pfn::new(0x4a2c));
    assert_eq!(domu.initrd.map(|initrd| initrd.frames), Some(PfnRange::new(Pfn::new(0x4c00), 0x213)));
    assert_eq!(domu.p2m.list, PfnRange::new(Pfn::new(0x4e13), 0xa0));
    assert_eq!(domu.p2m.tables, PfnRange::new(Pfn::new(0x4eb3), 3));

    let small = Request { role: Role::Dom0, nr_pages: 64 << 8, initrd_len: 0 };
    assert!(matches!(Plan::new(kernel, &small), Err(ImageError::NotEnoughMemory { .. })));
}

#[test]
fn damaged_debian_kernels_are_refused() {
    for path in kernels() {
        let mut image = fs::read(&path).expect("a readable kernel");
        // Two places late in the payload: the damage must be found although most of it unpacks.
        for at in [image.len() / 2, image.len() / 10 * 9] {
            image[at] ^= 0x10;
            let format = bzimage::format(&image).expect("the header is whole");
            assert_eq!(unpack(&image).err(), Some(ImageError::DamagedPayload(format)), "{} at {at}", path.display());
            image[at] ^= 0x10;
        }
        image.truncate(image.len() / 2);
        assert_eq!(unpack(&image).err(), Some(ImageError::Truncated("payload")));
    }
}
