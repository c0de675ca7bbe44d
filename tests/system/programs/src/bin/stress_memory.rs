// SPDX-License-Identifier: MIT OR Apache-2.0
//! More memory than there is, each page with its own pattern, rewritten and checked at random, so that the kernel swaps;
//! in between, small mappings made, protected, unprotected and dropped. Arguments: seconds, MiB.
#![forbid(unsafe_code)]

use anyhow::{Context, Result, bail};
use memmap2::MmapMut;
use std::time::Instant;

const PAGE: usize = 4096;
/// One word in so many bytes carries the pattern: enough to tell pages apart, little enough to leave time for swapping.
const STRIDE: usize = 512;

fn main() -> Result<()> {
    let end = dom0_programs::deadline()?;
    let bytes = usize::try_from(dom0_programs::argument(2)?)? << 20;
    let mut region = MmapMut::map_anon(bytes).context("cannot map the region")?;
    let pages = bytes / PAGE;
    // What each page was filled with last.
    let mut seeds: Vec<u64> = (1..).take(pages).collect();
    for (page, seed) in region.chunks_mut(PAGE).zip(&seeds) {
        fill(page, *seed);
    }
    let mut random = 0x1234_5678_9abc_def1;
    let mut checks = 0u64;
    while Instant::now() < end {
        // Runs of pages: random single ones would make the disk the only thing tested.
        let first = usize::try_from(dom0_programs::next_random(&mut random))? % pages;
        for number in first..pages.min(first + 256) {
            let page = &mut region[number * PAGE..(number + 1) * PAGE];
            check(page, seeds[number], number)?;
            seeds[number] = dom0_programs::next_random(&mut random) | 1;
            fill(page, seeds[number]);
            checks += 1;
        }
        protect(dom0_programs::next_random(&mut random))?;
    }
    // Some of each part; all of them in order would only make the disk busy.
    for (number, page) in region.chunks(PAGE).enumerate().step_by(16) {
        check(page, seeds[number], number)?;
    }
    println!("ok memory: {checks} of {pages} pages checked and rewritten");
    Ok(())
}

fn fill(page: &mut [u8], mut seed: u64) {
    for piece in page.chunks_exact_mut(STRIDE) {
        piece[..8].copy_from_slice(&dom0_programs::next_random(&mut seed).to_le_bytes());
    }
}

fn check(page: &[u8], mut seed: u64, number: usize) -> Result<()> {
    for (at, piece) in page.chunks_exact(STRIDE).enumerate() {
        if piece[..8] != dom0_programs::next_random(&mut seed).to_le_bytes() {
            bail!("page {number} is wrong at byte {}", at * STRIDE);
        }
    }
    Ok(())
}

/// A mapping's life: writable, read-only, writable again, gone.
fn protect(seed: u64) -> Result<()> {
    let size = (usize::try_from(seed % 64)? + 1) * PAGE;
    let mut mapping = MmapMut::map_anon(size)?;
    fill(&mut mapping, seed | 1);
    let fixed = mapping.make_read_only()?;
    let copy = fixed.to_vec();
    let mut mapping = fixed.make_mut()?;
    if mapping[..] != copy[..] {
        bail!("a mapping changed when its protection did");
    }
    mapping.fill(0);
    Ok(())
}
