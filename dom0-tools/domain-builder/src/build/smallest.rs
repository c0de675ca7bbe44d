// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! The smallest memory a kernel can be put into.

use guest_image::{ImageError, Plan};

use crate::error::{BuildError, Class, Step};

/// No guest needs more just to start, in MiB.
const MOST_MIB: u64 = 1 << 20;

/// The least number of MiB for which `plan` succeeds. Larger sizes need larger tables, so sizes are tried: what a plan
/// says it needs is where to try next, and ends after a few steps.
pub(crate) fn size_mib(plan: impl Fn(u64) -> Result<Plan, ImageError>) -> Option<u64> {
    let mut mib = 1;
    while mib <= MOST_MIB {
        match plan(mib) {
            Ok(_) => return Some(mib),
            Err(ImageError::NotEnoughMemory { needed_pages, .. }) => mib = needed_pages.div_ceil(256).max(mib + 1),
            Err(_) => return None,
        }
    }
    None
}

/// The refusal of a size that is too small.
pub(crate) fn error(given_mib: u64, smallest_mib: Option<u64>, ramdisk: u64) -> BuildError {
    let with = if ramdisk > 0 { format!(" and its RAM disk of {} KiB", ramdisk.div_ceil(1024)) } else { String::new() };
    let cause = format!("{given_mib} MiB cannot hold the kernel{with}");
    let remedy = match smallest_mib {
        Some(mib) => format!("the smallest size that can is 'memory = {mib}'"),
        None => "use another kernel".to_owned(),
    };
    BuildError::new(Step::Layout, Class::Configuration, cause, remedy)
}
