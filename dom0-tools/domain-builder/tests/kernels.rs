// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Debian's own kernels, from their files to what would be loaded. They are looked for where guest-image's tests do.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use domain_builder::config::{Source, parse};
use domain_builder::{Cache, Config, Origin, Prepared};

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

fn kernels() -> Vec<PathBuf> {
    let folder = std::env::var_os("XENOLITH_DEBIAN_CACHE")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/debian"), PathBuf::from);
    let mut found = Vec::new();
    find(&folder, 4, &mut found);
    let required = std::env::var_os("XENOLITH_REQUIRE_KERNELS").is_some();
    assert!(!required || !found.is_empty(), "no Debian kernel in {}: run `cargo xtask test`", folder.display());
    found
}

fn config(kernel: &Path, memory: u64) -> Config {
    let text = format!("name='t'\nkernel='{}'\nmemory={memory}\n", kernel.display());
    parse(&[Source { name: "t.cfg", text: text.as_bytes() }]).expect("a valid configuration").config
}

fn prepare(config: &Config, cache: Option<&Cache>) -> domain_builder::Result<Prepared> {
    Prepared::new(config, cache, &mut |_| ControlFlow::Continue(()))
}

#[test]
fn debian_kernels_are_unpacked_once_and_name_their_smallest_size() {
    for kernel in kernels() {
        let folder = std::env::temp_dir().join(format!("xenolith-kernels-{}", std::process::id()));
        let cache = Cache::new(&folder, 1 << 30);
        let first = prepare(&config(&kernel, 96), Some(&cache)).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(first.kernel_origin(), Origin::Unpacked);
        let second = prepare(&config(&kernel, 96), Some(&cache)).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(second.kernel_origin(), Origin::Cache);
        let refused = |mib| prepare(&config(&kernel, mib), Some(&cache)).expect_err("too small").to_string();
        let error = refused(8);
        let end = error.split_once("size that can is ").map_or("", |(_, end)| end);
        let smallest: u64 = end.strip_suffix(" MiB) (t.cfg:3:8)").and_then(|mib| mib.parse().ok()).expect("a size");
        assert!(smallest <= 96, "{error}");
        assert!(refused(smallest - 1).ends_with(end));
        prepare(&config(&kernel, smallest), Some(&cache)).unwrap_or_else(|error| panic!("{error}"));
        fs::remove_dir_all(&folder).expect("the cache was there");
    }
}
