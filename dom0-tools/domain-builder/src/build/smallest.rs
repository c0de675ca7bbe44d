// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! The smallest memory a kernel can live in.
//!
//! What the plan needs is only the start: Linux then makes a record for every page, per-CPU areas, caches, and unpacks its
//! RAM disk. How much that is follows the size of its image roughly. Seen on Xen 4.17 with Debian's 6.1, whose image ends
//! at 74 MiB, and a RAM disk of 2 MiB: with 80 MiB it is not even built, with 84 and 88 it panics, with 96 it runs.

use guest_image::{ImageError, Kernel, Plan, Request, Role};

use super::PAGES_PER_MIB;
use crate::error::{BuildError, Class, Result, Step};
use crate::kernel::image_error;

/// An image this large, in pages, is that of a Linux kernel; a small guest knows best itself what it needs.
const LARGE_IMAGE: u64 = 16 * PAGES_PER_MIB;
/// A large kernel needs this part of its image's size to work with: a fourth.
const WORKING_PART: u64 = 4;
/// Sizes of large kernels are rounded up to this, in MiB: the estimate is not exact.
const STEP_MIB: u64 = 8;
/// No guest needs more just to start, in MiB.
const MOST_MIB: u64 = 1 << 20;

/// Lays out a guest of `mib` MiB.
pub(crate) fn plan(kernel: &Kernel<'_>, mib: u64, initrd_len: u64) -> Result<Plan> {
    let at = |mib: u64| Request { role: Role::DomU, nr_pages: mib.saturating_mul(PAGES_PER_MIB), initrd_len };
    let plan = match Plan::new(kernel, &at(mib)) {
        Err(error @ ImageError::NotEnoughMemory { .. }) => Err(error),
        Err(error) => return Err(image_error(Step::Layout, error)),
        Ok(plan) => Ok(plan),
    };
    let needed = working_mib(kernel, initrd_len);
    match plan {
        Ok(plan) if mib >= needed => Ok(plan),
        _ => Err(too_small(mib, planned_mib(|mib| Plan::new(kernel, &at(mib)), needed), initrd_len)),
    }
}

/// What a kernel needs to run, in MiB.
fn working_mib(kernel: &Kernel<'_>, initrd_len: u64) -> u64 {
    let frames = kernel.frames();
    if frames.count() < LARGE_IMAGE {
        return 0;
    }
    let pages = [frames.end().raw(), initrd_len.div_ceil(4096), frames.count() / WORKING_PART];
    let pages = pages.into_iter().fold(0, u64::saturating_add);
    pages.div_ceil(PAGES_PER_MIB).next_multiple_of(STEP_MIB)
}

/// The least number of MiB, from `least` on, for which `plan` succeeds. Larger sizes need larger tables, so sizes are
/// tried; what a plan says it needs is where to try next, which ends after a few steps.
fn planned_mib(plan: impl Fn(u64) -> std::result::Result<Plan, ImageError>, least: u64) -> Option<u64> {
    let mut mib = least.max(1);
    while mib <= MOST_MIB {
        match plan(mib) {
            Ok(_) => return Some(mib),
            Err(ImageError::NotEnoughMemory { needed_pages, .. }) => {
                mib = needed_pages.div_ceil(PAGES_PER_MIB).max(mib + 1);
            }
            Err(_) => return None,
        }
    }
    None
}

fn too_small(given_mib: u64, smallest_mib: Option<u64>, initrd_len: u64) -> BuildError {
    let with = match initrd_len.div_ceil(1024) {
        0 => String::new(),
        kib => format!(" and its RAM disk of {kib} KiB"),
    };
    let cause = format!("{given_mib} MiB cannot hold the kernel{with}");
    let remedy = match smallest_mib {
        Some(mib) => format!("set 'memory' to at least {mib} (the smallest size that can is {mib} MiB)"),
        None => "use another kernel".to_owned(),
    };
    BuildError::new(Step::Layout, Class::Configuration, cause, remedy)
}
